"""What a variation changes, in families: geometry, colour, focus and so on. They follow from what it draws and not from its
name, so that a user's own chain has them as a preset has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.variation import Scene, Variation

FAMILIES: dict[str, tuple[str, ...]] = {
    "geometry": ("turn", "matrix", "bend"),
    "colour and light": ("colour", "equalise", "curve", "light", "glints"),
    "focus": ("blur", "motion", "sharpen", "ghost", "coarse"),
    "noise": ("noise",),
    "compression": ("jpeg",),
    "erasing": ("erase",),
    "painting": ("edit",),
    "mixing": ("mix",),
}

_RAMPED = 1 << 30  # epochs, after which every ramp is at its end
_LOOKS = 256  # draws, of which one shows what is drawn rarely


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a variation does of one family, by the very numbers that it draws as a whole: with its probabilities, its choices,
    and at the end of its ramp. Without a family, all that it does."""

    variation: Variation
    family: str = ""

    @property
    def name(self) -> str:
        return self.variation.name

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        late = [replace(address, epoch=address.epoch + _RAMPED) for address in key]
        return self._of(self.variation.draw(shape, late))

    def into(self, scene: Scene) -> Drawn:
        return self._of(self.variation.into(scene))

    def scaled(self, severity: float) -> Self:
        return replace(self, variation=self.variation.scaled(severity))

    def _of(self, drawn: Drawn) -> Drawn:
        return drawn.only(FAMILIES[self.family]) if self.family else drawn


def families_of(variation: Variation) -> tuple[str, ...]:
    """Those of which it does anything, in the order in which it is done."""
    key = [Address(0, "families", _RAMPED, place, "") for place in range(_LOOKS)]
    active = variation.draw((64, 64), key).active
    return tuple(name for name, parts in FAMILIES.items() if any(part in active for part in parts))
