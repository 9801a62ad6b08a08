"""What stands where a warp or a letterbox had to invent pixels. One policy for training, validation and prediction.

    constant   black (the default)
    reflect    the image mirrored at its edge: makes phantom rulers and lesions, kept for comparison
    ignore     the colour that the encoder's normalisation maps to zero

Under all three the invented pixels are IGNORE in a target and invalid everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput, nearest

MODES = ("constant", "reflect", "ignore")


@dataclass(frozen=True)
class Padding:
    mode: str = "constant"
    colour: tuple[float, ...] = ()  # 0..1 by channel; for `ignore` only

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(f"padding {self.mode!r}: {nearest(self.mode, MODES)}")
        if (self.mode == "ignore") != bool(self.colour):
            raise BadInput(
                f"padding {self.mode!r} {'needs a' if self.mode == 'ignore' else 'takes no'} colour",
                hint="Padding('ignore', colour=network.mean) fills with what the encoder sees as nothing.",
            )

    @property
    def mirrored(self) -> bool:
        return self.mode == "reflect"

    def value(self, channels: int) -> npt.NDArray[np.float32]:
        """(channels,) in 0..1. A colour of another number of channels gives its mean: a grey slice in a colour encoder."""
        if not self.colour:
            return np.zeros(channels, np.float32)
        colour = np.asarray(self.colour, np.float32)
        return colour if len(colour) == channels else np.full(channels, colour.mean(), np.float32)


CONSTANT = Padding()
