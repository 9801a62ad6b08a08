"""Whole networks in a file: their tensors, and what they are, so that the file alone is enough to have them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import ValidationError
from torch import Tensor

from segue.data.target import Target
from segue.errors import BadInput
from segue.files import atomic
from segue.networks.build import assemble, tune
from segue.networks.network import SegmentationNetwork
from segue.networks.settings import NetworkSettings
from segue.networks.weights import COLOURS, read

FORMAT = 1
# Where weights came from and what of them learns makes no other network; adapters do, and these are tensors.
_FREE = {"weights"}


def save(network: SegmentationNetwork, path: Path | str, *, only: Sequence[str] = ()) -> None:
    """Written whole or not at all. `only`: how the names of tensors begin that are written, for others to start from."""
    state = network.state_dict()
    if only:
        state = {name: tensor for name, tensor in state.items() if name.startswith((*only, *COLOURS))}
    tensors, shared = _apart(state)
    notes = {"segue": json.dumps({"format": FORMAT, **_about(network), "shared": shared, "only": list(only)})}
    with atomic(Path(path), "wb") as file:
        file.write(safetensors.torch.save(tensors, metadata=notes))


def restore(path: Path | str) -> SegmentationNetwork:
    """The network that was saved, equal to the last bit; nothing else is needed but the file."""
    path = Path(path)
    tensors, notes = read(path)
    about = _notes(path, notes)
    if about.get("only"):
        raise BadInput(f"{path}: holds a part of a network, to start from (--init); it segments nothing by itself")
    try:
        settings = NetworkSettings.model_validate(about["settings"])
        target = Target.from_json(about["target"])
        channels = int(about["channels"])
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: its notes on the network are incomplete ({' '.join(str(error).split())})") from None
    network = assemble(settings, target, channels)
    tune(network)
    _fill(network, tensors, about, path)
    return network


def load_exactly(network: SegmentationNetwork, path: Path | str) -> None:
    """All tensors of the same network; another network's are refused in a sentence that says where they differ."""
    path = Path(path)
    tensors, notes = read(path)
    about = _notes(path, notes)
    there, here = {**NetworkSettings().model_dump(mode="json"), **_flat(about)}, _flat(_about(network))
    for key in here:
        if key not in _FREE and there.get(key) != here[key]:
            raise BadInput(f"{path}: is of another network, whose {key} is {there.get(key)} and not {here[key]}")
    _fill(network, tensors, about, path)


def _about(network: SegmentationNetwork) -> dict[str, Any]:
    return {
        "settings": network.settings.model_dump(mode="json"),
        "target": network.target.as_json(),
        "channels": network.channels,
    }


def _flat(about: Mapping[str, Any]) -> dict[str, Any]:
    target = about.get("target", {})
    classes = {"classes": ", ".join(target.get("names", ())), "exclusive": target.get("exclusive")}
    return {**about.get("settings", {}), **classes, "channels": about.get("channels")}


def _notes(path: Path, notes: Mapping[str, str]) -> dict[str, Any]:
    try:
        about = json.loads(notes["segue"])
        number = int(about["format"])
    except (KeyError, ValueError, TypeError):
        raise BadInput(
            f"{path}: holds tensors, but does not say of which network",
            hint="As weights=FILE for a network with the same encoder it may do.",
        ) from None
    if number > FORMAT:
        raise BadInput(f"{path}: was written by a newer Segue (format {number}, this one reads up to {FORMAT})")
    return about


def _apart(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tensor once: the format knows no two names for one piece of memory."""
    seen: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    tensors, shared = {}, {}
    for name, tensor in state.items():
        place = tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride())
        if tensor.numel() and place in seen:
            shared[name] = seen[place]
        else:
            seen[place] = name
            # A view of a larger tensor must not drag that along, nor may two views overlap in the file.
            tensors[name] = tensor.detach().cpu().contiguous().clone()
    return tensors, shared


def _fill(network: SegmentationNetwork, tensors: dict[str, Tensor], about: Mapping[str, Any], path: Path) -> None:
    mine = network.state_dict()
    for name, same in about.get("shared", {}).items():
        if same in tensors:
            tensors[name] = tensors[same]
    wrong = [
        name for name in mine.keys() | tensors.keys()
        if name not in mine or name not in tensors or mine[name].shape != tensors[name].shape
    ]  # fmt: skip
    if wrong:
        raise BadInput(
            f"{path}: {len(wrong)} tensors are not those of the network that it names, such as {min(wrong)}",
            hint="Perhaps it was made with other versions of timm or segmentation-models-pytorch.",
        )
    network.load_state_dict(tensors)
