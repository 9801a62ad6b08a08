"""The line that moves while a network learns, and a line an epoch that stays, where epochs take their time."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from segue.executors.progress import duration
from segue.training.machine import MachineSettings
from segue.words import count

Say = Callable[[str], None]

_LOG_SECONDS = 30.0
_EPOCH_SECONDS, _LOG_EPOCH_SECONDS = 2.0, 15.0  # between two lines that stay
_TOLD = " told by neighbours"


def silent(line: str) -> None:
    """Nobody listens."""


class ProgressLine:
    def __init__(self, told: Callable[[dict[str, float]], str]) -> None:
        """`told`: a judgement's numbers in words."""
        self.told = told
        self._live = sys.stderr.isatty()
        self._began: tuple[float, int] | None = None
        self._last = self._stayed = 0.0
        self._smooth = 0.0
        self._steps = 0

    def step(self, step: int, steps: int, loss: float) -> None:
        now, self._steps = time.monotonic(), steps
        if self._began is None:
            self._began = now, step
            self._smooth = loss
        self._smooth += 0.1 * (loss - self._smooth)
        began, first = self._began
        if now - self._last < (0.2 if self._live else _LOG_SECONDS) and step < steps:
            return
        self._last = now
        rate = (step - first) / max(now - began, 1e-9)
        left = f"  {duration((steps - step) / rate)} left" if rate and step < steps else ""
        self._write(f"step {step:,}/{steps:,}  loss {self._smooth:.3f}{left}", stays=False)

    def epoch(self, line: dict[str, Any]) -> None:
        told = f"epoch {line['epoch']:>3}  step {line['step']:>6,}  loss {line.get('loss', math.nan):.3f} on average"
        if "validation" in line:
            told += f"  {self.told(line['validation'])}"
        now = time.monotonic()
        apart = _EPOCH_SECONDS if self._live else _LOG_EPOCH_SECONDS
        stays = now - self._stayed > apart or line["step"] == self._steps
        if stays or self._live:
            self._write(told, stays=stays)
        self._stayed = now if stays else self._stayed

    def close(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _write(self, text: str, *, stays: bool) -> None:
        end = "\n" if stays or not self._live else ""
        sys.stderr.write(("\r\x1b[2K" if self._live else "") + "  " + text + end)
        sys.stderr.flush()


def chosen_by(select: str) -> Callable[[dict[str, float]], str]:
    """The number that an epoch is chosen by."""
    best = -math.inf

    def told(numbers: dict[str, float]) -> str:
        nonlocal best
        score = numbers[select]
        better, best = score > best, max(best, score)
        return f"validation {select} {score:.3f}{'  best so far' if better else ''}"

    return told


def watched(numbers: dict[str, float]) -> str:
    """What is known of an encoder that nothing is chosen by."""
    told = []
    for name, value in numbers.items():
        chance = numbers.get(f"{name.removesuffix(_TOLD)} by chance") if name.endswith(_TOLD) else None
        if name != "collapsed" and not name.endswith(" by chance"):
            told.append(f"{name} {value:.2f}" + ("" if chance is None else f" (chance {chance:.2f})"))
    return "  ".join(told)


def told_machine(machine: MachineSettings) -> str:
    return f"{machine.device} ({count(int(machine.threads), 'thread')}, {machine.precision}, {machine.layout})"
