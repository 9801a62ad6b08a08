"""Fabric as a run's settings have it: on one device, or as one of several processes that share a batch."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from segue.errors import Failed
from segue.training.machine import MachineSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_GRACE = 60.0  # seconds to finish a step and save


def fabric_of(machine: MachineSettings) -> Fabric:
    from lightning_fabric import (
        Fabric,
    )  # half of the time of all imports, which who mistypes a setting need not wait for
    from lightning_fabric.strategies import DDPStrategy

    torch.set_num_threads(int(machine.threads))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # precision is told in our own words
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on settings that were probed
        if world() == 1:
            return Fabric(accelerator=str(machine.device), devices=1, precision=machine.precision)
        backend = "nccl" if machine.device == "cuda" else "gloo"
        fabric = Fabric(
            accelerator=str(machine.device), devices=world(), precision=machine.precision,
            strategy=DDPStrategy(process_group_backend=backend),
        )  # fmt: skip
        fabric.launch()
    return fabric


def world() -> int:
    """Processes of this run, as torch's own launcher tells it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_child() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def spawn(module: str, arguments: Sequence[str], processes: int) -> None:
    """`python -m module arguments`, so many times, as one group. They go on where they were, so one lost is all stopped."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "TORCHELASTIC_RUN_ID": "segue"}
    running = [
        subprocess.Popen([sys.executable, "-m", module, *arguments], env={**os.environ, **address, **_place(rank, processes)})
        for rank in range(processes)
    ]  # fmt: skip
    try:
        codes = _wait(running)
    except BaseException:
        _end(running)
        raise
    if any(codes):
        raise Failed(f"{sum(code != 0 for code in codes)} of {processes} processes failed; what they said stands above")


def _wait(running: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Until all have ended, or one has failed: the others would wait for it for ever."""
    left = list(running)
    while left:
        for process in list(left):
            try:
                code = process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
            left.remove(process)
            if code:
                _end(left)
                left.clear()
                break
    return [process.returncode for process in running]


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Each finishes its step and saves; one that waits for another which is gone does not, and is killed."""
    for process in running:
        process.terminate()
    until = time.monotonic() + _GRACE
    for process in running:
        try:
            process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _place(rank: int, processes: int) -> Mapping[str, str]:
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
        "GROUP_RANK": "0",
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
