"""What all processes of a training have to agree on."""

from __future__ import annotations

import torch.distributed as distributed
from torch import Tensor


def mean_over_processes(values: Tensor) -> Tensor:
    if distributed.is_available() and distributed.is_initialized():
        values = values.clone()
        distributed.all_reduce(values)
        values /= distributed.get_world_size()
    return values
