"""What this machine does best, found out once before training and written into the run.

A setting that is fast on one processor is slow on the next (half precision is 2.5 times faster or 2.5 times slower), so
nothing is assumed: a few steps on random images decide. The network is a copy, so a probe never changes what is learnt.
"""

from __future__ import annotations

import copy
import ctypes
import math
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from segue.config import Auto, Settings
from segue.executors.local import cores

Precision = Literal["32-true", "bf16-mixed"]
Layout = Literal["channels-first", "channels-last"]

_PROBED = 2  # images a step of the probe
_HOPELESS = 3.0  # times the best so far: even a first step is not that slow
_CLEARLY = 0.97  # of the plain form's time, or the plain form stays
_SMALL = 160 * 160  # pixels of an image up to which a batch of 16 is a step


class MachineSettings(Settings):
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Annotated[int, Field(ge=1)] = 1  # processes that share a batch
    threads: Annotated[int, Field(ge=1)] | Auto = "auto"
    workers: Annotated[int, Field(ge=0)] | Auto = "auto"  # processes that make batches
    precision: Precision | Auto = "auto"
    layout: Layout | Auto = "auto"


def keep_memory() -> bool:
    """Tell glibc to keep what it was given: large tensors are else returned to the kernel after every step, and
    their pages brought in again, which costs 10 to 35 % of a step."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    trim, top_pad, mmap = -1, -2, -3
    largest = 2**31 - 1
    return bool(mallopt(mmap, largest) and mallopt(trim, largest) and mallopt(top_pad, 256 << 20))


def resolve(settings: MachineSettings, network: nn.Module, *, channels: int, size: tuple[int, int]) -> MachineSettings:
    settings = settings.resolve(device=best_device())
    on_cpu = settings.device == "cpu"
    settings = settings.resolve(
        threads=max(1, cores() // settings.devices) if on_cpu else 1,
        # The network takes nearly all the time of a CPU, and making batches beside it would only get in its way.
        workers=0 if on_cpu else max(1, min(8, cores() - 1)),
    )
    torch.set_num_threads(int(settings.threads))
    if "auto" in (settings.precision, settings.layout):
        precision, layout = _fastest(settings, network, channels=channels, size=size)
        settings = settings.resolve(precision=precision, layout=layout)
    return settings


def best_device() -> Literal["cpu", "cuda", "mps"]:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def sensible_batch(size: tuple[int, int]) -> int:
    return 16 if size[0] * size[1] <= _SMALL else 8


def _fastest(
    settings: MachineSettings, network: nn.Module, *, channels: int, size: tuple[int, int]
) -> tuple[Precision, Layout]:
    precisions: list[Precision] = ["32-true", "bf16-mixed"] if settings.precision == "auto" else [settings.precision]
    layouts: list[Layout] = ["channels-first", "channels-last"] if settings.layout == "auto" else [settings.layout]
    times: dict[tuple[Precision, Layout], float] = {}
    for precision in precisions:
        for layout in layouts:
            best = min(times.values(), default=math.inf)
            if precision == "bf16-mixed" and times.get((precision, layouts[0]), 0) > 1.5 * best:
                continue  # this processor has no units for it: the second layout will not save it
            device = torch.device(str(settings.device))
            times[precision, layout] = _step_time(
                network, device, precision, layout, best, channels=channels, size=size
            )
    plain = (precisions[0], layouts[0])
    fastest = min(times, key=lambda form: times[form])
    return fastest if times[fastest] < _CLEARLY * times[plain] else plain


def _step_time(
    network: nn.Module,
    device: torch.device,
    precision: Precision,
    layout: Layout,
    best: float,
    *,
    channels: int,
    size: tuple[int, int],
) -> float:
    """Seconds; a form that is hopeless beside the best so far is not tried to the end."""
    twin = copy.deepcopy(network).to(device).train()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((_PROBED, channels, *size), generator=generator).to(device)
    if layout == "channels-last":
        twin = twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        images = images.contiguous(memory_format=torch.channels_last)
    taken = []
    with untouched_randomness():
        for _ in range(4):
            _wait(device)
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
                logits = twin(images).logits
            logits.float().square().mean().backward()
            _wait(device)
            taken.append(time.perf_counter() - start)
            if taken[-1] > _HOPELESS * best:
                break
    return min(taken[1:] or taken)  # the first one chooses kernels


@contextmanager
def untouched_randomness() -> Iterator[None]:
    state = torch.random.get_rng_state()
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
