"""`segue data split`: who is for training, who for validation, who for the test. By patient, and repeatable anywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from segue.config import Settings, read_yaml, validate, write_yaml
from segue.data.case import Case, read_table, whom, write_rows
from segue.data.dataset import Dataset, as_dataset
from segue.data.splitting.adopted import adopted
from segue.data.splitting.dealing import (
    LEFT_OUT,
    by_patient,
    in_proportion,
    into_folds,
    site_left_out,
    strata_of,
    units_of,
)
from segue.errors import BadInput
from segue.files import atomic
from segue.words import count

BUDGETS = ("1", "3", "7", "10%", "25%", "all")
_HONEST = 10  # test patients below which a mean says little

Share = Annotated[float, Field(ge=0, lt=1)]


class SplitSettings(Settings):
    """How to split. `published` takes the parts that the dataset's publisher gave, when there are any."""

    published: bool = True
    test: Share = 0.2
    validation: Share = 0.1
    folds: Annotated[int, Field(ge=0)] = 0  # with folds, validation is the fold, and test is only what `test` says
    leave_site_out: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Split:
    name: str
    dataset: str
    settings: SplitSettings
    how: str  # in words
    parts: dict[str, str]  # case -> train, validation, test, left out
    folds: dict[str, int]
    units: dict[str, str]  # case -> what it must stay together with
    strata: dict[str, str]  # unit -> stratum
    labelled: frozenset[str]
    warnings: tuple[str, ...] = ()
    whom: str = "patient"  # what is counted: patients, or where none is known scenes or images

    @cached_property
    def hash(self) -> str:
        lines = [
            f"{case}\t{part}\t{self.folds.get(case, '')}\t{self.units[case]}"
            for case, part in sorted(self.parts.items())
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def cases(self, part: str) -> list[str]:
        return sorted(case for case, where in self.parts.items() if where == part)

    def fold(self, number: int) -> tuple[list[str], list[str]]:
        """(training, validation) of one fold, the labelled cases.

        An unlabelled image may be used in a fold unless it has that fold itself: then it belongs with the validation.
        """
        inside = [case for case in self.cases("train") if case in self.folds and case in self.labelled]
        return [c for c in inside if self.folds[c] != number], [c for c in inside if self.folds[c] == number]

    def refuse_test(self, cases: Iterable[str]) -> None:
        """Whatever fits anything (weights, thresholds, an inpainter) passes its cases through here first."""
        for case in cases:
            part = self.parts.get(case)
            if part is None:
                raise BadInput(f"case {case!r} is not in the split {self.name!r} of {self.dataset}")
            if part in ("test", LEFT_OUT):
                raise BadInput(
                    f"case {case!r} is a test case of the split {self.name!r} ({self.hash}); nothing may be fitted on it"
                    if part == "test"
                    else f"case {case!r} was left out of the split {self.name!r}: it belongs with test cases"
                )

    @property
    def judging(self) -> set[str]:
        """Cases that whatever is trained is, or may later be, judged by."""
        return {case for part in ("validation", "test") for case in self.cases(part)}

    @property
    def units_of_training(self) -> set[str]:
        """Patients (and what belongs with them) that have masks to learn from."""
        return {self.units[case] for case in self.cases("train") if case in self.labelled}

    def budget(self, amount: str, *, seed: int | None = None) -> list[str]:
        """The labelled training cases of a label budget: "5" patients, "10%" of them, or "all". Larger ones hold smaller."""
        return self._first("train", _count(amount, len(self.units_of_training)), seed)

    @property
    def budgets(self) -> list[str]:
        """Usual ones, each inside the next: a tenth may be less than seven."""
        there = len(self.units_of_training)
        return sorted(BUDGETS, key=lambda amount: min(_count(amount, there), there))

    def few(self, count: int, *, seed: int | None = None) -> list[str]:
        """The labelled validation cases of so many patients: no more than a budget would have."""
        return self._first("validation", count, seed)

    def _first(self, part: str, count: int, seed: int | None) -> list[str]:
        inside = [case for case in self.cases(part) if case in self.labelled]
        units = {self.units[case] for case in inside}
        chosen = set(in_proportion(units, self.strata, self.settings.seed if seed is None else seed)[:count])
        return [case for case in inside if self.units[case] in chosen]

    def counts(self) -> dict[str, dict[str, int]]:
        """part -> cases, labelled cases, units."""
        table = {}
        for part in ("train", "validation", "test", LEFT_OUT):
            cases = self.cases(part)
            if cases:
                table[part] = {
                    "cases": len(cases),
                    "labelled": sum(case in self.labelled for case in cases),
                    "patients": len({self.units[case] for case in cases}),
                }
        return table

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dataset": self.dataset,
            "hash": self.hash,
            "how": self.how,
            "parts": self.counts(),
            "folds": dict(sorted(Counter(self.folds.values()).items())),
            "budgets": {amount: len(self.budget(amount)) for amount in self.budgets},
            "warnings": list(self.warnings),
        }

    def save(self, folder: Path) -> None:
        smallest: dict[str, str] = {}
        for amount in reversed(self.budgets):
            smallest |= dict.fromkeys(self.budget(amount), amount)
        with atomic(folder / f"{self.name}.csv") as file:
            rows: list[list[str]] = [["case", "part", "fold", "unit", "stratum", "labelled", "budget"]]
            for case in sorted(self.parts):
                unit, mark = self.units[case], "yes" if case in self.labelled else ""
                fold, budget = str(self.folds.get(case, "")), smallest.get(case, "")
                rows.append([case, self.parts[case], fold, unit, self.strata[unit], mark, budget])
            write_rows(file, rows)
        about = {"hash": self.hash, "dataset": self.dataset, "how": self.how, "warnings": list(self.warnings)}
        write_yaml(folder / f"{self.name}.yaml", {**about, "settings": self.settings.model_dump(mode="json")})

    @classmethod
    def open(cls, dataset: Dataset, name: str = "split") -> Split:
        path, about = dataset.folder / f"{name}.csv", dataset.folder / f"{name}.yaml"
        if not path.exists() or not about.exists():
            raise BadInput(f"{dataset.folder}: has no split called {name!r}", hint=f"segue data split {dataset.folder}")
        rows, given = read_table(path), read_yaml(about)
        try:
            split = cls(
                name=name,
                dataset=given["dataset"],
                settings=validate(SplitSettings, given["settings"], where=str(about)),
                how=given["how"],
                parts={row["case"]: row["part"] for row in rows},
                folds={row["case"]: int(row["fold"]) for row in rows if row["fold"]},
                units={row["case"]: row["unit"] for row in rows},
                strata={row["unit"]: row["stratum"] for row in rows},
                labelled=frozenset(row["case"] for row in rows if row["labelled"]),
                warnings=tuple(given["warnings"]),
                whom=whom(dataset.cases),
            )
        except (KeyError, ValueError) as error:
            raise BadInput(f"{path}: is not a split of ours ({error})") from None
        if split.hash != given["hash"]:
            raise BadInput(
                f"{path}: was changed after it was made (hash {split.hash}, not {given['hash']})",
                hint=f"segue data split {dataset.folder} --from {path} adopts it as it is.",
            )
        return split


def split(
    dataset: Dataset | Path | str,
    *,
    settings: SplitSettings | None = None,
    source: Path | str | None = None,
    name: str = "split",
) -> Split:
    """Split and write `NAME.csv` and `NAME.yaml` beside the table. `source`: a split.csv, or nnU-Net's splits_final.json."""
    found = as_dataset(dataset)
    if not found.cases:
        raise BadInput(f"{found.folder}: has no cases")
    made = planned(found, settings or SplitSettings(), Path(source) if source is not None else None, name)
    before = _hash_there(found.folder / f"{name}.yaml")
    made.save(found.folder)
    told = []  # of this call, not of the split
    theirs = found.root / "split.csv"
    elsewhere = theirs.is_file() and theirs.resolve() != (found.folder / "split.csv").resolve()
    if source is None and elsewhere and not _same(made, theirs, found.cases):
        told.append(f"a split lies beside the images and was not used: --from {theirs} takes it")
    if before not in (None, made.hash):
        told.append(
            f"it replaces another split called {name!r} (hash {before}): runs of that one can't be judged here now"
        )
    return replace(made, warnings=(*made.warnings, *told))


def _same(made: Split, theirs: Path, cases: Sequence[Case]) -> bool:
    try:
        return adopted(theirs, cases)[:2] == (made.parts, made.folds)
    except BadInput:
        return False


def _hash_there(about: Path) -> str | None:
    try:
        return str(read_yaml(about)["hash"]) if about.exists() else None
    except (BadInput, KeyError):
        return None  # damaged, and replaced


def planned(dataset: Dataset, settings: SplitSettings, source: Path | None = None, name: str = "split") -> Split:
    """The split that `split` would write."""
    cases = sorted(dataset.cases, key=lambda case: case.case)
    units = units_of(cases)
    strata = strata_of(cases, units)
    labelled = frozenset(case.case for case in cases if case.labelled)
    folds: dict[str, int] = {}
    seed, validation = settings.seed, 0.0 if settings.folds else settings.validation
    if settings.folds == 1:
        raise BadInput("1 fold leaves nothing to train on; give 2 or more")
    if source is not None:
        parts, folds, how = adopted(source, cases)
    elif site := settings.leave_site_out:
        parts = site_left_out(site, cases, units, strata, validation=validation, seed=seed)
        how = f"site {site} left out for the test"
    elif settings.published and not settings.folds and any(case.part for case in cases):
        parts, how = {case.case: case.part or LEFT_OUT for case in cases}, "as published"
    else:
        test = settings.test if not settings.folds or "test" in settings.model_fields_set else 0.0
        parts = by_patient(cases, units, strata, validation=validation, test=test, seed=seed)
        how = f"by {whom(cases)}"
    if settings.folds and source is None:
        folds = into_folds(settings.folds, parts, units, strata, labelled, seed=seed, of=whom(cases))
        how += f", {settings.folds} folds"
    warnings = tuple(_warnings(dataset, cases, units, parts, folds, labelled))
    return Split(name, dataset.name, settings, how, parts, folds, units, strata, labelled, warnings, whom(cases))


def _warnings(
    dataset: Dataset,
    cases: Sequence[Case],
    units: dict[str, str],
    parts: dict[str, str],
    folds: dict[str, int],
    labelled: frozenset[str],
) -> Iterable[str]:
    if not dataset.card.patients_from:
        yield "No patient is known: the split is by image, and images of one patient may stand on both sides."
    sides: dict[str, set[str]] = {}
    for case in cases:
        if parts[case.case] != LEFT_OUT:
            sides.setdefault(units[case.case], set()).add(parts[case.case] + str(folds.get(case.case, "")))
    crossing = sum(len(parts_of) > 1 for parts_of in sides.values())
    if crossing:
        yield (
            f"{crossing:,} patients or groups of copies stand on more than one side: this split leaks. segue data split "
            f"{dataset.folder} --by-patient --name clean makes one that does not."
        )
    left = sum(part == LEFT_OUT for part in parts.values())
    if left:
        yield f"{left:,} cases are left out: they belong to no part, or with the test."
    annotated = len({units[case] for case in labelled})
    tests = len({units[case] for case in labelled if parts[case] == "test"})
    if folds or not labelled:
        return
    if not tests:
        yield "There is no test part: what is chosen on validation cannot be reported as a result."
    elif tests < _HONEST:
        needed = round(_HONEST * annotated / tests) - annotated
        yield (
            f"{count(annotated, f'annotated {whom(cases)}')}, {tests} of them for the test: no honest test is possible; "
            f"annotate about {needed:,} more, chosen at random, or use folds."
        )


def _count(amount: str, total: int) -> int:
    text = amount.strip().lower()
    try:
        if text == "all":
            return total
        if text.endswith("%"):
            share = Fraction(text[:-1]) / 100
            if not 0 < share <= 1:
                raise ValueError
            return max(1, -(-share.numerator * total // share.denominator)) if total else 0
        if int(text) < 1:
            raise ValueError
        return int(text)
    except ValueError:
        raise BadInput(f"label budget {amount!r}: write a number of patients, a percentage like 10%, or all") from None
