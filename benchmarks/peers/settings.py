"""The knobs that a practitioner turns for speed without changing what is learnt, and a probe that turns them."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.peers.module import build

# What a guide to PyTorch on CPUs advises besides: glibc keeps large tensors. Set in the environment of a new process.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}


@dataclass(frozen=True, slots=True)
class Settings:
    channels_last: bool = False
    precision: str = "32-true"  # or "bf16-mixed", as Lightning names them
    threads: int | None = None  # None: what torch takes by itself
    workers: int = min(2, os.cpu_count() or 1)  # measured in README.md

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


DEFAULT = Settings()


def best(architecture: str, encoder: str, size: int, batch: int, **options: Any) -> tuple[Settings, dict[str, float]]:
    """The fastest layout and precision for this network here, and the seconds of a step under each."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = DEFAULT.workers if device.type == "cpu" else min(8, os.cpu_count() or 1)
    network = build(architecture, encoder, **options).to(device)
    optimiser = torch.optim.AdamW(network.parameters())
    found = {
        f"{precision}{', channels_last' if channels_last else ''}": Settings(channels_last, precision, workers=workers)
        for precision in (("32-true", "bf16-mixed") if _bf16_pays(device) else ("32-true",))
        for channels_last in (False, True)
    }
    taken: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(5):  # in turns, so that a slow second of the machine does not choose
        for name, settings in found.items():
            taken[name].append(_step_seconds(network, optimiser, settings, size, batch, device))
    seconds = {name: min(each[1:]) for name, each in taken.items()}  # the first warms up
    return found[min(seconds, key=lambda name: seconds[name])], seconds


def _bf16_pays(device: torch.device) -> bool:
    """One small convolution tells in milliseconds; a whole step costs a minute where bf16 is only emulated."""
    taken = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several would mostly wait for each other
    for kind in (torch.float32, torch.bfloat16):
        layer = nn.Conv2d(64, 64, 3, padding=1).to(device, kind)
        images = torch.rand(4, 64, 32, 32, device=device, dtype=kind)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            layer(images).sum().item()
            times.append(time.perf_counter() - start)
        taken[kind] = min(times[1:])
    torch.set_num_threads(threads)
    return taken[torch.bfloat16] < 1.5 * taken[torch.float32]


def _step_seconds(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    settings: Settings,
    size: int,
    batch: int,
    device: torch.device,
) -> float:
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]
    images = torch.rand(batch, 3, size, size, device=device).to(memory_format=layout)
    start = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16-mixed"):
        loss = network(images).float().square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
