"""How many images fit is counted without running anything, and the count follows what a step really keeps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from segue.training import memory
from tests.networks.small import network


def really_kept(size: tuple[int, int], images: int) -> int:
    built = network(encoder="resnet18").train()
    own = {p.untyped_storage().data_ptr() for p in [*built.parameters(), *built.buffers()]}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        built(torch.rand(images, 3, *size))
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_counted_as_it_is(size: tuple[int, int]) -> None:
    counted = memory.kept_for_gradients(network(encoder="resnet18"), channels=3, size=size)
    assert counted == pytest.approx(really_kept(size, 3) / 3, rel=0.1)


def test_half_the_memory_half_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    built = network()

    def fitting(free: int, **told: int) -> int:
        monkeypatch.setattr(memory, "available_memory", lambda: free)
        told = {"views": 1, "processes": 1, **told}
        return memory.fitting_batch(built, torch.device("cpu"), channels=3, size=(256, 256), **told)

    plenty = fitting(8 << 30)
    assert plenty > 16
    assert fitting(4 << 30) == pytest.approx(plenty / 2, rel=0.1)
    assert fitting(8 << 30, views=2) == pytest.approx(plenty / 2, rel=0.1)
    assert fitting(8 << 30, processes=2) == pytest.approx(plenty / 2, rel=0.1)
    assert fitting(1 << 20) == 1


def test_the_network_is_left_as_it_was() -> None:
    built = network().eval()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    memory.kept_for_gradients(built, channels=3, size=(64, 64))
    assert not built.training
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
