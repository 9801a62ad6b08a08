"""What others would say of a place without masks, from the same evidence and validation as it is: what the audit has to beat.

the constant    home's Dice less the mean gap to all other groups that are known
confidence      how sure pixels are on average
soft Dice       what probabilities promise (Soft Dice Confidence, https://arxiv.org/abs/2402.10665)
DoC             home's Dice and the difference of confidences (https://arxiv.org/abs/2107.03315)
ATC             pixels surer than a threshold are right; it is such that at home as many are as truly were
                (https://arxiv.org/abs/2201.04234)
ATC by class    the same with a threshold of its own for what is found and for the rest (https://arxiv.org/abs/2207.09957)
members         the mean Dice of two members of an ensemble (https://arxiv.org/abs/2406.03323)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from segue.evaluation.auditing.evidence import BINS, Evidence
from segue.evaluation.auditing.fit import HOME, Known, of_patients

Floats = npt.NDArray[np.float64]
Estimate = Callable[[Sequence[Evidence]], Floats]  # the Dice of each case

CONSTANT = "constant"


def rivals(known: Sequence[Known]) -> Mapping[str, Estimate]:
    """By name, as `known` teaches them."""
    home = [one for one in known if one.group == HOME and one.present]
    dice = float(of_patients([one.who for one in home]) @ [one.dice for one in home])
    sure = float(np.mean([one.evidence.confidence for one in home]))
    others = [one for one in known if one.group != HOME and one.present]
    means = [float(np.mean([one.dice for one in others if one.group == group])) for group in _groups(others)]
    elsewhere = float(np.mean(means)) if means else dice
    found: dict[str, Estimate] = {
        CONSTANT: lambda several: np.full(len(several), elsewhere),
        "confidence": lambda several: _each(several, "confidence"),
        "soft Dice": lambda several: _each(several, "soft"),
        "DoC": lambda several: np.clip(dice + _each(several, "confidence") - sure, 0, 1),
        "ATC": _by_threshold(home, apart=False),
        "ATC by class": _by_threshold(home, apart=True),
    }
    if not any(math.isnan(one.evidence.members) for one in known):
        found["members"] = lambda several: _each(several, "members")
    return found


def _groups(known: Sequence[Known]) -> list[str]:
    return list(dict.fromkeys(one.group for one in known))


def _each(several: Sequence[Evidence], name: str) -> Floats:
    return np.array([getattr(one, name) for one in several], np.float64)


def _by_threshold(home: Sequence[Known], *, apart: bool) -> Estimate:
    """Pixels are wrong below a bin that is such that at home as many are as truly were."""
    sure, rest = (_counts([one.evidence for one in home], name) for name in ("sure", "rest"))
    wrong = float(sum(one.wrong * row.sum() for one, row in zip(home, sure, strict=True)))
    missed = float(sum(one.missed * row.sum() for one, row in zip(home, rest, strict=True)))
    if apart:
        of_found, of_rest = _bin(sure.sum(axis=0), wrong), _bin(rest.sum(axis=0), missed)
    else:
        of_found = of_rest = _bin((sure + rest).sum(axis=0), wrong + missed)

    def estimate(several: Sequence[Evidence]) -> Floats:
        found, other = (_counts(several, name) for name in ("sure", "rest"))
        right, false = found[:, of_found:].sum(axis=1), found[:, :of_found].sum(axis=1)
        whole = 2 * right + false + other[:, :of_rest].sum(axis=1)
        return np.where(whole > 0, 2 * right / np.maximum(whole, 1), 0.0)

    return estimate


def _counts(several: Sequence[Evidence], name: str) -> Floats:
    return np.array([getattr(one, name) for one in several], np.float64).reshape(-1, BINS)


def _bin(counts: Floats, wrong: float) -> int:
    """Below which about so many pixels are."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    return int(np.argmin(np.abs(below - wrong)))
