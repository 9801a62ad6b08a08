"""From a person's words to a variation; presets, severities, ramps, one of several."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from segue.errors import BadInput
from segue.variations import PRESETS, VARIATIONS, Address, Chain, Drawn, OneOf, parse
from segue.variations.affine import Affine
from segue.variations.elastic import Elastic
from segue.variations.variation import One

SIZE = (64, 64)


def key(count: int, **fields: Any) -> list[Address]:
    given = {"seed": 0, "purpose": "train", "epoch": 0, **fields}
    return [Address(position=place, case=f"case {place}", **given) for place in range(count)]


def test_one_name_is_that_variation_and_several_are_a_chain() -> None:
    assert parse("affine(rotate=5, p=0.5)") == Affine(rotate=5, p=0.5)
    chain = parse("flips + 0.5*elastic(cells=8) + natural")
    assert isinstance(chain, Chain)
    assert [member.name for member in chain.members] == ["flips", "elastic", "natural"]
    assert chain.members[1] == Elastic(cells=8, severity=0.5)
    assert parse("none").draw(SIZE, key(3)) == Drawn.identity(3, SIZE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("elastik", "no variation is called 'elastik': did you mean elastic"),
        ("affine(rotat=3)", "affine takes no 'rotat': did you mean rotate"),
        ("affine(name=3)", "affine takes no 'name'"),
        ("affine(rotate=many)", "affine: rotate='many' is not a number"),
        ("affine(rotate=true)", "affine: rotate=True is not a number"),
        ("affine(rotate=200)", "affine: rotate=200 is not between 0 and 180"),
        ("elastic(cells=5)", "cells=5 is not one of 2, 4, 8 and 16"),
        ("elastic(cells=4.0)", "cells=4.0 is not a whole number"),
        ("erase(fill=7)", "fill=7 is not a word"),
        ("erase(fill=blak)", "did you mean black"),
        ("erase(labels=drop)", "known: ignore, keep"),
        ("blur(p=1.5)", "blur: p=1.5 is not between 0 and 1"),
        ("blur(severity=2)", "blur: severity=2 is not between 0 and 1"),
        ("2*blur", "a factor is part of a severity"),
        ("natural(ramp=-1)", "ramp of -1"),
        ("natural(severity=2)", "natural: severity=2 is not between"),
        ("none(severity=1)", "none takes no 'severity'"),
        ("jpeg(loss=50, least=60)", "least=60 is not between 0 and 50"),
        ("flips +", "is not of the form"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says.replace("(", r"\(").replace(")", r"\)")):
        parse(text)


def test_every_name_is_its_variations_own() -> None:
    for name, maker in VARIATIONS.items():
        made = maker()
        assert made.name == name
        assert {"p", "severity"} <= set(inspect.signature(maker).parameters)
        assert parse(name) == made
    for name, preset in PRESETS.items():
        assert preset().name == name


@pytest.mark.parametrize("name", [*VARIATIONS, *PRESETS])
def test_more_severity_is_more(name: str) -> None:
    """Zero at 0, and rising: what is drawn scales, or happens more often."""
    variation = {**VARIATIONS, **PRESETS}[name]()
    if name == "none":
        return
    image = np.random.default_rng(0).integers(30, 220, (16, 48, 48, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)

    def change(severity: float) -> float:
        drawn = variation.scaled(severity).draw((192, 192), key(16))
        if name == "tilt":  # of volumes
            return float(np.abs(drawn.parts["turn"] - np.eye(3)).mean())
        if name == "paint":  # by whoever can
            return float(np.abs(drawn.parts["edit"][:, 4] * (drawn.parts["edit"][:, 0] > 0)).mean())
        return float(np.abs(drawn.images(image).astype(int) - image).mean())

    none, some, full = change(0.0), change(0.3), change(1.0)
    assert none == 0
    assert 0 < some < full


def test_a_variation_does_not_mind_its_company() -> None:
    alone = parse("blur").draw(SIZE, key(5)).parts["blur"]
    for text in ("blur + noise", "noise + blur", "flips + elastic + blur + strong"):
        found = parse(text).draw(SIZE, key(5)).parts["blur"]
        if "strong" not in text:
            assert np.array_equal(found, alone)
        else:
            assert np.all(found >= alone)
    # The second of a name draws numbers of its own.
    first, both = parse("noise").draw(SIZE, key(5)), parse("noise + noise").draw(SIZE, key(5))
    assert np.all(both.parts["noise"][:, 0] > first.parts["noise"][:, 0])
    assert not np.allclose(both.parts["noise"][:, 0], first.parts["noise"][:, 0] * np.sqrt(2))


def test_p_is_the_share_of_samples() -> None:
    for text in ("blur(p=0.3)", "vanilla(p=0.3)"):
        drawn = parse(text).draw(SIZE, key(2000))
        acts = np.any(list(drawn.active.values()), axis=0)
        assert acts.mean() == pytest.approx(0.3, abs=0.04)


def test_vanilla_leaves_half_of_the_samples_wholly_alone() -> None:
    drawn = parse("vanilla").draw(SIZE, key(400))
    acts = np.stack(list(drawn.active.values()))
    assert acts.any(0).mean() == pytest.approx(0.5, abs=0.08)
    assert acts[:, acts.any(0)].mean() > 0.8  # and the other half is varied in all ways


def test_natural_is_the_published_model() -> None:
    """Magnitudes and probabilities of the system that it is from, at severities 1 and 0.5."""
    full = parse("natural").draw(SIZE, key(500))
    assert all(acts.mean() > 0.7 for acts in full.active.values())
    quality = 100 - full.parts["jpeg"][:, 0]
    assert quality.min() >= 10
    assert quality.max() <= 20
    assert full.parts["noise"][:, 0].max() ** 2 == pytest.approx(0.01, rel=0.02)
    half = parse("natural(severity=0.5)").draw(SIZE, key(2000))
    assert half.active["noise"].mean() == pytest.approx(0.5, abs=0.04)
    assert half.parts["noise"][:, 0].max() == pytest.approx(0.05, rel=0.02)
    quality = 100 - half.parts["jpeg"][half.active["jpeg"], 0]
    assert quality.min() >= 50
    assert quality.max() <= 60
    gain = half.parts["colour"][:, :, 3:6].sum(2).mean(1)
    assert np.abs(gain - 1).max() == pytest.approx(0.1, abs=0.01)


def test_severity_zero_is_byte_for_byte_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 40, 56, 3)).astype(np.uint8)
    drawn = parse("natural(severity=0)").draw((40, 56), key(16))
    assert drawn.images(image).tobytes() == image.tobytes()


def test_a_ramp_rises_by_the_epoch() -> None:
    ramped = parse("natural(ramp=10)")
    assert not ramped.draw(SIZE, key(50)).active
    largest = [float(ramped.draw(SIZE, key(300, epoch=epoch)).parts["noise"][:, 0].max()) for epoch in range(12)]
    assert np.allclose(largest, np.minimum(np.arange(12) / 10, 1) * 0.1, rtol=0.15)
    assert ramped.draw(SIZE, key(50, epoch=10)) == parse("natural").draw(SIZE, key(50, epoch=10))
    mixed = key(2)[:1] + key(2, epoch=10)[1:]
    assert not ramped.draw(SIZE, mixed)[0].active
    assert ramped.draw(SIZE, mixed)[1].active


def test_one_of_several_is_exactly_one() -> None:
    several = OneOf(members=(parse("blur"), parse("noise"), parse("jpeg")), p=0.9)
    drawn = several.draw(SIZE, key(3000))
    acts = np.stack([drawn.active[name] for name in ("blur", "noise", "jpeg")])
    assert acts.sum(0).max() == 1
    assert np.allclose(acts.mean(1), 0.3, atol=0.04)
    assert not several.scaled(0).draw(SIZE, key(20)).active
    with pytest.raises(BadInput, match="p=2"):
        OneOf(members=(), p=2)


def test_a_new_variation_is_one_small_class() -> None:
    """As docs/variations.md tells it."""
    from dataclasses import dataclass

    from segue.testing import check_variation
    from segue.variations.variation import Floats, Parts, Scene

    @dataclass(frozen=True, kw_only=True)
    class Squeeze(One):
        amount: float = 0.2
        name: str = "squeeze"

        def parts(self, severity: Floats, scene: Scene) -> Parts:
            matrix = np.tile(np.eye(3), (len(severity), 1, 1))
            matrix[:, 0, 0] = 1 + self.amount * severity * scene.numbers.uniform("amount")[:, 0]
            return {"matrix": matrix}

    check_variation(Squeeze())


def test_quarter_turns_and_flips_move_bytes_as_they_are() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    turned = parse("rot90").draw((32, 32), key(40)).images(image)
    seen = {
        k for one, other in zip(image, turned, strict=True) for k in range(4) if np.array_equal(np.rot90(one, k), other)
    }
    assert seen == {0, 1, 2, 3}
    flipped = parse("flips").draw((32, 32), key(40)).images(image)
    ways = {
        (up, left)
        for one, other in zip(image, flipped, strict=True)
        for up in (1, -1)
        for left in (1, -1)
        if np.array_equal(one[::up, ::left], other)
    }
    assert len(ways) == 4


def test_a_crop_invents_nothing_and_an_affine_map_stays_in_its_bounds() -> None:
    labels = np.zeros((30, 40, 56), np.uint8)
    assert parse("crop(smallest=0.3)").draw((40, 56), key(30)).carry(labels)[1].all()
    matrices = parse("affine(rotate=20, scale=0.5, shift=0.1)").draw((40, 56), key(500)).parts["matrix"]
    sizes = np.sqrt(np.linalg.det(matrices[:, :2, :2]))
    assert 1 / 1.5 <= sizes.min() < 0.7
    assert 1.4 < sizes.max() <= 1.5
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 19 < np.abs(angles).max() <= 20
    assert 0.19 < np.abs(matrices[:, :2, 2]).max() <= 0.2  # a tenth of the long side, which is 2
