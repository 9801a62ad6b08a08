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
    seconds: dict[str, float] = {}
    found: dict[str, Settings] = {}
    for precision, channels_last in (
        ("32-true", False),
        ("32-true", True),
        ("bf16-mixed", True),
        ("bf16-mixed", False),
    ):
        name = f"{precision}{', channels_last' if channels_last else ''}"
        hopeless = 2 * min(seconds.values()) if seconds else None
        if hopeless and seconds.get("bf16-mixed, channels_last", 0.0) > hopeless:
            break  # no units for it on this CPU
        found[name] = Settings(channels_last=channels_last, precision=precision, workers=workers)
        seconds[name] = _step_seconds(network, found[name], size, batch, device, hopeless)
    return found[min(seconds, key=lambda name: seconds[name])], seconds


def _step_seconds(
    network: nn.Module, settings: Settings, size: int, batch: int, device: torch.device, limit: float | None
) -> float:
    """The shortest of three steps after one that warms up; one beyond `limit` is enough."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]
    images = torch.rand(batch, 3, size, size, device=device).to(memory_format=layout)
    optimiser = torch.optim.AdamW(network.parameters())
    taken = []
    for number in range(4):
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16-mixed"):
            loss = network(images).float().square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
        if limit is not None and number == 1 and min(taken) > limit:
            break
    return min(taken[1:])
