"""What the leak search costs as the number of images grows, to 100,000 on this machine. Mark: near n log n or better.

The thumbnails are made: pictures with the amplitude spectrum of photographs around a few hundred shared scenes, so that
strangers resemble each other as frames of one organ do. One in a hundred is a planted copy: flipped, cropped to 90 %,
brighter, noisy. Found copies are counted, so that speed is not bought with blindness.

    python -m benchmarks.leak_scaling [--largest 100000]
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import numpy.typing as npt

from benchmarks.common import save
from segue.data.copies.alignment import SIDE
from segue.data.copies.fingerprint import copies
from segue.data.copies.leaks import COPY
from segue.data.copies.variant import VARIANTS

_SCENES = 300
_BLOCK = 2000


def pictures(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Each a scene of the few, mixed with as much of its own."""
    rng = np.random.default_rng([seed, 0])
    scenes = _photographs(_SCENES, rng)
    made = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        own = _photographs(size, np.random.default_rng([seed, 1, start]))
        shared = scenes[np.random.default_rng([seed, 2, start]).integers(0, _SCENES, size)]
        made[start : start + size] = np.clip(128 + 45 * (0.6 * shared + 0.8 * own), 0, 255)
    return made


def _photographs(count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Noise whose amplitude falls with frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")) + 0.5 / SIDE
    spectrum = np.fft.rfft2(rng.standard_normal((count, SIDE, SIDE)).astype(np.float32)) / frequency**1.2
    fields = np.fft.irfft2(spectrum, (SIDE, SIDE)).astype(np.float32)
    scaled: npt.NDArray[np.float32] = fields / fields.std(axis=(1, 2), keepdims=True)
    return scaled


def planted(thumbs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Copies of the first hundredth take the place of the last."""
    many = len(thumbs) // 100
    rng = np.random.default_rng(9)
    cropping = [variant for variant in VARIANTS if "cropped" in variant.words()]
    for number in range(many):
        variant = cropping[rng.integers(len(cropping))]
        copy = variant.of(thumbs[number : number + 1].astype(np.float32))[0]
        thumbs[-1 - number] = np.clip(1.1 * copy + 8 + rng.normal(0, 3, copy.shape), 0, 255)
    return thumbs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=100_000)
    options = parser.parse_args()
    rows = []
    copies(pictures(500, 1))  # warm
    for count in (1000, 3000, 10_000, 30_000, 100_000):
        if count > options.largest:
            break
        thumbs = planted(pictures(count, 0))
        start = time.perf_counter()
        found = copies(thumbs).above(COPY)
        seconds = time.perf_counter() - start
        many = count // 100
        pairs = {tuple(sorted(pair)) for pair in found.pairs.tolist()}
        hits = sum((number, count - 1 - number) in pairs for number in range(many))
        rows.append({
            "images": count, "seconds": seconds, "us_per_n_log_n": seconds / (count * math.log2(count)) * 1e6,
            "planted": many, "found": hits, "others": len(pairs) - hits,
        })  # fmt: skip
        print(
            f"{count:7,} images  {seconds:7.2f} s  {rows[-1]['us_per_n_log_n']:.2f} us per n log2 n  "
            f"{hits}/{many} planted copies found, {len(pairs) - hits} others",
            flush=True,
        )
    first, last = rows[0], rows[-1]
    exponent = math.log(last["seconds"] / first["seconds"]) / math.log(last["images"] / first["images"])
    print(f"seconds grow as n ** {exponent:.2f} from {first['images']:,} to {last['images']:,}")
    save("leak_scaling", {"rows": rows, "exponent": exponent})


if __name__ == "__main__":
    main()
