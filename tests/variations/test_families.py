"""What a variation changes, by what it draws."""

from __future__ import annotations

import numpy as np
import pytest

from segue.variations import PRESETS, VARIATIONS, Address, parse
from segue.variations.families import FAMILIES, Family, families_of
from segue.variations.parts import PARTS

KEY = [Address(0, "test", 0, place, f"case {place}") for place in range(16)]


def test_every_part_is_of_one_family() -> None:
    parts = [part for family in FAMILIES.values() for part in family]
    assert sorted(parts) == sorted(PARTS)


def test_everything_that_has_a_name_is_of_a_family() -> None:
    assert {name: families_of(make()) for name, make in VARIATIONS.items() if len(families_of(make())) != 1} == {}
    assert families_of(PRESETS["none"]()) == ()


def test_of_a_users_own_chain() -> None:
    assert families_of(parse("blur + natural")) == ("geometry", "colour and light", "focus", "noise", "compression")
    assert families_of(parse("0.5*hue + paint + cutmix")) == ("colour and light", "painting", "mixing")
    assert families_of(parse("0*hue")) == ()


def test_a_family_is_what_the_whole_does_of_it() -> None:
    whole = parse("dermoscopy")
    drawn = Family(variation=whole).draw((32, 48), KEY)
    assert drawn == whole.draw((32, 48), [Address(0, "test", 1 << 30, place, f"case {place}") for place in range(16)])
    alone = [Family(variation=whole, family=name).draw((32, 48), KEY) for name in families_of(whole)]
    assert {name for one in alone for name in one.parts} == set(drawn.parts)
    assert all(np.array_equal(part, drawn.parts[name]) for one in alone for name, part in one.parts.items())


@pytest.mark.parametrize("severity", [0.0, 0.5])
def test_severity_reaches_through(severity: float) -> None:
    family = Family(variation=parse("flips + hue(amount=0.4)"), family="colour and light")
    assert family.scaled(severity).draw((32, 32), KEY) == Family(
        variation=parse("flips + hue(amount=0.4)").scaled(severity), family="colour and light"
    ).draw((32, 32), KEY)


def test_a_ramp_is_at_its_end() -> None:
    assert Family(variation=parse("natural(ramp=10)")).draw((32, 32), KEY).active
    assert not parse("natural(ramp=10)").draw((32, 32), KEY).active
