"""The next hospital: how to train at one place so that what is looked for is found at others.

Each row is a training of a small network on all masks of a home for so many passes (an image that a network sees is a pass,
learning or not), judged at home by validation and, never looked at before, at other places. `polyps`: kvasir-seg, then CVC-
ClinicDB and PolypGen's centres 1 and 3. `hearts`: slices of ACDC's healthy and dilated hearts, then thick, infarcted and
right-sided ones. Nothing is chosen by validation within a training, whose last moving average is judged; but each arm has the
learning rate with which it was best at home, of three, with a seed that is not in the table.

    python -m benchmarks.next_hospital [--domain hearts] [--arms two-view] [--seeds 0 1 2] [--passes 10000] [--folder F]
    python -m benchmarks.next_hospital --rates [--arms ...]      # first: which rate suits which arm, at home

A row is written to results/next_hospital/ when it is done; asked again, it goes on with what is missing, and with the same
--folder in the middle of a training.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import segue
from benchmarks.common import RESULTS, machine, shared_data
from benchmarks.few_labels import DECODER, ENCODERS, MACHINE
from segue.data.dataset import Dataset
from segue.data.preparing.settings import PrepareSettings
from segue.data.splitting.split import SplitSettings
from segue.experiment.evaluate import Evaluation
from segue.experiment.inpainting.fit import fit
from segue.experiment.settings import EvaluateSettings

ROWS = RESULTS / "next_hospital"
PASSES = 10_000
RATES = (3e-4, 1e-3, 3e-3)
RATE_SEED = 100

IMAGES = 8  # of a step, all views together
PAINTER = "painter"  # stands for the one that is made
PAINTED = 12_000  # windows that it learns from
NATURAL = "natural"  # the published variations, at their full severity


@dataclass(frozen=True)
class Place:
    path: str  # of the public data
    groups: tuple[str, ...] = ()  # of its patients, by their Info.cfg


@dataclass(frozen=True)
class Domain:
    name: str
    home: str
    places: Mapping[str, Place]  # home first
    natural: str = NATURAL  # what an arm's variation is here
    spacing: tuple[float, float, float] | None = None  # of volumes

    def row(self, arm: str, seed: int | str, passes: int) -> str:
        """Named before there was another domain, polyps have no name in it."""
        return "-".join([*([] if self.name == "polyps" else [self.name]), arm, f"{seed}", f"{passes}"])

    def own(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """An arm's settings."""
        return {**settings, "variation": settings["variation"].replace(NATURAL, self.natural)}


POLYPS = Domain(
    "polyps", "kvasir-seg",
    {
        "kvasir-seg": Place("kvasir-seg"), "clinicdb": Place("cvc-clinicdb"),
        "polypgen-c1": Place("polypgen/data_C1"), "polypgen-c3": Place("polypgen/data_C3"),
    },
)  # fmt: skip
HEARTS = Domain(
    "hearts", "acdc-home",
    {
        "acdc-home": Place("acdc", ("NOR", "DCM")), "acdc-thick": Place("acdc", ("HCM",)),
        "acdc-infarct": Place("acdc", ("MINF",)), "acdc-right": Place("acdc", ("RV",)),
    },
    natural="mr", spacing=(0, 3.125, 3.125),
)  # fmt: skip
DOMAINS = {domain.name: domain for domain in (POLYPS, HEARTS)}
HOME, SITES = POLYPS.home, POLYPS.places


@dataclass(frozen=True)
class Arm:
    told: str
    settings: Mapping[str, Any]
    views: int = 1  # of each image in a step
    searched: float = 0.0  # passes of its search beside them, in whole images
    like: str = ""  # the arm whose rate it takes; empty: its own is tried
    together: tuple[int, ...] = ()  # runs of that arm, by their seeds, which predict together: nothing is trained

    @property
    def batch(self) -> int:
        return IMAGES // self.views

    def steps(self, passes: int) -> int:
        if self.together:
            return len(self.together) * ARMS[self.like].steps(passes)
        return math.ceil(passes / (self.batch * (self.views + self.searched)))


def consistency(**told: Any) -> dict[str, Any]:
    return {"method": "consistency", "variation": NATURAL, "consistency": told}


def painted(method: str, **told: Any) -> dict[str, Any]:
    """The painter's passes are not counted: it is made once, for all arms and seeds."""
    given = {"method": method, "variation": f"paint(p=0.5) + {NATURAL}", "painter": PAINTER}
    return {**given, "consistency": told} if method == "consistency" else given


def taught(arm: str) -> dict[str, Any]:
    """By the runs of an arm that predict together, whose passes are not counted: the teachers are there, and it is asked what
    is left of them in one network."""
    return {"method": "distil", "variation": NATURAL, "teachers": arm}


def side_by_side(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Each of them sees each view: twice as many passes."""
    return {**settings, "network": {"members": 2}}


ARMS = {
    "none": Arm("no variation", {"variation": "none"}),
    "vanilla": Arm("half of the images varied", {"variation": "vanilla"}),
    "two-view": Arm("clean and varied, masks of both", {"method": "two-view", "variation": NATURAL}, views=2),
    "published": Arm("consistency place by place, adaptive", consistency(places="published"), views=2),
    "aligned": Arm("consistency aligned, adaptive", consistency(), views=2),
    "fixed": Arm("consistency aligned, half each", consistency(mix="fixed"), views=2),
    "strict": Arm("masks of both, weighed by the clean one's IoU", consistency(mix="strict"), views=2),
    "added": Arm("masks of both, and consistency aligned", consistency(mix="added"), views=2, like="two-view"),
    "interleaved": Arm("four steps of two views, one of consistency", consistency(interleaved=4), views=2),
    "two-view together": Arm("three runs of two-view, their mean", {}, like="two-view", together=(0, 1, 2)),
    "added together": Arm("three runs of added, their mean", {}, like="added", together=(0, 1, 2)),
    "taught": Arm("three runs of two-view teach one", taught("two-view together"), views=3, like="two-view"),
    "two-view side by side": Arm("two-view, two networks in one", side_by_side({"method": "two-view", "variation": NATURAL}),
                                 views=4, like="two-view"),
    "added side by side": Arm("added, two in one, consistent with both", side_by_side(consistency(mix="added")), views=4,
                              like="two-view"),
    "painted": Arm("two-view, half of the images painted", painted("two-view"), views=2, like="two-view"),
    "aligned painted": Arm("consistency aligned, half painted", painted("consistency"), views=2, like="aligned"),
    "added painted": Arm("masks of both, consistency, painted", painted("consistency", mix="added"), views=2, like="two-view"),
    "worst": Arm("the worst of 4, searched at half size", consistency(draws=4, half=True), views=2, searched=5 / 4),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    seed: int
    rate: float
    passes: int
    folder: Path
    domain: Domain = POLYPS


def dataset(name: str, folder: Path) -> Dataset:
    where = folder / "datasets" / name
    place = next(domain.places[name] for domain in DOMAINS.values() if name in domain.places)
    if not where.exists():
        source = shared_data() / place.path
        segue.scan(some(source, place.groups, folder / "raw" / name) if place.groups else source, where, name=name)
    if name in [domain.home for domain in DOMAINS.values()] and not (where / "split.csv").exists():
        segue.split(where, settings=SplitSettings(test=0.0, validation=0.3) if place.groups else None)
    return Dataset.open(where)


def some(source: Path, groups: tuple[str, ...], folder: Path) -> Path:
    """A copy of those patients."""
    for about in sorted(source.glob("training/*/Info.cfg")):
        if any(f"Group: {group}" in about.read_text(encoding="utf-8") for group in groups):
            shutil.copytree(about.parent, folder / "training" / about.parent.name, dirs_exist_ok=True)
    return folder


def store_of(home: Dataset, asked: Asked) -> Path:
    settings = PrepareSettings() if asked.domain.spacing is None else PrepareSettings(spacing=asked.domain.spacing)
    return segue.prepare(home, asked.folder / "stores" / home.name, settings=settings).target


def painter(folder: Path) -> Path:
    """Of the training part at home, as `segue inpaint fit` makes it."""
    home = dataset(HOME, folder)
    store = segue.prepare(home, folder / "stores" / HOME).target
    return fit(
        home.folder, folder / "runs/painter", stores=(str(store),), size=(256, 256), looks=PAINTED, machine=MACHINE, say=print,
        progress=True,
    ).run.folder  # fmt: skip


def trained(arm: str, asked: Asked) -> tuple[Path, float]:
    how, domain = ARMS[arm], asked.domain
    if how.together:
        several = [trained(how.like, replace(asked, seed=seed)) for seed in how.together]
        out = asked.folder / "runs" / f"next-{domain.row(arm, asked.seed, asked.passes)}-{asked.rate:g}"
        runs = [run for run, _ in several]
        return out if out.exists() else segue.ensemble(runs, out), sum(seconds for _, seconds in several)
    home = dataset(domain.home, asked.folder)
    store = store_of(home, asked)
    steps = how.steps(asked.passes)
    given = domain.own(how.settings)
    if "painter" in given:
        given["painter"] = str(painter(asked.folder))
    if "teachers" in given:
        given["teachers"] = (str(trained(given["teachers"], asked)[0]),)
    began = time.perf_counter()
    named = f"next-{domain.row(arm, asked.seed, asked.passes)}-{asked.rate:g}"
    run = segue.train(
        home.folder, asked.folder / "runs" / named, stores=(str(store),),
        validation="none", machine=MACHINE, say=print, progress=True, size=(128, 128),
        network={"encoder": ENCODERS[0], "decoder_channels": DECODER, **given.pop("network", {})},
        loop={
            "steps": steps, "epoch_steps": math.ceil(steps / 10), "batch": how.batch, "average": 0.99, "seed": asked.seed,
            "rate": asked.rate, "encoder_rate": asked.rate,
        },
        **given,
    ).run  # fmt: skip
    return run.folder, time.perf_counter() - began


def judged(run: Path, names: list[str], folder: Path) -> list[Evaluation]:
    """At home, which is named first, by validation; elsewhere by everything."""
    sets: list[Evaluation] = []
    for name in names:
        part = EvaluateSettings(part="validation" if name == names[0] else "all")
        sets += segue.evaluate(run, dataset(name, folder).folder, settings=part, say=print).sets
    return sets


def measured(arm: str, asked: Asked, names: list[str]) -> dict[str, Any]:
    run, seconds = trained(arm, asked)
    return {
        "machine": machine(), "domain": asked.domain.name, "arm": arm, "told": ARMS[arm].told, "seed": asked.seed,
        "passes": asked.passes,
        "rate": asked.rate, "steps": ARMS[arm].steps(asked.passes), "minutes_of_this_call": round(seconds / 60, 1),
        "sites": {name: told(one) for name, one in zip(names, judged(run, names, asked.folder), strict=True)},
    }  # fmt: skip


def told(one: Evaluation) -> dict[str, Any]:
    """Dice of images (of volumes and classes) where there is something, whose they are, and how often it was found where
    there is nothing."""
    present = [row for row in one.table if row.scores.present]
    absent = [row for row in one.table if not row.scores.present]
    return {
        "dice": [round(row.scores.dice, 4) for row in present], "who": [row.who for row in present],
        "case": [row.case for row in present], "empty": len(absent),
        "found_where_none": sum(row.scores.dice == 0 for row in absent),
    }  # fmt: skip


def rate_of(arm: str, passes: int, domain: Domain = POLYPS) -> float:
    """With which it was best at home."""
    while ARMS[arm].like:
        arm = ARMS[arm].like
    found = {rate: ROWS / "rates" / f"{domain.row(arm, f'{rate:g}', passes)}.json" for rate in RATES}
    missing = [f"{rate:g}" for rate, path in found.items() if not path.exists()]
    if missing:
        raise SystemExit(f"{arm}: the rates {', '.join(missing)} were not tried: --rates --arms {arm}")
    home = {rate: json.loads(path.read_text())["sites"][domain.home]["dice"] for rate, path in found.items()}
    return max(home, key=lambda rate: sum(home[rate]))


def row(path: Path, arm: str, asked: Asked, names: list[str]) -> None:
    if path.exists():
        return
    print(f"{path.stem}: {ARMS[arm].told}, rate {asked.rate:g}", flush=True)
    result = measured(arm, asked, names)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    means = ", ".join(f"{name} {sum(one['dice']) / len(one['dice']):.3f}" for name, one in result["sites"].items())
    print(f"{path.stem} done: {means}; {result['minutes_of_this_call']} minutes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", choices=DOMAINS, default="polyps")
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--rates", action="store_true", help="try the rates, judged at home alone")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    domain = DOMAINS[given.domain]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if given.rates:
            for arm in [arm for arm in given.arms if not ARMS[arm].like]:
                for rate in RATES:
                    asked = Asked(RATE_SEED, rate, given.passes, folder, domain)
                    name = domain.row(arm, f"{rate:g}", given.passes)
                    row(ROWS / "rates" / f"{name}.json", arm, asked, [domain.home])
            return
        for seed in given.seeds:
            for arm in given.arms:
                if ARMS[arm].together and seed != ARMS[arm].together[0]:
                    continue  # there is one
                asked = Asked(seed, rate_of(arm, given.passes, domain), given.passes, folder, domain)
                row(ROWS / f"{domain.row(arm, seed, given.passes)}.json", arm, asked, list(domain.places))


if __name__ == "__main__":
    main()
