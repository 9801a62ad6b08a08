"""From stores to batches: which case stands where, and how it is drawn.

Every image of every batch has an address, and everything about it follows from that: how many processes read, where a
run was interrupted and how many devices share the work changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from segue.data.case import IGNORE
from segue.step import Batch, View
from segue.training.examples import Example
from segue.training.orders import Row
from segue.training.painting import Painting
from segue.variations import opencv
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.padding import Padding
from segue.variations.variation import Variation

_AHEAD = 4  # batches that a worker has ready


@dataclass(frozen=True)
class Stored:
    """One view of a batch as it leaves the CPU: small numbers, the images' own layout."""

    images: npt.NDArray[np.generic]  # (n, height, width, channels), of patches of volumes with an axis more
    target: npt.NDArray[np.uint8]  # the same without channels: channels of the network, or codes of regions
    drawn: Drawn
    shown: npt.NDArray[np.bool_]  # like target: what is of the picture, and not invented
    regions: int = 0  # that a code tells of; 0: channels
    unknown: npt.NDArray[np.uint8] | None = (
        None  # (n,): of these regions, by bits, those that a sample's mask cannot tell of
    )


@dataclass(frozen=True)
class Parcel:
    """A micro-batch: its images as each view shows them."""

    cases: tuple[str, ...]
    stored: tuple[Stored, ...]
    known: npt.NDArray[np.int64] | None = None  # (n, len(KNOWN))
    beside: Parcel | None = None  # of images without masks


class Batches(Dataset[Parcel]):
    """Item s is the micro-batch of step s: `loader` reads them in order, on as many processes as one likes."""

    def __init__(
        self,
        examples: Sequence[Example],
        order: Row,
        views: Sequence[Variation],
        *,
        size: tuple[int, ...],
        batch: int,
        padding: Padding,
        regions: int = 0,
        known: npt.NDArray[np.int64] | None = None,
        beside: Batches | None = None,
        since: int = 0,
        painting: Painting | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """`known`: a row of KNOWN for each example. `beside`: what comes with every micro-batch `since` that one. `painting`:
        does the edits of a variation that paints."""
        self.examples, self.order, self.views, self.regions = examples, order, views, regions
        self.size, self.batch, self.padding = size, batch, padding
        self.known, self.beside, self.since, self.painting = known, beside, since, painting
        self.rank, self.world = rank, world

    def looks(self, count: int) -> int:
        """At how many images the first so many micro-batches look, each view of one counted, in all processes."""
        beside = 0 if self.beside is None else self.beside.looks(max(0, count - self.since))
        return count * self.batch * len(self.views) * self.world + beside

    def addresses(self, step: int) -> list[tuple[int, Address]]:
        start = (step * self.world + self.rank) * self.batch
        found = []
        for position in range(start, start + self.batch):
            number, which = self.order.at(position)
            address = Address(self.order.seed, "train", which, position, self.examples[number].case)
            found.append((number, address))
        return found

    def __getitem__(self, step: int) -> Parcel:
        chosen = self.addresses(step)
        key = [address for _, address in chosen]
        examples = [self.examples[number] for number, _ in chosen]
        stored = [self._drawn(variation, examples, key, view) for view, variation in enumerate(self.views)]
        return Parcel(
            tuple(example.case for example in examples),
            tuple(stored),
            None if self.known is None else self.known[[number for number, _ in chosen]],
            self.beside[step] if self.beside is not None and step >= self.since else None,
        )

    def _drawn(self, variation: Variation, examples: Sequence[Example], key: Sequence[Address], view: int) -> Stored:
        drawn = variation.draw((self.size[-2], self.size[-1]), [replace(address, view=view) for address in key])
        first = examples[0]
        images = np.empty((len(examples), *self.size, first.channels), np.dtype(first.dtype))
        target = np.empty((len(examples), *self.size), np.uint8)
        shown = np.empty(target.shape, np.bool_)
        for index, example in enumerate(examples):
            done = self._edited(drawn, index, example, key[index]) or example.render(
                drawn, index, self.size, self.padding, key[index]
            )
            images[index] = done.image
            target[index] = IGNORE if done.labels is None else done.labels
            shown[index] = done.valid
        opencv.paste(drawn, images, target, shown)  # mixing needs the whole batch
        unknown = np.array([example.unknown for example in examples], np.uint8)
        return Stored(images, target, drawn, shown, self.regions, unknown if unknown.any() else None)

    def _edited(self, drawn: Drawn, index: int, example: Example, address: Address) -> opencv.Rendered | None:
        """With a mask that was edited and an image that was painted; None: nothing is to be edited, or nothing is there to."""
        if self.painting is None or not drawn.acts("edit", index):
            return None
        plain = example.render(Drawn.identity(1, drawn.shape), 0, self.size, self.padding, address)
        if plain.labels is None:
            return None
        found = self.painting(plain.image, plain.labels, plain.valid, drawn.parts["edit"][index])
        if found is None:
            return None
        image, labels = found
        return opencv.render(
            drawn, index, [image], labels, (self.size[0], self.size[1]), self.padding, shown=plain.valid
        )

    def loader(self, steps: range, workers: int) -> Iterator[Parcel]:
        """The batches of these steps, in order."""
        cv2.setNumThreads(1)  # the network's threads are all there are
        if workers == 0:
            return (self[step] for step in steps)
        return iter(
            DataLoader(
                self, batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=_AHEAD,
                worker_init_fn=_one_thread,
            )
        )  # fmt: skip


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def on_device(parcel: Parcel, device: torch.device, done: float = 0.0, step: int = 0) -> Batch:
    return Batch(
        tuple(_view(one, device) for one in parcel.stored),
        parcel.cases,
        None if parcel.known is None else torch.from_numpy(parcel.known).to(device),
        None if parcel.beside is None else on_device(parcel.beside, device, done, step),
        done,
        step,
    )


def _view(stored: Stored, device: torch.device) -> View:
    whole = float(np.iinfo(stored.images.dtype).max)  # type: ignore[type-var]
    # Stored pixels stand channel by channel: turned, that is the layout that convolutions like best.
    images = torch.from_numpy(stored.images).movedim(-1, 1).to(device, non_blocking=True)
    target = torch.from_numpy(stored.target).to(device, non_blocking=True)
    if stored.regions:
        bits = torch.arange(stored.regions, device=device, dtype=torch.uint8).view(1, -1, *[1] * (target.ndim - 1))
        codes = target.unsqueeze(1)
        target = torch.where(codes == IGNORE, codes, codes >> bits & 1)
        if stored.unknown is not None:
            untold = torch.from_numpy(stored.unknown).to(device).view(-1, *[1] * (target.ndim - 1)) >> bits & 1
            target = torch.where(untold == 1, torch.full_like(target, IGNORE), target)
    shown = torch.from_numpy(stored.shown).to(device, non_blocking=True)
    return View(images.float().div_(whole), target, stored.drawn, shown)
