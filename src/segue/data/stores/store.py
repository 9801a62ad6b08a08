"""What every prepared store is: a folder with a card, an index, and the cases as arrays.

store.yaml   format, what was asked for, classes, what it was made from
index.csv    a row a case
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from segue.config import Strict, read_yaml, validate
from segue.data.case import read_table
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput

FORMAT = 2
CARD, INDEX = "store.yaml", "index.csv"


class StoreCard(Strict):
    format: int = FORMAT
    dataset: str
    dataset_folder: str
    size: int = 0  # of frames: cap of the long side
    recipe: Recipe | None = None  # of volumes: what was done to them
    channels: tuple[str, ...]
    classes: dict[int, str]
    dtype: Literal["uint8", "uint16"]
    cases: int
    labelled: int
    made_from: str  # hash of settings, labels and sources
    sources: str  # hash of the source files alone
    left_out: dict[str, str] = Field(default_factory=dict)  # case -> why, with skip_bad


class Placed(Protocol):
    """Of any store's index."""

    @property
    def case(self) -> str: ...


class Store(ABC):
    """Arrays are views of files: copy before you change them (they are read-only)."""

    def __init__(self, folder: Path, card: StoreCard) -> None:
        self.folder, self.card = folder, card

    @staticmethod
    def open(where: Path | str) -> Store:
        """The store of frames or of volumes that lies there."""
        from segue.data.stores.frames import FrameStore
        from segue.data.stores.volumes import VolumeStore

        folder = Path(where)
        if not (folder / CARD).is_file():
            raise BadInput(f"{folder}: is not a prepared store", hint="segue data prepare DATASET makes one.")
        given = read_yaml(folder / CARD)
        if given.get("format") != FORMAT:
            raise BadInput(
                f"{folder}: format {given.get('format')} is not the one this version reads ({FORMAT}); prepare again"
            )
        card = validate(StoreCard, given, where=str(folder / CARD))
        return FrameStore.read(folder, card) if card.recipe is None else VolumeStore.read(folder, card)

    def __reduce__(self) -> tuple[object, ...]:
        return Store.open, (self.folder,)  # a worker process maps the files itself, instead of being sent them

    @property
    @abstractmethod
    def cases(self) -> Sequence[str]:
        """Their names, in the order of their numbers."""

    def __len__(self) -> int:
        return len(self.cases)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Case -> its number in the store."""
        return {case: number for number, case in enumerate(self.cases)}

    @abstractmethod
    def image(self, number: int) -> npt.NDArray[Any]:
        """(height, width, channels), or (slice, row, column, channels)."""

    @abstractmethod
    def mask(self, number: int) -> npt.NDArray[np.uint8] | None:
        """Class ids, IGNORE where they do not count; None: unlabelled."""


P = TypeVar("P", bound=Placed)


def read_index(folder: Path, card: StoreCard, place: Callable[[dict[str, str]], P]) -> list[P]:
    path = folder / INDEX
    try:
        found = [place(row) for row in read_table(path)]
    except (KeyError, ValueError) as error:
        raise BadInput(f"{path}: is not the index of a store ({error}); prepare again") from None
    if len(found) != card.cases:
        raise BadInput(f"{path}: has {len(found)} cases, {CARD} says {card.cases}; prepare again")
    return found
