"""What happens to the pixels of an image once it is warped: colour, light, focus, grain, holes. On arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.variations.padding import Padding

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


def develop(drawn: Drawn, index: int, image: Array, valid: Bools, padding: Padding) -> Array:
    """A warped image (height, width, channels), perhaps with a fourth channel of no meaning beside three, to what is
    seen."""
    if image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB)
    return _filled(image, valid, padding)


def _filled(image: Array, valid: Bools, padding: Padding) -> Array:
    """Invented pixels in the colour of the padding, which no other stage may have changed."""
    if padding.mirrored or valid.all():
        return image
    peak = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1.0
    image[~valid] = (padding.value(image.shape[2]) * peak).round(0 if peak > 1 else 7).astype(image.dtype)
    return image


def ignored(drawn: Drawn, index: int, size: tuple[int, int]) -> Bools | None:
    """Where labels do not count, because what they tell of was erased."""
    return None


def lost(drawn: Drawn, index: int, size: tuple[int, int]) -> Bools | None:
    """Where the result shows nothing of its own source: erased and not to be judged, or pasted from the partner."""
    return None


def mix(drawn: Drawn, mine: Array, other: Array, size: tuple[int, int], *, own: bool) -> None:
    """Paste the partner's part into `mine` (n, height, width, ...), in place."""
