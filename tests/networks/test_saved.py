"""Whole networks in a file, and files that are of something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from segue.data.target import Target
from segue.errors import BadInput
from segue.networks import load_exactly, load_weights, restore, save
from tests.networks.small import logits, network, of_timm


def test_where_the_weights_came_from_need_not_be_there_any_more(tmp_path: Path) -> None:
    of_timm(tmp_path / "timm.safetensors")
    made = network(channels=1, weights=str(tmp_path / "timm.safetensors"), tune="frozen")
    save(made, tmp_path / "network.safetensors")
    (tmp_path / "timm.safetensors").unlink()
    again = restore(tmp_path / "network.safetensors")
    x = torch.rand(1, 1, 50, 70)
    assert torch.equal(logits(again, x), logits(made, x))
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in made.parameters()]
    assert again.settings == made.settings


def test_one_piece_of_memory_under_two_names(tmp_path: Path) -> None:
    made = network()
    one, two = "body.decoder.blocks.1.conv2.0.weight", "body.decoder.blocks.2.conv2.0.weight"
    body: Any = made.body
    blocks = body.decoder.blocks
    blocks[2].conv2[0].weight = blocks[1].conv2[0].weight
    state = made.state_dict()
    save(made, tmp_path / "network.safetensors")
    with safe_open(tmp_path / "network.safetensors", framework="pt") as file:
        assert two not in set(file.keys())
    again = restore(tmp_path / "network.safetensors").state_dict()
    assert torch.equal(again[two], state[one])
    assert torch.equal(again[one], state[one])


def test_a_part_of_a_network_is_to_start_from(tmp_path: Path) -> None:
    """Of the same architecture all of it is taken, however little of the decoder it is; of another only the encoder."""
    path = tmp_path / "part.safetensors"
    made = network()
    save(made, path, only=("body.encoder.", "body.decoder.blocks.0."))
    with safe_open(path, framework="pt") as file:
        kept = set(file.keys())
    assert not any(name.startswith(("body.decoder.blocks.1.", "body.head")) for name in kept)
    other = network()
    found = load_weights(other, path)
    assert found.matched == found.total
    assert found.decoder[0] > 0
    assert not found.left_over
    one, two = (dict(each.state_dict()) for each in (made, other))
    assert all(torch.equal(one[name], two[name]) for name in kept)
    with pytest.raises(BadInput, match="holds a part of a network, to start from"):
        restore(path)


def test_a_layout_for_speed_is_no_matter_of_the_file(tmp_path: Path) -> None:
    made = network()
    save(made.to(memory_format=torch.channels_last), tmp_path / "last.safetensors")  # type: ignore[call-overload]
    x = torch.rand(1, 3, 64, 64)
    made = made.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert torch.equal(logits(restore(tmp_path / "last.safetensors"), x), logits(made, x))


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"architecture": "fpn"}, "is of another network, whose architecture is unet and not fpn"),
        ({"encoder": "resnet18"}, "whose encoder is mobilenetv3_small_050 and not resnet18"),
        ({"depth": 3}, "whose depth is 5 and not 3"),
        ({"channels": 1}, "whose channels is 3 and not 1"),
        (
            {"target": Target(("background", "vessel"))},
            "whose classes is background, lesion and not background, vessel",
        ),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(told: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    save(network(), tmp_path / "network.safetensors")
    with pytest.raises(BadInput, match=sentence):
        load_exactly(network(**told), tmp_path / "network.safetensors")


def test_a_checkpoint_of_the_same_network_is_taken(tmp_path: Path) -> None:
    made, other = network(), network()
    save(made, tmp_path / "network.safetensors")
    load_exactly(other, tmp_path / "network.safetensors")
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(logits(made, x), logits(other, x))


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save(network(), path)
    whole = path.read_bytes()
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["segue"])

    def written(notes: dict[str, Any] | None, **changed: Any) -> Path:
        save_file({**tensors, **changed}, path, {"segue": json.dumps(notes)} if notes else None)
        return path

    with pytest.raises(BadInput, match="does not say of which network"):
        restore(written(None))
    with pytest.raises(BadInput, match=r"written by a newer Segue \(format 99"):
        restore(written({**about, "format": 99}))
    with pytest.raises(BadInput, match="notes on the network are incomplete"):
        restore(written({"format": 1}))
    with pytest.raises(BadInput, match=r"1 tensors are not those .* such as colour_mean"):
        restore(written(about, colour_mean=torch.zeros(1, 7, 1, 1)))
    with pytest.raises(BadInput, match="such as extra"):
        restore(written(about, extra=torch.zeros(1)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="only the beginning of one"):
        restore(path)
    with pytest.raises(BadInput, match="there is no such file"):
        restore(tmp_path / "nowhere.safetensors")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.safetensors"
    save(network(), path)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(Exception, match="cannot be written"):
        save(network(), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
