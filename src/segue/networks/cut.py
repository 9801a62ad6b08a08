"""Cutting off what no gradient reaches, such as an encoder's last stages when only the first are used.

Left in place these would be stored, counted, decayed by the optimiser and missed by DDP. One forward on a small image,
without random numbers, tells which parameters its outputs hang on.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn

from segue.networks.network import Body
from segue.networks.outputs import Outputs


class CutOff(nn.Module):
    """Where something has been. Some encoders still walk through their unused blocks."""

    def forward(self, x: Tensor, *_: object, **__: object) -> Tensor:
        return x


def cut(body: Body, x: Tensor) -> Outputs:
    """Take whole unused modules out; freeze single parameters that are unused within a used one.

    The outputs of the image x come back, so that the caller can look at their sizes.
    """
    training = body.training
    body.eval()
    found = body(x)
    reached = _reached([found.logits, *found.deep, *([] if found.reconstruction is None else [found.reconstruction])])
    unused = {id(p) for p in body.parameters() if p.requires_grad and id(p) not in reached}
    if unused:
        _cut(body, unused)
        with torch.no_grad():
            again = body(x)
        if not torch.equal(again.logits, found.logits):
            raise RuntimeError("cutting off unused modules has changed what the network computes")
    body.train(training)
    return found


def trial(body: Body, channels: int) -> Tensor:
    """A small image, not square, of sizes that fit."""
    if not isinstance(body.divisor, int):
        sizes = [2 * side for side in body.divisor]
        return torch.linspace(-2, 2, channels * math.prod(sizes)).view(1, channels, *sizes)
    assert isinstance(body.smallest, int)
    small = max(body.smallest, -(-64 // body.divisor) * body.divisor)
    return torch.linspace(-2, 2, channels * small * (small + body.divisor)).view(
        1, channels, small, small + body.divisor
    )


def _reached(outputs: list[Tensor]) -> Collection[int]:
    """The ids of all leaves of the graph that led to these."""
    seen, leaves = set(), set()
    waiting = [output.grad_fn for output in outputs]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        waiting += [parent for parent, _ in node.next_functions]
    return leaves


def _cut(module: nn.Module, unused: Collection[int]) -> None:
    for parameter in module.parameters(recurse=False):
        if id(parameter) in unused:
            parameter.requires_grad_(False)
    for name, child in module.named_children():
        parameters = list(child.parameters())
        if parameters and all(id(parameter) in unused for parameter in parameters):
            setattr(module, name, CutOff())
        else:
            _cut(child, unused)
