"""How fast the phantoms are drawn, in memory and onto disk, by one process with one thread.

    python benchmarks/phantom_speed.py --out speed.json

In memory: rendered, JPEG-compressed and decoded again, as `frames(...)` hands them out. On disk: `make`, with masks.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import cv2

from segue.data.phantoms import PHANTOMS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=40, help="per site; a tenth of it for volumes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| phantom | site | in memory, cases/s | onto disk, cases/s |\n|---|---|---|---|")
    rows = []
    for name, kind in PHANTOMS.items():
        patients = options.patients if kind.flat else max(1, options.patients // 10)
        cases = patients * kind.each
        for site in kind.sites:
            start = time.perf_counter()
            for case in kind.samples(site=site, patients=patients, seed=1):
                _ = case.image
            memory = cases / (time.perf_counter() - start)
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                kind.make(folder, patients=patients, seed=1, sites=[site])
                disk = cases / (time.perf_counter() - start)
            print(f"| {name} | {site} | {memory:.0f} | {disk:.0f} |", flush=True)
            rows.append({"phantom": name, "site": site, "memory": memory, "disk": disk})
    if options.out:
        about = {"cpu": platform.processor() or platform.machine(), "opencv": cv2.__version__, "rows": rows}
        options.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
