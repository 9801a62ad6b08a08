"""Differences, their intervals and what luck would do, as pages write them."""

from __future__ import annotations

from segue.report.cells import Estimate
from segue.report.cells import chance as chance
from segue.report.cells import signed as signed


def interval(estimate: Estimate, digits: int = 3) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{signed(estimate.low, digits)} to {signed(estimate.high, digits)}"
