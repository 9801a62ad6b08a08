"""How often `segue compare` cries wolf, and how often its interval holds the truth, on simulated studies.

Marks: at most 5 % false alarms and about 95 % coverage (twice the simulation's own error is 1 %). Dice of a case is how hard
the case is, plus the model's own noise, plus, in one case of twelve, a failure near 0; with several runs, each run is also
better or worse as a whole. Matched runs learnt from the same few masks, pair by pair, and which these were matters to both
alike. Both models are the same: whoever calls one better is wrong. Beside it what is often done
instead: Wilcoxon's test over all cases of all runs, as if every run brought new patients.

    python -m benchmarks.statistics_honesty
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import save
from segue.evaluation import statistics
from segue.evaluation.statistics import ALPHA, addressed

STUDIES = 2000
DRAWS = 1000
PATIENTS = (6, 10, 20, 50, 200)
OF_MASKS = 0.1  # what masks of one or another patient change: two to three times as much as other seeds
OF_RUN = 0.02  # a whole run's: published runs spread by .03 to .05 on another hospital's images


def dice(
    numbers: np.random.Generator, hard: npt.NDArray[np.float64], runs: int, of_run: float
) -> npt.NDArray[np.float64]:
    shape = (runs, hard.shape[-1])
    found = hard + numbers.normal(0, 0.04, shape) + numbers.normal(0, of_run, (runs, 1))
    failed = numbers.random(shape) < 1 / 12
    return np.clip(np.where(failed, numbers.uniform(0, 0.3, shape), found), 0, 1)


def study(patients: int, runs: int, of_run: float, of_masks: float) -> dict[str, Any]:
    matched = of_masks > 0
    numbers = addressed(0, "honesty", str(patients), str(runs), str(of_run), *["matched"] * matched)
    alarms, naive, held, ranks = 0, 0, 0, 0
    for _ in range(STUDIES):
        hard = numbers.beta(9, 2, patients) + (numbers.normal(0, of_masks, (runs, 1)) if matched else 0)
        one, other = dice(numbers, hard, runs, of_run), dice(numbers, hard, runs, of_run)
        differences = one.mean(axis=0) - other.mean(axis=0)
        spread = statistics.spread_of_difference(one, other, numbers, matched=matched, draws=DRAWS)
        low, high = spread.interval()
        p = statistics.permutation(differences, numbers)
        if runs > 1:
            p = max(p, spread.p)
        held += low <= 0 <= high
        alarms += p < ALPHA and not low <= 0 <= high
        ranks += statistics.wilcoxon(differences) < ALPHA
        naive += statistics.wilcoxon((one - other).ravel()) < ALPHA
    return {
        "patients": patients, "runs": runs, "of_run": of_run, "matched": matched, "false_alarms": alarms / STUDIES,
        "coverage": held / STUDIES, "wilcoxon": ranks / STUDIES, "runs_as_patients": naive / STUDIES,
    }  # fmt: skip


def main() -> None:
    statistics._PERMUTATIONS = 1000  # for 200 patients: what is counted is only whether p < .05
    rows = []
    for runs, of_run, of_masks in (
        (1, 0.0, 0.0),
        (3, OF_RUN, 0.0),
        (5, OF_RUN, 0.0),
        (3, OF_RUN, OF_MASKS),
        (5, OF_RUN, OF_MASKS),
    ):
        for patients in PATIENTS:
            row = study(patients, runs, of_run, of_masks)
            rows.append(row)
            what = "matched runs" if row["matched"] else "runs"
            print(
                f"{patients:4} patients, {runs} {what}: false alarms {100 * row['false_alarms']:4.1f} %, "
                f"interval holds the truth {100 * row['coverage']:5.1f} %, "
                f"Wilcoxon over patients alone {100 * row['wilcoxon']:4.1f} %, "
                f"runs as if patients {100 * row['runs_as_patients']:4.1f} %",
                flush=True,
            )
    error = math.sqrt(ALPHA * (1 - ALPHA) / STUDIES)
    save("statistics_honesty", {"studies": STUDIES, "standard_error": error, "rows": rows})


if __name__ == "__main__":
    main()
