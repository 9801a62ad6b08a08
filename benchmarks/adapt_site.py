"""Adapting to the next hospital: what its images without masks bring, over images of other patients there.

Begins from a run that `next_hospital` trains on kvasir-seg. Each other collection is split in two halves by patient (by image
where no patient is known): one half is adapted to, its masks not looked at; the other judges, before and after, and so does
the validation part at home. A third of the run's own passes is given to both forms that train; `only-statistics` takes none.

    python -m benchmarks.adapt_site [--arm two-view] [--seeds 0 1 2] [--passes 10000] [--sites clinicdb] [--folder F]

A row for each seed, site and form is written to results/adapt/ when it is done, those of `before` too; asked again, it goes on
with what is missing, and with the same --folder in the middle of a training. --rate takes another than `next_hospital` found
for the arm, --rows writes elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import segue
from benchmarks.common import RESULTS, machine
from benchmarks.few_labels import MACHINE
from benchmarks.next_hospital import ARMS, HOME, PASSES, SITES, Asked, dataset, rate_of, told, trained
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split, SplitSettings
from segue.evaluation.auditing.fit import of_patients
from segue.experiment.settings import AuditSettings, EvaluateSettings

ROWS = RESULTS / "adapt"
BEFORE = "before"
FORMS: Mapping[str, Mapping[str, Any]] = {
    BEFORE: {},
    "only-statistics": {"only_statistics": True},
    "source-free": {"source_free": True},
    "with-source": {},
}
AWAY = tuple(name for name in SITES if name != HOME)
SHARE = 3  # of the run's passes one in so many
HALVES = SplitSettings(published=False, test=0.5, validation=0.0)


def halves(name: str, folder: Path) -> Dataset:
    """A site whose one half trains and whose other half judges."""
    found = dataset(name, folder)
    if not (found.folder / "split.csv").exists():
        segue.split(found.folder, settings=HALVES)
    return found


def adapted(form: str, run: Path, site: Dataset, asked: Asked) -> Path:
    if form == BEFORE:
        return run
    length: dict[str, Any] = {} if form == "only-statistics" else {"looks": max(1, asked.passes // SHARE)}
    with contextlib.chdir(asked.folder):  # where the site's store is made
        return segue.adapt(
            run, site.folder, asked.folder / "runs" / f"{run.name}-{form}-{site.name}", machine=MACHINE, say=print,
            progress=True, **length, **FORMS[form],
        ).run.folder  # fmt: skip


def judged(run: Path, site: Dataset, folder: Path) -> dict[str, Any]:
    """At the site by patients that it was not adapted to, at home by validation."""
    places = {site.name: (site, "test"), HOME: (dataset(HOME, folder), "validation")}
    return {
        name: told(segue.evaluate(run, where.folder, settings=EvaluateSettings(part=part), say=print).sets[0])
        for name, (where, part) in places.items()
    }  # fmt: skip


def expected(run: Path, site: Dataset) -> float:
    """What an audit expects of the same patients, from images alone, asked by variations that nobody was taught to follow."""
    judges = set(Split.open(site, "split").cases("test"))
    (one,) = segue.audit(run, site.folder, settings=AuditSettings(vary="apart"), progress=True, say=print).audits
    own = [case for case in one.expected.cases if case.case in judges and site.by_name[case.case].foreground]
    share = of_patients([one.whose[case.case] for case in own])
    return float(share @ [case.dice for case in own])


def row(path: Path, arm: str, form: str, name: str, asked: Asked, *, audited: bool = False) -> None:
    if path.exists() and (not audited or "expected" in json.loads(path.read_text(encoding="utf-8"))):
        return
    print(f"{path.stem}: rate {asked.rate:g}", flush=True)
    run, _ = trained(arm, asked)
    site, began = halves(name, asked.folder), time.perf_counter()
    done = adapted(form, run, site, asked)
    minutes = round((time.perf_counter() - began) / 60, 1)
    about = json.loads((done / "run.json").read_text(encoding="utf-8"))
    result = {
        "machine": machine(), "arm": arm, "form": form, "site": name, "seed": asked.seed, "passes": asked.passes,
        "rate": asked.rate, "steps": about["steps"] if form != BEFORE else 0, "adapted": about.get("adapted", {}),
        "minutes_of_this_call": minutes, "sites": judged(done, site, asked.folder),
    }  # fmt: skip
    if audited:
        result["expected"] = expected(done, site)
    result["adapted"] = {key: value for key, value in result["adapted"].items() if key not in ("from", "to")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    means = ", ".join(f"{where} {sum(one['dice']) / len(one['dice']):.3f}" for where, one in result["sites"].items())
    print(f"{path.stem} done: {means}; {minutes} minutes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", choices=ARMS, default="two-view")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=list(FORMS))
    parser.add_argument("--sites", nargs="*", choices=AWAY, default=list(AWAY))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--audited", action="store_true", help="and what an audit expects, before and after")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rows", type=Path, default=ROWS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        rate = given.rate or rate_of(given.arm, given.passes)
        for seed in given.seeds:
            for name in given.sites:
                for form in given.forms:
                    path = given.rows / f"{given.arm}-{form}-{name}-{seed}-{given.passes}.json"
                    row(path, given.arm, form, name, Asked(seed, rate, given.passes, folder), audited=given.audited)


if __name__ == "__main__":
    main()
