"""What an audit has found, of each place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segue.evaluation.auditing.beside import Beside
from segue.evaluation.auditing.estimate import Expected
from segue.evaluation.auditing.proof import Proof
from segue.evaluation.auditing.trial import Held, Judged
from segue.evaluation.auditing.verdict import Verdict
from segue.experiment.auditing.verify import Verified

PAGE = "audit.html"


@dataclass(frozen=True)
class Trials:
    """Of one class: ways to estimate, judged where nothing was learnt for them."""

    corruptions: tuple[Judged, ...]
    held: tuple[Held, ...]
    places: tuple[Judged, ...] = ()  # the same, of other places with masks, of which there must be two


@dataclass(frozen=True)
class Audit:
    """Of one place."""

    name: str
    dataset: Path
    folder: Path
    expected: Expected
    whose: Mapping[str, str]  # case -> patient
    verdict: Verdict
    trials: Mapping[str, Trials]  # by class
    left_out: Mapping[str, str]  # case -> why
    seen: int  # cases of which training has looked at the image
    truth: tuple[Beside, ...] = ()  # by class, where the run was evaluated there
    verified: Verified | None = None

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def proofs(self) -> tuple[Proof, ...]:
        return self.verified.proofs if self.verified is not None else ()

    @property
    def told(self) -> tuple[str, ...]:
        """What is to be read first: what masks say, where there are some, and then what was expected without."""
        sites = {one.class_name: one.dice for one in self.expected.sites}
        wrong = any(not one.inside for one in self.truth)
        wrong = wrong or any(not one.low <= sites[one.class_name] <= one.high for one in self.proofs)
        said = ("What was expected from images alone does not hold: believe the masks.",) if wrong else ()
        masks = [*(one.told for one in self.truth), *(one.told for one in self.proofs)]
        return (*masks, *said, *self.verdict.told)

    def as_json(self) -> dict[str, Any]:
        return {
            "set": self.name, "folder": str(self.folder), **self.verdict.as_json(),
            "classes": [one.as_json() for one in self.expected.sites], "left_out": dict(self.left_out),
            "images_seen": self.seen, "truth": [one.as_json() for one in self.truth],
            "verified": None if self.verified is None else self.verified.as_json(), "page": str(self.page),
            "trials": {
                name: {
                    "corruptions": [one.as_json() for one in each.corruptions],
                    "places": [one.as_json() for one in each.places],
                    "held": [asdict(one) for one in each.held],
                }
                for name, each in self.trials.items()
            },
        }  # fmt: skip


@dataclass(frozen=True)
class Audited:
    run: Path
    audits: tuple[Audit, ...]

    def as_json(self) -> dict[str, Any]:
        return {"run": str(self.run), "audits": [one.as_json() for one in self.audits]}
