"""Who stays together, and how those that do are dealt out to the parts and folds of a split.

The unit is what must stay together: all images of a patient, and whatever is a copy of one of them. Units are laid in a
row by stratum (site, size of the foreground) and by a keyed hash, and dealt out along the row, so that each part gets
its share of every stratum. Only whole numbers and hashes decide: same table, same split, on every machine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from segue.data.case import Case, whom
from segue.data.components import components
from segue.errors import BadInput, nearest

LEFT_OUT = "left out"

Units = dict[str, str]
"""Case -> the first case of all that must stay with it."""
Strata = dict[str, str]
"""Unit -> stratum."""


def units_of(cases: Sequence[Case]) -> Units:
    """A patient's cases stay together, and copies of any of them."""
    links = [(f"case {case.case}", f"patient {case.who}") for case in cases]
    links += [(f"case {case.case}", f"group {case.group}") for case in cases if case.group]
    units: Units = {}
    for members in components(links):
        names = sorted(member.removeprefix("case ") for member in members if member.startswith("case "))
        units |= dict.fromkeys(names, names[0])
    return units


def strata_of(cases: Sequence[Case], units: Units) -> Strata:
    """Site and size of the foreground (in thirds of all labelled cases), or that there are no labels."""
    shares = sorted(case.foreground for case in cases if case.labelled and case.foreground)
    cuts = [shares[len(shares) // 3], shares[2 * len(shares) // 3]] if len(shares) >= 3 else []
    members: dict[str, list[Case]] = {}
    for case in cases:
        members.setdefault(units[case.case], []).append(case)
    strata = {}
    for unit, inside in members.items():
        sites = "+".join(sorted({case.site for case in inside if case.site}))
        sizes = [case.foreground or 0.0 for case in inside if case.labelled]
        if not sizes:
            size = "unlabelled"
        elif not max(sizes):
            size = "empty"
        else:
            largest = max(sizes)
            size = ("small", "medium", "large")[sum(largest >= cut for cut in cuts)]
        strata[unit] = f"{sites} {size}".strip()
    return strata


def by_patient(
    cases: Sequence[Case], units: Units, strata: Strata, *, validation: float, test: float, seed: int
) -> dict[str, str]:
    """Case -> train, validation or test."""
    shares = {
        name: Fraction(share).limit_denominator(10_000)
        for name, share in (("train", 1 - test - validation), ("validation", validation), ("test", test))
        if share > 0
    }
    if "train" not in shares:
        raise BadInput(f"validation {validation:g} and test {test:g} leave nothing to train on")
    sizes = _sizes((case.case for case in cases if case.labelled), units)
    if sizes and len(sizes) < len(shares):
        raise BadInput(
            f"{len(sizes)} annotated {whom(cases)}{'s' * (len(sizes) != 1)}: not enough for {', '.join(shares)}",
            hint="Annotate a few more, chosen at random, or set test and validation to 0.",
        )
    dealt = _deal(sizes, strata, shares, seed, "part")
    # What has no labels can be learnt from, but neither validated nor tested on.
    return {case.case: dealt.get(units[case.case], "train") for case in cases}


def site_left_out(
    site: str, cases: Sequence[Case], units: Units, strata: Strata, *, validation: float, seed: int
) -> dict[str, str]:
    """That site is the test; what belongs with one of its cases and lies elsewhere is left out."""
    sites = {case.site for case in cases if case.site}
    if site not in sites:
        raise BadInput(f"no site is called {site!r}: {nearest(site, sites)}")
    there = [case for case in cases if case.site == site]
    touched = {units[case.case] for case in there}
    home = [case for case in cases if units[case.case] not in touched]
    if not any(case.labelled for case in home):
        raise BadInput(f"without {site!r} no labelled case is left")
    parts = by_patient(home, units, strata, validation=validation, test=0.0, seed=seed)
    parts |= dict.fromkeys((case.case for case in cases if units[case.case] in touched), LEFT_OUT)
    return parts | dict.fromkeys((case.case for case in there), "test")


def into_folds(
    count: int,
    parts: Mapping[str, str],
    units: Units,
    strata: Strata,
    labelled: frozenset[str],
    *,
    seed: int,
    of: str,
) -> dict[str, int]:
    """Case of the training part -> its fold."""
    sizes = _sizes((case for case, part in parts.items() if part == "train" and case in labelled), units)
    if len(sizes) < count:
        raise BadInput(f"{len(sizes)} annotated {of}s cannot make {count} folds")
    dealt = _deal(sizes, strata, {str(number): Fraction(1, count) for number in range(count)}, seed, "fold")
    # Unlabelled images follow their patient; those of patients without any label are in no fold.
    return {case: int(dealt[units[case]]) for case, part in parts.items() if part == "train" and units[case] in dealt}


def in_proportion(units: Iterable[str], strata: Strata, seed: int) -> list[str]:
    """The units in such an order that every beginning of it holds each stratum in proportion."""
    by_stratum: dict[str, list[str]] = {}
    for unit in units:
        by_stratum.setdefault(strata[unit], []).append(unit)
    places: list[tuple[Fraction, str, str]] = []
    for inside in by_stratum.values():
        inside.sort(key=lambda unit: _draw(seed, "budget", unit))
        places += [(Fraction(2 * i + 1, 2 * len(inside)), _draw(seed, "tie", u), u) for i, u in enumerate(inside)]
    return [unit for *_, unit in sorted(places)]


def _draw(seed: int, purpose: str, unit: str) -> str:
    """A number with an address: it depends on nothing but this."""
    return hashlib.blake2b(f"{seed}\t{purpose}\t{unit}".encode(), digest_size=12).hexdigest()


def _deal(
    sizes: dict[str, int], strata: Strata, shares: dict[str, Fraction], seed: int, purpose: str
) -> dict[str, str]:
    """Unit -> part. Along the row of units each goes to the part that lacks most of its share so far."""
    row = sorted(sizes, key=lambda unit: (-(sizes[unit].bit_length()), strata[unit], _draw(seed, purpose, unit)))
    # Large units first: at the end of the row nothing could make up for one.
    given = dict.fromkeys(shares, 0)
    dealt, total = {}, 0
    for unit in row:
        total += sizes[unit]
        part = max(shares, key=lambda name: shares[name] * total - given[name])
        dealt[unit] = part
        given[part] += sizes[unit]
    return dealt


def _sizes(cases: Iterable[str], units: Units) -> dict[str, int]:
    return dict(Counter(units[case] for case in cases))
