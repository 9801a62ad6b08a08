"""Consistency training: what changes in the prediction is what changed in the mask. https://arxiv.org/abs/2205.15428

Each image is seen clean and varied. In the published form both predictions are compared place by place, wherever geometry
has moved things; in the aligned one the clean prediction is carried to where the varied image shows it. Agreement alone is
cheap (to find nothing is consistent), so that masks are learnt as well, and how much of each is what `mix` says.

Of several networks in one (`network.members`) each learns masks by itself, and the change is from what all of them say of the
clean image together to what each says of the varied one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from segue import losses
from segue.errors import BadInput
from segue.losses.inconsistency import Side, inconsistency, truths
from segue.methods.given import Given
from segue.methods.laying import lay
from segue.methods.two_view import TwoView
from segue.networks.outputs import Outputs
from segue.step import Batch, Loss, View
from segue.variations.drawn import Drawn

_HALF = 2  # of the sides, in a search


class Consistency(TwoView):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.target, self.told = given.target, given.consistency
        clean, varied = self.views
        self.views = (clean, *[varied] * self.told.draws)
        if self.told.mix == "strict" and self.told.interleaved:
            raise BadInput(
                "consistency.interleaved: strict has no step of consistency, it weighs masks",
                hint="--set consistency.mix=adaptive",
            )

    @property
    def at_once(self) -> int:
        return 2  # a search keeps nothing

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        clean, *drawn = batch.views
        if not self._in_turn(batch.step):
            varied = drawn[0]
            yield self.of_both(clean, varied, *self.seen(clean, varied))
            return
        varied = drawn[0] if len(drawn) == 1 else self.worst(clean, drawn)
        of_clean, of_varied = self.seen(clean, varied)
        pairs = zip(of_clean.apart, of_varied.apart, strict=True)
        told = [self._told(clean, varied, *pair, of_clean) for pair in pairs]
        total = torch.stack([total for total, _ in told]).mean(0)
        parts = {name: torch.stack([parts[name] for _, parts in told]).mean(0) for name in told[0][1]}
        yield Loss("segmenter", total, clean.counted, parts)

    def _told(
        self, clean: View, varied: View, of_clean: Outputs, of_varied: Outputs, together: Outputs
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(n,): the loss of one network, or member; `together`: what all say of the clean images."""
        changed = self.inconsistency(clean, varied, together, of_varied)
        agreement = losses.overlap(of_clean.logits, clean.target)
        parts = {"inconsistency": changed.detach(), "agreement": agreement}
        if self.told.interleaved:
            return changed, parts
        learnt = self.learnt(clean, of_clean)
        parts["masks"] = learnt.detach()
        match self.told.mix:
            case "adaptive":
                total = (1 - agreement) * learnt + agreement * changed
            case "fixed":
                total = (learnt + changed) / 2
            case "strict":
                total = (1 - agreement) * learnt + agreement * self.learnt(varied, of_varied)
            case "added":
                total = (learnt + self.learnt(varied, of_varied)) / 2 + self.told.weight * changed
        return total, parts

    def _in_turn(self, step: int) -> bool:
        """Whether this is a step of consistency: each one, or the last of so many and one."""
        return step % (self.told.interleaved + 1) == self.told.interleaved

    def inconsistency(self, clean: View, varied: View, of_clean: Outputs, of_varied: Outputs) -> Tensor:
        """(n,): how much the prediction changed otherwise than the mask did."""
        before = Side.of(of_clean.logits, clean.target, self.target)
        after = Side.of(of_varied.logits, varied.target, self.target)
        if self.told.places == "published":
            return inconsistency(before, after)
        said, known = lay(varied.drawn, Drawn.carry, before.predicted, clean.shown)
        if "edit" not in varied.drawn.active:  # where both are laid over each other, the masks are one
            return inconsistency(Side(said, after.true, known[:, None]), after)
        moved, _ = varied.drawn.carry(clean.target, valid=clean.shown)
        true, counts = truths(moved, self.target)
        return inconsistency(Side(said, true, counts & known[:, None]), after)

    # The worst of several

    @torch.no_grad()
    def worst(self, clean: View, drawn: Sequence[View]) -> View:
        """Of each image the variation in which the prediction changes most otherwise than it should."""
        if any("mix" in view.drawn.active for view in drawn):
            raise BadInput("consistency.draws: the worst of several is found for each image, and cutmix mixes two")
        network = self.networks["segmenter"]
        network.eval()  # a search leaves no trace in what a normalisation remembers
        small, several = clean, list(drawn)
        if self.told.half:
            small, several = _half(clean), [_half(view) for view in several]
        of_clean = network(small.images)
        found = [
            torch.stack([self.inconsistency(small, view, of_clean, one) for one in network(view.images).apart]).mean(0)
            for view in several
        ]
        network.train()
        choice = torch.stack(found).argmax(0)
        rows = torch.arange(len(choice), device=choice.device)
        images, target, shown = (
            torch.stack([getattr(view, name) for view in drawn])[choice, rows] for name in ("images", "target", "shown")
        )
        chosen = [drawn[view].drawn[row] for row, view in enumerate(choice.tolist())]
        return View(images, target, Drawn.join(chosen), shown)


def _half(view: View) -> View:
    """Rows and columns; slices of patches stay."""
    pool = (1,) * (view.images.ndim - 4) + (_HALF, _HALF)
    images = (F.avg_pool2d if view.images.ndim == 4 else F.avg_pool3d)(view.images, pool)
    rows, columns = (_HALF * side for side in images.shape[-2:])
    target, shown = (each[..., :rows:_HALF, :columns:_HALF] for each in (view.target, view.shown))
    return replace(view, images=images, target=target, shown=shown)
