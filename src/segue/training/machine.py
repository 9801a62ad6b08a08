"""What this machine does best, found out once before training and written into the run.

A setting that is fast on one processor is slow on the next (half precision is 2.5 times faster or 2.5 times slower), so
nothing is assumed: a few steps on random images decide. The network is a copy, so a probe never changes what is learnt.
"""

from __future__ import annotations

import copy
import ctypes
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from segue.config import Auto, Settings
from segue.executors.machine import cores
from segue.words import count

Precision = Literal["32-true", "bf16-mixed"]
Layout = Literal["channels-first", "channels-last"]

_FEW, _SMALLER, _SMALLEST = 2, 128, 32  # images of a first step, and their longest side; of volumes
_PIXELS, _TURNS = 2 * 256 * 256, 2  # pixels of a real one, and how many of these
_HOPELESS = 3.0  # times the best first step
_CLEARLY = 0.97  # of the first form's time, or the first form stays
_CROWDED = 1.25  # load average for each core
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


def resolve(settings: MachineSettings, network: nn.Module, *, channels: int, size: tuple[int, ...]) -> MachineSettings:
    settings = settings.resolve(device=best_device())
    on_cpu = settings.device == "cpu"
    settings = settings.resolve(
        threads=(_told_threads() or max(1, _free() // settings.devices)) if on_cpu else 1,
        # The network takes nearly all the time of a CPU, and making batches beside it would only get in its way.
        workers=0 if on_cpu else max(1, min(8, cores() - 1)),
    )
    torch.set_num_threads(int(settings.threads))
    if "auto" in (settings.precision, settings.layout):
        precision, layout = _fastest(settings, network, channels=channels, size=size)
        settings = settings.resolve(precision=precision, layout=layout)
    return settings


def _free() -> int:
    """Cores that others leave: a step waits for its slowest thread, and one that shares its core is many times as slow."""
    busy = math.floor(load()) if load() > _CROWDED * cores() else 0
    return max(1, cores() - busy)


def _told_threads() -> int:
    """What the environment says, as schedulers of a cluster do; 0 where it says nothing."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(told) if told.isdigit() else 0


def best_device() -> Literal["cpu", "cuda", "mps"]:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def channels_last(network: nn.Module) -> nn.Module:
    """In the memory layout that keeps a pixel's, or a voxel's, channels together. In place."""
    volumes = any(parameter.ndim == 5 for parameter in network.parameters())
    form = torch.channels_last_3d if volumes else torch.channels_last
    return network.to(memory_format=form)  # type: ignore[call-overload]  # torch's stubs lack it


def crowd() -> str:
    """A sentence where others keep this machine busy: threads that wait for each other then wait for strangers."""
    if load() <= _CROWDED * cores():
        return ""
    return (
        f"other programs keep this machine busy (load {load():.1f} on {cores()} cores): slow, on {count(_free(), 'thread')}, "
        "and times are a rough guess"
    )


def load() -> float:
    """Programs that want a core, over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def sensible_batch(size: tuple[int, ...]) -> int:
    """Images of a step, for what they are worth; memory may allow fewer at once."""
    if len(size) == 3:
        return 2  # as many voxels as pictures have pixels, and instance norms do not mind
    return 16 if math.prod(size) <= _SMALL else 8


def _fastest(
    settings: MachineSettings, network: nn.Module, *, channels: int, size: tuple[int, ...]
) -> tuple[Precision, Layout]:
    """In turns, so that a slow moment of the machine slows all alike. Where two are equal, the first is taken."""
    precisions: list[Precision] = ["32-true", "bf16-mixed"] if settings.precision == "auto" else [settings.precision]
    layouts: list[Layout] = ["channels-last", "channels-first"] if settings.layout == "auto" else [settings.layout]
    device = torch.device(str(settings.device))
    # As many pixels as a real step has, or nearly: small batches have other favourites.
    count = max(_FEW, min(16, _PIXELS // math.prod(size)))

    def step(form: tuple[Precision, Layout], images: int, size: tuple[int, ...]) -> Callable[[], float]:
        return _step(network, device, *form, images=images, channels=channels, size=size)

    with untouched_randomness():
        # Half precision without units for it takes minutes for a real batch; two small images tell that it is hopeless.
        small = tuple(min(side, _SMALLER if len(size) == 2 else _SMALLEST) for side in size)
        first: dict[tuple[Precision, Layout], float] = {}
        for precision in precisions:
            for layout in layouts:
                first[precision, layout] = step((precision, layout), _FEW, small)()
                if first[precision, layout] > _HOPELESS * min(first.values()):
                    break  # in this precision
        steps = {form: step(form, count, size) for form in first if first[form] <= _HOPELESS * min(first.values())}
        for warm in steps.values():
            warm()  # chooses kernels
        turns = [{form: step() for form, step in steps.items()} for _ in range(_TURNS)]
    times = {form: min(turn[form] for turn in turns) for form in steps}
    plain = next(iter(times))
    fastest = min(times, key=lambda form: times[form])
    return fastest if times[fastest] < _CLEARLY * times[plain] else plain


def _step(
    network: nn.Module,
    device: torch.device,
    precision: Precision,
    layout: Layout,
    *,
    images: int,
    channels: int,
    size: tuple[int, ...],
) -> Callable[[], float]:
    """Takes a step of a twin, and says how many seconds it took."""
    twin = copy.deepcopy(network).to(device).train()
    batch = torch.rand((images, channels, *size), generator=torch.Generator().manual_seed(0)).to(device)
    if layout == "channels-last":
        twin = channels_last(twin)
        batch = batch.contiguous(memory_format=torch.channels_last if batch.ndim == 4 else torch.channels_last_3d)

    def step() -> float:
        _wait(device)
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            logits = twin(batch).logits
        logits.float().square().mean().backward()
        _wait(device)
        return time.perf_counter() - start

    return step


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
