"""What a dataset has, counted from its table; no image is opened. And what another one could bring beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from segue.data.case import Case
from segue.data.copies.leaks import between
from segue.data.dataset import Dataset
from segue.data.preparing.volumes import modality_of
from segue.data.splitting.dealing import in_proportion, strata_of, units_of
from segue.data.splitting.split import Split, SplitSettings, planned
from segue.errors import BadInput
from segue.experiment.opening import images_of


@dataclass(frozen=True)
class Facts:
    dataset: Dataset
    split: Split | None  # the one called "split"; for a budget, where there is none yet, the one that would be made
    saved: bool = True  # it is there
    stale: bool = False  # there is a split of before, when the table had other cases or other masks
    labels: str = "all"  # a budget of it, as if there were no other masks to learn from
    aside: frozenset[str] = frozenset()  # cases that have a mask, and the budget leaves it out

    @classmethod
    def of(cls, dataset: Dataset, labels: str = "all") -> Facts:
        if not dataset.cases:
            raise BadInput(f"{dataset.folder}: has no cases")
        found = cls._counted(dataset)
        if labels == "all":
            return found
        if found.split is None:
            found = replace(found, split=planned(dataset, SplitSettings()), saved=False)
            assert found.split is not None
        # Who has eight masks to learn from has not four hundred more to choose an epoch by.
        others = [*found.part("train"), *found.part("validation")]
        aside = {case.case for case in others} - set(found.split.budget(labels))
        return replace(found, labels=labels, aside=frozenset(aside))

    @classmethod
    def _counted(cls, dataset: Dataset) -> Facts:
        if not (dataset.folder / "split.csv").exists():
            return cls(dataset, None)
        found = Split.open(dataset)
        masked = {case.case for case in dataset.cases if case.labelled}
        stale = set(found.parts) != set(dataset.by_name) or set(found.labelled) != masked
        return cls(dataset, None if stale else found, stale=stale)

    @property
    def cases(self) -> Sequence[Case]:
        return self.dataset.cases

    @cached_property
    def masked(self) -> list[Case]:
        return [case for case in self.cases if case.labelled and case.case not in self.aside]

    @cached_property
    def units(self) -> dict[str, str]:
        """Case -> patient, with whatever is a copy of their images; where none is known, the scene or the image."""
        return self.split.units if self.split is not None else units_of(self.cases)

    def patients(self, cases: Iterable[Case]) -> int:
        return len({self.units[case.case] for case in cases})

    @property
    def known(self) -> str:
        """Whence patients are known; empty: they are not."""
        return self.dataset.card.patients_from

    @property
    def unit(self) -> str:
        """What is counted for a patient."""
        if self.known:
            return "patient"
        return "scene" if any(case.group for case in self.cases) else "volume" if self.volumes else "image"

    @cached_property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted({case.site for case in self.cases if case.site}))

    @property
    def volumes(self) -> bool:
        return any(case.volume for case in self.cases)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """As images usually are: rows and columns, or slices, rows and columns."""
        sides = [
            (case.depth, case.height, case.width) if case.volume else (case.height, case.width) for case in self._kind
        ]
        return tuple(round(float(np.median(axis))) for axis in zip(*sides, strict=True))

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """Of volumes: millimetres between slices, rows and columns, as they usually are. Empty: not known."""
        known = [case.steps for case in self._kind if len(case.steps) == 3]
        return tuple(float(np.median(axis)) for axis in zip(*known, strict=True))

    @property
    def _kind(self) -> list[Case]:
        return [case for case in self.cases if case.volume == self.volumes]

    @property
    def foreground(self) -> float | None:
        """Share of a mask that is of some class, usually."""
        shares = [case.foreground for case in self.masked if case.foreground is not None]
        return float(np.median(shares)) if shares else None

    @cached_property
    def modality(self) -> str:
        """Of all of it; empty where there are several, or nobody knows."""
        kinds = {modality_of(self.dataset, case) for case in self.cases}
        return kinds.pop() if len(kinds) == 1 else ""

    @property
    def published(self) -> bool:
        return any(case.part for case in self.cases)

    def part(self, name: str) -> list[Case]:
        """Cases with masks in a part of the split; where there is none yet, in the publisher's."""
        if self.split is not None:
            return [case for case in self.masked if self.split.parts[case.case] == name]
        return [case for case in self.masked if case.part == name] if self.published else []

    @cached_property
    def annotated(self) -> int:
        return self.patients(self.masked)

    @property
    def tested(self) -> int:
        """Patients with masks that the test has, or would have if it were split as `segue data split` does."""
        if self.split is not None or self.published:
            return self.patients(self.part("test"))
        return round(SplitSettings().test * self.annotated)

    @property
    def learnt(self) -> int:
        """Likewise, those that are learnt from."""
        if self.split is not None or self.published:
            return self.patients(self.part("train"))
        return self.annotated - self.tested - round(SplitSettings().validation * self.annotated)

    @cached_property
    def unmasked(self) -> list[Case]:
        """Those without masks that may be looked at."""
        return [case for case in images_of(self.dataset) if not case.labelled or case.case in self.aside]

    @cached_property
    def next(self) -> list[str]:
        """Patients without masks in the order in which to annotate them: at random, and each site in proportion."""
        names: dict[str, str] = {}
        for case in self.unmasked:
            names.setdefault(self.units[case.case], case.patient or case.case)
        there = {self.units[case.case] for case in self.masked}
        strata = strata_of(self.cases, self.units)
        return [names[unit] for unit in in_proportion(set(names) - there, strata, 0)]


@dataclass(frozen=True)
class Beside:
    """Another dataset, of which the images alone are of use."""

    name: str
    folder: str
    images: int  # that may be looked at
    copies: int  # of them, of images of this dataset
    of_tests: int  # of them, of images that this dataset has for validation and test
    alike: bool  # a network that learns from this dataset's masks can look at them
    channels: int

    @classmethod
    def of(cls, facts: Facts, where: Path | str) -> Beside:
        ours, theirs = facts.dataset, Dataset.open(where)
        if theirs.folder.resolve() == ours.folder.resolve() or theirs.name == ours.name:
            raise BadInput(
                f"{theirs.folder}: is called {theirs.name!r} as {ours.folder} is",
                hint="Images of the dataset itself are looked at anyway; another one needs another `name` in dataset.yaml.",
            )
        looked = {case.case for case in images_of(theirs)}
        pairs = [pair for pair in between(ours, theirs) if pair.kind != "frame" and pair.b in looked]
        judging = facts.split.judging if facts.split else set()
        one, other = ours.card, theirs.card
        alike = (len(one.channels), one.dtype, facts.volumes) == (
            len(other.channels), other.dtype, any(case.volume for case in theirs.cases),
        )  # fmt: skip
        return cls(
            theirs.name, str(theirs.folder), len(looked), len({pair.b for pair in pairs}),
            len({pair.b for pair in pairs if pair.a in judging}), alike, len(other.channels),
        )  # fmt: skip
