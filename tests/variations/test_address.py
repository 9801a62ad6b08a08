"""Randomness has an address."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue.variations import Address, Numbers

HERE = Address(seed=3, purpose="train", epoch=2, position=41, case="frame 7")


def test_numbers_are_what_they_were() -> None:
    """Runs that were made earlier must resume with the same numbers: this is a promise to files on disk."""
    numbers = Numbers([HERE])
    assert numbers.uniform("affine", 3)[0].tolist() == [0.34317001356997123, 0.5108835666558876, 0.560602433953934]
    assert np.allclose(numbers.normal("affine", 2)[0], [-0.8512052994532644, 1.1097659076619686], rtol=1e-12)


def test_every_field_and_the_slot_matter() -> None:
    one = Numbers([HERE]).uniform("a", 4)
    for other in (
        replace(HERE, seed=4), replace(HERE, purpose="view"), replace(HERE, epoch=3), replace(HERE, position=42),
        replace(HERE, case="frame 8"), replace(HERE, view=1),
    ):  # fmt: skip
        assert not np.any(Numbers([other]).uniform("a", 4) == one)
    assert not np.any(Numbers([HERE]).uniform("b", 4) == one)
    assert not np.any(Numbers([HERE]).within("x").uniform("a", 4) == one)


def test_neighbouring_fields_do_not_run_into_each_other() -> None:
    cases = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", "")]
    found = {float(Numbers([replace(HERE, purpose=p, case=c)]).uniform("a")[0, 0]) for p, c in cases}
    numbered = [replace(HERE, epoch=1, position=23), replace(HERE, epoch=12, position=3)]
    found |= {float(Numbers([address]).uniform("a")[0, 0]) for address in numbered}
    assert len(found) == len(cases) + len(numbered)


def test_a_batch_is_its_samples() -> None:
    batch = [replace(HERE, position=place) for place in range(20)]
    together = Numbers(batch).normal("a", 5)
    for place, address in enumerate(batch):
        assert np.array_equal(Numbers([address]).normal("a", 5)[0], together[place])
    assert np.array_equal(Numbers(batch).uniform("a", 9)[:, :4], Numbers(batch).uniform("a", 4))


def test_slots_within_a_prefix_are_those_of_the_whole_name() -> None:
    numbers = Numbers([HERE])
    assert np.array_equal(numbers.within("x").within("y").uniform("a"), numbers.uniform("x/y/a"))


def test_the_numbers_are_spread_as_they_should() -> None:
    batch = [replace(HERE, position=place) for place in range(4000)]
    uniform = Numbers(batch).uniform("a", 8)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    counts = np.histogram(uniform, 20, (0, 1))[0]
    expected = uniform.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi squared of 19 at 1 in 1000
    normal = Numbers(batch).normal("a", 8)
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert abs((normal**4).mean() - 3) < 0.25
    # Neither columns nor rows depend on each other.
    assert np.abs(np.corrcoef(uniform.T) - np.eye(8)).max() < 0.07
    assert abs(np.corrcoef(uniform[:-1, 0], uniform[1:, 0])[0, 1]) < 0.07
    signed = Numbers(batch).signed("a", 8)
    assert np.array_equal(signed, 2 * uniform - 1)
