"""How long to train, and how fast it went: a callback that stops at a number of steps or seconds and times each step."""

from __future__ import annotations

import statistics
import time
from typing import Any

import lightning as L
import torch


class Pace(L.Callback):
    def __init__(self, *, batch: int, steps: int | None, seconds: float | None, validation_images: int) -> None:
        self.batch = batch
        self.steps = steps
        self.seconds = seconds
        self.validation_images = validation_images
        self.began = self._last = time.perf_counter()
        self.total = 0.0
        self.loading: list[float] = []  # of each step: from the end of the step before to its batch at hand
        self.working: list[float] = []  # of each step: forward, backward, update
        self.processor: list[float] = []  # of each step: seconds of all threads of this process; workers are others
        self.epoch_seconds: list[float] = []  # validation included
        self.epoch_images: list[int] = []
        self.validation_seconds: list[float] = []

    def start(self) -> None:
        self.began = self._last = self._epoch = time.perf_counter()
        self._used = time.process_time()

    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def progress(self, step: int) -> float:
        if self.seconds is not None:
            return self.elapsed() / max(self.seconds - self._one_validation(), 1e-9)
        return step / max(self.steps or 1, 1)

    def _one_validation(self) -> float:
        """Seconds to keep for the last validation; before the first it is guessed from the steps."""
        if not self.validation_images:
            return 0.0
        if self.validation_seconds:
            return self.validation_seconds[-1]
        step = statistics.median(self.working) if self.working else 0.0
        return 0.4 * step * self.validation_images / self.batch

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self._last = self._epoch = time.perf_counter()
        self._used = time.process_time()
        self._before = len(self.working)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        now = time.perf_counter()
        self.loading.append(now - self._last)
        self._last = now

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if torch.cuda.is_available() and len(self.working) % 20 == 0:
            torch.cuda.synchronize()  # else the last steps of a window are counted before they are done
        now = time.perf_counter()
        self.working.append(now - self._last)
        self._last = now
        self.processor.append((used := time.process_time()) - self._used)
        self._used = used
        if self.seconds is not None and self.elapsed() + self._one_validation() + self.working[-1] >= self.seconds:
            trainer.should_stop = True
        if self.steps is not None and len(self.working) >= self.steps:
            trainer.should_stop = True

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        self._validation = time.perf_counter()

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        self.validation_seconds.append(time.perf_counter() - self._validation)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.epoch_seconds.append(time.perf_counter() - self._epoch)
        self.epoch_images.append((len(self.working) - self._before) * self.batch)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.total = self.elapsed()

    def steady(self, warm_up: int) -> tuple[float, float]:
        """Images a second without the first `warm_up` steps, and the share of that time spent waiting for batches."""
        loading, working = sum(self.loading[warm_up:]), sum(self.working[warm_up:])
        images = self.batch * len(self.working[warm_up:])
        return (images / (loading + working), loading / (loading + working)) if images else (0.0, 0.0)

    def whole_epochs(self) -> float:
        """Training images a second over whole epochs, validation included; the first, which warms up, only if alone."""
        skip = 1 if len(self.epoch_seconds) > 1 else 0
        return sum(self.epoch_images[skip:]) / sum(self.epoch_seconds[skip:])
