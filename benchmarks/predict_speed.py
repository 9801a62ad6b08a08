"""Predicting a folder against the script that most would write: eager, float32, one image after the other.

Marks: at least 3 times on a processor with bf16 units, 2 times on one without. The same images, size and network; both
read JPEG files and write a PNG mask of each image's own size. Segue uses what its training has found to be fastest on this
machine; the script is used as it is. A process each, in turns, weights of a training that was hardly begun. What decides is
seconds of the processor on one thread, because seconds on the clock of a shared machine say who else was there; those are
kept beside. `rest` is the share of Segue's time that is not the network: reading, letterbox and back, writing.

    python -m benchmarks.predict_speed [--turns 3] [--images 32]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import save, shared_data

NETWORKS = ("resnet18", "mobilenet_v2")
SIZE = 256
MARKS = {True: 3.0, False: 2.0}  # with bf16 units, without
SIDES = ("ours", "views", "theirs")
WARM_UP, FEW = 8, 30


def trained(data: Path, folder: Path, encoder: str) -> Path:
    """A run of a few steps, so that precision and layout are what a training finds here."""
    import segue

    if not (folder / "dataset").exists():
        for kind in ("images", "masks"):
            (folder / "few" / kind).mkdir(parents=True)
            for file in sorted((data / "kvasir-seg" / kind).glob("*.jpg"))[:FEW]:
                shutil.copy(file, folder / "few" / kind)
        segue.scan(folder / "few", folder / "dataset", name="few")
        segue.split(folder / "dataset")
        segue.prepare(folder / "dataset", folder / "store")
    run = folder / encoder
    segue.train(
        folder / "dataset", run, stores=(str(folder / "store"),), size=(SIZE, SIZE), network={"encoder": encoder},
        variation="flips", loss="dice", loop={"steps": 2, "epoch_steps": 2, "batch": 2},
    )  # fmt: skip
    return run


def ours(run: Path, images: list[Path], out: Path, views: tuple[str, ...]) -> dict[str, Any]:
    import segue
    from segue.evaluation.predicting.folder import predict_folder
    from segue.training.machine import keep_memory

    keep_memory()
    model = segue.load(run).views(*views)
    predictor = model.predictor()

    network = 0.0

    def timed(given: Any) -> Any:
        nonlocal network
        start = time.process_time()
        found = predictor(given)
        network += time.process_time() - start
        return found

    def predict(files: list[Path]) -> None:
        given = predict_folder(timed, files, out, frame=model.frame, target=model.target, progress=False)
        assert not any(one.error for one in given)

    found = measure(predict, images)
    return found | {"rest": 1 - network / found.pop("of_all"), "how": f"{predictor.precision}, batches of 8"}


def theirs(encoder: str, images: list[Path], out: Path) -> dict[str, Any]:
    from benchmarks.peers.module import build
    from benchmarks.peers.smp_lightning import predict_folder

    network = build("unet", encoder)

    def predict(files: list[Path]) -> None:
        predict_folder(network, files, size=SIZE, out=out)

    found = measure(predict, images)
    del found["of_all"]
    return {**found, "how": "32-true, one by one"}


def measure(predict: Callable[[list[Path]], None], images: list[Path]) -> dict[str, Any]:
    """Seconds an image: of the processor, and on the clock."""
    begun = time.process_time()
    predict(images[:WARM_UP])
    start, clock = time.process_time(), time.perf_counter()
    predict(images)
    return {
        "processor": (time.process_time() - start) / len(images),
        "clock": (time.perf_counter() - clock) / len(images),
        "of_all": time.process_time() - begun,
    }


def child(side: str, run: Path, data: Path, count: int) -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    images = sorted((data / "kvasir-seg" / "images").glob("*.jpg"))[:count]
    with tempfile.TemporaryDirectory() as out:
        views = ("flips",) if side == "views" else ()
        found = theirs(run.name, images, Path(out)) if side == "theirs" else ours(run, images, Path(out), views)
        assert len(list(Path(out).glob("*.png"))) == len(images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("RESULT" + json.dumps({**found, "peak_bytes": peak}))


def measured(side: str, run: Path, data: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.predict_speed", "--child", side, str(run), str(data), str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--only", choices=NETWORKS)
    options = parser.parse_args()
    if options.child:
        side, run, data, count = options.child
        child(side, Path(run), Path(data), int(count))
        return
    from segue.hardware import processor

    data = shared_data()
    bf16 = "bf16" in processor()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for encoder in [options.only] if options.only else NETWORKS:
            run = trained(data, Path(place), encoder)
            found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
            for turn in range(options.turns):
                for side in SIDES:
                    found[side].append(measured(side, run, data, options.images))
                    print(f"{encoder} {turn + 1}: {side} {found[side][-1]['processor']:.3f} s an image", flush=True)
            rows[f"{encoder}, {SIZE} px"] = _row(found)
    for name, row in rows.items():
        print(f"{name}: {row['ratio']:.2f} times (mark: {MARKS[bf16]:g}), with flips {row['views_ratio']:.2f}")
    ratios = {name: row["ratio"] for name, row in rows.items()}
    save("predict_speed", {"ratios": ratios, "rows": rows, "images": options.images, "bf16": bf16, "mark": MARKS[bf16]})


def _row(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    def against(side: str, what: str) -> float:
        return statistics.median(b[what] / a[what] for a, b in zip(found[side], found["theirs"], strict=True))

    return {
        "ratio": against("ours", "processor"),
        "clock_ratio": against("ours", "clock"),
        "views_ratio": against("views", "processor"),  # four times the work
        "peak_memory_ratio": 1 / against("ours", "peak_bytes"),
        "rest": statistics.median(one["rest"] for one in found["ours"]),
        "seconds": {side: statistics.median(one["processor"] for one in found[side]) for side in SIDES},
        "how": {side: found[side][0]["how"] for side in SIDES},
    }


if __name__ == "__main__":
    main()
