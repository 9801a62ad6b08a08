"""Edits done to images: as examples that a painter learns from, and as what a trained one does to a batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from segue.data.case import IGNORE
from segue.networks.painter import Painter
from segue.training.examples import Example, Labels
from segue.training.windows import cut_all, stacked
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.edits import Bools, Edited, Floats, edited
from segue.variations.opencv import Rendered
from segue.variations.padding import Padding
from segue.variations.paint import Paint

INSIDE, HOLE = 1, 2  # bits of a window's mask
# Of a hole's two uses both are learnt: a lesion where there is one, and healthy tissue anywhere.
_LEARNT = Paint(add=0.4, alter=0.3, remove=0.3, repaint=0.0, amount=0.5)
_ANYWHERE = Paint(add=1.0, alter=0.0, remove=0.0, repaint=0.0)


@dataclass(frozen=True)
class HoleExample:
    """A window of an image with a hole, whose mask is what is really there; where the hole is, is drawn anew each time."""

    example: Example
    canvas: tuple[int, int]
    channel: int  # of a mask: what is painted
    side: int

    @property
    def case(self) -> str:
        return self.example.case

    @property
    def size(self) -> tuple[int, int]:
        return self.side, self.side

    @property
    def channels(self) -> int:
        return self.example.channels

    @property
    def dtype(self) -> str:
        return self.example.dtype

    @property
    def unknown(self) -> int:
        return 0

    def labels(self) -> Labels | None:
        return self.example.labels()

    def has_foreground(self) -> bool:
        return self.example.has_foreground()

    def render(self, drawn: Drawn, index: int, size: Any, padding: Padding, address: Address) -> Rendered:
        whole, _, cut = self.opened(drawn[index], padding, address)
        window, image, hole, inside = cut
        codes = INSIDE * inside + HOLE * hole
        shown = window.cut(whole.valid.astype(np.uint8)) > 0
        return Rendered(image, codes.astype(np.uint8), np.asarray(shown))

    def opened(self, drawn: Drawn, padding: Padding, address: Address) -> tuple[Rendered, Edited, Any]:
        """The whole image, what is edited, and its window with the mask that is there."""
        on_canvas = Drawn(1, self.canvas, drawn.parts)
        whole = self.example.render(on_canvas, 0, self.canvas, padding, address)
        assert whole.labels is not None
        there, shown = whole.labels == self.channel, whole.valid & (whole.labels != IGNORE)
        found = None
        for kind in (_LEARNT, _ANYWHERE):  # what has no lesion has nothing to alter
            values = kind.draw(self.canvas, [address]).parts["edit"][0]
            found = found or edited(values, there, shown)
        if found is None:  # the place that was drawn is not of the picture
            found = Edited(there, shown & _middle(self.canvas), 2.0)
        return whole, found, cut_all(whole.image, found, there, self.side)


def _middle(size: tuple[int, int]) -> Bools:
    found = np.zeros(size, np.bool_)
    found[tuple(slice(length // 3, 2 * length // 3) for length in size)] = True
    return found


@dataclass(frozen=True)
class Painting:
    """A trained painter at work. `channel`: what it paints, as masks have it."""

    painter: Painter
    side: int
    channel: int
    half: bool = False  # in the precision in which it has learnt

    def __call__(
        self, image: npt.NDArray[Any], labels: Labels, shown: Bools, values: Floats
    ) -> tuple[npt.NDArray[Any], Labels] | None:
        """The image and its mask after an edit; None: the edit changes nothing there."""
        found = self.edited(labels, shown, values)
        return None if found is None else (self.filled(image, found, values), self.relabelled(labels, found))

    def edited(self, labels: Labels, shown: Bools, values: Floats) -> Edited | None:
        """What an edit makes of the mask of what is painted; None: it changes nothing there."""
        return edited(values, labels == self.channel, shown & (labels != IGNORE))

    def relabelled(self, labels: Labels, one: Edited) -> Labels:
        """All masks after an edit."""
        rest = np.where(labels == self.channel, 0, labels)
        return np.where(one.after, self.channel, rest).astype(np.uint8)

    def filled(self, image: npt.NDArray[Any], one: Edited, values: Floats) -> npt.NDArray[Any]:
        """An image with its hole filled so that it shows the mask after the edit."""
        where, cut, hole, inside = cut_all(image, one, one.after, self.side)
        return where.back(self.window(cut, hole, inside, _seed(float(values[1]))), image, one)

    def window(self, image: npt.NDArray[Any], hole: Bools, inside: Bools, seed: int) -> npt.NDArray[Any]:
        """A window of the painter's side; what lies around the hole stays as it is."""
        given = torch.from_numpy(stacked(image, hole, inside))[None].to(self._device)
        half = torch.autocast(self._device.type, torch.bfloat16, enabled=self.half)
        with torch.inference_mode(), half:
            noise = self.painter.seeded([seed], self.side).to(self._device)
            found = torch.sigmoid(self.painter(given, noise).logits.float())[0].movedim(0, -1).cpu().numpy()
        colours = np.rint(found * np.iinfo(image.dtype).max).astype(image.dtype)
        return np.where(hole[:, :, None], colours, image)

    @cached_property
    def _device(self) -> torch.device:
        return next(self.painter.parameters()).device


def _seed(number: float) -> int:
    """Of a texture, from the number that was drawn for it."""
    digest = hashlib.blake2b(number.hex().encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")
