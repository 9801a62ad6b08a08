"""Are the phantoms hard in the way real data is hard? A small U-Net from scratch, few masks to many, sites unseen.

    python benchmarks/phantom_hardness.py --phantom colon --labels 8 40 200 --out hardness.json

It trains on labelled frames of one site (one per patient), tests on new patients of every site, and prints Dice on
frames with a lesion and the share of frames without one in which it finds one all the same. Needs torch and the
phantoms, nothing else of Segue: this is a check of the data, made before the phantoms were frozen, and not a baseline
to beat. Deterministic for a seed, a number of threads and a kind of CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segue.data.phantoms import PHANTOMS, Frame

SIZE = (96, 128)
FOUND = 0.002  # share of a frame's pixels from which on something counts as found


class UNet(nn.Module):
    """Four levels, 0.45 million parameters."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in pairwise((3, *widths)))
        self.up = nn.ModuleList(_block(a + b, a) for a, b in pairwise(widths))
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, skip in zip(reversed(self.up), reversed(kept[:-1]), strict=True):
            x = block(torch.cat([skip, F.interpolate(x, scale_factor=2.0)], 1))
        return self.head(x)


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def load(phantom: str, *, site: str, patients: range, each: int) -> tuple[Tensor, Tensor]:
    """Images (n, 3, rows, columns) around 0 and masks (n, 1, rows, columns) of everyone's first `each` cases."""
    images, masks = [], []
    kind = PHANTOMS[phantom]
    for patient in patients:
        for case in islice(kind.samples(site=site, patients=[patient], seed=0), each):
            assert isinstance(case, Frame)
            images.append(cv2.resize(case.image, SIZE[::-1], interpolation=cv2.INTER_AREA))
            masks.append(cv2.resize(case.mask, SIZE[::-1], interpolation=cv2.INTER_NEAREST))
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(np.stack(masks))[:, None].float()


def train(x: Tensor, y: Tensor, *, steps: int, seed: int, bf16: bool) -> UNet:
    """AdamW, one cycle, flips and brightness; cross-entropy and Dice."""
    torch.manual_seed(seed)
    network: UNet = UNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-9, weight_decay=1e-2)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        pick = torch.randint(len(x), (16,))
        flips = [axis for axis in (2, 3) if torch.rand(()) < 0.5]
        scale, shift = 1 + 0.15 * torch.randn(16, 3, 1, 1), 0.1 * torch.randn(16, 1, 1, 1)
        image = (x[pick].flip(flips) * scale + shift).contiguous(memory_format=torch.channels_last)
        truth = y[pick].flip(flips)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(image)
        logits = logits.float()
        likely = logits.sigmoid()
        overlap = 1 - (2 * (likely * truth).sum((1, 2, 3)) + 1) / ((likely + truth).sum((1, 2, 3)) + 1)
        loss = F.binary_cross_entropy_with_logits(logits, truth) + overlap.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    return network


def test(network: UNet, x: Tensor, y: Tensor) -> dict[str, float]:
    """Mean Dice over the frames with a lesion; share of the others in which something is found."""
    with torch.no_grad():
        found = torch.cat([network(part) > 0 for part in x.split(50)])
    has = y.sum((1, 2, 3)) > 0
    dice = 2 * (found & (y > 0)).sum((1, 2, 3)) / (found.sum((1, 2, 3)) + y.sum((1, 2, 3))).clamp(min=1)
    false = found.float().mean((1, 2, 3)) > FOUND
    share = false[~has].float().mean().item() if (~has).any() else math.nan
    return {"dice": dice[has].mean().item(), "false": share, "lesions": int(has.sum()), "without": int((~has).sum())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantom", choices=[name for name, kind in PHANTOMS.items() if kind.flat], default="colon")
    parser.add_argument("--labels", type=int, nargs="+", default=[8, 40, 200])
    parser.add_argument("--source", help="the site trained on (the first one)")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.use_deterministic_algorithms(True)
    bf16 = torch.cpu._is_avx512_bf16_supported() if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False
    sites = PHANTOMS[options.phantom].sites
    source = options.source or sites[0]
    began = time.perf_counter()
    x, y = load(options.phantom, site=source, patients=range(max(options.labels)), each=1)
    tests = {site: load(options.phantom, site=site, patients=range(10_000, 10_060), each=2) for site in sites}
    print(f"| masks | seed | {' | '.join(f'{site}: Dice, false' for site in sites)} | minutes |")
    print("|" + "---|" * (len(sites) + 3))
    rows = []
    for labels in options.labels:
        for seed in range(options.seeds):
            start = time.perf_counter()
            network = train(x[:labels], y[:labels], steps=options.steps, seed=seed, bf16=bf16)
            minutes = (time.perf_counter() - start) / 60
            scores = {site: test(network, *tests[site]) for site in sites}
            cells = " | ".join(f"{score['dice']:.3f}, {score['false']:.2f}" for score in scores.values())
            print(f"| {labels} | {seed} | {cells} | {minutes:.1f} |", flush=True)
            rows.append({"labels": labels, "seed": seed, "minutes": minutes, "sites": scores})
    if options.out:
        about = {
            "phantom": options.phantom, "source": source, "steps": options.steps, "size": SIZE, "bf16": bf16,
            "parameters": sum(p.numel() for p in UNet().parameters()), "threads": options.threads,
            "cpu": platform.processor() or platform.machine(), "torch": torch.__version__,
            "minutes": (time.perf_counter() - began) / 60, "rows": rows,
        }  # fmt: skip
        options.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
