"""What was found of sites: the banks that they were held against, and how much each covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segue.evaluation.stressing.coverage import Coverage, Floats, Measured
from segue.experiment.covering.images import Site
from segue.variations.variation import Variation

PLAIN, CONTROL, WHOLE = "as it is", "flips", "severity 1"  # names of banks
PAGE = "coverage.html"
DRAWS = 3  # varied copies of each image of the source


@dataclass(frozen=True, eq=False)
class Bank:
    """What training sees: the source, and so many varied copies of each of its images after it."""

    name: str
    variation: Variation | None
    places: Floats

    def origin(self, number: int, source: int) -> tuple[int, int | None]:
        """Which image of the source one of the bank was made from, and in which draw; None: it is that image itself."""
        return (number, None) if number < source else (number % source, number // source - 1)


@dataclass(frozen=True, eq=False)
class SiteCovered:
    """Of one site, by every bank."""

    name: str
    folder: Path
    site: Site
    found: dict[str, Measured]  # by bank
    sentence: str

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def coverages(self) -> tuple[Coverage, ...]:
        return tuple(one.coverage for one in self.found.values())

    @property
    def covered(self) -> Coverage:
        return self.found[WHOLE].coverage

    @property
    def plain(self) -> Coverage:
        return self.found[PLAIN].coverage

    def as_json(self) -> dict[str, Any]:
        whole = self.found[WHOLE]
        farthest = np.argsort(-whole.distances, kind="stable")[:10].tolist()
        return {
            "site": self.name, "folder": str(self.folder), "page": str(self.page),
            "images": len(self.site.images), "of": self.site.every,
            "seen": self.site.told, "covered": self.covered.share, "without_variation": self.plain.share,
            "told": self.sentence, "banks": [one.as_json() for one in self.coverages],
            "farthest": [self.site.images[place].name for place in farthest if whole.distances[place] > 1],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Covered:
    run: Path
    variation: str
    source: int  # images
    held: int
    sites: tuple[SiteCovered, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {
            "run": str(self.run), "variation": self.variation, "source": self.source,
            "held_back": self.held, "draws": DRAWS, "sites": [one.as_json() for one in self.sites],
        }  # fmt: skip
