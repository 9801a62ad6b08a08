"""What one gets on volumes: hippocampus in patches and slice by slice, ACDC slice by slice with full masks and with
scribbles alone. Judged on held-back patients (hippocampus: images, where no patient is known), whole volumes in millimetres
on their own grids.

    python -m benchmarks.volumes [ROW...] [--folder F]

Every row is written to results/volumes/ when it is done; asked again, it goes on with what is missing, and with the same
--folder in the middle of a training. How long each trains is said in steps, so that a busy machine gives the same numbers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segue
from benchmarks.common import RESULTS, machine, shared_data
from segue.data.dataset import Dataset
from segue.data.preparing.settings import PrepareSettings
from segue.experiment.settings import EvaluateSettings
from segue.training.run import Run

ROWS = RESULTS / "volumes"
# What the preset `mr` was when these rows were measured.
MR = (
    "flips(p=0.5) + affine(rotate=15, scale=0.15) + elastic(p=0.5) + colour(contrast=0.3, saturation=0, hue=0) + "
    "gamma(p=0.3) + tone(p=0.3) + bias(p=0.5) + blur(p=0.2) + noise(p=0.3)"
)
SLICES: dict[str, Any] = {"network": {"encoder": "resnet18"}, "variation": MR}
HEART = {**SLICES, "size": (192, 192), "loop": {"steps": 800, "epoch_steps": 100, "batch": 8, "average": 0.99}}


@dataclass(frozen=True)
class Row:
    data: str  # the dataset's name
    settings: dict[str, Any]
    told: str
    on: str = ""  # where it is judged, if elsewhere
    spacing: tuple[float, float, float] | None = None  # of its store, in mm; None: as proposed


EVERY = {
    "acdc-slices": Row("acdc", HEART, "U-Net on resnet18, slice by slice"),
    "hippocampus-patches": Row(
        "hippocampus",
        {
            "network": {"architecture": "unet-3d", "stages": {"width": 16}},
            "variation": "affine(rotate=15, scale=0.15) + colour(saturation=0, hue=0) + gamma(p=0.3) + noise(p=0.3)",
            "size": (40, 56, 40),
            "loop": {"steps": 2500, "epoch_steps": 250, "batch": 2, "average": 0.99},
        },
        "unet-3d of width 16, patches of 40 x 56 x 40",
    ),
    "hippocampus-slices": Row(
        "hippocampus",
        {**SLICES, "neighbours": 1, "loop": {"steps": 2000, "epoch_steps": 250, "batch": 32, "average": 0.99}},
        "U-Net on resnet18, each slice with its two neighbours",
    ),
    # The finest features of a network whose stem halves the image are twice as coarse as its pixels.
    "hippocampus-slices-fine": Row(
        "hippocampus",
        {
            **SLICES,
            "neighbours": 1,
            "size": (128, 128),
            "loop": {"steps": 1200, "epoch_steps": 200, "batch": 16, "average": 0.99},
        },
        "the same on rows and columns of half a millimetre",
        spacing=(0, 0.5, 0.5),
    ),
    "acdc-scribbles": Row("acdc-scribbles", HEART, "the same, from scribbles alone", on="acdc"),
    "acdc-scribbles-semi": Row(
        "acdc-scribbles",
        {
            **HEART,
            "loop": {**HEART["loop"], "steps": 1600, "epoch_steps": 200},
            "method": "semi",
            "semi": {"views": 1, "dropout": 0.0, "warm": 0.25},
        },
        "likewise, and each image's weakly varied prediction followed by its strongly varied one (twice the steps)",
        on="acdc",
    ),
    "acdc-scribbles-ce": Row("acdc-scribbles", {**HEART, "loss": "ce"}, "likewise, by cross-entropy alone", on="acdc"),
}  # fmt: skip
_SOURCES = {
    "hippocampus": ("msd/Task04_Hippocampus", None),
    "acdc": ("acdc", "acdc"),
    "acdc-scribbles": ("acdc", "acdc-scribbles"),
}


def dataset(name: str, folder: Path) -> Dataset:
    where = folder / "datasets" / name
    if not where.exists():
        path, layout = _SOURCES[name]
        segue.scan(shared_data() / path, where, name=name, layout=layout)
    if not (where / "split.csv").exists():
        # The same patients are held back, whatever their masks are.
        segue.split(where, source=dataset("acdc", folder).folder / "split.csv" if name == "acdc-scribbles" else None)
    return Dataset.open(where)


def measured(name: str, row: Row, folder: Path) -> dict[str, Any]:
    trained_on = dataset(row.data, folder)
    settings = PrepareSettings() if row.spacing is None else PrepareSettings(spacing=row.spacing)
    named = row.data if row.spacing is None else f"{row.data}-{'x'.join(map(str, row.spacing))}"
    store = segue.prepare(trained_on, folder / "stores" / named, settings=settings).target
    began = time.perf_counter()
    run = segue.train(
        trained_on.folder, folder / "runs" / name, stores=(str(store),), say=print, progress=True, **row.settings
    ).run
    seconds = time.perf_counter() - began
    judged = dataset(row.on or row.data, folder)
    test = EvaluateSettings(part="test")
    found = segue.evaluate(run.folder, judged.folder, settings=test, progress=True, say=print).sets[0]
    return {
        "machine": machine(), "told": row.told, "cases": len({one.case for one in found.table}),
        "classes": {one.class_name: one.as_json() for one in found.summaries},
        "parameters": run.about["parameters"], "steps": run.about["steps"],
        "seconds_of_this_call": round(seconds), "curve": curve(run),
    }  # fmt: skip


def curve(run: Run) -> list[dict[str, float]]:
    """Validation Dice against minutes of training, as its own log has the speed."""
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    loop, minutes, before, found = run.config["loop"], 0.0, 0, []
    for line in lines:
        images = (line["step"] - before) * loop["batch"] * loop["accumulate"]
        minutes += images / line["images_per_second"] / 60
        before = line["step"]
        if "validation" in line:
            found.append({"minutes": round(minutes, 1), **{k: round(v, 4) for k, v in line["validation"].items()}})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*EVERY, []], default=[])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        for name in given.rows or EVERY:
            path = ROWS / f"{name}.json"
            if path.exists():
                continue
            print(f"{name}: {EVERY[name].told}", flush=True)
            result = measured(name, EVERY[name], folder)
            ROWS.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            means = {name: round(one["means"]["dice"], 3) for name, one in result["classes"].items()}
            print(f"{name}: {means} on {result['cases']} cases. Written: {path}", flush=True)


if __name__ == "__main__":
    main()
