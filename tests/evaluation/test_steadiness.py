"""How steady a prediction is: of predictors of which it is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segue.data.dataset import Dataset
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import subjects
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture
from segue.evaluation.stressing.steadiness import Steadiness, followed, steadiness, summarised
from segue.variations import parse
from segue.variations.address import Address
from tests.evaluation import fakes
from tests.evaluation.fakes import POLYP, THREE, Array, across, red, shades, two
from tests.evaluation.test_stack import frame as frame_of_slices
from tests.evaluation.test_stack import stack

FRAME = Frame((64, 64), 64)
COLOURS = Target(("bright", "very bright"), exclusive=False)


def disk() -> tuple[Picture, Array]:
    """A bright disk, out of the middle, with a soft edge; and its mask, by brightness."""
    rows, columns = np.mgrid[:64, :64]
    bright = 1 / (1 + np.exp((np.hypot(rows - 24, columns - 20) - 12) / 2))
    image = np.repeat((255 * bright).astype(np.uint8)[..., None], 3, 2)
    return Picture([image], (64, 64)), (image[..., 0] >= 128).astype(np.uint8)


def shares(predictor: Any, variation: str, target: Target = POLYP, number: int = 3) -> dict[str, tuple[float, float]]:
    picture, mask = disk()
    drawn = parse(variation).draw((64, 64), [Address(0, "x", 0, 0, "a", view) for view in range(number)])
    return followed(predictor, picture, mask, drawn, frame=FRAME, target=target)


@pytest.mark.parametrize("variation", ["none", "flips(p=1)", "affine(rotate=30, shift=0.1)", "elastic(p=1)"])
def test_who_sees_what_is_there_is_steady_wherever_it_is(variation: str) -> None:
    unsteady, inconsistency = shares(red, variation)["polyp"]
    assert unsteady < 0.08  # an edge is interpolated
    assert inconsistency < 0.08


def test_who_sees_a_place_is_not() -> None:
    """It finds the right half, whatever is there: of the carried and the new half nothing is both."""
    assert shares(across, "flips(horizontal=1, vertical=0)")["polyp"][0] == 1.0
    assert shares(across, "none")["polyp"] == (0.0, 0.0)


def test_colours_and_the_two_measures() -> None:
    """Inverted, the other pixels are found, though the mask is as it was: all pixels changed otherwise than it."""
    unsteady, inconsistency = shares(red, "invert(p=1)")["polyp"]
    assert unsteady > 0.97
    assert inconsistency > 0.97


def test_wrong_alike_is_consistent_and_steady() -> None:
    everything = lambda images: two(np.ones(images.shape[:3]))  # noqa: E731
    assert shares(everything, "brightness(p=1)")["polyp"] == (0.0, 0.0)


def test_geometry_that_is_followed_is_steady_and_place_by_place_inconsistent() -> None:
    """What the two measures are apart in: who finds half of the disk, and finds it again where it has gone."""
    half = lambda images: two((images[..., 0] > 230).astype(np.float32))  # noqa: E731
    unsteady, inconsistency = shares(half, "affine(rotate=0, scale=0, shift=0.3)", number=6)["polyp"]
    assert unsteady < 0.2
    assert inconsistency > 2 * unsteady


def test_it_is_its_definition_pixel_by_pixel() -> None:
    picture, mask = disk()
    drawn = parse("flips(horizontal=1, vertical=0) + noise(strength=0.5, p=1)").draw(
        (64, 64), [Address(0, "x", 0, 0, "a", 0)]
    )
    images = np.stack([picture.levels[0], drawn.images(picture.levels[0][None])[0]])
    before, after = red(images)[:, 1] >= 0.5
    moved = before[:, ::-1]
    unlike, either = (moved ^ after).sum(), (moved | after).sum()
    truth, truth_after = mask == 1, mask[:, ::-1] == 1
    wrong = truth ^ truth_after ^ before ^ after
    any_of = truth | truth_after | before | after
    found = followed(red, picture, mask, drawn, frame=FRAME, target=POLYP)["polyp"]
    assert found == (unlike / either, wrong.sum() / any_of.sum())
    assert 0.01 < found[0] < 1


@pytest.mark.parametrize("target", [THREE, COLOURS], ids=["classes", "regions"])
def test_several_classes_each_for_itself(target: Target) -> None:
    regions = lambda images: np.stack(  # noqa: E731
        [images[..., 0] / 255, images[..., 0] / 400], axis=1
    ).astype(np.float32)
    found = shares(shades if target is THREE else regions, "flips(p=1)", target)
    assert set(found) == set(target.foreground)
    assert all(unsteady < 0.08 for unsteady, _ in found.values())
    assert any(inconsistency > 0.2 for _, inconsistency in found.values())  # the mask has none of the others


def test_slices_of_a_volume_count_together() -> None:
    image = disk()[0].levels[0][::2, ::2, :1].astype(np.uint16) * 257
    voxels = np.stack([image, np.zeros_like(image), image])
    drawn = parse("flips(horizontal=1, vertical=0)").draw((32, 32), [Address(0, "x", 0, 0, "a", 0)])
    truth = (voxels[..., 0] >= 1 << 15).astype(np.uint8)
    moves, stays = (
        followed(predictor, stack(voxels), truth, drawn, frame=frame_of_slices(), target=POLYP)["polyp"]
        for predictor in (red, across)
    )
    assert moves == (0.0, 0.0)
    assert stays[0] == 1.0


# Of a dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fakes.dataset(tmp_path_factory.mktemp("steady"))


def table_of(dataset: Dataset, variation: str, seed: int = 0, predictor: Any = red) -> list[Steadiness]:
    some = subjects(dataset, POLYP)
    names = [one.case.case for one in some]
    return list(steadiness(predictor, some, names, frame=FRAME, target=POLYP, variation=parse(variation), seed=seed))


def test_the_same_seed_is_the_same_and_what_stands_beside_changes_nothing(dataset: Dataset) -> None:
    once, again, other = (table_of(dataset, "natural", seed) for seed in (0, 0, 1))
    assert once == again != other
    few = subjects(dataset, POLYP, names=["c5", "c2"])
    alone = steadiness(red, few, ["c2", "c5"], frame=FRAME, target=POLYP, variation=parse("natural"))
    assert [one for one in once if one.case in ("c2", "c5")] == list(alone)


def test_its_rank_correlation_with_dice(dataset: Dataset) -> None:
    table = judge(red, subjects(dataset, POLYP), frame=FRAME, target=POLYP).table
    found = table_of(dataset, "natural")
    (steady,) = summarised(found, table, "natural")
    assert steady.cases == 8
    assert math.isnan(steady.rank)  # seven have a polyp
    assert "rank" not in steady.told
    assert steady.as_json()["rank"] is None
    # Were it the less steady the lower its Dice, the correlation would be -1.
    dice = {row.case: row.scores.dice for row in table}
    made = [replace(one, unsteady=1 - dice[one.case]) for one in found]
    more = [replace(row, case=f"{row.case} again") for row in table]
    both = [*made, *(replace(one, case=f"{one.case} again") for one in made)]
    (told,) = summarised(both, type(table).of([*table, *more]), "natural")
    assert told.rank == pytest.approx(-1)
    assert "rank correlation -1.00" in told.told


def test_what_cannot_be_asked_is_told(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cutmix: of two images mixed"):
        table_of(dataset, "cutmix(p=1)")
    patches = replace(frame_of_slices(), volumes=replace(frame_of_slices().volumes, patch=(4, 32, 32)))  # type: ignore[type-var]
    with pytest.raises(BadInput, match="sees patches of volumes"):
        list(steadiness(red, [], [], frame=patches, target=POLYP, variation=parse("flips")))
    bad = fakes.dataset(tmp_path)
    cv2.imwrite(str(tmp_path / "raw" / "images" / "3.png"), np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(BadInput, match=r"^c3: "):
        table_of(bad, "flips")
