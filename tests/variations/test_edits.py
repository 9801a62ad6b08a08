"""Masks edited by numbers: each edit does what its name says, within its bounds, and touches nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segue.errors import BadInput
from segue.variations import Address, Drawn, parse
from segue.variations.edits import KINDS, WIDTH, Edited, edited

Bools = npt.NDArray[np.bool_]
SIZE = (96, 120)
SHOWN = np.ones(SIZE, np.bool_)


def disk(down: float = 48, across: float = 60, radius: float = 18) -> Bools:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return np.asarray(np.hypot(rows - down, columns - across) < radius)


def drawn(many: int = 60, **chances: Any) -> npt.NDArray[np.float64]:
    nothing = {"add": 0, "alter": 0, "remove": 0, "repaint": 0}
    told = ", ".join(f"{name}={value}" for name, value in {**nothing, **chances}.items())
    key = [Address(0, "train", 0, place, "x") for place in range(many)]
    return parse(f"paint({told})").draw(SIZE, key).parts["edit"]


def done(before: Bools, shown: Bools = SHOWN, /, **chances: Any) -> list[tuple[str, Edited]]:
    several = [(KINDS[int(row[0])], edited(row, before, shown)) for row in drawn(**chances)]
    return [(kind, one) for kind, one in several if one is not None]


def area(mask: Bools) -> int:
    return int(np.count_nonzero(mask))


def test_what_changes_lies_in_the_hole_and_the_hole_in_the_picture() -> None:
    shown = SHOWN.copy()
    shown[:, :20] = False
    before = disk() & shown
    found = done(before, shown, add=0.4, alter=0.3, remove=0.1, repaint=0.2)
    assert {kind for kind, _ in found} == set(KINDS) - {"none"}
    for _, one in found:
        assert not ((before ^ one.after) & ~one.hole).any()
        assert not (one.hole & ~shown).any()
        assert not (one.after & ~shown).any()
        assert area(one.hole) > area(before ^ one.after)  # with room around


def test_one_is_added_to_what_is_there() -> None:
    before = disk()
    found = done(before, add=1, size=0.3)
    assert len(found) > 50
    added = [area(one.after & ~before) for _, one in found]
    assert all((before & one.after == before).all() for _, one in found)
    assert max(added) < math.pi * (0.3 * 60 * 1.5) ** 2
    assert len({area(one.after) for _, one in found}) > 40  # no two alike


def test_one_that_is_there_is_altered_within_bounds() -> None:
    before = disk(radius=18)
    found = done(before, alter=1, amount=0.4)
    kinds = {kind for kind, _ in found}
    assert kinds == {"grow", "bend", "move"}
    for kind, one in found:
        changed = area(before ^ one.after)
        if kind == "grow":
            assert 0.3 < math.sqrt(area(one.after) / area(before)) < 1.5
        if kind == "bend":  # near one place of the outline
            rows, columns = np.nonzero(before ^ one.after)
            spread = np.hypot(rows - rows.mean(), columns - columns.mean()).mean()
            assert changed < 0.5 * area(before)
            assert spread < 18
        if kind == "move":
            assert abs(area(one.after) - area(before)) < 0.1 * area(before)
    sizes = [area(one.after) for kind, one in found if kind == "grow"]
    assert min(sizes) < area(before) < max(sizes)


def test_a_larger_amount_alters_more() -> None:
    before = disk()
    means = [
        np.mean([area(before ^ one.after) for _, one in done(before, alter=1, amount=amount)]) for amount in (0.1, 0.5)
    ]
    assert means[1] > 3 * means[0]


def test_one_of_several_goes_and_the_others_stay() -> None:
    one, other = disk(30, 30, 12), disk(60, 90, 14)
    gone = [edit.after for _, edit in done(one | other, remove=1)]
    assert any((after == one).all() for after in gone)
    assert any((after == other).all() for after in gone)
    assert all((after == one).all() or (after == other).all() for after in gone)


def test_painted_anew_the_mask_stays() -> None:
    before = disk()
    for _, one in done(before, repaint=1):
        assert (one.after == before).all()
        assert (one.hole & before == before).all()


@pytest.mark.parametrize("kind", ["alter", "remove", "repaint"])
def test_of_an_empty_mask_nothing_is_altered(kind: str) -> None:
    assert done(np.zeros(SIZE, np.bool_), **{kind: 1}) == []
    assert done(np.zeros(SIZE, np.bool_), add=1)


def test_numbers_are_kept_replayed_and_follow_their_address() -> None:
    key = [Address(3, "train", 1, place, "x") for place in range(8)]
    one = parse("paint").draw(SIZE, key)
    assert one.parts["edit"].shape == (8, WIDTH)
    assert Drawn.from_json(one.as_json()) == one == parse("flips + paint").draw(SIZE, key).only(["edit"])
    for row in one.parts["edit"]:
        found, again = edited(row, disk(), SHOWN), edited(row.copy(), disk(), SHOWN)
        assert (found is None) == (again is None)
        assert found is None or again is None or (found.after == again.after).all()


def test_severity_is_how_much_and_nothing_is_the_identity() -> None:
    key = [Address(0, "train", 0, place, "x") for place in range(40)]
    assert "edit" not in parse("paint(severity=0)").draw(SIZE, key).active
    whole, half = (parse(f"{factor}*paint(add=1, alter=0, repaint=0)").draw(SIZE, key) for factor in (1, 0.5))
    assert np.allclose(half.parts["edit"][:, 4], whole.parts["edit"][:, 4] / 2)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadInput, match="more than 1 together"):
        parse("paint(add=0.7, alter=0.4)")
    with pytest.raises(BadInput, match="amount=2 is not between"):
        parse("paint(amount=2)")
