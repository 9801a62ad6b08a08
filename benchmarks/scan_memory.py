"""Peak memory of a scan with its leak search, as the number of images grows. Mark: below 1 GiB, and hardly growing.

The images are made (small JPEGs with the spectrum of photographs; what a scan keeps of an image does not depend on its
size). Counted is the peak of the scanning process plus that of its largest worker.

    python -m benchmarks.scan_memory [--largest 50000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2

from benchmarks.common import peak_memory, save
from benchmarks.leak_scaling import pictures

_SIDE = 96
_BLOCK = 2000

SCAN = "import segue\nsegue.scan(sys.argv[1], sys.argv[2])"


def fill(folder: Path, start: int, stop: int) -> None:
    for block in range(start, stop, _BLOCK):
        for number, picture in enumerate(pictures(min(_BLOCK, stop - block), seed=block), start=block):
            large = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
            cv2.imwrite(str(folder / f"{number:06d}.jpg"), cv2.merge([large, large, large]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=50_000)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        folder.mkdir()
        made = 0
        for count in (2000, 10_000, 50_000):
            if count > options.largest:
                break
            fill(folder, made, count)
            made = count
            start = time.perf_counter()
            peak = peak_memory(SCAN, folder, Path(temporary) / f"d{count}")
            rows.append({"images": count, "peak_bytes": peak, "seconds": time.perf_counter() - start})
            print(f"{count:6,} images  peak {peak / 2**20:.0f} MiB  {rows[-1]['seconds']:.1f} s", flush=True)
    growth = (rows[-1]["peak_bytes"] - rows[0]["peak_bytes"]) / (rows[-1]["images"] - rows[0]["images"])
    print(f"{growth / 1024:.1f} KiB more for each further image (mark: below 1 GiB in all)")
    save("scan_memory", {"rows": rows, "bytes_per_image": growth, "mark_bytes": 1 << 30})


if __name__ == "__main__":
    main()
