"""Every variation and preset keeps its promises, and the check that says so catches a twin that breaks any one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from segue.data.case import IGNORE
from segue.testing import check_variation
from segue.variations import PRESETS, VARIATIONS, Address, Chain, Drawn, Padding, Variation, parse


# An edit's numbers are done by a painter, where there is one: tests/training/test_painting.py.
@pytest.mark.parametrize("name", [name for name in (*VARIATIONS, *PRESETS) if name != "paint"])
def test_every_variation_keeps_its_promises(name: str) -> None:
    check_variation({**VARIATIONS, **PRESETS}[name](), changes=name != "none")


def test_a_chain_of_a_person_keeps_them_too() -> None:
    check_variation(parse("flips + affine(rotate=15) + 0.5*elastic + colour(brightness=0.2) + cutmix(p=0.5)"))


# Broken twins

GOOD = parse("affine(rotate=15, shift=0.05) + colour(brightness=0.2)")
MIRRORED = Padding("reflect")


@dataclass(frozen=True)
class Twin:
    """A good variation whose Drawn, draw or scaling is broken in one way."""

    drawn: type[Drawn] = Drawn
    good: Variation = GOOD
    drawing: Callable[[Variation, tuple[int, int], Sequence[Address]], Drawn] | None = None
    deaf_to_severity: bool = False
    name: str = "twin"

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        found = self.good.draw(shape, key) if self.drawing is None else self.drawing(self.good, shape, key)
        return self.drawn(found.n, found.shape, found.parts)

    def scaled(self, severity: float) -> Twin:
        return self if self.deaf_to_severity else replace(self, good=self.good.scaled(severity))

    def into(self, scene: Any) -> Drawn:
        raise NotImplementedError


def _nudged(drawn: Drawn, pixels: float) -> Drawn:
    step = np.eye(3)
    step[0, 2] = pixels / (max(drawn.shape) / 2)
    matrix = drawn.parts.get("matrix", np.tile(np.eye(3), (drawn.n, 1, 1)))
    return Drawn(drawn.n, drawn.shape, {**drawn.parts, "matrix": matrix @ step})


class LabelsStay(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        return Drawn.identity(self.n, self.shape).carry(maps, **more)


class LabelsLag(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        return _nudged(self, 1.0).carry(maps, **more) if "matrix" in self.active else super().carry(maps, **more)


class HalfAPixelOff(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        return _nudged(self, 0.5).images(x, **more) if "matrix" in self.active else super().images(x, **more)


class TensorsLag(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        lagging = isinstance(maps, torch.Tensor) and "matrix" in self.active
        return _nudged(self, 1.0).carry(maps, **more) if lagging else super().carry(maps, **more)


class FixedSize(Drawn):
    """Shifts by so many pixels whatever the size of what it moves."""

    def carry(self, maps: Any, **more: Any) -> Any:
        if maps.shape[-1] == self.shape[1] or "matrix" not in self.active:
            return super().carry(maps, **more)
        return _nudged(self, 4.0).carry(maps, **more)


class RoundedJson(Drawn):
    def as_json(self) -> dict[str, Any]:
        given = super().as_json()
        return {**given, "parts": {name: np.round(part, 3).tolist() for name, part in given["parts"].items()}}


class InPlace(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        if isinstance(x, np.ndarray):
            x[...] = found
        return found


class SharedWhenStill(Drawn):
    """Nothing to do, so nothing is copied."""

    def images(self, x: Any, **more: Any) -> Any:
        return super().images(x, **more) if self.active else x


class SharedTensor(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        return found if isinstance(x, np.ndarray) else x.copy_(found)


class ManyBits(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        return found.astype(np.float64) if isinstance(x, np.ndarray) and self.active else found


class OutOfRange(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        return found * np.float32(1.3) if self.active and found.dtype == np.float32 else found


class BatchMean(Drawn):
    """Brightness by the mean of the whole batch, as a batch norm would have it."""

    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        if isinstance(x, np.ndarray) and x.dtype == np.uint8 and self.active:
            return np.clip(found * (110 / x.mean()), 0, 255).astype(np.uint8)
        return found


class GreyTensors(Drawn):
    """The tensor executor forgets the colours."""

    def images(self, x: Any, **more: Any) -> Any:
        if isinstance(x, np.ndarray):
            return super().images(x, **more)
        still = {name: part for name, part in self.parts.items() if name == "matrix"}
        return Drawn(self.n, self.shape, still).images(x, **more)


class UndoLags(Drawn):
    def undo(self, maps: Any, **more: Any) -> Any:
        return _nudged(self, 2.0).undo(maps, **more) if "matrix" in self.active else super().undo(maps, **more)


class UndoKnowsAll(Drawn):
    """Says that what was cut off came back."""

    def undo(self, maps: Any, **more: Any) -> Any:
        found, valid = super().undo(maps)
        return found, valid | True


class UndoKnowsNothing(Drawn):
    def undo(self, maps: Any, **more: Any) -> Any:
        found, valid = super().undo(maps, **more)
        return found, valid & False


class MixedLabels(Drawn):
    """Labels interpolated."""

    def carry(self, maps: Any, **more: Any) -> Any:
        if isinstance(maps, torch.Tensor) or maps.ndim != 3 or "matrix" not in self.active:
            return super().carry(maps, **more)
        smooth, valid = super().carry(maps[:, None].astype(np.float32) * 100, **more)
        return np.where(valid, (smooth[:, 0] / 100).round(), IGNORE).astype(np.uint8), valid


class NothingIgnored(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        found, valid = super().carry(maps, **more)
        if isinstance(maps, np.ndarray) and maps.dtype != np.float32:
            found[found == IGNORE] = 0
        return found, valid


class InventedCounts(Drawn):
    """The edge is repeated, and nobody is told."""

    def carry(self, maps: Any, **more: Any) -> Any:
        found, valid = super().carry(maps, **more)
        if isinstance(maps, np.ndarray) and maps.dtype != np.float32:
            found[found == IGNORE] = 0
            return found, valid | True
        return found, valid


class Bleeds(Drawn):
    def carry(self, maps: Any, *, valid: Any = None, **more: Any) -> Any:
        found, counts = super().carry(maps, **more)
        if valid is not None:
            counts = counts & super().carry(maps, valid=valid, **more)[1]
        return found, counts


class ForgetsValid(Drawn):
    def carry(self, maps: Any, *, valid: Any = None, **more: Any) -> Any:
        found, counts = super().carry(maps, valid=valid, **more)
        return found, counts if valid is None else counts | True


class Mirrored(Drawn):
    def images(self, x: Any, *, padding: Padding = MIRRORED, **more: Any) -> Any:
        return super().images(x, padding=padding, **more)


class NoGradient(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        found, valid = super().carry(maps, **more)
        detached = isinstance(maps, torch.Tensor) and maps.is_floating_point()
        return (found * 0 + found.detach() if detached else found), valid


class DeafGradient(Drawn):
    def images(self, x: Any, **more: Any) -> Any:
        found = super().images(x, **more)
        return found if isinstance(x, np.ndarray) else x * 0 + found.detach()


class PastesImagesOnly(Drawn):
    def carry(self, maps: Any, **more: Any) -> Any:
        parts = {name: part for name, part in self.parts.items() if name != "mix"}
        return Drawn(self.n, self.shape, parts).carry(maps, **{**more, "partner": None})


class UndoesPartner(Drawn):
    def undo(self, maps: Any, **more: Any) -> Any:
        parts = {name: part for name, part in self.parts.items() if name != "mix"}
        return Drawn(self.n, self.shape, parts).undo(maps, **more)


def _stream(good: Variation, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
    """Numbers from a stream that goes on, as a generator without an address gives them."""
    fresh = int(np.random.default_rng().integers(1 << 30))
    return good.draw(shape, [replace(address, seed=fresh) for address in key])


def _counting(good: Variation, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
    """A sample's numbers depend on how many there are."""
    return good.draw(shape, [replace(address, view=address.view + len(key)) for address in key])


def _deaf(field: str) -> Callable[[Variation, tuple[int, int], Sequence[Address]], Drawn]:
    default: Any = {"purpose": "", "case": ""}.get(field, 0)

    def drawing(good: Variation, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        return good.draw(shape, [replace(address, **{field: default}) for address in key])

    return drawing


TWINS: dict[str, tuple[Twin, str]] = {
    "labels stay where they were": (Twin(LabelsStay), "move apart"),
    "labels lag by a pixel": (Twin(LabelsLag), "move apart"),
    "the image is half a pixel off": (Twin(HalfAPixelOff, good=parse("crop(smallest=0.5)")), "on average"),
    "labels lag as tensors": (Twin(TensorsLag), "move apart"),
    "small maps move too far": (Twin(FixedSize), "half the size"),
    "colours move apart under noise": (Twin(LabelsStay, good=parse("noise + affine")), "move apart"),
    "severity 0 is not nothing": (Twin(deaf_to_severity=True), "severity 0"),
    "JSON is rounded": (Twin(RoundedJson), "JSON"),
    "a stream of numbers": (Twin(drawing=_stream), "from the same addresses"),
    "numbers depend on the batch": (Twin(drawing=_counting), "in another batch"),
    **{
        f"deaf to the {field}": (Twin(drawing=_deaf(field)), f"whatever the {field}")
        for field in ("seed", "purpose", "epoch", "case", "view")
    },
    "the input is changed": (Twin(InPlace), "in place"),
    "memory is shared": (Twin(SharedWhenStill), "own memory"),
    "tensors are changed": (Twin(SharedTensor), "tensors"),
    "another type": (Twin(ManyBits), "turns bytes into"),
    "out of range": (Twin(OutOfRange), "range"),
    "neighbours shine": (Twin(BatchMean), "neighbours change an image"),
    "tensors without colour": (Twin(GreyTensors), "executors disagree"),
    "undo lags": (Twin(UndoLags), "undo misses"),
    "undo knows all": (Twin(UndoKnowsAll), "wrong pixels as valid|undo misses"),
    "undo knows nothing": (Twin(UndoKnowsNothing), "hardly a pixel"),
    "labels are mixed": (Twin(MixedLabels), "executors disagree|not there"),
    "nothing is ignored": (Twin(NothingIgnored), "IGNORE does not stand"),
    "invented pixels count": (Twin(InventedCounts), "move apart|black"),
    "padding bleeds": (Twin(Bleeds), "bleeds"),
    "valid is forgotten": (Twin(ForgetsValid), "forgets"),
    "mirrored": (Twin(Mirrored), "black"),
    "no gradient to predictions": (Twin(NoGradient), "gradient"),
    "no gradient to images": (Twin(DeafGradient), "gradient"),
    "pasted without labels": (Twin(PastesImagesOnly, good=parse("cutmix")), "pastes other labels"),
    "the partner is undone": (Twin(UndoesPartner, good=parse("cutmix")), "belongs to the partner"),
    "nothing at all": (Twin(good=Chain(name="nothing")), "changes nothing"),
}


def test_the_twins_own_good_half_passes() -> None:
    check_variation(Twin())
    check_variation(Twin(good=parse("cutmix")))
    check_variation(Twin(good=parse("gamma")))
    check_variation(Twin(good=parse("noise + affine")))


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_is_caught(name: str) -> None:
    twin, says = TWINS[name]
    with pytest.raises(AssertionError, match=says):
        check_variation(twin)
