"""Training images a second against segmentation-models-pytorch + albumentations + Lightning, in turns, a process each.

Marks, against the script with defaults: 2.6 / 2.8 / 2.3 times on a processor with bf16 units and 1.5 / 1.5 / 1.2 times on
one without (resnet18 and mobilenet_v2 U-Net at 256 px in batches of 8, resnet18 at 128 px in batches of 16); against the same
script at its own best setting at least 1.1 times; peak memory at most 1.1 times. Same images, size, batch, network and
list of augmentations. Steady state is steps alone, an epoch has its validation (Segue's on each image's own grid).

    python -m benchmarks.train_speed [--turns 3]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import save, shared_data, step_ends

CONFIGURATIONS = {
    "resnet18, 256 px": ("resnet18", 256, 8),
    "mobilenet_v2, 256 px": ("mobilenet_v2", 256, 8),
    "resnet18, 128 px": ("resnet18", 128, 16),
}
MARKS = {True: (2.6, 2.8, 2.3), False: (1.5, 1.5, 1.2)}  # with bf16 units, without
SIDES = ("ours", "default", "best")
TRAIN, VALIDATE, EPOCHS, WARM_UP = 64, 16, 2, 2
CHAIN = (
    "flips + affine(rotate=15, scale=0.1, shift=0.05) + colour(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)"
)


def pairs(data: Path) -> tuple[list[tuple[Path, Path]], list[tuple[Path, Path]]]:
    images = sorted((data / "kvasir-seg" / "images").glob("*.jpg"))
    found = [(image, data / "kvasir-seg" / "masks" / image.name) for image in images[: TRAIN + VALIDATE]]
    return found[:TRAIN], found[TRAIN:]


def prepared(data: Path, folder: Path) -> None:
    """The same images as a dataset of Segue's, scanned and stored beforehand as a user's are."""
    import segue

    train, validation = pairs(data)
    found = segue.scan(data / "kvasir-seg", folder / "dataset", name="kvasir")
    assert found.dataset is not None
    rows = [
        f"{image.stem},{part}" for part, some in (("train", train), ("validation", validation)) for image, _ in some
    ]
    (folder / "split.csv").write_text("\n".join(["case,part", *rows]) + "\n")
    segue.split(found.dataset, source=folder / "split.csv", name="bench")
    segue.prepare(found.dataset, folder / "store")


def ours(folder: Path, encoder: str, size: int, batch: int) -> dict[str, Any]:
    import torch

    import segue

    ends, whole = step_ends()
    steps = TRAIN // batch * EPOCHS
    done = segue.train(
        folder / "dataset", folder / f"run-{os.getpid()}", stores=(str(folder / "store"),), split="bench", size=(size, size),
        network={"encoder": encoder}, variation=CHAIN, loss="dice + bce",
        loop={"steps": steps, "epoch_steps": TRAIN // batch, "batch": batch},
    )  # fmt: skip
    per_epoch = TRAIN // batch
    gaps = [b - a for place, (a, b) in enumerate(itertools.pairwise(ends), 1) if place % per_epoch]
    machine = done.run.config["machine"]
    return {
        "steady": batch / statistics.median(gaps[WARM_UP:]), "epoch": TRAIN * EPOCHS / whole[0],
        "how": f"{machine['precision']}, {machine['layout']}, {torch.get_num_threads()} threads",
    }  # fmt: skip


def theirs(data: Path, encoder: str, size: int, batch: int, settings: str) -> dict[str, Any]:
    from benchmarks.peers.smp_lightning import train

    training, validation = pairs(data)
    done = train(
        training, validation, encoder=encoder, size=size, batch=batch, epochs=EPOCHS, settings=settings, warm_up=WARM_UP
    )
    speed = done.speed
    return {
        "steady": batch / statistics.median(speed.step_seconds), "epoch": speed.epoch_images_per_second,
        "loader_share": speed.loader_share, "how": str(done.settings.as_dict()),
    }  # fmt: skip


def child(side: str, folder: Path, data: Path, encoder: str, size: int, batch: int) -> None:
    found = ours(folder, encoder, size, batch) if side == "ours" else theirs(data, encoder, size, batch, side)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("RESULT" + json.dumps({**found, "peak_bytes": peak}))


def measured(side: str, folder: Path, data: Path, configuration: tuple[str, int, int]) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.train_speed",
        "--child",
        side,
        str(folder),
        str(data),
        *map(str, configuration),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[-1])
    return found


def peak(encoder: str, size: int, batch: int) -> dict[str, float]:
    """GFLOP/s of a bare step, and of a large matrix product: how much of the processor is used at all."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from segue import losses, networks
    from segue.data.target import Target
    from segue.training.machine import keep_memory

    keep_memory()
    target = Target(("background", "polyp"))
    network = networks.build(networks.NetworkSettings(encoder=encoder), target, 3)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    loss = losses.parse("dice + bce", target)
    images = torch.rand(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    truth = (torch.rand(batch, size, size) > 0.8).to(torch.uint8)

    def step() -> None:
        loss(network(images).logits, truth).mean().backward()

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    one, other = torch.rand(1536, 1536), torch.rand(1536, 1536)
    seconds: dict[str, list[float]] = {"step": [], "product": []}
    for _ in range(4):
        for name, run in (("step", step), ("product", lambda: one @ other)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    flops = 3 * counter.get_total_flops()  # backwards twice as many: for weights, and for what comes before
    return {"step": flops / min(seconds["step"]) / 1e9, "product": 2 * 1536**3 / min(seconds["product"]) / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs="+")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=list(CONFIGURATIONS))
    options = parser.parse_args()
    if options.child:
        side, folder, data, encoder, size, batch = options.child
        child(side, Path(folder), Path(data), encoder, int(size), int(batch))
        return
    data = shared_data()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        prepared(data, Path(place))
        for name, configuration in CONFIGURATIONS.items():
            if options.only and name != options.only:
                continue
            found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
            for turn in range(options.turns):
                for side in SIDES:
                    found[side].append(measured(side, Path(place), data, configuration))
                    print(f"{name} {turn + 1}: {side} {found[side][-1]['steady']:.2f} images/s", flush=True)
            rows[name] = _row(found) | {"gflops": peak(*configuration)}
            print(json.dumps(rows[name], indent=1), flush=True)
    from segue.hardware import processor

    bf16 = "bf16" in processor()
    save("train_speed", {"rows": rows, "bf16": bf16, "marks": dict(zip(CONFIGURATIONS, MARKS[bf16], strict=True))})


def _row(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    row: dict[str, Any] = {"how": {side: runs[0]["how"] for side, runs in found.items()}}
    for kind in ("steady", "epoch", "peak_bytes"):
        row[kind] = {side: statistics.median(run[kind] for run in runs) for side, runs in found.items()}
        for peer in ("default", "best"):
            ratios = [a[kind] / b[kind] for a, b in zip(found["ours"], found[peer], strict=True)]
            row[f"{kind}_over_{peer}"] = statistics.median(ratios)
    row["peer_waits_for_its_loader"] = statistics.median(run["loader_share"] for run in found["default"])
    return row


if __name__ == "__main__":
    main()
