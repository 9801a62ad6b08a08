"""Normalisation layers exchanged for others, everywhere in a network; and what batch norms remember, learnt anew."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segue.networks.exchange import exchange

_GROUPS, _TOGETHER = 32, 4  # at most so many groups, of at least so many channels


def has_batch_norm(module: nn.Module) -> bool:
    return any(isinstance(each, _BatchNorm) for each in module.modules())


def keep_still(module: nn.Module, *, everything: bool) -> None:
    """Batch norms keep their running statistics; everything: dropout and the like are off as well."""
    for each in module.modules():
        if everything or isinstance(each, _BatchNorm):
            each.training = False


@torch.no_grad()
def remember_anew(module: nn.Module, batches: Iterable[Tensor]) -> int:
    """Batch norms forget the images whose statistics they keep, and learn those of these, each batch counting alike; nothing
    else changes. How many images they saw: none where there are no batch norms, and nothing is read then."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.track_running_stats]
    if not norms:
        return 0
    momenta, training, seen = [norm.momentum for norm in norms], module.training, 0
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True  # the mean over all batches
    for images in batches:
        module(images)
        seen += len(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    module.train(training)
    return seen


def to_group_norm(module: nn.Module) -> None:
    """Every batch norm becomes a group norm with the same scale and shift."""
    exchange(module, _grouped)


def steady(module: nn.Module) -> None:
    """Batch norms that also stand a single value per channel, as pooling to one pixel gives for a batch of one."""
    exchange(module, _steadied)


class SteadyBatchNorm2d(nn.BatchNorm2d):
    """A single value has no spread: for it the running statistics stand in."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


class GroupNormThen(nn.GroupNorm):
    """A single value in a group is passed on as it is. timm's batch norms bring their activation along."""

    def forward(self, x: Tensor) -> Tensor:
        if x[0].numel() > self.num_groups:
            x = super().forward(x)
        elif self.affine:
            x = x * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        for name in ("drop", "act"):
            if hasattr(self, name):
                x = getattr(self, name)(x)
        return x


def _steadied(old: nn.Module) -> nn.Module | None:
    if type(old) is not nn.BatchNorm2d or not old.track_running_stats:
        return None
    new = SteadyBatchNorm2d(old.num_features, old.eps, old.momentum, old.affine)
    new.load_state_dict(old.state_dict())
    return new.train(old.training)


def _grouped(old: nn.Module) -> nn.Module | None:
    if not isinstance(old, _BatchNorm):
        return None
    channels = old.num_features
    fitting = (g for g in range(_GROUPS, 1, -1) if channels % g == 0 and channels // g >= _TOGETHER)
    new = GroupNormThen(next(fitting, 1), channels, old.eps, old.affine)
    if old.affine:
        new.load_state_dict({"weight": old.weight.detach(), "bias": old.bias.detach()})
    for name in ("drop", "act"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
    return new
