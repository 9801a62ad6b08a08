"""Modules exchanged for others, everywhere in a network."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def exchange(module: nn.Module, by: Callable[[nn.Module], nn.Module | None]) -> None:
    """Each module for which `by` gives another makes room for it; what is inside of others is asked too."""
    for name, child in module.named_children():
        new = by(child)
        if new is None:
            exchange(child, by)
        else:
            setattr(module, name, new)
