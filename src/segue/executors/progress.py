"""How far long work has come: a line with count, rate and remaining time; on a terminal it moves, in a log it is rare."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

_LOG_SECONDS = 15.0


class Progress:
    def __init__(self, label: str, total: int, *, shown: bool = True) -> None:
        self.label, self.total, self.done, self.failed = label, total, 0, 0
        self._live = shown and sys.stderr.isatty()
        self._logged = shown and not self._live
        self._start = self._last = time.monotonic()
        self._fresh = 0  # items done in this process: the rate must not count what an earlier one did

    def advance(self, *, failed: bool = False, resumed: bool = False) -> None:
        self.done += 1
        self.failed += failed
        self._fresh += not resumed
        now = time.monotonic()
        if self._live and (now - self._last > 0.1 or self.done == self.total):
            self._last = now
            sys.stderr.write(f"\r\x1b[2K{self.line(now)}")
            sys.stderr.flush()
        elif self._logged and now - self._last > _LOG_SECONDS:
            self._last = now
            print(self.line(now), file=sys.stderr, flush=True)

    def line(self, now: float) -> str:
        rate = self._fresh / max(now - self._start, 1e-9)
        parts = [f"{self.label} {self.done:,}/{self.total:,}", _speed(rate)]
        if self._fresh > 0 and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return "  ".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self.done:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def _speed(rate: float) -> str:
    if 0 < rate < 0.1:
        return f"{duration(1 / rate)} each"
    return f"{rate:,.1f}/s" if rate < 100 else f"{rate:,.0f}/s"


def duration(seconds: float) -> str:
    """4 s, 3 min, 2 h 05 min."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
