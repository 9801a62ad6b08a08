"""What may be said of a place in words, or why nothing can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segue.evaluation.auditing.estimate import LEVEL, Expected, Site
from segue.evaluation.auditing.fit import HOME
from segue.evaluation.auditing.looks import Difference, Look, Usual, colourless, differences, strange, told
from segue.evaluation.auditing.rivals import CONSTANT
from segue.evaluation.auditing.trial import AUDIT, Judged, earned
from segue.words import count

FEWEST = 6  # images, below which a place cannot be spoken of
_STRANGERS = 0.5  # share of a place's images from which on nothing can be said
_SWAPPED = 0.5  # of the distance, if red and blue taken for each other bring it down to less, they probably are
_MOSTLY = 0.5  # of images: if it is found in fewer, they may have none
_FAR = 1.5  # usual distances, below which nobody asks about channels


@dataclass(frozen=True)
class Verdict:
    cannot: tuple[str, ...]  # why nothing can be said; empty: something can
    sentences: tuple[str, ...]  # a class each
    differs: tuple[Difference, ...]  # from home, the largest first
    strangers: float  # share of images that are unlike all of which something is known
    distance: float  # mean of how far images lie from home; 1 is usual
    distances: Mapping[str, float] = field(default_factory=dict)  # by case
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return not self.cannot

    @property
    def told(self) -> tuple[str, ...]:
        """What is to be read first."""
        return self.sentences if self.known else tuple(f"It cannot be known: {why}" for why in self.cannot)

    def as_json(self) -> dict[str, Any]:
        return {
            "known": self.known, "cannot": list(self.cannot), "sentences": list(self.sentences), "notes": list(self.notes),
            "differs": {one.name: one.steps for one in self.differs}, "strangers": self.strangers,
            "distance": self.distance,
        }  # fmt: skip


def verdict(
    found: Expected,
    known: Mapping[str, Sequence[Look]],
    looks: Mapping[str, Look],
    trials: Mapping[str, Sequence[Judged]],
) -> Verdict:
    """`known`: looks of those of which masks are known, by family; `looks`: those of this place."""
    home = Usual.of(known[HOME])
    own = list(looks.values())
    distances = home.distances(own)
    strangers = float(strange(known, own, home).mean())
    differs = differences(home, own)
    cannot = [*_too_few(len(own)), *_strange(strangers, distances.mean(), home, own, differs)]
    for name, judged in trials.items():
        cannot += _not_earned(name if len(trials) > 1 else "", judged)
    sentences = [_sentence(one) for one in found.sites]
    notes = [f"What is different there: {words}." for words in [told(differs)] if words]
    if colourless(own) and not colourless(known[HOME]):
        notes.insert(0, "Its images have no colour, and those at home have: the network has never seen such.")
    notes += [
        f"In {1 - one.found:.0%} of images no {one.class_name} is found. Where there is none that is right: what is expected "
        "speaks of images that have one."
        for one in found.sites
        if math.isnan(one.there) and one.found < _MOSTLY
    ]
    return Verdict(
        tuple(cannot), tuple(sentences), differs, strangers, float(distances.mean()),
        dict(zip(looks, map(float, distances), strict=True)), tuple(notes),
    )  # fmt: skip


def _too_few(images: int) -> list[str]:
    return [] if images >= FEWEST else [f"{count(images, 'image')} are too few to speak of a place (from {FEWEST} on)."]


def _strange(
    strangers: float, distance: float, home: Usual, looks: Sequence[Look], differs: Sequence[Difference]
) -> list[str]:
    if strangers < _STRANGERS:
        return []
    words = told(differs)
    found = [
        f"{strangers:.0%} of its images look like none of which something is known ({distance:.1f} times as far from home as "
        f"usual{': ' + words if words else ''})."
    ]
    if distance > _FAR and float(home.distances(looks, swapped=True).mean()) < _SWAPPED * distance:
        found.append("With red and blue the other way round they would look like home: their channels may be swapped.")
    return found


def _not_earned(name: str, judged: Sequence[Judged]) -> list[str]:
    if not judged or earned(judged):
        return []
    off = {one.name: one.off for one in judged}
    of = f" of {name}" if name else ""
    return [
        f"where masks are known, a constant{of} was nearer to the truth ({off[CONSTANT]:.3f} off) than this audit "
        f"({off[AUDIT]:.3f})."
    ]


def _sentence(site: Site) -> str:
    if math.isnan(site.dice):
        return f"{site.class_name}: nothing is expected to be there."
    against = ""
    if not math.isnan(site.home):
        worse = site.high < site.home
        against = f", worse than at home ({site.home:.2f})" if worse else f"; at home it is {site.home:.2f}"
    kind = "places such as those known" if site.elsewhere else "places that differ as spoilt copies of home do"
    sure = f"in {round(LEVEL * 10)} of 10 {kind}"
    return (
        f"{site.class_name}: a Dice of {site.dice:.2f} is expected ({site.low:.2f} to {site.high:.2f} {sure}){against}."
    )
