"""The probe takes what was fastest, and does not dwell on what is hopeless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from segue.executors.machine import cores
from segue.training import machine
from segue.training.machine import MachineSettings, resolve

Form = tuple[str, str]
FP32_LAST, FP32_FIRST = ("32-true", "channels-last"), ("32-true", "channels-first")
BF16_LAST, BF16_FIRST = ("bf16-mixed", "channels-last"), ("bf16-mixed", "channels-first")


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Form, dict[Form, list[int]]]]:
    """What is chosen on a machine with these seconds an image, and the images of each step that was taken."""

    def run(seconds: dict[Form, float], **asked: Any) -> tuple[Form, dict[Form, list[int]]]:
        taken: dict[Form, list[int]] = {}

        def step(network: Any, device: Any, precision: str, layout: str, *, images: int, size: Any, **_: Any) -> Any:
            def one() -> float:
                taken.setdefault((precision, layout), []).append(images * size[0] * size[1])
                return seconds[precision, layout] * images * size[0] * size[1]

            return one

        monkeypatch.setattr(machine, "_step", step)
        settings = MachineSettings(device="cpu", **asked)
        found = resolve(settings, nn.Conv2d(3, 1, 1), channels=3, size=(256, 256))
        return (str(found.precision), str(found.layout)), taken

    return run


def test_the_fastest(probed: Any) -> None:
    times = {FP32_LAST: 1.0, FP32_FIRST: 0.8, BF16_LAST: 0.5, BF16_FIRST: 0.4}
    assert probed(times)[0] == BF16_FIRST
    assert probed(times, precision="32-true")[0] == FP32_FIRST
    assert probed(times, layout="channels-last")[0] == BF16_LAST


def test_of_equals_the_plainest(probed: Any) -> None:
    assert probed(dict.fromkeys((FP32_LAST, FP32_FIRST, BF16_LAST, BF16_FIRST), 1.0))[0] == FP32_LAST


def test_half_precision_without_units_for_it_costs_one_small_step(probed: Any) -> None:
    chosen, taken = probed({FP32_LAST: 1.0, FP32_FIRST: 1.2, BF16_LAST: 20.0, BF16_FIRST: 20.0})
    assert chosen == FP32_LAST
    assert taken[BF16_LAST] == [2 * 128 * 128]
    assert BF16_FIRST not in taken
    assert max(taken[FP32_FIRST]) == 2 * 256 * 256


def test_what_is_said_is_not_probed(probed: Any) -> None:
    chosen, taken = probed({}, precision="32-true", layout="channels-first")
    assert chosen == FP32_FIRST
    assert not taken


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr("os.getloadavg", lambda: (4.4, 0.0, 0.0), raising=False)
    assert not machine.crowd()
    monkeypatch.setattr("os.getloadavg", lambda: (9.0, 0.0, 0.0), raising=False)
    assert "load 9.0 on 4 cores" in machine.crowd()


def test_threads_are_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """As schedulers set it; a setting of one's own is stronger, and nonsense is passed over."""

    def threads(told: str, **asked: Any) -> object:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        settings = MachineSettings(device="cpu", precision="32-true", layout="channels-last", **asked)
        return resolve(settings, nn.Conv2d(3, 1, 1), channels=3, size=(8, 8)).threads

    before = torch.get_num_threads()
    monkeypatch.setattr("segue.training.machine.load", lambda: 0.0)
    try:
        assert threads("3") == 3
        assert threads("3,1") == 3
        assert threads("3", threads=2) == 2
        assert threads("") == threads("many") == threads("0") == cores()
        # Where others want all cores and more, one is left to us; what somebody says is stronger.
        monkeypatch.setattr("segue.training.machine.load", lambda: 10.0 * cores())
        assert (threads(""), threads("3")) == (1, 3)
    finally:
        torch.set_num_threads(before)
