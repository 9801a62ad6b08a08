"""How a network sees images: its encoder's deepest map, averaged over all places, a row of numbers an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segue.evaluation.showing.embedding import Known, collapsed
from segue.experiment.pretraining.pool import Pool, sliced
from segue.networks import SegmentationNetwork
from segue.step import View
from segue.training.batches import Batches, on_device
from segue.training.examples import Example
from segue.training.orders import InTurn
from segue.variations import parse
from segue.variations.padding import Padding
from segue.variations.variation import Variation

Floats = npt.NDArray[np.float32]

_AT_ONCE = 32  # images


def at_once(count: int) -> int:
    """Batches of so many images."""
    return -(-count // _AT_ONCE)


def in_turn(
    examples: Sequence[Example], size: tuple[int, ...], padding: Padding, *, views: Sequence[Variation] = (),
    batch: int = _AT_ONCE,
) -> Batches:  # fmt: skip
    """What a network is shown of them, one after the other."""
    seen = list(views) or [parse("none")]
    return Batches(examples, InTurn(len(examples)), seen, size=size, batch=batch, padding=padding)


def _deepest(maps: Sequence[Tensor], view: View) -> Tensor:
    return maps[-1].float().flatten(2).mean(2)


def representations(
    network: SegmentationNetwork,
    examples: Sequence[Example],
    size: tuple[int, ...],
    padding: Padding,
    *,
    views: Sequence[Variation] = (),
    describe: Callable[[Sequence[Tensor], View], Tensor] = _deepest,
    precision: str = "32-true",
    tick: Callable[[], None] = lambda: None,
) -> list[Floats]:
    """(n, width) for each view; without any, the images as they are. `describe`: what is told of the encoder's maps."""
    device = next(network.parameters()).device
    batches = in_turn(examples, size, padding, views=views)
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")
    found: list[list[Floats]] = [[] for _ in batches.views]
    network.eval()
    with torch.inference_mode(), half:
        for step in range(at_once(len(examples))):
            batch = on_device(batches[step], device)
            for place, view in enumerate(batch.views):
                maps = network(view.images, features=True, decode=False).features
                found[place].append(describe(maps, view).cpu().numpy())
            tick()
    return [np.concatenate(rows)[: len(examples)] for rows in found]


def collapse(z: Floats, of: Known) -> str:
    """What has collapsed, in a sentence: of all images, and of each dataset's among themselves. The line on which two datasets
    lie that have little in common is none that a network has fallen onto."""
    told = collapsed(z)
    if not np.isfinite(z).all():
        return told
    datasets = np.array(of.datasets)
    parts = [z[datasets == name] for name in dict.fromkeys(of.datasets)]
    return told if all(collapsed(part) for part in parts if len(part) > 1) else ""


def sample(pool: Pool, most: int) -> list[int]:
    """Examples that stand for all: of each volume the middle slice of each partition; evenly spread, `most` in all."""
    chosen = []
    for group in pool.groups:
        own = list(group.frames)
        for volume in group.volumes:
            own += [part[len(part) // 2] for part in volume if part]
        share = max(1, most // len(pool.groups))
        chosen += [own[place * len(own) // share] for place in range(share)] if len(own) > share else own
    return chosen


def known(pool: Pool, chosen: Sequence[int]) -> Known:
    """What is known of these examples, in words."""
    cases = {pool.named(one, case): (one.dataset.name, case) for one in pool.several for case in one.images}
    rows = pool.known[list(chosen)]
    of = [cases[pool.examples[number].case] for number in chosen]
    slices = [sliced(pool.examples[number]) for number in chosen]
    return Known(
        cases=tuple(case.case for _, case in of),
        datasets=tuple(name for name, _ in of),
        sites=tuple(f"{name}: {case.site}" if case.site and len(pool.several) > 1 else case.site for name, case in of),
        units=tuple(str(unit) for unit in rows[:, 4]),
        partitions=tuple(int(part) for part in rows[:, 2]),
        volumes=tuple(case.case if part >= 0 else "" for (_, case), part in zip(of, rows[:, 2], strict=True)),
        slices=tuple(-1 if one is None else one.slice for one in slices),
    )
