"""An audit, where the truth is known: what it expects of places that it has learnt nothing from, beside its rivals.

A run of `next_hospital` that learnt from kvasir-seg is audited at CVC-ClinicDB and PolypGen centres 1 and 3, whose masks then
say how far that was off: as a user has it (validation and its spoilt copies alone), with the other two places known, and on
spoilt copies of kinds that were left out. Then, by drawing again and again, how often the intervals of `--verify` hold.

    python -m benchmarks.audit_sites [--arm two-view] [--seed 2] [--passes 10000] --folder F      # where next_hospital trained
    python -m benchmarks.audit_sites --speed                                                      # against predicting once

A row is written to results/audit/; `benchmarks.table` makes the table of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import segue
from benchmarks.common import RESULTS, machine
from benchmarks.next_hospital import HOME, PASSES, SITES, dataset, rate_of
from segue import variations
from segue.data.phantoms import PHANTOMS
from segue.evaluation.auditing.estimate import expected
from segue.evaluation.auditing.evidence import VIEWS
from segue.evaluation.auditing.fit import Known, Lessons, of_patients
from segue.evaluation.auditing.proof import prove
from segue.evaluation.auditing.rivals import rivals
from segue.evaluation.auditing.trial import AUDIT, Judged, judged, trial
from segue.evaluation.judging.judge import predicted
from segue.evaluation.judging.subject import images_alone
from segue.experiment.auditing.worth import Eyes, home_of, worth
from segue.experiment.fitted import Fitted
from segue.experiment.load import load
from segue.experiment.settings import AuditSettings, EvaluateSettings

ROWS = RESULTS / "audit"
AWAY = tuple(name for name in SITES if name != HOME)
MASKS = (10, 20, 40)
DRAWS = 2000  # of masks to verify by


def measured(run: Path, folder: Path) -> dict[str, Any]:
    """Of one run."""
    model = load(run)
    predictor = model.predictor()
    fitted = Fitted(model, predictor, EvaluateSettings(), print)
    eyes = Eyes.of(model, predictor, fitted, variations.parse("everyday"))
    asked = AuditSettings(vary="everyday", known=tuple(str(dataset(name, folder).folder) for name in AWAY))
    (known,) = worth(eyes, home_of(model, fitted), asked, progress=True).known.values()
    inside = [one for one in known if one.family not in AWAY]
    of_corruptions, _ = trial(Lessons(inside))
    of_places, held = trial(Lessons(known), of=AWAY)
    return {
        "machine": machine(), "run": run.name, "home": _mean([one for one in inside if one.group == "home"]),
        "corruptions": [one.as_json() for one in of_corruptions],
        "alone": [one.as_json() for one in _alone(inside, known)],
        "places": [one.as_json() for one in of_places],
        "held": [{"place": one.group, "true": one.true, **one.expected} for one in held],
        "sites": {name: _site(name, inside, known) for name in AWAY},
    }  # fmt: skip


def _mean(known: Sequence[Known]) -> float:
    return float(np.mean([one.dice for one in known if one.present]))


def _here(known: Sequence[Known], name: str) -> list[Known]:
    return [one for one in known if one.family == name and one.present]


def _alone(inside: Sequence[Known], known: Sequence[Known]) -> list[Judged]:
    """The places, by what validation and its spoilt copies teach."""
    ways = {**rivals(inside)}
    found = {}
    for name, estimate in ways.items():
        found[name] = [_pair(estimate([one.evidence for one in own]), own) for own in (_here(known, at) for at in AWAY)]
    audited = []
    for at in AWAY:
        own = _here(known, at)
        said = expected([(one.case, one.who, {"it": one.evidence}) for one in own], {"it": Lessons(inside)})
        audited.append(_pair(np.array([one.dice for one in said.cases]), own))
    return [judged(AUDIT, audited), *(judged(name, pairs) for name, pairs in found.items())]


def _pair(said: Any, own: Sequence[Known]) -> tuple[Any, Any, Any]:
    return said, np.array([one.dice for one in own]), of_patients([one.who for one in own])


def _site(name: str, inside: Sequence[Known], known: Sequence[Known]) -> dict[str, Any]:
    """What a user is told there, alone and with the others known, and whether that holds."""
    own = _here(known, name)
    others = [one for one in known if one.family != name]
    told: dict[str, Any] = {"cases": len(own)}
    for how, learnt in (("alone", inside), ("others known", others)):
        said = expected([(one.case, one.who, {"it": one.evidence}) for one in own], {"it": Lessons(learnt)})
        (site,) = said.sites
        _, true, share = _pair(None, own)
        within = np.array([one.low <= dice <= one.high for one, dice in zip(said.cases, true, strict=True)])
        told[how] = {
            "expected": site.dice, "low": site.low, "high": site.high, "true": float(share @ true),
            "inside": bool(site.low <= share @ true <= site.high), "cases_inside": float(share @ within),
        }  # fmt: skip
        if how == "alone":
            told["verify"] = [
                _proven(np.array([one.dice for one in said.cases]), true, share, masks) for masks in MASKS
            ]
    return told


def _proven(said: Any, true: Any, share: Any, masks: int) -> dict[str, float]:
    """How often the intervals hold that so many masks give, and how wide they are."""
    numbers, mean, ones = np.random.default_rng(0), float(share @ true), np.ones(len(true))
    rows = []
    for _ in range(DRAWS):
        where = numbers.choice(len(true), masks, replace=False)
        one = prove("it", where.tolist(), true[where], np.ones(masks, np.bool_), said, ones, share)
        rows.append((
            one.low <= mean <= one.high, one.high - one.low, one.alone[1] <= mean <= one.alone[2],
            one.alone[2] - one.alone[1],
        ))  # fmt: skip
    holds, width, alone, alone_width = np.mean(rows, axis=0).tolist()
    return {"masks": masks, "holds": holds, "width": width, "alone_holds": alone, "alone_width": alone_width}


def speed(frames: int = 60, side: int = 256) -> dict[str, Any]:
    """Cost of an audit in units of predicting once, for each view; in turns, the median of three."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        PHANTOMS["colon"].make(folder / "images", patients=frames // 10, labelled=frames)
        found = segue.scan(folder / "images", folder / "dataset").dataset
        assert found is not None
        segue.split(found)
        run = segue.train(
            found.folder, folder / "run", size=(side, side), loop={"steps": 2, "epoch_steps": 2}
        ).run.folder
        model = load(run)
        predictor = model.predictor()
        eyes = Eyes.of(
            model,
            predictor,
            Fitted(model, predictor, EvaluateSettings(), print),
            variations.parse("everyday"),
        )
        cases = images_alone(found, found.cases[:frames])
        ratios = []
        for _ in range(3):
            began = time.perf_counter()
            for _ in predicted(predictor, cases, frame=model.frame, target=model.target):
                pass
            between = time.perf_counter()
            for _ in eyes.observe(cases):
                pass
            ratios.append((time.perf_counter() - between) / (between - began))
        views = VIEWS + 1
        return {
            "machine": machine(), "frames": len(cases), "side": side, "views": views, "times_once": sorted(ratios)[1],
            "times_views": sorted(ratios)[1] / views,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", default="two-view")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    ROWS.mkdir(parents=True, exist_ok=True)
    if given.speed:
        result, name = speed(), "speed"
    else:
        if given.folder is None:
            parser.error("--folder: where benchmarks.next_hospital has trained")
        name = f"{given.arm}-{given.seed}-{given.passes}"
        run = given.folder / "runs" / f"next-{name}-{rate_of(given.arm, given.passes):g}"
        result = measured(run, given.folder)
    (ROWS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "machine"}, indent=1))


if __name__ == "__main__":
    main()
