"""Which images belong together and which do not, for contrast: who is a positive of whom, and who a negative.

Masks compare what two images are, never where they stand in the batch. So two faults of the published code cannot occur: that
exclusion of another dataset's same partition began at the anchor's own place, which left those that stood before it among the
negatives, and that places of the batch which were never filled were compared like images. The number of partitions is nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["images", "partitions", "across"]
Elsewhere = Literal["ignore", "negative", "positive"]
Negatives = Literal["all", "dataset"]

# Views that pair from volume to volume: the plain images, and the first variation of one with the second of the other.
_CROSSED = ((0, 0), (1, 2), (2, 1))


@dataclass(frozen=True)
class Columns:
    """What is known of each image that is shown, (n,) whole numbers each; equal numbers are equal things."""

    image: Tensor  # the slice or frame itself: all views of it share the number
    volume: Tensor
    partition: Tensor  # which part of its volume a slice is from, alike in all volumes; -1: a frame, it has none
    dataset: Tensor
    unit: Tensor  # a patient and whatever is a copy of their images
    view: Tensor  # 0: the plain one; 1, 2, ...: variations

    def __post_init__(self) -> None:
        shapes = {field.name: tuple(getattr(self, field.name).shape) for field in fields(self)}
        if len(set(shapes.values())) > 1 or self.image.dim() != 1:
            raise ValueError(f"columns of shapes {shapes}: must be (n,), all alike")

    def __len__(self) -> int:
        return len(self.image)

    def all(self) -> list[Tensor]:
        """In the order in which they are declared."""
        return [getattr(self, field.name) for field in fields(self)]

    def each(self, change: Callable[[Tensor], Tensor]) -> Columns:
        """Every column changed alike: moved to a device, gathered from processes, some rows of it."""
        return Columns(*map(change, self.all()))

    def views(self, count: int, *, first: int = 0) -> Columns:
        """All rows as view `first`, then all as the next, and so on: the order of `torch.cat` over views."""
        view = torch.arange(first, first + count, device=self.view.device).repeat_interleave(len(self))
        return replace(self.each(lambda column: column.repeat(count)), view=view)

    @staticmethod
    def cat(several: Iterable[Columns]) -> Columns:
        given = list(several)
        return Columns(*(torch.cat([getattr(one, field.name) for one in given]) for field in fields(Columns)))


@dataclass(frozen=True)
class Pairs:
    """(anchors, others) bool each. Nothing is both; what is in neither does not count."""

    positives: Tensor
    negatives: Tensor


def pairs(
    anchors: Columns, others: Columns, kind: Kind, *, own: int | None, elsewhere: Elsewhere, negatives: Negatives
) -> Pairs:
    """`own`: where the anchors begin among the others, since no row is compared with itself; None: they are not there.

    `images`: an image's other views are its positives, all other images its negatives. `partitions`: as before, but images of
    the same partition of the same dataset are no negatives. `across`: those of other volumes are positives too, plain with
    plain and the first variation with the second. `elsewhere` says what the same partition of another dataset is to the last
    two; only to `across` can it be positive, to `partitions` that means ignored. `negatives`: whose are taken, of all
    datasets or the anchor's own.

    Copies are no negatives: an image of the same unit is one only where it must differ, which other slices of the same volume
    do, and, for kinds that go by partitions, other partitions. Of frames nothing of the kind is known, so none is one.
    """
    if own is not None and own + len(anchors) > len(others):
        raise ValueError(f"{len(anchors)} anchors from place {own} on: there are {len(others)} others")
    image, dataset = _equal(anchors.image, others.image), _equal(anchors.dataset, others.dataset)
    volume, unit = _equal(anchors.volume, others.volume), _equal(anchors.unit, others.unit)
    sliced = (anchors.partition >= 0)[:, None] & (others.partition >= 0)
    part = sliced & _equal(anchors.partition, others.partition)

    if kind == "images":
        unlike = ~(unit & ~(sliced & volume))
    else:
        excluded = part if elsewhere != "negative" else part & dataset
        unlike = ~excluded & ~(unit & (part | ~sliced))
    if negatives == "dataset":
        unlike &= dataset

    alike = image.clone()
    if own is not None:
        alike.diagonal(own).fill_(False)
    if kind == "across":
        crossed = torch.zeros_like(image)
        for mine, theirs in _CROSSED:
            crossed |= (anchors.view == mine)[:, None] & (others.view == theirs)
        where = part & ~volume
        alike |= crossed & (where if elsewhere == "positive" else where & dataset)
    return Pairs(alike, unlike & ~image)


def counterparts(columns: Columns) -> Tensor:
    """(n, n) bool: the same partition in another volume of the same dataset."""
    part = _equal(columns.partition, columns.partition) & (columns.partition >= 0)
    return part & _equal(columns.dataset, columns.dataset) & ~_equal(columns.volume, columns.volume)


def _equal(anchors: Tensor, others: Tensor) -> Tensor:
    return anchors[:, None] == others
