"""Home and elsewhere: by how much a model does worse on other patients, in a sentence.

The two groups share no patient, so nothing is paired: each mean has its own spread, and the difference has both.
"""

from __future__ import annotations

import math

from segue.evaluation.judging.summary import per_patient, rows_for
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.statistics import ALPHA, Spread, addressed, spread_of_mean


def gaps(home: Table, there: Table, *, of_home: str, of_there: str) -> tuple[str, ...]:
    """By class; of images with the structure that training has not seen."""
    names = list(dict.fromkeys(row.class_name for row in there))
    found = []
    for name in names:
        spreads = [
            _spread([row for row in table if row.class_name == name and not row.seen], side)
            for side, table in (("home", home), ("there", there))
        ]
        if not any(spread is None or math.isnan(spread.error) for spread in spreads):
            here, away = (spread for spread in spreads if spread is not None)
            what = f"Dice of {name}" if len(names) > 1 else "Dice"
            found.append(f"{of_there} against {of_home}: {what} {_told(_difference(away, here))}")
    return tuple(found)


def _spread(rows: list[Row], side: str) -> Spread | None:
    values = per_patient(rows_for(rows, "dice"), lambda row: row.scores.dice)
    if not values:
        return None
    ordered = [values[who] for who in sorted(values)]
    return spread_of_mean(ordered, addressed(0, "gap", side))


def _difference(one: Spread, other: Spread) -> Spread:
    """Of two independent means; degrees of freedom after Welch and Satterthwaite."""
    squares = [spread.error**2 for spread in (one, other)]
    doubt = sum(
        square**2 / spread.freedom for square, spread in zip(squares, (one, other), strict=True) if spread.freedom
    )
    return Spread(
        one.estimate - other.estimate, one.draws - other.draws, math.sqrt(sum(squares)),
        sum(squares) ** 2 / doubt if doubt else min(one.freedom, other.freedom),
    )  # fmt: skip


def _told(difference: Spread) -> str:
    low, high = difference.interval()
    # Student's t beside the interval's drawing: only what both say counts as more than luck.
    told = difference.p < ALPHA and not low <= 0 <= high
    which = "lower" if difference.estimate < 0 else "higher"
    between = f"95 % interval of the difference {low:+.3f} to {high:+.3f}"
    return f"is {which} by {abs(difference.estimate):.3f} ({between}): {'more' if told else 'not more'} than luck."
