"""Learning from masks and, beside them, from images without: f(strong.images(x)) = strong.carry(f(weak.images(x))).

A weakly varied image gives the target, strongly varied ones follow it: strong geometry too, because `carry` and `undo` lay
one prediction over the other. Where the target is not sure, where anything was invented, erased or cut off, nothing counts.
One more follower sees the weak image itself, with a part of the encoder's channels left away.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segue import variations
from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.losses import probabilities
from segue.methods.fit import Fit
from segue.methods.given import Given
from segue.methods.laying import lay
from segue.methods.levels import at_all_levels
from segue.methods.shares import Shares
from segue.methods.supervised import Supervised
from segue.step import Batch, Loss, View, counted
from segue.variations.drawn import Drawn
from segue.variations.variation import Variation


class Semi(Supervised):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.target, self.told = given.target, given.semi
        self.fit = Fit(len(self.target.names), exclusive=self.target.exclusive)
        self.remembers["fit"] = self.fit.areas
        self.shares = Shares(given.shares, exclusive=self.target.exclusive) if given.shares else None
        if self.shares:
            self.remembers["shift"] = self.shares.shift
        strong = variations.parse(self.told.strong)
        self.beside: Sequence[Variation] = (variations.parse(self.told.weak), *[strong] * self.told.views)
        if not self.told.views and not self.told.dropout:
            raise BadInput("semi: neither views nor dropout, so nothing follows", hint="--set semi.views=1")

    @property
    def at_once(self) -> int:
        return len(self.views) + math.ceil(len(self.beside) * self.told.batch)

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (masked,) = batch.views
        weight = self.told.weight * self._ramp(batch.done) * self._worth()
        if batch.beside is None or weight == 0:
            found = self.networks["segmenter"](masked.images)
            learnt = at_all_levels(self.loss, found, masked.target)
            yield Loss("segmenter", learnt, masked.counted, self._watched(learnt, found.logits, masked))
            return
        weak, *strong = batch.beside.views
        maps = None if self.told.teacher else self._maps(weak)
        said = self.followed(weak, maps)
        if self.shares:
            said = self.shares.balanced(said, weak.shown)
        targets = [self.target_for(view, weak, said) for view in strong]
        # One pass over all that learns, so that batch normalisation sees them together.
        network, counts = self.networks["segmenter"], [len(masked.images), *(len(view.images) for view in strong)]
        found = network(torch.cat([masked.images, *(view.images for view in strong)]))
        of_masked, *of_strong = found.split(counts)
        learnt = at_all_levels(self.loss, of_masked, masked.target)
        followers = [(self.loss(one.logits, goal), counted(goal)) for one, goal in zip(of_strong, targets, strict=True)]
        if self.told.dropout:
            goal = self._sure(said, weak.shown)
            followers.append((self.loss(self._dropped(weak, maps), goal), counted(goal)))
        each = weight * counts[0] / (len(weak.images) * len(followers))
        # Of a scribble as of a mask: by its own few pixels it would be lost beside followers, of which nearly all count.
        losses, weights = [learnt], [masked.shown.float().flatten(1).mean(1) * (masked.counted > 0)]
        for follows, share in followers:
            losses.append(follows)
            weights.append(each * share)
        parts = self._watched(learnt, of_masked.logits, masked) | {
            "followed": torch.cat([follows for follows, _ in followers]).detach(),
            "sure": torch.cat([share for _, share in followers]),
        }
        if self.shares:
            parts["shift"] = self.shares.shift.abs().max().reshape(1)
        yield Loss("segmenter", torch.cat(losses), torch.cat(weights), parts)

    def _watched(self, learnt: Tensor, logits: Tensor, masked: View) -> dict[str, Tensor]:
        self.fit.saw(logits, masked.target)
        return {"masks": learnt.detach(), "fitted": torch.tensor([self.fit.worst])}

    # How much is followed

    def _worth(self) -> float:
        """0 while the network does not say what the masks say, 1 once it does."""
        return min(1.0, max(0.0, 2 * self.fit.worst / self.told.fitted - 1)) if self.told.fitted else 1.0

    def _ramp(self, done: float) -> float:
        """0 while masks are learnt alone, then up to 1."""
        behind = done - self.told.warm
        if behind < 0:
            return 0.0
        return min(1.0, behind / self.told.ramp) if self.told.ramp else 1.0

    # What is followed

    def _maps(self, weak: View) -> tuple[Tensor, ...]:
        return tuple(self.networks["segmenter"](weak.images, features=True, decode=False).features)

    @torch.no_grad()
    def followed(self, weak: View, maps: tuple[Tensor, ...] | None) -> Tensor:
        """(n, channels, ...): the probabilities of the weakly varied images."""
        if maps is None:
            assert self.average is not None
            return probabilities(self.average(weak.images).logits, self.target)
        found = self.networks["segmenter"](weak.images, features=[each.detach() for each in maps])
        return probabilities(found.logits, self.target)

    @torch.no_grad()
    def target_for(self, view: View, weak: View, said: Tensor) -> Tensor:
        """What was said of one view, as a mask of the other."""
        back, known = lay(weak.drawn, Drawn.undo, said, weak.shown)
        over, known = lay(view.drawn, Drawn.carry, back, known)
        return self._sure(over, known & view.shown)

    def _sure(self, said: Tensor, known: Tensor) -> Tensor:
        """Probabilities as a mask: channels, or 0 and 1 of each region; IGNORE where it is not sure or not known."""
        if not self.target.exclusive:
            sure = torch.maximum(said, 1 - said) >= self.told.confidence
            return torch.where(sure & known[:, None], (said > 0.5).to(torch.uint8), IGNORE)
        best, channel = said.max(1)
        return torch.where((best >= self.told.confidence) & known, channel.to(torch.uint8), IGNORE)

    def _dropped(self, weak: View, maps: tuple[Tensor, ...] | None) -> Tensor:
        """Logits of the weakly varied images, of a part of the encoder's channels."""
        drop = F.dropout2d if weak.images.ndim == 4 else F.dropout3d
        seen = [drop(each, self.told.dropout) for each in (self._maps(weak) if maps is None else maps)]
        logits: Tensor = self.networks["segmenter"](weak.images, features=seen).logits
        return logits
