"""The numbers of a batch of variations, and nothing else: arrays in relative coordinates, equal when read from JSON.

A place is relative: the origin is the middle of the canvas, the unit half its long side, x before y. So a rotation is a
rotation whatever the canvas, and one Drawn serves a frame, its mask and a half-size prediction. The warp is
`source = matrix (place + bend(place))`: whatever order a chain is written in, its bends come last, so that all its
geometry is one map and every image is interpolated once.

What is done with the numbers stands in two executors: `opencv` for stored arrays, `tensor` for tensors of any device.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput
from segue.variations import opencv
from segue.variations.padding import CONSTANT, Padding
from segue.variations.parts import PARTS

Floats = npt.NDArray[np.float64]
FORMAT = 1


class Drawn:
    """The numbers of n samples on a canvas of `shape` (height, width)."""

    def __init__(self, n: int, shape: tuple[int, ...], parts: Mapping[str, Floats] | None = None) -> None:
        self.n, self.shape = n, shape
        given = parts or {}
        unknown = sorted(set(given) - set(PARTS))
        if unknown:
            raise BadInput(f"a Drawn has no part {unknown[0]!r}")
        self.parts: dict[str, Floats] = {name: given[name] for name in PARTS if name in given}
        for name, part in self.parts.items():
            if len(part) != n:
                raise BadInput(f"part {name!r} of a Drawn has {len(part)} samples, not {n}")
        self.kept: dict[Any, Any] = {}  # what an executor may need again; never written or sent

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "kept": {}}

    @classmethod
    def identity(cls, n: int, shape: tuple[int, ...]) -> Self:
        return cls(n, shape)

    @functools.cached_property
    def active(self) -> dict[str, npt.NDArray[np.bool_]]:
        """(n,) by part: which samples it changes. Parts that change none are left out."""
        found = {name: PARTS[name].acts(part) for name, part in self.parts.items()}
        return {name: acts for name, acts in found.items() if acts.any()}

    def acts(self, name: str, index: int) -> bool:
        found = self.active.get(name)
        return found is not None and bool(found[index])

    # Algebra

    def then(self, other: Drawn) -> Self:
        """This one, followed by the other, done in one go."""
        if (self.n, self.shape) != (other.n, other.shape):
            raise BadInput(f"{self.n} samples of {self.shape} are not followed by {other.n} samples of {other.shape}")
        parts = dict(self.parts)
        for name, part in other.parts.items():
            parts[name] = PARTS[name].then(*PARTS[name].level(parts[name], part)) if name in parts else part
        return type(self)(self.n, self.shape, parts)

    def geometric(self) -> Self:
        """Only the warp."""
        return self.only([name for name in self.parts if PARTS[name].geometric])

    def photometric(self) -> Self:
        """Everything but the warp."""
        return self.without([name for name in self.parts if PARTS[name].geometric])

    def only(self, names: Sequence[str]) -> Self:
        return type(self)(self.n, self.shape, {name: part for name, part in self.parts.items() if name in names})

    def without(self, names: Sequence[str]) -> Self:
        return self.only([name for name in self.parts if name not in names])

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, which: int | slice | Sequence[int] | npt.NDArray[Any]) -> Self:
        rows = np.arange(self.n)[[which] if isinstance(which, int) else which]
        return type(self)(len(rows), self.shape, {name: part[rows] for name, part in self.parts.items()})

    @classmethod
    def join(cls, several: Sequence[Drawn]) -> Self:
        """One batch of several."""
        if not several or len({drawn.shape for drawn in several}) != 1:
            raise BadInput("Drawns of one canvas, at least one, can be joined")
        parts = {}
        for name in PARTS:
            having = [drawn.parts[name] for drawn in several if name in drawn.parts]
            if not having:
                continue
            model = functools.reduce(lambda one, other: PARTS[name].level(one, other)[0], having[1:], having[0])
            # Leveling with the finest brings each to the shape of all; what lacks the part gets neutral numbers.
            columns = []
            for drawn in several:
                neutral = np.broadcast_to(PARTS[name].neutral(model.shape[1:]), (drawn.n, *model.shape[1:]))
                part = drawn.parts.get(name)
                columns.append(neutral if part is None else PARTS[name].level(part, model)[0])
            parts[name] = np.concatenate(columns)
        return cls(sum(drawn.n for drawn in several), several[0].shape, parts)

    # Writing

    def as_json(self) -> dict[str, Any]:
        parts = {name: part.tolist() for name, part in self.parts.items()}
        return {"format": FORMAT, "n": self.n, "shape": list(self.shape), "parts": parts}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        if given.get("format") != FORMAT:
            raise BadInput(f"a Drawn of format {given.get('format')}; this version reads {FORMAT}")
        parts = {name: np.array(part, np.float64) for name, part in given["parts"].items()}
        return cls(int(given["n"]), tuple(given["shape"]), parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Drawn):
            return NotImplemented
        return (self.n, self.shape, self.parts.keys()) == (other.n, other.shape, other.parts.keys()) and all(
            np.array_equal(part, other.parts[name]) for name, part in self.parts.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        told = ", ".join(f"{name} in {acts.sum()}" for name, acts in self.active.items())
        return f"Drawn({self.n} of {self.shape}: {told or 'identity'})"

    # Doing

    def images(self, x: Any, *, partner: Any = None, padding: Padding = CONSTANT) -> Any:
        """What the network sees. (n, height, width, channels) uint8, uint16 or float 0..1, or a float tensor (n, channels,
        height, width) 0..1. `partner` holds what is pasted, varied already; without it, the batch is its own partner."""
        return self._executor(x).images(self, x, partner=partner, padding=padding)

    def carry(self, maps: Any, *, valid: Any = None, partner: Any = None) -> Any:
        """(maps, valid): what maps of the image become. Integers are labels: nearest, and IGNORE where invented. Floats
        (n, channels, height, width) are predictions: bilinear, 0 where invented, differentiable as tensors. `valid`
        (n, height, width) says where they counted before; `partner` is a pair (maps, valid) carried already."""
        return self._executor(maps).carry(self, maps, valid=valid, partner=partner)

    def undo(self, maps: Any, *, valid: Any = None) -> Any:
        """(maps, valid): the geometry of `carry` reversed. What was cut off, erased or pasted over is invalid."""
        return self._executor(maps).undo(self, maps, valid=valid)

    @staticmethod
    def _executor(values: Any) -> Any:
        if isinstance(values, np.ndarray):
            return opencv
        from segue.variations import tensor  # torch begins here, only for one who has a tensor

        return tensor
