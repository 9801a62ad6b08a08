"""Images of one number of channels and one kind of numbers, whatever their files hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput


def to_channels(pixels: npt.NDArray[Any], depth: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """(height, width, channels): grey is repeated, colours become grey, anything else is refused."""
    if pixels.shape[2] == 1 and depth > 1:
        pixels = np.repeat(pixels, depth, axis=2)  # a grey image among coloured ones
    elif pixels.shape[2] == 3 and depth == 1:
        pixels = (pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).round()[..., None]
    elif pixels.shape[2] != depth:
        raise BadInput(f"has {pixels.shape[2]} channels, the dataset has {depth}")
    if np.dtype(dtype) == np.uint16 and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return pixels.astype(dtype, copy=False)
