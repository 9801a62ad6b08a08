"""Contrast over a batch against a loop over its pairs, forwards and backwards, on one thread, in turns.

Mark: at least 50 times as fast, with the same values and slopes. The batch is the published one: four partitions of four
volumes of three datasets in three views, 128 numbers each. The loop is that of the tests, a pair at a time with its negatives
together, as the published code has it. "Step" is all that a step needs, who pairs with whom included; "loss" is without that.

Memory is what a process of its own needs more at its peak, over what it had after a small batch, in similarity matrices
(batch x batch x 4 bytes), median of three: about as many at any size, since nothing grows
faster. Of the smallest batch some hide in memory that the process had already.

    python -m benchmarks.contrast_speed
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from typing import Any, get_args

import torch
from tests.losses import contrast_reference as slow
from torch import Tensor

from benchmarks.common import in_turns, own_peak, ratio, save
from segue.losses.contrast import contrast
from segue.losses.pairs import Columns, Kind, pairs

PARTITIONS, DATASETS, VIEWS, DIMENSIONS = 4, 3, 3, 128
VOLUMES = (4, 16, 64)  # of each dataset: batches of 144, 576, 2304
TEMPERATURE = 0.1
RULE: dict[str, Any] = {"own": 0, "elsewhere": "ignore", "negatives": "all"}
TURNS, TRIES = 7, 3
MARK = 50.0


def batch(volumes: int) -> tuple[Columns, Tensor]:
    rows = list(product(range(DATASETS), range(volumes), range(PARTITIONS)))
    known = [(image, d * volumes + v, p, d, d * volumes + v, 0) for image, (d, v, p) in enumerate(rows)]
    columns = Columns(*torch.tensor(known).unbind(1)).views(VIEWS)
    return columns, torch.randn(len(columns), DIMENSIONS, generator=torch.Generator().manual_seed(1))


def speed(kind: Kind) -> dict[str, Any]:
    columns, z = batch(VOLUMES[0])
    masks, lists = pairs(columns, columns, kind, **RULE), slow.pairs(columns, columns, kind, **RULE)

    def ours(chosen: Any = None) -> tuple[Tensor, Tensor]:
        leaf = z.clone().requires_grad_()
        chosen = chosen or pairs(columns, columns, kind, **RULE)
        loss = contrast(leaf, leaf, chosen, TEMPERATURE).loss
        return loss, torch.autograd.grad(loss.mean(), leaf)[0]

    def loop(chosen: Any = None) -> tuple[Tensor, Tensor]:
        leaf = z.clone().requires_grad_()
        near, far = chosen or slow.pairs(columns, columns, kind, **RULE)
        loss = slow.contrast(leaf, leaf, near, far, TEMPERATURE)[0]
        return loss, torch.autograd.grad(loss.mean(), leaf)[0]

    sides: dict[str, Callable[[], object]] = {
        "step": ours,
        "loop_step": loop,
        "loss": lambda: ours(masks),
        "loop_loss": lambda: loop(lists),
    }
    both = [[part.detach() for part in side()] for side in (ours, loop)]
    apart = [float((one - other).abs().max() / other.abs().max()) for one, other in zip(*both, strict=True)]
    seconds = in_turns(TURNS, **sides)
    return {
        "batch": len(columns),
        "pairs": sum(map(len, lists[0])),
        **{f"{name}_ms": 1000 * statistics.median(taken) for name, taken in seconds.items()},
        "times_step": 1 / ratio(seconds["step"], seconds["loop_step"]),
        "times_loss": 1 / ratio(seconds["loss"], seconds["loop_loss"]),
        "largest_relative_difference": max(apart),
    }


def memory(volumes: int) -> dict[str, Any]:
    """In a process of its own."""
    torch.set_num_threads(1)

    def step(columns: Columns, z: Tensor) -> None:
        leaf = z.requires_grad_()
        contrast(leaf, leaf, pairs(columns, columns, "across", **RULE), TEMPERATURE).loss.mean().backward()

    step(*batch(1))
    given = batch(volumes)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    before = own_peak()
    step(*given)
    size, more = len(given[0]), own_peak() - before
    return {"batch": size, "bytes": more, "matrices": more / (4 * size**2)}


def main() -> None:
    torch.set_num_threads(1)
    rows = {}
    for kind in get_args(Kind):
        row = rows[kind] = speed(kind)
        print(
            f"{kind:10} ({row['pairs']} pairs): step {row['step_ms']:.2f} ms, loop {row['loop_step_ms']:.0f} ms = "
            f"{row['times_step']:.0f} x; loss {row['loss_ms']:.2f} ms, loop {row['loop_loss_ms']:.0f} ms = "
            f"{row['times_loss']:.0f} x; values and slopes within {row['largest_relative_difference']:.0e}",
            flush=True,
        )
    peaks = []
    for volumes in VOLUMES:
        tries = []
        for _ in range(TRIES):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                tries.append(pool.submit(memory, volumes).result())
        peaks.append(sorted(tries, key=itemgetter("bytes"))[TRIES // 2])
        print(
            "batch {batch}: {bytes:,} bytes more = {matrices:.1f} similarity matrices".format(**peaks[-1]), flush=True
        )
    least = min(min(row["times_step"], row["times_loss"]) for row in rows.values())
    save("contrast_speed", {"rows": rows, "memory": peaks, "least": least, "mark": MARK})


if __name__ == "__main__":
    main()
