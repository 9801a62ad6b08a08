"""Some samples of a batch of tensors: taken out, worked on, put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def on(x: Tensor, acts: npt.NDArray[np.bool_], stage: Callable[[Sequence[int], Tensor], Tensor]) -> Tensor:
    """A stage done to the samples that ask for it."""
    rows = [int(index) for index in np.flatnonzero(acts)]
    return put(x, rows, stage(rows, rows_of(x, rows)).clamp_(0, 1))


def rows_of(x: Tensor, rows: Sequence[int]) -> Tensor:
    return x if len(rows) == len(x) else x[list(rows)]


def put(x: Tensor, rows: Sequence[int], values: Tensor) -> Tensor:
    if len(rows) == len(x):
        return values
    return x.index_copy(0, torch.as_tensor(list(rows), device=x.device), values)


def to_tensor(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)
