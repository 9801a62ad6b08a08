"""What a network is asked for: its output channels, and how a mask's class ids become them.

Exclusive: each pixel has one class, background among them (softmax). Two exclusive classes need one logit. Regions: each
is made of classes and may overlap others, such as a tumour's core within the whole tumour (sigmoid). Their masks are codes
until the loss needs them apart: a bit for each region that a pixel is in, so that a mask stays one small picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.errors import BadInput, nearest

BACKGROUND = "background"
_REGIONS = 7  # bits of a code beside IGNORE


@dataclass(frozen=True)
class Target:
    """Names by channel; for exclusive classes the first is the background."""

    names: tuple[str, ...]
    exclusive: bool = True
    made_of: tuple[tuple[str, ...], ...] = ()  # of regions that are read from masks: the classes of each

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or len(self.names) < (2 if self.exclusive else 1):
            raise BadInput(
                f"classes {', '.join(self.names) or '(none)'}: at least one beside the background, none twice"
            )
        if len(self.names) > IGNORE:
            raise BadInput(f"{len(self.names)} classes: a mask holds {IGNORE} at most")
        if self.made_of and len(self.names) > _REGIONS:
            raise BadInput(f"{len(self.names)} regions: a mask holds {_REGIONS} at most")

    @property
    def logits(self) -> int:
        """Channels of the network's last layer."""
        return 1 if self.exclusive and len(self.names) == 2 else len(self.names)

    @property
    def foreground(self) -> tuple[str, ...]:
        """What is scored, in the order of channels."""
        return self.names[1:] if self.exclusive else self.names

    @classmethod
    def of(cls, classes: Mapping[int, str]) -> Target:
        """Of a dataset's card: its classes by rising id, of which 0 is the background."""
        return cls(tuple(classes[number] for number in sorted(classes)))

    @classmethod
    def of_regions(cls, regions: Mapping[str, Sequence[str]], classes: Mapping[int, str]) -> Target:
        """Each a union of the dataset's classes."""
        known = {name for number, name in classes.items() if number}
        for region, members in regions.items():
            for name in members:
                if name not in known:
                    raise BadInput(f"regions.{region}: no class is called {name!r} ({nearest(name, sorted(known))})")
            if not members:
                raise BadInput(f"regions.{region}: is made of no class")
        left = sorted(known - {name for members in regions.values() for name in members})
        if left:
            raise BadInput(
                f"regions: the class {left[0]!r} is in none",
                hint=f"--same {left[0]!r}=background learns it as background.",
            )
        return cls(tuple(regions), exclusive=False, made_of=tuple(tuple(members) for members in regions.values()))

    def as_json(self) -> dict[str, Any]:
        return {"names": list(self.names), "exclusive": self.exclusive, "made_of": [list(one) for one in self.made_of]}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Target:
        made_of = tuple(tuple(members) for members in given.get("made_of", ()))
        return cls(tuple(given["names"]), bool(given["exclusive"]), made_of)

    def table(
        self, classes: Mapping[int, str], *, where: str, same: Mapping[str, str] | None = None
    ) -> npt.NDArray[Any]:
        """A lookup of 256 entries from a dataset's class ids to channels, or to codes of regions, by name; IGNORE stays.

        `same` says which of the dataset's names stands for which of ours, where they differ.
        """
        lookup = np.full(256, IGNORE, np.uint8)
        named = {number: (same or {}).get(name, name) if number else BACKGROUND for number, name in classes.items()}
        codes = self._codes(set(named.values()))
        for number, name in named.items():
            if name not in codes:
                known = sorted({name for members in self.made_of for name in members} or self.foreground)
                raise BadInput(
                    f"{where}: its class {name!r} is none that the model knows ({nearest(name, known)})",
                    hint=f"--same {classes[number]!r}={known[0]!r} says that it is one of them under another name.",
                )
            lookup[number] = codes[name]
        return lookup

    def _codes(self, drawn: Set[str]) -> dict[str, int]:
        """What stands in a mask for a class. A region of which a class was not drawn there is not known there."""
        if self.exclusive:
            return {BACKGROUND: 0, **{name: channel for channel, name in enumerate(self.names)}}
        codes = dict.fromkeys([BACKGROUND, *(name for members in self.made_of for name in members)], 0)
        for bit, members in enumerate(self.made_of):
            for name in members if drawn >= set(members) else ():
                codes[name] |= 1 << bit
        return codes

    def to_learn(self, lookup: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The same for training: of exclusive classes of which one was never drawn there, background may be that one, and does
        not count. (In judging it counts: it is none of those that were drawn.)"""
        if not self.exclusive or self.annotated(lookup) == self.foreground:
            return lookup
        return np.where(lookup == 0, np.uint8(IGNORE), lookup)

    def unknown(self, lookup: npt.NDArray[np.uint8]) -> int:
        """Regions that masks with this table cannot tell of: a bit for each."""
        known = self.annotated(lookup)
        return 0 if self.exclusive else sum(1 << bit for bit, name in enumerate(self.names) if name not in known)

    def annotated(self, lookup: npt.NDArray[np.uint8]) -> tuple[str, ...]:
        """Those of the scored classes that masks with this table can show."""
        found = set(lookup.tolist()) - {IGNORE}
        if self.exclusive:
            return tuple(name for channel, name in enumerate(self.names) if channel and channel in found)
        return tuple(name for bit, name in enumerate(self.names) if any(code >> bit & 1 for code in found))
