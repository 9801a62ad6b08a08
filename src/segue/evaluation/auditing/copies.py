"""Copies of a case, of which what they show is known: image and mask are changed together, on their own grid."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.geometry import Fit, pyramid
from segue.evaluation.judging.subject import Labels, Subject
from segue.variations.drawn import Drawn
from segue.variations.opencv import render

Pixels = npt.NDArray[Any]  # (height, width, channels)


class Change(Protocol):
    """The same of a case each time, whoever asks."""

    def image(self, pixels: Pixels, labels: Labels, case: str) -> Pixels: ...

    def labels(self, labels: Labels, case: str) -> Labels: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Copy(Subject):
    """A picture as it would be read after a change to its files."""

    change: Change

    @classmethod
    def of(cls, subject: Subject, change: Change) -> Self:
        given = {each.name: getattr(subject, each.name) for each in fields(Subject)}
        return cls(**{**given, "store": None}, change=change)

    def pixels(self) -> Pixels:
        return self.change.image(super().pixels(), super().truth(), self.case.case)

    def truth(self) -> Labels:
        return self.change.labels(super().truth(), self.case.case)


@dataclass(frozen=True)
class Zoom:
    """So many times as large, around what the mask shows; what comes in from beyond the edges does not count."""

    times: float

    def image(self, pixels: Pixels, labels: Labels, case: str) -> Pixels:
        drawn = self._drawn(labels)
        size = (labels.shape[0], labels.shape[1])
        return render(drawn, 0, pyramid(pixels, Fit(size, size)), None, size).image

    def labels(self, labels: Labels, case: str) -> Labels:
        found, _ = self._drawn(labels).carry(labels[None])
        return np.asarray(found[0], np.uint8)

    def _drawn(self, labels: Labels) -> Drawn:
        half = np.array(labels.shape[::-1]) / max(labels.shape)
        rows, columns = np.nonzero((labels > 0) & (labels != IGNORE))
        side, middle = 1 / self.times, np.zeros(2)
        if len(rows):
            middle = (2 * np.array([np.median(columns), np.median(rows)]) + 1) / max(labels.shape) - half
        room = max(0.0, 1 - side) * half
        matrix = np.diag([side, side, 1.0])
        matrix[:2, 2] = np.clip(middle, -room, room)
        return Drawn(1, labels.shape, {"matrix": matrix[None]})
