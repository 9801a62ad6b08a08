"""What one gets at the end: Segue against segmentation-models-pytorch + albumentations + Lightning, for equal wall-clock
and for equal image passes. kvasir-seg's training images, no pre-trained weights, 128 px; judged on its validation images,
on ClinicDB and on PolypGen's two centres, both sides by Segue's judge, in the images' own sizes.

    python -m benchmarks.quality [--minutes 8] [--seeds 3] [--long 60] [--folder F]

Every run is a row in results/quality/, written when it is done; asked again, it goes on with what is missing, and with the
same --folder in the middle of a training of Segue's. `--long` trains once for so many minutes. Both sides
have the same network, size, batch, images and list of augmentations, and keep their best epoch by validation. What Segue
tries out before its first step is counted in its minutes. Equal passes: as many as the script made in its minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import segue
from benchmarks.common import RESULTS, save, shared_data
from benchmarks.train_speed import CHAIN
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split
from segue.data.target import Target
from segue.evaluation.comparing.compare import compare
from segue.evaluation.judging.judge import scored
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import summarise
from segue.evaluation.judging.table import Row, Table
from segue.files import atomic

ROWS = RESULTS / "quality"
KINDS = ("clock", "passes")
SIZE, BATCH, RATE = 128, 16, 1e-3
TRYING_OUT = 0.35  # minutes
TARGET = Target(("background", "polyp"))
SETS = ("kvasir-seg-validation", "cvc-clinicdb", "polypgen C1", "polypgen C3")


def prepared(data: Path, folder: Path) -> None:
    for name in ("kvasir-seg", "cvc-clinicdb", "polypgen"):
        if not (folder / "datasets" / name).exists():
            segue.scan(data / name, folder / "datasets" / name, name=name)
    kvasir = Dataset.open(folder / "datasets" / "kvasir-seg")
    if not (kvasir.folder / "split.csv").exists():
        segue.split(kvasir)
    segue.prepare(kvasir, folder / "store")


def judged_on(folder: Path) -> dict[str, list[Subject]]:
    kvasir, clinic, gen = (
        Dataset.open(folder / "datasets" / name) for name in ("kvasir-seg", "cvc-clinicdb", "polypgen")
    )
    same = {name: "polyp" for one in (kvasir, clinic, gen) for number, name in one.card.classes.items() if number == 1}
    every = subjects(gen, TARGET, same=same)
    return {
        "kvasir-seg-validation": subjects(kvasir, TARGET, same=same, split=Split.open(kvasir), part="validation"),
        "cvc-clinicdb": subjects(clinic, TARGET, same=same),
        "polypgen C1": [one for one in every if one.case.site == "C1"],
        "polypgen C3": [one for one in every if one.case.site == "C3"],
    }


def tables(masks: dict[str, dict[str, Any]], sets: dict[str, list[Subject]]) -> dict[str, Table]:
    """The same judge for both: binary masks in the images' own sizes against the truth as it was drawn."""
    found = {}
    for name, cases in sets.items():
        rows = []
        for one in cases:
            scores = scored(masks[name][one.case.case], one.truth(), one.case, TARGET)
            rows += [Row.of(one.case, title, score) for title, score in scores.items()]
        found[name] = Table.of(rows)
    return found


def ours(folder: Path, length: dict[str, Any], seed: int, run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    done = segue.train(
        folder / "datasets" / "kvasir-seg", run, stores=(str(folder / "store"),), size=(SIZE, SIZE), variation=CHAIN,
        loss="dice + bce", progress=True, minutes=length["minutes"] - TRYING_OUT if "minutes" in length else None,
        loop={"batch": BATCH, "rate": RATE, "seed": seed, "steps": length.get("steps", "auto")},
    )  # fmt: skip
    model = segue.load(done.run.folder)
    from segue.evaluation.judging.judge import predicted
    from segue.evaluation.predicting.decision import decide

    predictor = model.predictor()
    masks = {}
    for name, cases in judged_on(folder).items():
        maps = predicted(predictor, cases, frame=model.frame, target=TARGET)
        masks[name] = {cases[number].case.case: decide(found, TARGET) for number, found in maps}  # type: ignore[arg-type]
    lines = done.run.metrics()
    return masks, {
        "steps": done.run.about["steps"],
        "seconds": done.seconds,
        "validation": [x["validation"] for x in lines],
    }


def theirs(folder: Path, length: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    from benchmarks.peers.smp_lightning import predict, train

    kvasir = Dataset.open(folder / "datasets" / "kvasir-seg")
    parts = Split.open(kvasir)
    pairs = {
        part: [
            (kvasir.root / kvasir.by_name[c].images[0], kvasir.root / kvasir.by_name[c].mask) for c in parts.cases(part)
        ]
        for part in ("train", "validation")
    }
    limit: dict[str, Any] = {"seconds": 60 * length["minutes"]} if "minutes" in length else {"steps": length["steps"]}
    began = time.perf_counter()
    done = train(
        pairs["train"], pairs["validation"], size=SIZE, batch=BATCH, lr=RATE, seed=seed, keep_best=True, **limit,
    )  # fmt: skip
    masks: dict[str, Any] = {}
    for name, cases in judged_on(folder).items():
        files = {one.dataset.root / one.case.images[0]: one.case.case for one in cases}
        found = predict(done.network, list(files), size=SIZE)
        masks[name] = {files[path]: (maps >= 0.5).astype(np.uint8) for path, maps in found}
    return masks, {"steps": done.speed.steps, "seconds": time.perf_counter() - began, "validation": done.validation}


def row(folder: Path, kind: str, side: str, seed: int, length: dict[str, Any]) -> None:
    path = ROWS / f"{kind}-{side}-{seed}.json"
    if path.exists():
        return
    run = folder / "runs" / path.stem
    masks, about = ours(folder, length, seed, run) if side == "segue" else theirs(folder, length, seed)
    found = tables(masks, judged_on(folder))
    sets = {name: summarise(table)[0].as_json() for name, table in found.items()}
    ROWS.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        table.write(ROWS / "cases" / f"{kind}-{side}-{seed}-{name}.csv".replace(" ", "-"))
    with atomic(path) as file:
        json.dump({"kind": kind, "side": side, "seed": seed, "length": length, **about, "sets": sets}, file, indent=1)
    dice = ", ".join(f"{name} {each['means']['dice']:.3f}" for name, each in sets.items())
    print(f"{kind} {side} {seed}: {about['steps'] * BATCH:,} passes; {dice}", flush=True)


def told(seeds: int) -> dict[str, Any]:
    """What `segue compare` says of the rows that are there."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        for name in SETS:
            sides = {"script": "clock", "segue": kind}
            files = [
                {
                    side: ROWS / "cases" / f"{run}-{side}-{seed}-{name}.csv".replace(" ", "-")
                    for side, run in sides.items()
                }
                for seed in range(seeds)
            ]
            whole = [pair for pair in files if all(file.exists() for file in pair.values())]
            arms = {side: [Table.read(pair[side]) for pair in whole] for side in sides}
            if whole:
                result = compare(arms)
                models = {model.name: model.mean for model in result.groups[0].models}
                found.setdefault(kind, {})[name] = {"dice": models, "sentence": result.sentences[0]}
                print(f"{kind}, {name}: {result.sentences[0]}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--long", type=float, help="minutes of one long run of Segue's")
    parser.add_argument("--folder", type=Path, help="where datasets and stores are kept from one start to the next")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        prepared(shared_data(), folder)
        for seed in range(options.seeds):
            for side in ("segue", "script"):
                row(folder, "clock", side, seed, {"minutes": options.minutes})
            save("quality", {"said": told(options.seeds), "minutes": options.minutes})
        for seed in range(options.seeds):
            of_script = json.loads((ROWS / f"clock-script-{seed}.json").read_text())
            row(folder, "passes", "segue", seed, {"steps": of_script["steps"]})
            save("quality", {"said": told(options.seeds), "minutes": options.minutes})
        if options.long:
            row(folder, "long", "segue", 0, {"minutes": options.long})


if __name__ == "__main__":
    main()
