"""One view's prediction laid over another view: brought back from the one, carried to the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from segue.errors import BadInput
from segue.variations.drawn import Drawn


def lay(drawn: Drawn, how: Callable[..., tuple[Tensor, Tensor]], maps: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Maps carried (`Drawn.carry`) or brought back (`Drawn.undo`); of patches all slices alike, as they were varied."""
    if maps.ndim == 4:
        return how(drawn, maps, valid=known)
    if "turn" in drawn.active:
        raise BadInput("what leans out of its plane (tilt) cannot be laid over another view")
    n, channels, slices, *plane = maps.shape
    # A slice that was invented is not mixed with others, so that it is enough to ask where it went.
    both = torch.cat([maps, known[:, None].to(maps.dtype)], 1)
    found, there = how(drawn, both.reshape(n, (channels + 1) * slices, *plane))
    found = found.view(n, channels + 1, slices, *plane)
    return found[:, :channels], (found[:, channels] > 0.999) & there[:, None]
