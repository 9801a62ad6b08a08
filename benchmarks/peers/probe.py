"""How the peer was tuned: its knobs one by one, each run a process of its own, in turns, against its defaults.

    python -m benchmarks.peers.probe DATA --size 128 --batch 16 --steps 15 --turns 3

The loader alone comes first: how many images a second it could deliver to a network that costs nothing. The speed of a
variant is taken from the fastest quarter of its steps over all turns, which other work on the machine disturbs least.
On a busy machine even that is of no use: with `--busy` torch's threads sleep while they wait, so that the processor
seconds of a step say what it costs, whoever else is there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import pairs as layouts
from benchmarks.peers.dataset import Augmentation, Pictures, loader
from benchmarks.peers.pairs import Pair
from benchmarks.peers.settings import ALLOCATOR

Variant = tuple[list[str], dict[str, str]]  # options of smp_lightning, environment

VARIANTS: dict[str, Variant] = {
    "default": ([], {}),
    "workers 0": (["--workers", "0"], {}),
    "workers 1": (["--workers", "1"], {}),
    "1 thread": (["--threads", "1"], {}),
    "all threads": (["--threads", str(os.cpu_count())], {}),
    "channels_last": (["--channels-last"], {}),
    "bf16": (["--precision", "bf16-mixed"], {}),
    "bf16, channels_last": (["--precision", "bf16-mixed", "--channels-last"], {}),
    "allocator": ([], ALLOCATOR),
    "channels_last, allocator": (["--channels-last"], ALLOCATOR),
    "channels_last, workers 0": (["--channels-last", "--workers", "0"], {}),
    "best": (["--settings", "best"], {}),
}


def loader_alone(pairs: list[Pair], size: int, batch: int, workers: int, augmentation: Augmentation) -> float:
    """Images a second, workers already running and torch on one thread, as beside a network that takes none."""
    torch.set_num_threads(1)
    batches = loader(Pictures(pairs, size, augmentation), batch, workers, shuffle=True)
    for _ in batches:
        pass
    start = time.perf_counter()
    for _ in batches:
        pass
    return len(batches) * batch / (time.perf_counter() - start)


def run(variant: Variant, data: Path, options: list[str]) -> dict[str, Any]:
    extra, environment = variant
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.json"
        command = [sys.executable, "-m", "benchmarks.peers.smp_lightning", str(data), *options, *extra]
        subprocess.run(
            [*command, "--json", str(out)], check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        said: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--layout", default="kvasir-seg", choices=layouts.LAYOUTS)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--no-loader", action="store_true")
    parser.add_argument("--busy", action="store_true", help="other work is on this machine: see above")
    args = parser.parse_args()
    if args.busy:
        os.environ["OMP_WAIT_POLICY"] = "passive"

    if not args.no_loader:
        parts = layouts.read(args.data, args.layout)
        pairs = parts.get("train", parts.get("all", []))[: 20 * args.batch]
        for elastic in (0.0, 40.0):
            for workers in (0, 1, 2):
                speed = loader_alone(pairs, args.size, args.batch, workers, Augmentation(elastic=elastic))
                print(f"loader alone, elastic {elastic:g}, workers {workers}: {speed:.0f} images/s", flush=True)

    options = ["--layout", args.layout, "--encoder", args.encoder, "--size", str(args.size), "--batch", str(args.batch)]
    options += ["--steps", str(args.steps), "--warm-up", "2", "--no-validation"]
    speeds: dict[str, list[dict[str, Any]]] = {name: [] for name in args.variants}
    for turn in range(args.turns):
        for name in args.variants:
            speeds[name].append(run(VARIANTS[name], args.data, options))
            print(f"turn {turn} {name}: {speeds[name][-1]['images_per_second']:.2f}", flush=True)
    table(speeds, args.batch, f"{args.encoder} {args.size} px, batch {args.batch}")


def table(speeds: dict[str, list[dict[str, Any]]], batch: int, title: str) -> None:
    first = next(iter(speeds))
    rows = {}
    for name, runs in speeds.items():
        wall, processor = (
            fastest([step for row in runs for step in row[key]]) / batch
            for key in ("step_seconds", "processor_seconds")
        )
        rows[name] = (
            wall,
            processor,
            *(statistics.median(row[k] for row in runs) for k in ("loader_share", "peak_bytes")),
        )
    print(f"\n| {title} | images/s | x {first} | processor ms an image | x {first} | waiting for batches | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for name, (wall, processor, share, peak) in rows.items():
        faster, lighter = rows[first][0] / wall, rows[first][1] / processor
        print(
            f"| {name} | {1 / wall:.2f} | {faster:.2f} | {1000 * processor:.0f} | {lighter:.2f} | {share:.1%} "
            f"| {peak / 2**20:.0f} |"
        )


def fastest(seconds: list[float]) -> float:
    """The mean of the fastest quarter."""
    return statistics.mean(sorted(seconds)[: max(len(seconds) // 4, 1)])


if __name__ == "__main__":
    main()
