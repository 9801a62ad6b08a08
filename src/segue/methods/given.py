"""What a method that learns masks is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from segue.data.target import Target
from segue.methods.settings import ConsistencySettings, DistilSettings, SemiSettings, SiteSettings
from segue.variations.variation import Variation


@dataclass(frozen=True)
class Given:
    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]  # logits and target -> (n,)
    variation: Variation
    target: Target
    semi: SemiSettings = field(default_factory=SemiSettings)
    consistency: ConsistencySettings = field(default_factory=ConsistencySettings)
    site: SiteSettings = field(default_factory=SiteSettings)
    distil: DistilSettings = field(default_factory=DistilSettings)
    shares: tuple[float, ...] | None = None  # how much of a mask is of which channel, where a method asks for it
    teachers: Callable[[Tensor], Tensor] | None = (
        None  # images -> probabilities, where a method learns from others' words
    )
