"""`segue data split`: who is for training, who for validation, who for the test. By patient, and repeatable anywhere.

The unit is what must stay together: all images of a patient, and whatever is a copy of one of them. Units are laid in a
row by stratum (site, size of the foreground) and by a keyed hash, and dealt out along the row, so that each part gets
its share of every stratum. Only whole numbers and hashes decide: same table, same split, on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from segue.config import Settings, read_yaml, validate, write_yaml
from segue.data.adapters.folders import PARTS
from segue.data.case import Case, read_table, write_rows
from segue.data.components import components
from segue.data.dataset import Dataset, as_dataset
from segue.errors import BadInput, nearest
from segue.files import atomic

BUDGETS = ("1", "2", "5", "10%", "25%", "all")
LEFT_OUT = "left out"
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

    def budget(self, amount: str, *, seed: int | None = None) -> list[str]:
        """The labelled training cases of a label budget: "5" patients, "10%" of them, or "all". Larger ones hold smaller."""
        order = self._budget_order(self.settings.seed if seed is None else seed)
        chosen = set(order[: _count(amount, len(order))])
        return [case for case in self.cases("train") if case in self.labelled and self.units[case] in chosen]

    def _budget_order(self, seed: int) -> list[str]:
        """Labelled training units such that every beginning of the list holds each stratum in proportion."""
        by_stratum: dict[str, list[str]] = {}
        for unit in {self.units[case] for case in self.cases("train") if case in self.labelled}:
            by_stratum.setdefault(self.strata[unit], []).append(unit)
        places: list[tuple[Fraction, str, str]] = []
        for units in by_stratum.values():
            units.sort(key=lambda unit: _draw(seed, "budget", unit))
            places += [(Fraction(2 * i + 1, 2 * len(units)), _draw(seed, "tie", u), u) for i, u in enumerate(units)]
        return [unit for *_, unit in sorted(places)]

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
            "budgets": {amount: len(self.budget(amount)) for amount in BUDGETS},
            "warnings": list(self.warnings),
        }

    def save(self, folder: Path) -> None:
        smallest: dict[str, str] = {}
        for amount in reversed(BUDGETS):
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
    made = _make(found, settings or SplitSettings(), Path(source) if source is not None else None, name)
    before = _hash_there(found.folder / f"{name}.yaml")
    made.save(found.folder)
    told = []  # of this call, not of the split
    theirs = found.root / "split.csv"
    if source is None and theirs.is_file() and theirs.resolve() != (found.folder / "split.csv").resolve():
        told.append(f"a split lies beside the images and was not used: --from {theirs} takes it")
    if before not in (None, made.hash):
        told.append(
            f"it replaces another split called {name!r} (hash {before}): runs of that one can't be judged here now"
        )
    return replace(made, warnings=(*made.warnings, *told))


def _hash_there(about: Path) -> str | None:
    try:
        return str(read_yaml(about)["hash"]) if about.exists() else None
    except (BadInput, KeyError):
        return None  # damaged, and replaced


def _make(dataset: Dataset, settings: SplitSettings, source: Path | None, name: str) -> Split:
    cases = sorted(dataset.cases, key=lambda case: case.case)
    units = _units(cases)
    strata = _strata(cases, units)
    labelled = frozenset(case.case for case in cases if case.labelled)
    folds: dict[str, int] = {}
    if settings.folds == 1:
        raise BadInput("1 fold leaves nothing to train on; give 2 or more")
    if source is not None:
        parts, folds, how = _from_file(source, cases)
    elif settings.leave_site_out:
        parts, how = _leave_site_out(cases, units, strata, settings)
    elif settings.published and not settings.folds and any(case.part for case in cases):
        parts, how = {case.case: case.part or LEFT_OUT for case in cases}, "as published"
    else:
        parts, how = _by_patient(cases, units, strata, settings)
    if settings.folds and source is None:
        folds = _deal_folds(parts, units, strata, labelled, settings)
        how += f", {settings.folds} folds"
    warnings = tuple(_warnings(dataset, cases, units, parts, folds, labelled))
    return Split(name, dataset.name, settings, how, parts, folds, units, strata, labelled, warnings)


def _units(cases: Sequence[Case]) -> dict[str, str]:
    """Case -> the first case of all that must stay with it: its patient's, and copies of any of them."""
    links = [(f"case {case.case}", f"patient {case.who}") for case in cases]
    links += [(f"case {case.case}", f"group {case.group}") for case in cases if case.group]
    units: dict[str, str] = {}
    for members in components(links):
        names = sorted(member.removeprefix("case ") for member in members if member.startswith("case "))
        units |= dict.fromkeys(names, names[0])
    return units


def _strata(cases: Sequence[Case], units: dict[str, str]) -> dict[str, str]:
    """Unit -> site and size of its foreground (in thirds of all labelled cases), or that it has no labels."""
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


def _draw(seed: int, purpose: str, unit: str) -> str:
    """A number with an address: it depends on nothing but this."""
    return hashlib.blake2b(f"{seed}\t{purpose}\t{unit}".encode(), digest_size=12).hexdigest()


def _deal(
    sizes: dict[str, int], strata: dict[str, str], shares: dict[str, Fraction], seed: int, purpose: str
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


def _sizes(cases: Iterable[str], units: dict[str, str]) -> dict[str, int]:
    return dict(Counter(units[case] for case in cases))


def _by_patient(
    cases: Sequence[Case], units: dict[str, str], strata: dict[str, str], settings: SplitSettings
) -> tuple[dict[str, str], str]:
    validation = 0.0 if settings.folds else settings.validation
    test = settings.test if not settings.folds or "test" in settings.model_fields_set else 0.0
    shares = {
        name: Fraction(share).limit_denominator(10_000)
        for name, share in (("train", 1 - test - validation), ("validation", validation), ("test", test))
        if share > 0
    }
    if "train" not in shares:
        raise BadInput(f"validation {validation:g} and test {test:g} leave nothing to train on")
    labelled = [case.case for case in cases if case.labelled]
    sizes = _sizes(labelled, units)
    if labelled and len(sizes) < len(shares):
        raise BadInput(
            f"{len(sizes)} annotated patient{'s' * (len(sizes) != 1)}: not enough for {', '.join(shares)}",
            hint="Annotate a few more, chosen at random, or set test and validation to 0.",
        )
    dealt = _deal(sizes, strata, shares, settings.seed, "part")
    # What has no labels can be learnt from, but neither validated nor tested on.
    return {case.case: dealt.get(units[case.case], "train") for case in cases}, "by patient"


def _leave_site_out(
    cases: Sequence[Case], units: dict[str, str], strata: dict[str, str], settings: SplitSettings
) -> tuple[dict[str, str], str]:
    sites = {case.site for case in cases if case.site}
    if settings.leave_site_out not in sites:
        raise BadInput(f"no site is called {settings.leave_site_out!r}: {nearest(settings.leave_site_out, sites)}")
    there = [case for case in cases if case.site == settings.leave_site_out]
    touched = {units[case.case] for case in there}
    home = [case for case in cases if units[case.case] not in touched]
    if not any(case.labelled for case in home):
        raise BadInput(f"without {settings.leave_site_out!r} no labelled case is left")
    inner = settings.model_copy(update={"test": 0.0})
    parts, _ = _by_patient(home, units, strata, inner)
    parts |= dict.fromkeys((case.case for case in cases if units[case.case] in touched), LEFT_OUT)
    parts |= dict.fromkeys((case.case for case in there), "test")
    return parts, f"site {settings.leave_site_out} left out for the test"


def _deal_folds(
    parts: dict[str, str],
    units: dict[str, str],
    strata: dict[str, str],
    labelled: frozenset[str],
    settings: SplitSettings,
) -> dict[str, int]:
    inside = [case for case, part in parts.items() if part == "train" and case in labelled]
    sizes = _sizes(inside, units)
    if len(sizes) < settings.folds:
        raise BadInput(f"{len(sizes)} annotated patients cannot make {settings.folds} folds")
    shares = {str(number): Fraction(1, settings.folds) for number in range(settings.folds)}
    dealt = _deal(sizes, strata, shares, settings.seed, "fold")
    # Unlabelled images follow their patient; those of patients without any label are in no fold.
    return {case: int(dealt[units[case]]) for case, part in parts.items() if part == "train" and units[case] in dealt}


def _from_file(source: Path, cases: Sequence[Case]) -> tuple[dict[str, str], dict[str, int], str]:
    names = {case.case for case in cases}
    if source.suffix.lower() == ".json":
        return _from_nnunet(source, names)
    rows = read_table(source)
    columns = set(rows[0]) if rows else set()
    key = next((name for name in ("case", "image") if name in columns), None)
    value = next((name for name in ("part", "split") if name in columns), None)
    if key is None or value is None:
        raise BadInput(f"{source}: needs the columns case (or image) and part (or split)")
    by_image = {Path(image).name: case.case for case in cases for image in case.images}
    by_image |= {Path(image).stem: case.case for case in cases for image in case.images}
    parts: dict[str, str] = {}
    folds: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        case = row[key] if row[key] in names else by_image.get(row[key])
        if case is None:
            raise BadInput(
                f"{source}: row {number}: {row[key]!r} is not a case of this dataset: {nearest(row[key], names)}"
            )
        part = row[value].strip().lower()
        if part != LEFT_OUT and part not in PARTS:
            raise BadInput(f"{source}: row {number}: {row[value]!r} is none of train, validation, test")
        if case in parts:
            raise BadInput(f"{source}: row {number}: {case!r} stands twice")
        parts[case] = part if part == LEFT_OUT else PARTS[part]
        if row.get("fold", "").isdecimal():
            folds[case] = int(row["fold"])
    return parts | dict.fromkeys(names - set(parts), LEFT_OUT), folds, f"as in {source.name}"


def _from_nnunet(source: Path, names: set[str]) -> tuple[dict[str, str], dict[str, int], str]:
    """A list of {"train": [...], "val": [...]}, one a fold."""
    try:
        given = json.loads(source.read_text(encoding="utf-8"))
        validation = [list(fold["val"]) for fold in given]
        mentioned = {name for fold in given for name in (*fold["train"], *fold["val"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{source}: is not a splits_final.json ({error})") from None
    unknown = sorted(mentioned - names)
    if unknown:
        raise BadInput(f"{source}: {unknown[0]!r} is not a case of this dataset: {nearest(unknown[0], names)}")
    folds: dict[str, int] = {}
    for number, fold in enumerate(validation):
        for name in fold:
            if name in folds:
                raise BadInput(f"{source}: {name!r} is validation in folds {folds[name]} and {number}")
            folds[name] = number
    return {name: "train" if name in mentioned else LEFT_OUT for name in names}, folds, f"as in {source.name}"


def _warnings(
    dataset: Dataset,
    cases: Sequence[Case],
    units: dict[str, str],
    parts: dict[str, str],
    folds: dict[str, int],
    labelled: frozenset[str],
) -> Iterable[str]:
    if not dataset.card.patients_from:
        yield "No patient is known: the split is by image, and frames of one patient may stand on both sides."
    sides: dict[str, set[str]] = {}
    for case in cases:
        if parts[case.case] != LEFT_OUT:
            sides.setdefault(units[case.case], set()).add(parts[case.case] + str(folds.get(case.case, "")))
    crossing = sum(len(parts_of) > 1 for parts_of in sides.values())
    if crossing:
        yield f"{crossing:,} patients or groups of copies stand on more than one side: this split leaks."
    left = sum(part == LEFT_OUT for part in parts.values())
    if left:
        yield f"{left:,} cases are left out: they belong to no part, or with the test."
    annotated = len({units[case] for case in labelled})
    tests = len({units[case] for case in labelled if parts[case] == "test"})
    if folds:
        return
    if not tests:
        yield "There is no test part: what is chosen on validation cannot be reported as a result."
    elif tests < _HONEST:
        needed = round(_HONEST * annotated / tests) - annotated
        yield (
            f"{annotated:,} annotated patients, {tests} of them for the test: no honest test is possible; "
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
