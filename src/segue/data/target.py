"""What a network is asked for: its output channels, and how a mask's class ids become them.

Exclusive: each pixel has one class, background among them (softmax). Regions: each may overlap others, such as a tumour's
core within the whole tumour (sigmoid). Two exclusive classes need one logit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.errors import BadInput, nearest


@dataclass(frozen=True)
class Target:
    """Names by channel; for exclusive classes the first is the background."""

    names: tuple[str, ...]
    exclusive: bool = True

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or len(self.names) < (2 if self.exclusive else 1):
            raise BadInput(
                f"classes {', '.join(self.names) or '(none)'}: at least one beside the background, none twice"
            )
        if len(self.names) > IGNORE:
            raise BadInput(f"{len(self.names)} classes: a mask holds {IGNORE} at most")

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

    def table(
        self, classes: Mapping[int, str], *, where: str, same: Mapping[str, str] | None = None
    ) -> npt.NDArray[Any]:
        """A lookup of 256 entries from a dataset's class ids to channels, by name; IGNORE stays.

        `same` says which of the dataset's names stands for which of ours, where they differ.
        """
        if not self.exclusive:
            raise NotImplementedError("regions come with the datasets that have them")
        lookup = np.full(256, IGNORE, np.uint8)
        for number, name in classes.items():
            name = (same or {}).get(name, name)
            if number == 0:
                name = self.names[0]
            if name not in self.names:
                raise BadInput(
                    f"{where}: its class {name!r} is none that the model knows ({nearest(name, self.foreground)})",
                    hint=f"--same {name!r}={self.foreground[0]!r} says that it is one of them under another name.",
                )
            lookup[number] = self.names.index(name)
        return lookup
