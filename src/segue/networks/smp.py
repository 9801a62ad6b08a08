"""The architectures of segmentation-models-pytorch, as bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from segue.networks.network import Body
from segue.networks.outputs import Outputs


class SmpBody(Body):
    def __init__(self, model: Any, *, smallest: int = 1) -> None:
        super().__init__()
        self.encoder: Any = model.encoder
        self.decoder: Any = model.decoder
        self.head: Any = model.segmentation_head
        self.divisor = int(self.encoder.output_stride)
        self.smallest = max(smallest, self.divisor)

    def trunks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder}

    def forward(self, x: Tensor, maps: Sequence[Tensor] | None = None) -> Outputs:
        found = self.encoder(x) if maps is None else list(maps)
        # Some decoders normalise the list's own entries in place of it.
        return Outputs(self.head(self.decoder(list(found))), features=tuple(found))
