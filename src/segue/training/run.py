"""The folder of a run: everything one training was and did.

config.yaml          what was asked for, "auto" replaced by what was found
run.json             format, target, channels, split, what was asked for literally, and whether it is finished
environment.json     versions, machine, threads, commit
cases.csv            which case was train, validation or test
seen.csv             every image that this run or what it began from has looked at, with its mask or without
metrics.jsonl        a line per epoch
weights/             best.safetensors, last.safetensors; until the end state.pt
evaluation/SET/      cases.csv, summary.json, overlays/
coverage/            SITE/coverage.html, SITE/cases.csv, SITE/summary.json
report.html
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from segue.config import read_yaml, write_yaml
from segue.data.case import read_table, write_rows
from segue.data.target import Target
from segue.errors import BadInput
from segue.files import atomic, read_json, write_json
from segue.hardware import processor
from segue.version import __version__

FORMAT = 2
CONFIG, ABOUT, ENVIRONMENT, METRICS = "config.yaml", "run.json", "environment.json", "metrics.jsonl"
PRETRAINING, INPAINTING = "pre-training", "painter"  # a run's kind; of all others none is told
_USE = {PRETRAINING: "--init", INPAINTING: "--variation 'paint + natural' --painter"}
CASES, SEEN = "cases.csv", "seen.csv"
_PACKAGES = (
    "torch", "lightning-fabric", "segmentation-models-pytorch", "timm", "numpy", "opencv-python-headless",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    folder: Path

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        config: Mapping[str, Any],
        about: Mapping[str, Any],
        cases: Sequence[Mapping[str, str]],
        seen: Sequence[Mapping[str, str]],
    ) -> Run:
        run = cls(folder)
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        write_yaml(folder / CONFIG, config)
        write_json(folder / ENVIRONMENT, environment())
        for name, rows in ((CASES, cases), (SEEN, seen)):
            with atomic(folder / name) as file:
                columns = list(rows[0])
                write_rows(file, [columns, *([row[column] for column in columns] for row in rows)])
        # Last: a folder with it is a run.
        write_json(folder / ABOUT, {"format": FORMAT, **about, "finished": False})
        return run

    @staticmethod
    def unborn(folder: Path) -> bool:
        """Whether it holds nothing but what a run that was killed while it was created leaves."""
        ours = {CONFIG, ENVIRONMENT, CASES, SEEN, "weights"}
        return all(
            (path.name in ours and not (path.is_dir() and any(path.iterdir())))
            or (path.name.startswith(".") and path.name.endswith(".part"))
            for path in folder.iterdir()
        )

    @classmethod
    def open(cls, where: Path | str) -> Run:
        folder = Path(where)
        if not (folder / ABOUT).is_file():
            told = "there is no such run" if not folder.is_dir() else f"is not a run (it holds no {ABOUT})"
            raise BadInput(f"{folder}: {told}", hint="segue train --data DATASET makes one.")
        run = cls(folder)
        if run.about.get("format") != FORMAT:
            raise BadInput(f"{folder}: format {run.about.get('format')} is not the one this version reads ({FORMAT})")
        return run

    @classmethod
    def behind(cls, start: str) -> Run | None:
        """The run that one starts from, by its folder or by weights in it."""
        path = Path(start).resolve()
        folder = path.parent.parent if path.suffix == ".safetensors" else path
        return cls.open(folder) if (folder / ABOUT).is_file() else None

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def about(self) -> dict[str, Any]:
        return read_json(self.folder / ABOUT)

    @cached_property
    def config(self) -> dict[str, Any]:
        return read_yaml(self.folder / CONFIG)

    @cached_property
    def environment(self) -> dict[str, Any]:
        return read_json(self.folder / ENVIRONMENT)

    @cached_property
    def target(self) -> Target:
        return Target.from_json(self.about["target"])

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    @property
    def networks(self) -> int:
        """How many it trained side by side."""
        return int(self.config["network"].get("members", 1))

    @property
    def stamps(self) -> list[tuple[int, int]]:
        """Of its weights, sizes and times: the same stamps, the same weights."""
        found = [path.stat() for path in sorted(self.weights.glob("*.safetensors"))]
        return [(one.st_size, one.st_mtime_ns) for one in found]

    @property
    def pretraining(self) -> bool:
        """Whether it looked at images alone and keeps an encoder, which segments nothing by itself."""
        return self.about.get("kind") == PRETRAINING

    def demand_segmenter(self) -> None:
        if kind := self.about.get("kind"):
            raise BadInput(
                f"{self.folder}: is a {kind}, and segments nothing by itself",
                hint=f"segue train --data DATASET {_USE[kind]} {self.folder}",
            )

    def demand_finished(self) -> None:
        if not self.finished:
            raise BadInput(f"{self.folder}: is not finished", hint="The command that began it goes on with it.")

    @property
    def finished(self) -> bool:
        return bool(read_json(self.folder / ABOUT)["finished"])

    def finish(self, **told: Any) -> None:
        self.__dict__.pop("about", None)
        write_json(self.folder / ABOUT, {**self.about, **told, "finished": True})
        self.__dict__.pop("about", None)

    def cases(self) -> list[dict[str, str]]:
        return read_table(self.folder / CASES)

    def seen(self) -> list[dict[str, str]]:
        return read_table(self.folder / SEEN)

    def metrics(self) -> list[dict[str, Any]]:
        path = self.folder / METRICS
        if not path.exists():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except ValueError as error:
            raise BadInput(f"{path}: is not what a run writes ({error})") from None

    def write_metrics(self, lines: Sequence[Mapping[str, Any]]) -> None:
        with atomic(self.folder / METRICS) as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def environment() -> dict[str, Any]:
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = ""
    return {
        "segue": __version__, "commit": _commit(), "python": platform.python_version(), "system": platform.platform(),
        "processor": processor(), "threads": torch.get_num_threads(), "packages": packages,
        "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "",
        "command": ["segue", *sys.argv[1:]],
    }  # fmt: skip


def _commit() -> str:
    """Of Segue's own source, where it is run from a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
