"""docs/metrics.md and docs/statistics.md say what is there, and their example is what comes out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from segue.evaluation import lesions, statistics
from segue.evaluation.comparing import sentence
from segue.evaluation.comparing.compare import compare
from segue.evaluation.judging import metrics
from segue.evaluation.judging.metrics import METRICS, Scores
from segue.evaluation.judging.table import COLUMNS, Table
from tests.evaluation import made

DOCS = Path(__file__).parents[2] / "docs"


def test_every_metric_and_column_is_told() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    names = {*METRICS, *COLUMNS, *(field.name for field in fields(Scores))}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
    assert f"{metrics.TOLERANCE:g} millimetres, or {metrics.TOLERANCE:g} pixels" in page
    assert f"below {metrics.FAILED_DICE:g}, and with IoU below {metrics.FAILED_IOU:g}" in page
    assert f"where it is below {metrics.CHALLENGE_IOU:g}" in page
    assert "at least a tenth" in page
    assert lesions.OVERLAP == 0.1


def test_every_sentence_is_told() -> None:
    page = (DOCS / "statistics.md").read_text(encoding="utf-8")
    assert [verdict for verdict in sentence.VERDICTS if f"| {verdict}" not in page] == []
    assert f"{statistics.DRAWS:,} draws" in page
    assert f"up to {statistics._ALL_UP_TO} patients" in page
    assert f"{statistics._PERMUTATIONS:,} drawn ones" in page


def test_the_example_is_what_comes_out() -> None:
    page = (DOCS / "statistics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (p\d\d) \| ([\d. ]+) \| ([\d. ]+) \| ([-+.\d]+) \|$", page, re.MULTILINE)
    assert len(rows) == 10

    def table(column: int, patients: int = 10) -> Table:
        dice, who = [], []
        for row in rows[:patients]:
            own = [float(value) for value in row[column].split()]
            dice += own
            who += [row[0]] * len(own)
        return made.table(dice, patients=who)

    found = compare({"baseline": table(1), "ours": table(2)})
    assert f"> {found.sentences[0]}\n" in page
    (difference,) = found.groups[0].differences
    assert [round(value, 3) for value in difference.differences] == [float(row[3]) for row in rows]
    assert (round(difference.p * 512), difference.smallest_p) == (6, 2 / 512)
    assert f"correlation is {difference.rank_biserial:.2f}" in page
    assert f"The difference is {difference.standardised:.2f} of its own spread" in page
    few = compare({"baseline": table(1, 5), "ours": table(2, 5)})
    assert f"> {few.sentences[0]}\n" in page
