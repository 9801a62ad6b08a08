"""What a scan has found, as a function's result and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.data.case import Case
from segue.data.copies.leaks import Pair
from segue.data.dataset import Dataset, patients


@dataclass(frozen=True)
class Scan:
    """What the scan found. `dataset` is None when bad files stopped it (see `skip_bad`)."""

    root: Path
    layout: str
    why: str
    cases: tuple[Case, ...]
    bad: tuple[tuple[str, str], ...]  # (file, reason)
    labels_in_words: str
    classes: dict[int, str]
    masks_with_class: dict[int, int]
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    dataset: Dataset | None
    traces: dict[str, str] = field(default_factory=dict)  # of unexpected errors, by case, for --debug

    @property
    def labelled(self) -> int:
        return sum(case.labelled for case in self.cases)

    @property
    def sites(self) -> list[str]:
        return sorted({case.site for case in self.cases if case.site})

    def as_json(self) -> dict[str, Any]:
        return {
            "root": str(self.root),
            "dataset": str(self.dataset.folder) if self.dataset else None,
            "layout": self.layout,
            "why": self.why,
            "cases": len(self.cases),
            "labelled": self.labelled,
            "unlabelled": len(self.cases) - self.labelled,
            "patients": patients(self.cases),
            "sites": len(self.sites),
            "site_names": self.sites,
            "parts": dict(sorted(Counter(case.part for case in self.cases if case.part).items())),
            "sizes": sizes(self.cases),
            "spacings": spacings(self.cases),
            "labels": self.labels_in_words,
            "classes": [
                {"id": number, "name": name, "masks": self.masks_with_class.get(number, 0)}
                for number, name in self.classes.items()
            ],
            "duplicate_groups": len(self.groups),
            "duplicate_pairs": dict(sorted(Counter(pair.kind for pair in self.pairs).items())),
            "warnings": list(self.warnings),
            "bad": [{"file": file, "reason": reason} for file, reason in self.bad],
        }


def sizes(cases: Iterable[Case]) -> dict[str, int]:
    """How many images have which size, the most frequent first."""
    return _counted(f"{case.width}x{case.height}" + (f"x{case.depth}" if case.volume else "") for case in cases)


def spacings(cases: Iterable[Case]) -> dict[str, int]:
    """Likewise of the millimetres between voxels: column, row, slice."""
    return _counted("x".join(f"{mm:.3g}" for mm in reversed(case.steps)) for case in cases if case.volume)


def _counted(told: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(told).items(), key=lambda pair: (-pair[1], pair[0])))
