"""`segue data scan` with its leak check, against only decoding every file once. Mark: at most 2 times.

The peer decodes each image and mask with OpenCV and does nothing else, on as many worker processes, started the same
way, over the same four datasets in turns.

    python -m benchmarks.scan_speed
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2

import segue
from benchmarks.common import as_published, in_turns, ratio, save, shared_data
from segue.data.tree import IMAGES, Tree, suffix
from segue.executors.machine import cores

SETS = ("isic2018", "kvasir-seg", "polypgen", "cvc-clinicdb")
LARGE = "as published"  # not among the four: images of the size that users have
TURNS = 5


def one_thread() -> None:
    cv2.setNumThreads(1)


def decode(paths: list[str]) -> int:
    return sum(cv2.imread(path, cv2.IMREAD_UNCHANGED) is not None for path in paths)


def decode_all(folder: Path) -> int:
    files = [str(folder / file.path) for file in Tree.read(folder).files if suffix(file.path) in IMAGES]
    batches = [files[start : start + 100] for start in range(0, len(files), 100)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=one_thread) as pool:
        return sum(pool.map(decode, batches))


def scan(folder: Path, out: Path) -> None:
    segue.scan(folder, out, name=folder.name)


def main() -> None:
    data = shared_data()
    each = {}
    turns: list[dict[str, list[float]]] = []
    with tempfile.TemporaryDirectory() as out:
        for name in (*SETS, LARGE):
            folder = as_published(data / "isic2018", Path(out) / "large") if name == LARGE else data / name
            files = decode_all(folder)  # into the file cache
            sides: dict[str, Callable[[], object]] = {
                "ours": partial(scan, folder, Path(out) / name),
                "theirs": partial(decode_all, folder),
            }
            seconds = in_turns(TURNS, **sides)
            each[name] = {
                "files": files,
                "scan_s": statistics.median(seconds["ours"]),
                "decode_s": statistics.median(seconds["theirs"]),
                "ratio": ratio(seconds["ours"], seconds["theirs"]),
            }
            print(f"{name:14} {files:6} files  scan {each[name]['scan_s']:.2f} s  ratio {each[name]['ratio']:.2f}")
            if name in SETS:
                turns.append(seconds)
    sums = {side: [sum(values) for values in zip(*(turn[side] for turn in turns), strict=True)] for side in turns[0]}
    total = ratio(sums["ours"], sums["theirs"])
    print(f"all four: {total:.2f} x decoding alone (mark: 2)")
    save("scan_speed", {"sets": each, "ratio": total, "mark": 2.0, "processes": cores()})


if __name__ == "__main__":
    main()
