"""Home and elsewhere: how much is lost, and what is known at home that foretells it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

import numpy as np
from scipy import stats

from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.statistics import ALPHA, addressed, spread_of_difference
from segue.evaluation.stressing.canvases import rank
from segue.files import read_json
from segue.report.page import Estimate
from segue.report.study.story import Foretold
from segue.studies.evidence import Done, Evidence


def lost(evidence: Evidence, arm: str) -> Estimate | None:
    """From home to the main place, as a share of home; patients of the two are others, so each has its own spread."""
    if evidence.main == evidence.home or evidence.home not in evidence.places:
        return None
    metric = evidence.plan.study.metric
    sides = [evidence.values(place, metric).values[arm] for place in (evidence.home, evidence.main)]
    home, there = (
        spread_of_difference(one, np.zeros((1, one.shape[1])), addressed(0, "lost", side, arm))
        for side, one in zip(("home", "there"), sides, strict=True)
    )
    if home.estimate <= 0:
        return None
    share = there.estimate / home.estimate - 1
    if math.isnan(home.error + there.error):
        return Estimate(share)
    # Of a ratio by its logarithm's first terms: draws of a small mean would divide by next to nothing.
    error = math.hypot(there.error / home.estimate, there.estimate * home.error / home.estimate**2)
    width = error * float(stats.t.ppf(1 - ALPHA / 2, max(1.0, min(home.freedom, there.freedom))))
    return Estimate(share, share - width, share + width)


def foretold(evidence: Evidence) -> Foretold | None:
    """Where the study asks how steady predictions are: whether that at home goes along with what comes out elsewhere, and
    whether the metric at home does."""
    if not evidence.plan.study.vary or evidence.main == evidence.home or evidence.home not in evidence.places:
        return None
    metric = evidence.plan.study.metric
    home, there = (dict(_by_run(evidence, place, metric)) for place in (evidence.home, evidence.main))
    steady = {one.entry.name: found for one in evidence.done if (found := _steady(one, evidence.home)) is not None}
    if not steady:
        return None
    points = {
        "steadiness at home": [(steady[name], there[name]) for name in there if name in steady],
        f"{METRICS[metric].told} at home": [(home[name], there[name]) for name in there],
    }
    ranks = {what: known for what, each in points.items() if (known := _rank(each)) is not None}
    return Foretold(points, ranks)


def _by_run(evidence: Evidence, place: str, metric: str) -> Iterator[tuple[str, float]]:
    values = evidence.values(place, metric).values
    for arm, runs in evidence.arms.items():
        for one, mean in zip(runs, values[arm].mean(axis=1), strict=True):
            yield one.entry.name, float(mean)


def _steady(one: Done, home: str) -> float | None:
    """1 less the inconsistency, the mean over classes."""
    path = one.folder / "evaluation" / home / "summary.json"
    told = read_json(path).get("steadiness", []) if path.exists() else []
    known = [each["inconsistency"] for each in told if each["inconsistency"] is not None]
    return 1 - statistics.fmean(known) if known else None


def _rank(points: list[tuple[float, float]]) -> Estimate | None:
    found = rank(points)
    if math.isnan(found):
        return None
    if abs(found) > 1 - 1e-12:
        return Estimate(found)
    # Bonett and Wright (2000): Fisher's z, wider as the correlation grows.
    error = math.sqrt((1 + found**2 / 2) / (len(points) - 3))
    width = float(stats.norm.ppf(1 - ALPHA / 2)) * error
    return Estimate(found, math.tanh(math.atanh(found) - width), math.tanh(math.atanh(found) + width))
