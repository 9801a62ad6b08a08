"""Made-up run folders, as training and evaluation write them: numbers that any test can count again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segue.data.target import Target
from segue.evaluation.judging.metrics import Scores, score
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.showing.overlays import overlay
from segue.experiment.settings import TrainSettings
from segue.training.run import Run
from tests.data.made import scene

TARGET = Target(("background", "polyp"))


def make(
    folder: Path,
    *,
    target: Target = TARGET,
    epochs: int = 40,
    of: int | None = None,
    validated: bool = True,
    finished: bool = True,
    asked: Mapping[str, Any] | None = None,
    dataset: str = "north",
    patients: bool = True,
    fold: int | None = None,
) -> Run:
    """A run after so many epochs; `of` how many it was to have."""
    wanted = TrainSettings(data=(f"datasets/{dataset}",), labels="all", fold=fold, **(asked or {}))
    resolved = wanted.model_copy(
        update={
            "size": (192, 256),
            "loop": wanted.loop.model_copy(
                update={"rate": 1e-3, "steps": 40 * (of or epochs), "epoch_steps": 40, "batch": 8}
            ),
        }
    )
    about = {
        "asked": json.loads(wanted.model_dump_json()),
        "data": [
            {"name": dataset, "folder": f"datasets/{dataset}", "split": "split", "hash": "a1b2c3d4", "how": "by patient"}
        ],
        "target": {"names": target.names, "exclusive": target.exclusive},
        "network": json.loads(wanted.network.model_dump_json()), "parameters": 14_328_209, "weights_from": "",
    }  # fmt: skip
    parts = ["train"] * 14 + ["validation"] * 3 + ["test"] * 3
    if fold is not None:
        parts = ["validation" if i % 3 == fold else "train" for i in range(17)] + ["test"] * 3
    cases = [
        {
            "case": f"{dataset}_{i:03}", "dataset": dataset, "patient": f"SECRET{i // 2}" if patients else "",
            "site": "ward", "part": parts[i // 5], "digest": "",
        }
        for i in range(100)
    ]  # fmt: skip
    run = Run.create(folder, config=json.loads(resolved.model_dump_json()), about=about, cases=cases, seen=cases)
    rng = np.random.default_rng(epochs)
    lines = []
    for i in range(epochs):
        loss = float(1.1 * np.exp(-4 * i / max(1, epochs)) + 0.15 + 0.02 * rng.normal())
        line: dict[str, Any] = {"epoch": i + 1, "step": 40 * (i + 1), "loss": loss}
        line |= {"rate": float(1e-3 * (1 + np.cos(np.pi * i / epochs)) / 2), "images_per_second": 11.25}
        if validated:
            line["validation"] = {"dice": 1 - 0.7 * loss, "iou": 1 - 0.85 * loss}
            line["validation_seconds"] = 3.2
        lines.append(line)
    run.write_metrics(lines)
    if finished:
        best = max(lines, key=lambda line: line.get("validation", {}).get("dice", line["epoch"]))
        run.finish(steps=40 * epochs, best_epoch=best["epoch"], validation=best.get("validation", {}))
    return run


def blob(rng: np.random.Generator, radius: float, shift: float = 0.0) -> Any:
    down, across = np.indices((60, 80))
    y, x = rng.uniform(24, 36), rng.uniform(30, 50)
    return (down - y - shift) ** 2 + (across - x) ** 2 < radius**2


def rows(
    names: Sequence[str], *, cases: int, per_patient: int = 2, shift: float = 3.0, prefix: str = "case", seed: int = 0,
    patients: bool = True, seen: str = "", absent: int = 0,
) -> list[Row]:  # fmt: skip
    """Round structures of three sizes, each predicted somewhat beside; the last `absent` cases have none."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(cases):
        for name in names:
            radius = (5.0, 9.0, 14.0)[i % 3]
            state = rng.bit_generator.state
            truth = blob(rng, radius)
            rng.bit_generator.state = state
            predicted = blob(rng, radius, shift * rng.exponential())
            if i >= cases - absent:
                truth[:] = False
                predicted &= i % 2 == 0
            elif i % 17 == 5:
                predicted[:] = False
            scores: Scores = score(predicted, truth)
            patient = f"SECRET{i // per_patient}" if patients else ""
            columns = {"sex": "fm"[i // per_patient % 2], "size of lens": f"{i}"}
            found.append(Row(f"{prefix}_{i:03}", name, scores, patient, "ward", seen, columns))
    return found


def evaluate(run: Path, name: str, table: Sequence[Row], *, pictures: bool = False, **about: Any) -> Table:
    """A set as `segue evaluate` writes it."""
    folder = run / "evaluation" / name
    made = Table.of(table)
    made.write(folder / "cases.csv")
    told: dict[str, Any] = {"set": name, "dataset": name, "part": "all", "home": False, "left_out": {}, "views": []}
    told |= {"decision": {"threshold": 0.5, "smallest": 0.0, "fill": False}, **about}
    if pictures:
        (folder / "overlays").mkdir()
        told["overlays"] = []
        for i, mark in enumerate(("best", "best", "median", "median", "worst", "worst")):
            image, rng = scene(i, 240, 320), np.random.default_rng(i)
            state = rng.bit_generator.state
            truth = cv2.resize(blob(rng, 14).astype(np.uint8), (320, 240))
            rng.bit_generator.state = state
            predicted = cv2.resize(blob(rng, 14, 1.0 + i).astype(np.uint8), (320, 240))
            drawn = overlay(image, truth, predicted, TARGET)
            assert cv2.imwrite(str(folder / "overlays" / f"{mark}-{i}.jpg"), drawn[..., ::-1])
            told["overlays"].append(
                {"file": f"{mark}-{i}.jpg", "case": f"{name}_{i:03}", "mark": mark, "dice": 0.9 - i / 10}
            )
    (folder / "summary.json").write_text(json.dumps(told), encoding="utf-8")
    return made
