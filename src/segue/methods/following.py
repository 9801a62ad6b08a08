"""Following images without masks: f(strong.images(x)) = strong.carry(f(weak.images(x))), where the target is sure.

What methods share that do it, beside masks or alone: which views there are, what was said of one view as a mask of another,
and the losses of all that follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segue import variations
from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.methods.given import Given
from segue.methods.laying import lay
from segue.methods.settings import FollowSettings
from segue.methods.supervised import Supervised
from segue.networks.outputs import Outputs
from segue.step import View, counted
from segue.variations.drawn import Drawn
from segue.variations.variation import Variation


class Following(Supervised):
    def __init__(self, given: Given, told: FollowSettings, name: str) -> None:
        """`name`: of the settings, where they are wrong."""
        super().__init__(given)
        self.target, self.follows = given.target, told
        strong = variations.parse(told.strong)
        self.watched: Sequence[Variation] = (variations.parse(told.weak), *[strong] * told.views)
        if not told.views and not told.dropout:
            raise BadInput(f"{name}: neither views nor dropout, so nothing follows", hint=f"--set {name}.views=1")

    def followers(
        self,
        weak: View,
        said: Tensor,
        found: Sequence[Outputs],
        targets: Sequence[Tensor],
        maps: Sequence[Tensor] | None,
    ) -> list[tuple[Tensor, Tensor]]:
        """Of each that follows: losses, and the shares of pixels that count. `maps`: the encoder's of the weakly varied
        images, where they are known."""
        followers = [(self.loss(one.logits, goal), counted(goal)) for one, goal in zip(found, targets, strict=True)]
        if self.follows.dropout:
            goal = self._sure(said, weak.shown)
            followers.append((self.loss(self._dropped(weak, maps), goal), counted(goal)))
        return followers

    def _maps(self, weak: View) -> tuple[Tensor, ...]:
        return tuple(self.networks["segmenter"](weak.images, features=True, decode=False).features)

    @torch.no_grad()
    def target_for(self, view: View, weak: View, said: Tensor) -> Tensor:
        """What was said of one view, as a mask of the other."""
        back, known = lay(weak.drawn, Drawn.undo, said, weak.shown)
        over, known = lay(view.drawn, Drawn.carry, back, known)
        return self._sure(over, known & view.shown)

    def _sure(self, said: Tensor, known: Tensor) -> Tensor:
        """Probabilities as a mask: channels, or 0 and 1 of each region; IGNORE where it is not sure or not known."""
        if not self.target.exclusive:
            sure = torch.maximum(said, 1 - said) >= self.follows.confidence
            return torch.where(sure & known[:, None], (said > 0.5).to(torch.uint8), IGNORE)
        best, channel = said.max(1)
        return torch.where((best >= self.follows.confidence) & known, channel.to(torch.uint8), IGNORE)

    def _dropped(self, weak: View, maps: Sequence[Tensor] | None) -> Tensor:
        """Logits of the weakly varied images, of a part of the encoder's channels."""
        drop = F.dropout2d if weak.images.ndim == 4 else F.dropout3d
        seen = [drop(each, self.follows.dropout) for each in (self._maps(weak) if maps is None else maps)]
        logits: Tensor = self.networks["segmenter"](weak.images, features=seen).logits
        return logits
