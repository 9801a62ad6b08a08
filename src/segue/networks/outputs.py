"""What a network gives back from its one forward: a tuple with names, so that wrappers (DDP, Fabric) find its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Outputs(NamedTuple):
    """Sizes are those of the image that went in, but for `features`, which keep the encoder's own."""

    logits: Tensor
    """(n, target.logits, h, w), before softmax or sigmoid."""
    deep: tuple[Tensor, ...] = ()
    """Further logits of inner networks, for a loss on each (TriUnet's first two, the stack's first)."""
    coarse: tuple[Tensor, ...] = ()
    """Logits of coarser levels of the decoder, finest first, each side a whole part of the image's: while it learns, for
    networks that are asked for the mask at several levels."""
    features: tuple[Tensor, ...] = ()
    """The encoder's maps, finest first, where asked for."""
    decoded: Tensor | None = None
    """The decoder's map after so many of its levels, where these were asked for."""
    reconstruction: Tensor | None = None
    """The image again (n, c, h, w), in the colours that went in, from networks that reconstruct."""

    members: tuple[Outputs, ...] = ()
    """What each says, of several networks in one."""

    @property
    def apart(self) -> tuple[Outputs, ...]:
        """What each member says; of one network what it says."""
        return self.members or (self,)

    def split(self, counts: Sequence[int]) -> list[Outputs]:
        """What was said of several batches at once, of each: logits at all levels, and of all members."""
        levels = zip(*(each.split(list(counts)) for each in (self.logits, *self.coarse)), strict=True)
        members = zip(*(one.split(counts) for one in self.members), strict=True) if self.members else [()] * len(counts)
        return [
            Outputs(logits, coarse=tuple(coarse), members=tuple(each))
            for (logits, *coarse), each in zip(levels, members, strict=True)
        ]
