"""Differences, their intervals and what luck would do, as pages write them."""

from __future__ import annotations

import math

from segue.report.page import Estimate

_TINY = 0.001  # a p below it is told as that


def signed(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "–"


def interval(estimate: Estimate, digits: int = 3) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{signed(estimate.low, digits)} to {signed(estimate.high, digits)}"


def chance(p: float) -> str:
    return f"<\N{NO-BREAK SPACE}{_TINY:g}" if p < _TINY else f"{p:.3f}"
