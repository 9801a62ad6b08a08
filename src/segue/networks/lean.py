"""A network for predicting alone: batch norms are taken into the convolutions before them, which gives the same numbers (to
rounding) and passes over each map once less; and what half precision would halve again for each batch is halved once.

What follows what is seen while the network runs, because names and nesting differ from encoder to encoder; and the lean
network has to give what the other gave, or the norms stay.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segue.networks.cut import trial
from segue.networks.network import SegmentationNetwork

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)  # and none of their kinds, which may do with their weights what they like
_APART = 1e-3  # of the largest logit


def lean(network: SegmentationNetwork, *, half: bool) -> SegmentationNetwork:
    """A copy that evaluates alike, on the same device; `half`: under autocast to bfloat16."""
    copy = _without_norms(network)
    if half:
        for module in copy.modules():
            if type(module) in _CONVOLUTIONS:
                module.to(torch.bfloat16)
    return copy


def _without_norms(network: SegmentationNetwork) -> SegmentationNetwork:
    copy = deepcopy(network).eval()
    if not any(isinstance(module, _BatchNorm) for module in copy.modules()):
        return copy
    image = trial(copy.body, copy.channels).to(next(copy.parameters()).device)
    with torch.inference_mode():
        before, pairs = _seen(copy, image)
    names = {id(module): name for name, module in copy.named_modules()}
    for convolution, norm in pairs:
        _take_in(convolution, norm)
        copy.set_submodule(names[id(norm)], _rest(norm))
    with torch.inference_mode():
        after = copy(image).logits
    alike = float((after - before).abs().max()) <= _APART * float(before.abs().max())
    return copy if alike else deepcopy(network).eval()


def _seen(network: nn.Module, image: Tensor) -> tuple[Tensor, list[tuple[nn.Module, nn.Module]]]:
    """The logits, and every convolution with the norm that takes what it gives and that nothing else asks for."""
    outputs: dict[int, tuple[Tensor, nn.Module]] = {}  # kept, so that no other tensor gets the place of one
    calls: dict[nn.Module, int] = {}
    pairs: dict[nn.Module, nn.Module] = {}

    def note(module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        if type(module) in _CONVOLUTIONS:
            outputs[id(found)] = (found, module)
        elif id(given[0]) in outputs:
            pairs[outputs[id(given[0])][1]] = module

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if type(module) in _CONVOLUTIONS or isinstance(module, _BatchNorm)
    ]
    try:
        logits = network(image).logits
    finally:
        for hook in hooks:
            hook.remove()
    for module in network.modules():  # a decoder's block uses its convolution's weights itself
        if isinstance(module, nn.Sequential):
            for first, second in pairwise(module):
                if type(first) in _CONVOLUTIONS and first not in calls and isinstance(second, _BatchNorm):
                    pairs[first] = second
    return logits, [
        (first, second)
        for first, second in pairs.items()
        if calls.get(first, 1) == calls.get(second) == 1 and second.running_mean is not None
    ]


@torch.no_grad()
def _take_in(convolution: nn.Module, norm: nn.Module) -> None:
    assert isinstance(convolution, _CONVOLUTIONS)
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var + norm.eps).rsqrt()
    shift = torch.zeros_like(scale) if convolution.bias is None else convolution.bias
    shift = (shift - norm.running_mean) * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    scale = scale.view(-1, *[1] * (convolution.weight.ndim - 1))
    convolution.weight = nn.Parameter(convolution.weight * scale)  # in the same order in memory
    convolution.bias = nn.Parameter(shift)


def _rest(norm: nn.Module) -> nn.Module:
    """What some encoders' norms do besides: an activation."""
    besides = [getattr(norm, name) for name in ("drop", "act") if isinstance(getattr(norm, name, None), nn.Module)]
    return nn.Sequential(*besides) if besides else nn.Identity()
