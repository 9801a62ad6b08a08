"""Several networks of one kind side by side in one, begun from other numbers: it says the mean of what they say, as logits,
and what each says by itself, so that each can learn by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from segue.networks.network import Body, SegmentationNetwork
from segue.networks.outputs import Outputs


class Members(Body):
    def __init__(self, several: Sequence[Body], *, exclusive: bool) -> None:
        """`exclusive`: whether more logits than one are a choice between classes, or a question each."""
        super().__init__()
        self.several = nn.ModuleList(several)
        first = several[0]
        self.dims, self.divisor, self.smallest, self.exclusive = first.dims, first.divisor, first.smallest, exclusive

    def bodies(self) -> list[Body]:
        return [body for body in self.several if isinstance(body, Body)]

    def trunks(self) -> Mapping[str, nn.Module]:
        return {
            f"{number}.{name}": trunk
            for number, body in enumerate(self.bodies())
            for name, trunk in body.trunks().items()
        }

    def forward(
        self, x: Tensor, maps: Sequence[Tensor] | None = None, *, decode: bool = True, levels: int = 0
    ) -> Outputs:
        """Of whole images: maps of an encoder they have none in common."""
        each = tuple(body(x) for body in self.bodies())
        return Outputs(mean([one.logits for one in each], exclusive=self.exclusive), members=each)


def mean(several: Sequence[Tensor], *, exclusive: bool) -> Tensor:
    """Logits of the mean probability, which keep their digits where members are sure."""
    with torch.autocast(several[0].device.type, enabled=False):
        logits = torch.stack([one.float() for one in several])
        if exclusive and logits.shape[2] > 1:
            return logits.log_softmax(2).logsumexp(0)  # of so many: the same number for all classes
        return logsigmoid(logits).logsumexp(0) - logsigmoid(-logits).logsumexp(0)


def apart(network: SegmentationNetwork) -> list[SegmentationNetwork]:
    """Each member as a network of its own, of the same tensors; of a network that has none itself."""
    if not isinstance(network.body, Members):
        return [network]
    settings = network.settings.model_copy(update={"members": 1})
    several = [
        SegmentationNetwork(
            body,
            settings=settings,
            target=network.target,
            channels=network.channels,
            mean=network.mean,
            std=network.std,
        )
        for body in network.body.bodies()
    ]
    return [one.train(network.training) for one in several]
