"""What a pre-training looks at: grey and colour side by side, what is known of each, and what is left out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segue
from segue.config import validate
from segue.data.dataset import Dataset
from segue.data.stores.volumes import VolumeStore
from segue.errors import BadInput
from segue.experiment.pretraining import pretrain as verb
from segue.experiment.pretraining.pool import Pool, gather, partition_of
from segue.experiment.pretraining.pretrain import Pretrained
from segue.experiment.settings import PretrainSettings
from segue.training.batches import Batches, on_device
from segue.training.examples import FrameExample, SliceExample, Widened
from segue.training.orders import InTurn
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.padding import CONSTANT, Padding

HEADS, CLINIC, WARD = "datasets/heads", "datasets/clinic", "datasets/ward"


def asked(*data: str, **told: Any) -> PretrainSettings:
    return validate(PretrainSettings, {"data": data, **told}, where="a test")


def pool_of(*data: str, **told: Any) -> Pool:
    return gather(asked(*data, **told))


def test_grey_and_colour_stand_side_by_side(among: Path) -> None:
    pool = pool_of(HEADS, CLINIC)
    assert (pool.channels, pool.dtype) == (3, "uint16")
    heads = [one for one in pool.examples if one.case.startswith("heads/")]
    pictures = [one for one in pool.examples if one.case.startswith("clinic/")]
    assert len(heads) == 4 * 9
    assert len(heads) + len(pictures) == len(pool.examples)
    assert all(isinstance(one, Widened) for one in pool.examples)
    size, key = (64, 64), [Address(0, "train", 0, 5, "x", 0)]
    drawn = parse("weak + noise").draw(size, key)
    for given, kind, factor in ((heads[4], SliceExample, 1), (pictures[0], FrameExample, 257)):
        assert isinstance(given, Widened)
        inner = given.example
        assert isinstance(inner, kind)
        own = inner.render(drawn, 0, size, CONSTANT, key[0])
        done = given.render(drawn, 0, size, CONSTANT, key[0])
        assert done.image.dtype == np.uint16
        assert done.image.shape == (64, 64, 3)
        assert np.array_equal(done.image, np.broadcast_to(own.image.astype(np.uint16) * factor, (64, 64, 3)))
        assert np.array_equal(done.valid, own.valid)
        assert done.labels is None
        assert given.labels() is None
        assert not given.has_foreground()
        assert (given.case, given.size, given.unknown) == (inner.case, inner.size, 0)
    # A colour picture among grey volumes is to the network what it is alone.
    alone = pool_of(CLINIC).examples
    assert isinstance(alone[0], FrameExample)
    seen = []
    for each in (pictures[:2], alone[:2]):
        parcel = Batches(each, InTurn(2), [parse("none")], size=size, batch=2, padding=CONSTANT)[0]
        seen.append(on_device(parcel, torch.device("cpu")).views[0].images)
    assert torch.allclose(seen[0], seen[1], atol=1e-6)


def test_of_each_dataset_an_equal_share_of_whole_patients(among: Path) -> None:
    """So that more datasets are not more images."""
    lines: list[str] = []
    pools = [gather(asked(HEADS, CLINIC, images=most), say=lines.append) for most in (20, 40, 1000)]
    per = [
        [sum(one.case.startswith(name) for one in pool.examples) for name in ("heads/", "clinic/")] for pool in pools
    ]
    assert [heads for heads, _ in per] == [9, 18, 36]
    assert per[0][1] <= 10
    assert per[1][1] <= 20
    assert [len(pools[2].examples)] == [len(pool_of(HEADS, CLINIC).examples)]
    few, more, every = ({one.case for one in pool.examples} for pool in pools)
    assert few < more < every
    assert "heads: 9 of 36 images (1 patient) are looked at" in lines
    assert len(pools[0].seen()) < len(pools[2].seen()), "what was not looked at may be a test"
    with pytest.raises(BadInput, match="images: an equal share are 5 of heads, where a patient has more than that"):
        pool_of(HEADS, CLINIC, images=10)


def test_padding_is_the_networks_zero_on_grey_and_colour_alike(among: Path) -> None:
    pool = pool_of(HEADS, CLINIC)
    grey = next(one for one in pool.examples if one.case.startswith("heads/"))
    colour = next(one for one in pool.examples if one.case.startswith("clinic/"))
    padding, size = Padding("ignore", (0.2, 0.4, 0.9)), (48, 200)
    drawn = parse("none").draw(size, [Address(0, "train", 0, 0, "x", 0)])
    for one, expected in ((colour, (0.2, 0.4, 0.9)), (grey, (0.5, 0.5, 0.5))):
        done = one.render(drawn, 0, size, padding, Address(0, "train", 0, 0, "x", 0))
        assert not done.valid.all()
        assert np.allclose(done.image[~done.valid] / 65535, expected, atol=0.004)


def test_what_is_known_of_each_image(among: Path) -> None:
    pool = pool_of(HEADS, CLINIC)
    image, volume, partition, dataset, unit = pool.known.T
    assert image.tolist() == list(range(len(pool.examples)))
    assert dataset.tolist() == [0] * 36 + [1] * (len(image) - 36)
    assert volume[:36].tolist() == [n // 9 for n in range(36)]
    assert partition[:9].tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert set(partition[36:]) == {-1}
    assert len(set(volume[36:])) == len(image) - 36  # a picture is nobody's slice
    patients = {case.case: case.who for case in pool.several[1].images}
    who = [patients[one.case.removeprefix("clinic/")] for one in pool.examples[36:]]
    assert len(set(zip(who, unit[36:], strict=True))) == len(set(who)) == len(set(unit[36:]))
    assert not set(unit[:36]) & set(unit[36:])
    heads, clinic = pool.groups
    assert len(heads.volumes) == 4
    assert not heads.frames
    assert clinic.frames == tuple(range(36, len(image)))
    for parts in heads.volumes:
        assert [list(partition[list(part)]) for part in parts] == [[n] * len(part) for n, part in enumerate(parts)]


def test_a_heart_is_counted_from_its_base(among: Path) -> None:
    (one,) = pool_of(HEADS).several
    assert isinstance(one.store, VolumeStore)
    place = one.store.places[0]
    plain, turned = (
        [partition_of(replace(place, first=first), number, 3) for number in range(9)] for first in ("base", "apex")
    )
    assert plain == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert turned == plain[::-1]
    assert [partition_of(place, number, 20) for number in range(9)] == [0, 2, 4, 6, 8, 11, 13, 15, 17]


def test_nothing_else_is_ever_drawn(among: Path, looked: Pretrained) -> None:
    """Whatever the loop reads, it is for training in its dataset's split."""
    settings = validate(PretrainSettings, looked.run.config, where="a test")
    pool = gather(settings)
    batches = verb._loop(settings, pool, looked.run).batches
    drawn = {address.case for step in range(40) for _, address in batches.addresses(step)}
    assert drawn == {f"{row['dataset']}/{row['case']}" for row in looked.run.cases() if row["part"] == "images"}


def test_copies_of_what_others_are_judged_by_are_left_out(among: Path) -> None:
    lines: list[str] = []
    pool = gather(asked(CLINIC, WARD), say=lines.append)
    ward = {case.case for case in pool.several[1].images}
    assert "from_test" not in ward
    assert "from_train" in ward
    assert len(ward) == 11
    assert "ward: is not split, so all of its 12 images are looked at" in lines
    assert "! ward: 1 left out: copies of what the others are judged by" in lines
    alone: list[str] = []
    assert len(gather(asked(WARD), say=alone.append).examples) == 12
    assert not any("left out" in line for line in alone)


def test_nothing_that_can_be_looked_at(among: Path, tmp_path: Path) -> None:
    """Because all is for the test, or because all are copies of another's."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(CLINIC, copy)
    card = copy / "dataset.yaml"
    card.write_text(card.read_text().replace("name: clinic", "name: elsewhere"))
    rows = [f"{case.case},test\n" for case in Dataset.open(copy).cases]
    (tmp_path / "parts.csv").write_text("case,part\n" + "".join(rows))
    segue.split(copy, source=tmp_path / "parts.csv", name="tests")
    stores = ("stores/clinic", "stores/clinic")
    with pytest.raises(BadInput, match="elsewhere: no image of it can be looked at: none is for training"):
        pool_of(str(copy), split="tests", stores=stores[:1])
    shutil.copy(copy / "tests.csv", copy / "split.csv")
    shutil.copy(copy / "tests.yaml", copy / "split.yaml")
    with pytest.raises(
        BadInput, match=r"clinic: .*: all that is for training are copies of what the others are judged by"
    ):
        pool_of(CLINIC, str(copy), stores=stores)


def test_what_does_not_go_together(among: Path, tmp_path: Path) -> None:
    for sentence, told in (
        ("neighbours: only where all datasets are grey volumes", asked(HEADS, CLINIC, neighbours=1)),
        ("2 datasets and 1 stores: give one for each", asked(HEADS, CLINIC, stores=("stores/heads",))),
        ("there is nothing to look at", asked()),
        (
            "two of the datasets have the name 'heads'",
            asked(HEADS, shutil.copytree(HEADS, tmp_path / "heads").as_posix()),
        ),
    ):
        with pytest.raises(BadInput, match=sentence):
            gather(told)
