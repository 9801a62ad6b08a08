"""Going on with the images of another hospital alone, no mask and no image of the first one at hand: source-free adaptation.

What a slowly moving average of the network says of a weakly varied image, strongly varied ones follow, where it is sure. Batch
norms keep still: their statistics have been those of the site's images since before the first step.

Nothing holds such a training back: what finds a little less is followed into finding less still, and agrees with itself best
where it finds nothing, or everything. So the network that it began from stays beside it, and what both find in the same images
is compared: who is too far from where it began is stopped.
"""

from __future__ import annotations

import copy
from collections.abc import Generator

import torch
from torch import Tensor

from segue.errors import Failed
from segue.losses import probabilities
from segue.methods.following import Following
from segue.methods.given import Given
from segue.methods.processes import mean_over_processes
from segue.networks.norms import keep_still
from segue.step import Batch, Loss, View

_NEW = 0.05  # of what is known, with each batch: the last twenty count
_ENOUGH = 20  # batches, before which a few images decide
_NOTHING = 1e-4  # of the images: of what was not found in the beginning nothing can be lost


class Site(Following):
    def __init__(self, given: Given) -> None:
        super().__init__(given, given.site, "site")
        self.told = given.site
        self.views = self.watched
        self.began = copy.deepcopy(given.network).eval().requires_grad_(False)
        self.found = torch.zeros(2, len(self.target.names))  # of the images, by what is kept and by what it began from
        self.batches = torch.zeros(1)
        self.remembers |= {"found": self.found, "batches": self.batches}

    @property
    def at_once(self) -> int:
        return self.told.views + bool(self.told.dropout)  # of what is followed nothing is kept

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        weak, *strong = batch.views
        network = self.networks["segmenter"]
        keep_still(network, everything=False)
        said = self.followed(weak)
        targets = [self.target_for(view, weak, said) for view in strong]
        found = network(torch.cat([view.images for view in strong])).split(self._counts(strong)) if strong else []
        followers = self.followers(weak, said, found, targets, None)
        kept, began = self.found[:, 1:].sum(1) if self.target.exclusive else self.found.mean(1)
        yield Loss(
            "segmenter", torch.cat([loss for loss, _ in followers]), torch.cat([share for _, share in followers]),
            {
                "sure": torch.cat([share for _, share in followers]).mean().reshape(1),
                "kept": (kept / began.clamp_min(_NOTHING)).reshape(1),
            },
        )  # fmt: skip

    @staticmethod
    def _counts(views: list[View]) -> list[int]:
        return [len(view.images) for view in views]

    @torch.no_grad()
    def followed(self, weak: View) -> Tensor:
        """(n, channels, ...): the probabilities of the weakly varied images, once both have been asked what they find."""
        assert self.average is not None
        began = self._of_start(weak.images)
        now = probabilities(self.average(weak.images).logits, self.target)
        self._watch(now, began, weak.shown)
        return began if self.told.follow == "start" else now

    def _of_start(self, images: Tensor) -> Tensor:
        return probabilities(self.began.to(images.device)(images).logits, self.target)

    # Whether it is still what it was

    def _watch(self, now: Tensor, began: Tensor, shown: Tensor) -> None:
        areas = torch.stack([self._areas(said, shown) for said in (now, began)])
        self.found.lerp_(mean_over_processes(areas).cpu(), _NEW)
        self.batches += 1
        if self.batches < _ENOUGH:
            return
        new = 1 - (1 - _NEW) ** float(self.batches)  # it began from nothing
        for channel in range(int(self.target.exclusive), len(self.target.names)):
            kept, before = (self.found[:, channel] / new).tolist()
            if (
                self.told.least * before <= kept <= self.told.most * max(before, _NOTHING)
                or max(kept, before) < _NOTHING
            ):
                continue
            raise Failed(
                f"{self.target.names[channel]}: is found in {kept:.2%} of the images by now, and in {before:.2%} by the "
                "network that it began from: following itself, it has left what it knew",
                hint="A lower --rate, site.follow=start, or --only-statistics; site.least and site.most say what is allowed.",
            )

    def _areas(self, said: Tensor, shown: Tensor) -> Tensor:
        """(channels,): the share of what is shown that is decided to be of each."""
        if self.target.exclusive:
            channels = torch.arange(said.shape[1], device=said.device).view(1, -1, *[1] * (said.ndim - 2))
            decided = said.argmax(1, keepdim=True) == channels
        else:
            decided = said > 0.5
        area = shown.float().sum().clamp_min(1)
        return (decided & shown[:, None]).float().transpose(0, 1).flatten(1).sum(1) / area
