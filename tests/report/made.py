"""Made-up stories for pages: of plain numbers that any test can find again."""

from __future__ import annotations

from typing import Any

import numpy as np

from segue.report.figures import jpeg
from segue.report.page import Estimate
from segue.report.story import (
    Dataset,
    Epoch,
    Evaluated,
    Miss,
    Overlay,
    Part,
    Result,
    RunStory,
    Setting,
    Stratum,
    Subgroup,
    Thresholds,
)  # fmt: skip

NONE = Estimate(float("nan"))
LONG = "hospital-of-a-town-with-a-very-long-name-indeed-and-sons"


def result(name: str = "polyp", *, dice: float = 0.8, seed: int = 0, cases: int = 60, **more: Any) -> Result:
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "name": name, "cases": cases, "patients": 30, "present": cases - 4, "absent": 4,
        "dice": Estimate(dice, dice - 0.031, dice + 0.027), "iou": Estimate(dice - 0.1, dice - 0.14, dice - 0.06),
        "failures": Estimate(0.052, 0.011, 0.102), "false_positives": Estimate(0.25, 0.0, 0.75),
        "others": {"precision": 0.871, "sensitivity": 0.842, "HD95": 23.4, "lesions found": 0.91},
        "per_case": tuple(np.clip(rng.beta(8, 8 / dice - 8, cases - 4), 0, 1).tolist()),
    }  # fmt: skip
    return Result(**{**given, **more})


def evaluated(name: str, *results: Result, **more: Any) -> Evaluated:
    return Evaluated(name=name, dataset=name, unit="px", results=results, **more)


def epochs(number: int, *, validated: bool = True) -> tuple[Epoch, ...]:
    rng = np.random.default_rng(number)
    falling = 1.1 * np.exp(-np.arange(number) / max(1, number) * 4) + 0.15 + 0.02 * rng.normal(size=number)
    return tuple(
        Epoch(
            number=i + 1, step=(i + 1) * 40, losses={"loss": float(loss)},
            scores={"Dice": float(1 - loss * 0.7), "IoU": float(1 - loss * 0.85)} if validated else {},
            rate=float(1e-3 * (1 + np.cos(np.pi * i / number)) / 2),
        )
        for i, loss in enumerate(falling)
    )  # fmt: skip


def picture(seed: int) -> str:
    rng = np.random.default_rng(seed)
    return jpeg(rng.integers(60, 200, (6, 8, 3), np.uint8).repeat(40, axis=0).repeat(40, axis=1))


def story(**more: Any) -> RunStory:
    """A finished run on one dataset, judged at home and at two places elsewhere, of which one was seen."""
    worst = Miss(case="n_017", name="polyp", dice=0.0, numbers={"IoU": 0.0, "HD95": 512.0, "empty": "the prediction"})
    shown = tuple(
        Overlay(picture=picture(number), case=f"n_{number}", mark=mark, told="Dice 0.512")
        for number, mark in enumerate(("worst", "best", "median"))
    )
    groups = tuple(
        Subgroup(
            value=value, name="polyp", patients=15, present=28, dice=Estimate(dice, dice - 0.1, dice + 0.09),
            failures=Estimate(0.1, 0.0, 0.2), false_positives=NONE,
        )
        for value, dice in (("f", 0.813), ("", 0.791))
    )  # fmt: skip
    home = evaluated(
        "north-test", result(), home=True, part="test", decision="threshold 0.5, nothing after", worst=(worst,),
        overlays=shown, subgroups={"sex": groups},
    )  # fmt: skip
    south = evaluated("south", result(dice=0.61, seed=1, cases=40, patients=12, patients_known=False), part="all")
    seen = evaluated("harbour", result(dice=0.7, seed=2, seen="images"), part="all")
    strata = tuple(
        Stratum(
            told=told,
            results={
                "north-test": (Estimate(dice, dice - 0.1, dice + 0.05), 20),
                "south": (Estimate(dice - 0.2, dice - 0.4, dice), 13),
            },
        )
        for told, dice in (("under 3% of the image", 0.7), ("3% to 8% of the image", 0.8), ("8% and more", 0.9))
    )
    given: dict[str, Any] = {
        "name": "north-unet-resnet18", "method": "supervised", "network": "U-Net on resnet18", "parameters": 14_328_209,
        "classes": ("polyp",), "steps": 1600, "best": 32, "epochs": epochs(40),
        "datasets": (Dataset(name="north", folder="datasets/north", split="split", how="by patient", hash="a1b2c3d4"),),
        "parts": tuple(
            Part(dataset="north", part=part, images=images, patients=known, unknown=0, learnt=part == "train")
            for part, images, known in (("train", 715, 240), ("validation", 91, 30), ("test", 60, 30))
        ),
        "finder": tuple((1e-6 * 10 ** (i / 10), 1 - 0.4 * float(np.exp(-((i - 40) ** 2) / 200))) for i in range(60)),
        "rate": 3e-3,
        "thresholds": Thresholds(tried=(0.3, 0.4, 0.5, 0.6), scores={"Dice": (0.82, 0.84, 0.83, 0.8)}, chosen=0.4),
        "sets": (south, home, seen), "strata": {"polyp": strata},
        "outlines": (((0, 190, 255), "as annotated"), ((255, 228, 60), "as predicted")),
        "settings": (
            Setting(key="data", value="datasets/north", origin="asked for"),
            Setting(key="loop.steps", value="1600", origin="found out"),
            Setting(key="loop.clip", value="1.0"),
        ),
        "environment": {"segue": "0.2", "processor": "some processor", "graphics": ""},
        "commands": ("segue train --data datasets/north",), "next": ("segue compare runs/a runs/b",),
    }  # fmt: skip
    return RunStory(**{**given, **more})


def plain(**more: Any) -> RunStory:
    """The same without what is drawn."""
    return story(**{"epochs": (), "finder": (), "thresholds": None, "strata": {}, **more})
