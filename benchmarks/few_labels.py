"""Few labels: what images without masks are worth, by how many patients have masks.

Each row is a training of a small network for so many passes (an image that a network sees is a pass, learning or not), on
the same patients with masks for every arm of a seed, without any validation: the last moving average of the weights is
judged, once, on held-back patients. Passes and minutes stand beside each figure. What begins from a pre-training has spent
half of its passes there, or with --before so many more; that is made once (seed 0) for all budgets and seeds, and never sees a
test or validation image of any dataset.

    python -m benchmarks.few_labels [--data acdc] [--arms scratch semi] [--budgets 1 3] [--seeds 0] [--folder F]

A row is written to results/few_labels/ when it is done; asked again, it goes on with what is missing, and with the same
--folder in the middle of a training. `--part validation` prints what settings do on validation patients, and writes nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segue
from benchmarks.common import RESULTS, machine, shared_data
from segue.data.dataset import Dataset
from segue.data.phantoms import PHANTOMS
from segue.data.preparing.settings import PrepareSettings
from segue.data.splitting.split import Split
from segue.experiment.settings import EvaluateSettings

ROWS = RESULTS / "few_labels"
PASSES = 30_000


@dataclass(frozen=True)
class Data:
    """A target, small enough for many trainings on two cores."""

    path: str  # empty: the phantom of this name
    layout: str | None
    settings: Mapping[str, Any]
    budgets: tuple[str, ...]
    spacing: tuple[float, float, float] | None = None  # of its store
    unlabelled: tuple[str, ...] = ()
    part: str = "test"  # that judges: nothing is chosen by validation, so that it can where the publisher has no test
    patches: Mapping[str, Any] = field(default_factory=dict)  # the network that sees volumes in them; empty: slices

    @property
    def batch(self) -> int | None:
        """None: as the arm has it."""
        return 2 if self.patches else None


_FRAMES = {"size": (128, 128), "variation": "natural(severity=0.5) + affine(rotate=20, scale=0.2)"}

LESIONS = ("lesions", "lesions_found", "false_lesions")

# One thread each: two trainings side by side then share two cores without waiting for each other.
MACHINE = {"threads": 1}
ENCODERS = ("resnet18", "mobilenet_v2")
DECODER = (128, 64, 32, 24, 16)
SLICES = {"size": (128, 128), "variation": "mr"}
DATA = {
    "acdc": Data("acdc", "acdc", SLICES, ("1", "3", "7", "all"), spacing=(0, 3.125, 3.125)),
    # At one millimetre a hippocampus is a spot in the middle of the canvas.
    "hippocampus": Data("msd/Task04_Hippocampus", None, SLICES, ("1", "3", "7", "10%", "all"), spacing=(0, 0.5, 0.5)),
    # As `segue advise` would have it: the volumes are small, and voxels as long as wide. No pre-training: that is of slices.
    "hippocampus-patches": Data(
        "msd/Task04_Hippocampus", None, {"size": (40, 56, 40), "variation": "mr"}, ("1", "3", "7", "10%", "all"),
        patches={"architecture": "unet-3d", "stages": {"width": 16}},
    ),
    "isic2018": Data(
        "isic2018", None, _FRAMES, ("8", "40", "10%", "all"), unlabelled=("ham10000",), part="validation",
    ),
    # ClinicDB and PolypGen's C3 stay unseen.
    "kvasir-seg": Data(
        "kvasir-seg", None, _FRAMES, ("8", "40", "10%", "all"), unlabelled=("polypgen-c1",), part="validation",
    ),
    "polypgen-c1": Data("polypgen/data_C1", None, {}, ()),
    "ham10000": Data("ham10000-unlabelled", None, {}, ()),
    # Small lesions, of which a third of the patients have none.
    "brain": Data("", None, SLICES, ("7", "all"), spacing=(0, 2, 2)),
}  # fmt: skip


@dataclass(frozen=True)
class Pretraining:
    told: str
    data: tuple[str, ...]  # empty: the target's own, and what it has without masks
    settings: Mapping[str, Any]
    views: int = 2
    equal: bool = False  # no more images than the target's own


_PARTS: dict[str, Any] = {"method": "contrast"}
PRETRAININGS = {
    "contrast": Pretraining("contrast of parts, own images", (), _PARTS),
    "across": Pretraining("contrast across volumes, own images", (), {**_PARTS, "contrast": {"positives": "across"}}),
    "simclr": Pretraining("SimCLR, own images", (), {"method": "simclr"}),
    "masked": Pretraining("masked images, own images", (), {"method": "masked"}, views=1),
    "several": Pretraining(
        "contrast of parts, four anatomies with the target", ("acdc", "hippocampus", "isic2018", "kvasir-seg"), _PARTS
    ),
    # As many images as one dataset has: more datasets are not to be more images.
    "several-equal": Pretraining(
        "contrast of parts, four anatomies, as many images as the target has alone",
        ("acdc", "hippocampus", "isic2018", "kvasir-seg"),
        _PARTS,
        equal=True,
    ),
    "elsewhere": Pretraining(
        "contrast of parts, three anatomies without the target", ("hippocampus", "isic2018", "kvasir-seg"), _PARTS
    ),
}


@dataclass(frozen=True)
class Arm:
    told: str
    batch: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    pretraining: str = ""  # half of the passes go there

    def steps(self, passes: int, batch: int) -> int:
        """That so many passes are enough for, where images are followed as soon as they may be."""
        if self.settings.get("method") != "semi":
            return math.ceil(passes / batch)
        semi = self.settings["semi"]
        beside = 2 * round(batch * semi["batch"] / 2)
        later = batch + beside * (1 + semi["views"] + (semi["dropout"] > 0))
        return math.ceil(passes / (semi["warm"] * batch + (1 - semi["warm"]) * later))


def semi(**told: Any) -> dict[str, Any]:
    usual = {"views": 1, "dropout": 0.0, "batch": 2.0, "warm": 0.4, "ramp": 0.1, "confidence": 0.8}
    return {"method": "semi", "semi": {**usual, **told}}


ARMS = {
    "scratch": Arm("masks alone", 8),
    "semi": Arm("weak to strong on images without masks", 4, semi()),
    **{name: Arm(f"{one.told}, then masks alone", 8, pretraining=name) for name, one in PRETRAININGS.items()},
    "contrast+semi": Arm("contrast of parts, then weak to strong", 4, semi(), pretraining="contrast"),
}


@dataclass(frozen=True)
class Asked:
    """A row, but for its arm and budget."""

    data: str
    encoder: str
    seed: int
    passes: int
    part: str
    folder: Path
    before: int = 0  # of a pre-training, on top; 0: half of the passes

    def pretrained(self, arm: str) -> int:
        """Passes that a pre-training takes."""
        if not ARMS[arm].pretraining:
            return 0
        return self.before or self.passes // 2

    def left(self, arm: str) -> int:
        """Passes that learn from masks."""
        return self.passes if self.before else self.passes - self.pretrained(arm)

    @property
    def network(self) -> dict[str, Any]:
        sliced = {"encoder": self.encoder, "decoder_channels": DECODER}
        return dict(DATA[self.data].patches) or sliced

    def row(self, arm: str, budget: str) -> str:
        longer = self.before and ARMS[arm].pretraining
        return self.named(
            self.data, arm, budget, str(self.seed), f"{self.passes}{f'-after{self.before}' if longer else ''}"
        )

    def encoder_of(self, kind: str, *whose: str) -> str:
        """A longer pre-training is the same one whatever learns from masks after it."""
        return self.named(*whose, "pre", kind, f"before{self.before}" if self.before else str(self.passes))

    def named(self, *what: str) -> str:
        return "-".join([*what, *([self.encoder] if self.encoder != ENCODERS[0] else [])])


def dataset(name: str, folder: Path) -> Dataset:
    where, data = folder / "datasets" / name, DATA[name]
    if not where.exists():
        if data.path:
            segue.scan(shared_data() / data.path, where, name=name, layout=data.layout)
        else:
            raw = folder / "phantoms" / name
            PHANTOMS[name].make(raw, patients=80, sites=PHANTOMS[name].sites[:1])
            segue.scan(raw, where, name=name, modality="MR")
    if not (where / "split.csv").exists():
        segue.split(where)
    return Dataset.open(where)


def store_of(name: str, folder: Path) -> Path:
    data = DATA[name]
    asked = PrepareSettings() if data.spacing is None else PrepareSettings(spacing=data.spacing)
    return segue.prepare(dataset(name, folder), folder / "stores" / name, settings=asked).target


def pretrained(kind: str, asked: Asked, passes: int) -> Path:
    """One run for all budgets and seeds of a target; and of all targets, where nothing of it hangs on the target."""
    one, folder = PRETRAININGS[kind], asked.folder
    names = one.data or (asked.data, *DATA[asked.data].unlabelled)
    several = [dataset(each, folder) for each in names]
    steps = math.ceil(passes / (32 * one.views))
    whose = () if one.data and not one.equal else (asked.data,)
    return segue.pretrain(
        [each.folder for each in several], folder / "runs" / asked.encoder_of(kind, *whose),
        stores=[str(store_of(each, folder)) for each in names], network=asked.network, size=(128, 128),
        loop={"steps": steps, "epoch_steps": math.ceil(steps / 4), "batch": 32}, machine=MACHINE, say=print,
        progress=True, images=images_of(asked.data, folder) if one.equal else None, **one.settings,
    ).run.folder  # fmt: skip


def images_of(name: str, folder: Path) -> int:
    """That its own pre-training looks at."""
    found = dataset(name, folder)
    inside = set(Split.open(found).cases("train"))
    return sum(max(1, case.depth) for case in found.cases if case.case in inside)


def measured(arm: str, budget: str, asked: Asked) -> dict[str, Any]:
    data, how, folder = DATA[asked.data], ARMS[arm], asked.folder
    part = data.part if asked.part == "test" else asked.part
    found = dataset(asked.data, folder)
    before = asked.pretrained(arm)
    batch = data.batch or how.batch
    store, steps = store_of(asked.data, folder), how.steps(asked.left(arm), batch)
    began = time.perf_counter()
    begins: dict[str, Any] = {}
    if how.settings.get("method") == "semi":
        begins["unlabelled"] = [str(dataset(each, folder).folder) for each in data.unlabelled]
    if how.pretraining:
        begins |= {"init": str(pretrained(how.pretraining, asked, before))}
    waited = time.perf_counter() - began
    began = time.perf_counter()
    run = segue.train(
        found.folder, folder / "runs" / asked.row(arm, budget), stores=(str(store),), labels=budget, draw=asked.seed,
        validation="none", machine=MACHINE, say=print, progress=True, network=asked.network,
        loop={
            "steps": steps, "epoch_steps": math.ceil(steps / 10), "batch": batch, "average": 0.99, "seed": asked.seed,
            "encoder_rate": 1e-3,
        },
        **{**data.settings, **how.settings, **begins},
    ).run  # fmt: skip
    seconds = time.perf_counter() - began
    table = segue.evaluate(run.folder, found.folder, settings=EvaluateSettings(part=part), say=print).sets[0]
    return {
        "machine": machine(), "told": how.told, "data": asked.data,
        "encoder": data.patches.get("architecture", asked.encoder), "arm": arm, "budget": budget,
        "seed": asked.seed, "passes": asked.passes, "pretrained": before, "steps": steps, "part": part,
        "minutes_of_this_call": round(seconds / 60, 1), "minutes_before": round(waited / 60, 1),
        "cases": len({one.case for one in table.table}), "parameters": run.about["parameters"],
        "learnt_from": sorted(row["case"] for row in run.cases() if row["part"] == "train"),
        "classes": {one.class_name: one.as_json() for one in table.summaries},
        "dice": [
            {"patient": f"{one.site}/{one.patient or one.case}", "class": one.class_name, "dice": one.scores.dice}
            for one in table.table
            if one.scores.present
        ],
        "lesions": {
            name: {each: sum(getattr(one.scores, each) for one in table.table if one.class_name == name) for each in LESIONS}
            for name in sorted({one.class_name for one in table.table})
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", choices=[name for name in DATA if DATA[name].budgets], default=["acdc"])
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=["scratch", "semi", "contrast", "contrast+semi"])
    parser.add_argument("--encoders", nargs="*", choices=ENCODERS, default=ENCODERS[:1])
    parser.add_argument("--budgets", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--before", type=int, default=0, help="passes of a pre-training, on top of the others")
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        every = itertools.product(given.seeds, given.data, given.encoders)
        for seed, name, encoder in every:
            asked = Asked(name, encoder, seed, given.passes, given.part, folder, given.before)
            for budget, arm in itertools.product(given.budgets or DATA[name].budgets, given.arms):
                row(arm, budget, asked)


def row(arm: str, budget: str, asked: Asked) -> None:
    if "semi" in arm and budget == "all":
        return  # there is nothing without a mask
    if ARMS[arm].pretraining and DATA[asked.data].patches:
        return
    path, part = ROWS / f"{asked.row(arm, budget)}.json", asked.part
    if path.exists() and part == "test":
        return
    print(f"{path.stem}: {ARMS[arm].told}", flush=True)
    result = measured(arm, budget, asked)
    if part == "test":
        ROWS.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    means = {name: round(one["means"]["dice"], 3) for name, one in result["classes"].items()}
    mean = sum(means.values()) / len(means)
    print(f"{path.stem} {part}: {mean:.3f} {means}, {result['minutes_of_this_call']} minutes", flush=True)


if __name__ == "__main__":
    main()
