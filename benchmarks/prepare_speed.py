"""`segue data prepare` against decoding and resizing alone, and reading batches from the store against decoding files.

Marks: at most 1.5 times, and at least 30 times. The peer of the first decodes each image and mask with OpenCV, resizes
both to the same size and writes nothing; same worker processes, in turns. The pyramid, the check that nothing has
changed since the scan, and the writing are what Segue does on top. The second reads 16 images and masks at a time, in
random order, into the arrays of a batch, as a training loop does that keeps its batch.

    python -m benchmarks.prepare_speed
"""

from __future__ import annotations

import functools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import segue
from benchmarks.common import as_published, in_turns, ratio, read_picture, save, shared_data
from benchmarks.scan_speed import one_thread
from segue.data.dataset import Dataset
from segue.data.preparing.settings import PrepareSettings
from segue.executors.machine import cores

SETS = {"isic2018": 256, "kvasir-seg": 256, "polypgen": 384, "as published": 512}  # name -> long side
_BATCH = 16


def decode_and_resize(tasks: list[tuple[str, str, tuple[int, int]]]) -> int:
    for image, mask, size in tasks:
        cv2.resize(read_picture(image, cv2.IMREAD_COLOR_RGB), size, interpolation=cv2.INTER_AREA)
        cv2.resize(read_picture(mask, cv2.IMREAD_GRAYSCALE), size, interpolation=cv2.INTER_NEAREST)
    return len(tasks)


def peer(dataset: Dataset, size: int) -> None:
    tasks = []
    for case in dataset.cases:
        shrink = min(1, size / max(case.height, case.width))
        small = (round(case.width * shrink), round(case.height * shrink))
        tasks.append((str(dataset.root / case.images[0]), str(dataset.root / case.mask), small))
    batches = [tasks[start : start + 50] for start in range(0, len(tasks), 50)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=one_thread) as pool:
        list(pool.map(decode_and_resize, batches))


def ours(dataset: Dataset, size: int, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    segue.prepare(dataset, target, settings=PrepareSettings(size=size))


def reading(dataset: Dataset, target: Path) -> float:
    """Images a second from the store over images a second from files, one process."""
    store = segue.Store.open(target)
    order = np.random.default_rng(0).permutation(len(store))
    batches = [order[start : start + _BATCH] for start in range(0, len(order) - _BATCH, _BATCH)]
    cases = [dataset.by_name[case] for case in store.cases]
    cv2.setNumThreads(1)
    images = np.empty((_BATCH, store.card.size, store.card.size, 3), np.uint8)
    masks = np.empty(images.shape[:3], np.uint8)

    def from_store(batch: npt.NDArray[np.intp]) -> None:
        for place, number in enumerate(batch):
            image, mask = store.image(number), store.mask(number)
            assert mask is not None
            height, width = mask.shape
            images[place, :height, :width] = image
            masks[place, :height, :width] = mask

    def from_files(batch: npt.NDArray[np.intp]) -> None:
        for number in batch:
            cv2.imread(str(dataset.root / cases[number].images[0]), cv2.IMREAD_COLOR_RGB)
            cv2.imread(str(dataset.root / cases[number].mask), cv2.IMREAD_GRAYSCALE)

    for batch in batches:  # both from the file cache
        from_store(batch)
    speeds = []
    for batch in batches[:40]:
        taken = []
        for read in (from_store, from_files):
            start = time.perf_counter()
            read(batch)
            taken.append(time.perf_counter() - start)
        speeds.append(taken[1] / taken[0])
    return statistics.median(speeds)


def main() -> None:
    data = shared_data()
    rows = {}
    with tempfile.TemporaryDirectory() as out:
        for name, size in SETS.items():
            large = name == "as published"
            folder = as_published(data / "isic2018", Path(out) / "large") if large else data / name
            dataset = segue.scan(folder, Path(out) / name).dataset
            assert dataset is not None
            target = Path(out) / f"{name}-store"
            sides: dict[str, Callable[[], object]] = {
                "ours": functools.partial(ours, dataset, size, target),
                "theirs": functools.partial(peer, dataset, size),
            }
            seconds = in_turns(5, **sides)
            rows[name] = {
                "images": len(dataset.cases), "size": size, "prepare_s": statistics.median(seconds["ours"]),
                "decode_and_resize_s": statistics.median(seconds["theirs"]),
                "ratio": ratio(seconds["ours"], seconds["theirs"]), "reading_ratio": reading(dataset, target),
            }  # fmt: skip
            print(
                f"{name:14} prepare {rows[name]['ratio']:.2f} x, reading {rows[name]['reading_ratio']:.0f} x",
                flush=True,
            )
    small = [row for name, row in rows.items() if name != "as published"]
    total = sum(row["prepare_s"] for row in small) / sum(row["decode_and_resize_s"] for row in small)
    print(f"the small copies together: prepare {total:.2f} x decode and resize (mark: 1.5)")
    save("prepare_speed", {"sets": rows, "ratio": total, "mark": 1.5, "reading_mark": 30})


if __name__ == "__main__":
    main()
