"""Copies of validation cases with a lesion painted into an edited mask: of them it is known what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.evaluation.auditing.copies import Pixels
from segue.evaluation.judging.subject import Labels, Subject
from segue.experiment import seen
from segue.experiment.inpainting.load import painting_of
from segue.experiment.load import Model
from segue.training.painting import Painting
from segue.training.run import Run
from segue.variations.address import Address
from segue.variations.edits import KINDS, Edited, Floats
from segue.variations.paint import Paint
from segue.words import of_all

# What is taken away is not asked: whether something is there at all would be learnt from what a painter leaves in its place.
_ALTERED = Paint(add=0.0, alter=1.0, repaint=0.0)
EDITS = {
    "add": Paint(add=1.0, alter=0.0, repaint=0.0), "grow": _ALTERED, "bend": _ALTERED, "move": _ALTERED,
    "repaint": Paint(add=0.0, alter=0.0, repaint=1.0),
}  # fmt: skip
_TRIES = 40  # of an edit of one kind that changes something


@dataclass(frozen=True)
class Painted:
    """One kind of edit. Where none of it changes anything the copy does not count."""

    painting: Painting
    kind: str

    def image(self, pixels: Pixels, labels: Labels, case: str) -> Pixels:
        values, found = self._edit(labels, case)
        return pixels if found is None else self.painting.filled(np.ascontiguousarray(pixels), found, values)

    def labels(self, labels: Labels, case: str) -> Labels:
        _, found = self._edit(labels, case)
        return np.full_like(labels, IGNORE) if found is None else self.painting.relabelled(labels, found)

    def _edit(self, labels: Labels, case: str) -> tuple[Floats, Edited | None]:
        shown = np.ones(labels.shape, np.bool_)
        for attempt in range(_TRIES):
            drawn = EDITS[self.kind].draw((labels.shape[0], labels.shape[1]), [Address(0, "audit", attempt, 0, case)])
            values = drawn.parts["edit"][0]
            found = self.painting.edited(labels, shown, values) if KINDS[int(values[0])] == self.kind else None
            if found is not None:
                break
        return values, found


def painting_for(painter: str, model: Model, home: Sequence[Subject]) -> Painting:
    """A painter for these cases, from none of which it has learnt."""
    if model.frame.volumes is not None:
        raise BadInput("painter: the network sees volumes, and copies are painted of pictures only")
    run = Run.open(painter)
    datasets = {one.dataset.name: one.dataset for one in home}.values()
    for dataset in datasets:
        card = dataset.card
        painting = painting_of(painter, model.target, len(card.channels) or model.frame.voxel, card.dtype)
    for dataset in datasets:
        own = {one.case.case for one in home if one.dataset.name == dataset.name}
        learnt = sorted(own & set(seen.of_runs([run], dataset)))
        if learnt:
            raise BadInput(
                f"{run.folder}: has learnt from {of_all(len(learnt), len(own), 'validation case')} of {dataset.name} or from "
                f"copies, such as {learnt[0]!r}: what it paints there is what it has seen there",
                hint=f"Fit one by the split of the run, which leaves them out: segue inpaint fit --data {dataset.folder}",
            )
    return painting
