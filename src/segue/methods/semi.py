"""Learning from masks and, beside them, from images without: f(strong.images(x)) = strong.carry(f(weak.images(x))).

A weakly varied image gives the target, strongly varied ones follow it: strong geometry too, because `carry` and `undo` lay
one prediction over the other. Where the target is not sure, where anything was invented, erased or cut off, nothing counts.
One more follower sees the weak image itself, with a part of the encoder's channels left away.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
from torch import Tensor

from segue.losses import probabilities
from segue.methods.fit import Fit
from segue.methods.following import Following
from segue.methods.given import Given
from segue.methods.levels import at_all_levels
from segue.methods.shares import Shares
from segue.step import Batch, Loss, View


class Semi(Following):
    def __init__(self, given: Given) -> None:
        super().__init__(given, given.semi, "semi")
        self.told = given.semi
        self.beside = self.watched
        self.fit = Fit(len(self.target.names), exclusive=self.target.exclusive)
        self.remembers["fit"] = self.fit.areas
        self.shares = Shares(given.shares, exclusive=self.target.exclusive) if given.shares else None
        if self.shares:
            self.remembers["shift"] = self.shares.shift

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
        followers = self.followers(weak, said, of_strong, targets, maps)
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

    @torch.no_grad()
    def followed(self, weak: View, maps: tuple[Tensor, ...] | None) -> Tensor:
        """(n, channels, ...): the probabilities of the weakly varied images."""
        if maps is None:
            assert self.average is not None
            return probabilities(self.average(weak.images).logits, self.target)
        found = self.networks["segmenter"](weak.images, features=[each.detach() for each in maps])
        return probabilities(found.logits, self.target)
