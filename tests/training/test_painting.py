"""What a painter does to images and masks, and what it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from segue.data.case import IGNORE
from segue.networks.painter import Painter
from segue.training.batches import Batches
from segue.training.orders import InTurn
from segue.training.painting import HOLE, INSIDE, HoleExample, Painting
from segue.training.windows import Window
from segue.variations import Address, Drawn, Padding, opencv, parse
from segue.variations.edits import edited

SIZE = (80, 96)
KEY = [Address(0, "train", 0, place, f"case {place}") for place in range(12)]


@dataclass(frozen=True)
class Image:
    """A texture with a disk, whose mask is known, or not looked at."""

    number: int
    masked: bool = True
    unknown: int = 0
    channels: int = 3
    dtype: str = "uint8"
    size: tuple[int, int] = (60, 96)

    @property
    def case(self) -> str:
        return f"case {self.number}"

    def labels(self) -> npt.NDArray[np.uint8] | None:
        rows, columns = np.ogrid[:60, :96]
        return (np.hypot(rows - 30, columns - 40 - self.number) < 14).astype(np.uint8) if self.masked else None

    def has_foreground(self) -> bool:
        return True

    def picture(self) -> npt.NDArray[np.uint8]:
        return np.random.default_rng(self.number).integers(40, 200, (60, 96, 3)).astype(np.uint8)

    def render(self, drawn: Drawn, index: int, size: Any, padding: Padding, address: Address) -> opencv.Rendered:
        return opencv.render(drawn, index, [self.picture()], self.labels(), size, padding)


@pytest.fixture(scope="module")
def painting() -> Painting:
    torch.manual_seed(0)
    return Painting(Painter(3, 4).eval(), 32, 1)


def batches(text: str, painting: Painting | None, examples: list[Image] | None = None) -> Batches:
    several: Any = examples or [Image(number) for number in range(12)]
    variations = [parse("none"), parse(text)]
    return Batches(several, InTurn(len(several)), variations, size=SIZE, batch=12, padding=Padding(), painting=painting)


def test_only_what_the_hole_covers_is_painted_and_the_mask_is_the_edited_one(painting: Painting) -> None:
    clean, painted = batches("paint(add=0.5, alter=0.5, repaint=0)", painting)[0].stored
    changed = 0
    for index, values in enumerate(painted.drawn.parts["edit"]):
        found = edited(values, clean.target[index] == 1, clean.shown[index])
        if found is None:
            assert (painted.images[index] == clean.images[index]).all()
            continue
        changed += 1
        assert ((painted.images[index] == clean.images[index]) | found.hole[:, :, None]).all()
        assert (painted.images[index] != clean.images[index]).any()
        assert ((painted.target[index] == 1) == found.after).all()
    assert changed > 6
    assert (clean.target == IGNORE).any()  # letterboxed: beyond the picture nothing counts
    assert ((painted.target == IGNORE) == (clean.target == IGNORE)).all()
    assert (painted.shown == clean.shown).all()


def test_what_is_painted_moves_with_what_is_around(painting: Painting) -> None:
    plain, moved = (batches(f"paint(add=1, alter=0, repaint=0){more}", painting)[0] for more in ("", " + flips(p=1)"))
    one, other = plain.stored[1], moved.stored[1]
    flips = other.drawn.without(["edit"])
    assert (np.asarray(opencv.images(flips, one.images)) == other.images).mean() > 0.99
    carried, valid = flips.carry(one.target, valid=one.shown)
    assert (carried == other.target)[valid].mean() > 0.99
    assert (valid == other.shown).mean() > 0.98


def test_without_a_painter_or_a_mask_nothing_is_edited(painting: Painting) -> None:
    untold = batches("paint", None)[0].stored
    assert (untold[0].images == untold[1].images).all()
    bare = batches("paint", painting, [Image(number, masked=False) for number in range(12)])[0].stored
    assert (bare[0].images == bare[1].images).all()


def test_the_same_address_is_the_same_picture_and_another_seed_another_texture(painting: Painting) -> None:
    one, again = (batches("paint", painting)[0].stored[1] for _ in range(2))
    assert one.images.tobytes() == again.images.tobytes()
    image, labels = Image(0).picture(), Image(0).labels()
    assert labels is not None
    values = parse("paint(add=0, alter=0, repaint=1)").draw((60, 96), KEY[:1]).parts["edit"][0]
    other = values.copy()
    other[1] = 0.123
    shown = np.ones(labels.shape, np.bool_)
    first, second = painting(image, labels, shown, values), painting(image, labels, shown, other)
    assert first is not None
    assert second is not None
    assert (first[0] != second[0]).any()
    assert (first[1] == second[1]).all()


def test_an_example_is_a_hole_and_the_truth_around_and_in_it() -> None:
    example = HoleExample(Image(2), SIZE, 1, 32)
    drawn = Drawn.identity(1, (32, 32))
    kinds = set()
    for address in KEY:
        done = example.render(drawn, 0, (32, 32), Padding(), address)
        assert done.image.shape == (32, 32, 3)
        assert done.labels is not None
        hole, inside = (done.labels & HOLE) > 0, (done.labels & INSIDE) > 0
        assert 0 < hole.mean() < 1
        kinds.add("lesion" if (inside & hole).sum() > 0.5 * hole.sum() else "around")
    assert kinds == {"lesion", "around"}
    again = example.render(drawn, 0, (32, 32), Padding(), KEY[0])
    assert (again.image == example.render(drawn, 0, (32, 32), Padding(), KEY[0]).image).all()


def test_a_window_lies_in_the_image_and_comes_back_to_its_place() -> None:
    hole = np.zeros((60, 90), np.bool_)
    hole[2:12, 70:84] = True
    window = Window.around(hole, 32)
    assert window.across + window.extent / 2 <= 90
    assert window.down - window.extent / 2 >= 0
    image = np.indices((60, 90)).sum(0)[:, :, None].repeat(3, 2).astype(np.uint8)  # smooth: it survives being cut
    cut = window.cut(image)
    from segue.variations.edits import Edited

    back = window.back(cut, image, Edited(hole, hole, 2.0))
    assert np.abs(back.astype(int) - image).max() <= 2
