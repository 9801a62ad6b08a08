"""What a step takes of memory, counted without taking a step: how large a batch may be."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from segue.executors.machine import available_memory

_COPIES = 4  # of each weight: itself, its gradient, Adam's two moments
_BESIDE = 1.5  # what routines work in and what gradients pass through, on top of what is kept for them
_SHARE = 0.8  # of what is free


def fitting_batch(
    network: nn.Module, device: torch.device, *, channels: int, size: tuple[int, ...], views: int, processes: int
) -> int:
    """The most images of a micro-batch, as far as can be told; at least one."""
    weights = _COPIES * sum(p.numel() * p.element_size() for p in network.parameters())
    image = _BESIDE * views * kept_for_gradients(network, channels=channels, size=size)
    free = free_memory(device) / (processes if device.type == "cpu" else 1)
    return max(1, int((_SHARE * free - weights) / image))


def kept_for_gradients(network: nn.Module, *, channels: int, size: tuple[int, ...]) -> float:
    """Bytes an image. The network runs on tensors without memory, which costs no time and none either."""
    twin = copy.deepcopy(network).to("meta").train()
    kept: dict[int, Tensor] = {}  # by storage; held, so that no other takes its place

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    own = {p.untyped_storage()._cdata for p in [*twin.parameters(), *twin.buffers()]}
    images = 2
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = twin(torch.empty(images, channels, *size, device="meta")).logits
    bytes_kept = sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)
    return (bytes_kept + logits.untyped_storage().nbytes()) / images


def free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return available_memory()
