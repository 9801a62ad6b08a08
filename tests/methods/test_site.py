"""Another hospital's images alone: what is followed, what keeps still, and who is stopped."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from segue import losses
from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput, Failed
from segue.methods import Given
from segue.methods.settings import SiteSettings
from segue.methods.site import Site
from segue.networks.norms import remember_anew
from segue.step import Batch
from segue.training.batches import Batches, on_device
from segue.training.orders import Order
from segue.variations import parse
from segue.variations.padding import CONSTANT
from tests.methods.test_semi import Bright
from tests.training import small

CPU = torch.device("cpu")


def made(network: nn.Module | None = None, target: Target = small.TARGET, **told: Any) -> Site:
    """With its average, which is what it began from."""
    told = {"weak": "none", "strong": "none", "views": 1, "dropout": 0.0, **told}
    loss = losses.parse("dice + bce", target)
    site = Site(Given(network or Bright(), loss, parse("none"), target, site=SiteSettings(**told)))
    site.average = copy.deepcopy(site.networks["segmenter"]).eval()
    return site


def batch(site: Site, number: int = 0) -> Batch:
    found = small.examples()
    batches = Batches(found, Order(len(found), 0), site.views, size=small.SIZE, batch=4, padding=CONSTANT)
    return on_device(batches[number], CPU)


def bright(scale: float) -> Bright:
    found = Bright()
    found.scale.data.fill_(scale)
    return found


def test_the_average_is_followed_or_the_network_that_it_began_from() -> None:
    """Of the two the one that is sure of nothing teaches nothing."""
    for follow, sure in (("average", False), ("start", True)):
        site = made(bright(60.0), follow=follow)
        site.average = bright(0.1)
        share = float(next(site.step(batch(site))).parts["sure"])
        assert (share > 0.5) == sure


def test_masks_are_never_looked_at() -> None:
    site = made()
    one = batch(site)
    none = Batch(
        tuple(type(v)(v.images, torch.full_like(v.target, IGNORE), v.drawn, v.shown) for v in one.views), one.cases
    )
    with_masks, without = next(site.step(one)), next(made().step(none))
    assert torch.equal(with_masks.per_sample, without.per_sample)
    assert torch.equal(with_masks.weight, without.weight)
    assert with_masks.weight.sum() > 0


def test_what_it_began_from_stays_as_it_was() -> None:
    site = made(bright(60.0), follow="start")
    network = site.networks["segmenter"]
    assert isinstance(network, Bright)
    network.scale.data.fill_(1.0)
    site.average = bright(1.0)
    assert float(next(site.step(batch(site))).parts["sure"]) > 0.5
    assert site.began not in site.networks.values()  # which would learn


def test_batch_norms_keep_still() -> None:
    site = made(small.network())
    network = site.networks["segmenter"].train()
    before = copy.deepcopy(network.state_dict())
    next(site.step(batch(site)))
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


class Shifted(Bright):
    """Finds more, or less, than what is bright."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x: torch.Tensor, *, features: Any = False, decode: bool = True) -> Any:
        found = super().forward(x, features=features, decode=decode)
        return found._replace(logits=found.logits + self.shift)


@pytest.mark.parametrize("shift", [-100.0, 100.0], ids=["nothing", "everything"])
def test_who_finds_nothing_any_more_or_everything_is_stopped(shift: float) -> None:
    """Not by a few batches."""
    site = made(bright(60.0))
    site.average = Shifted(shift)
    for number in range(19):
        next(site.step(batch(site, number)))
    with pytest.raises(Failed, match="by the network that it began from: following itself, it has left") as told:
        next(site.step(batch(site, 19)))
    assert told.value.message.startswith("disk: is found in ")
    assert "--only-statistics" in (told.value.hint or "")


def test_who_stays_what_it_was_goes_on() -> None:
    site = made(bright(60.0))
    for number in range(40):
        parts = next(site.step(batch(site, number))).parts
    assert float(parts["kept"]) == pytest.approx(1)


def test_who_found_nothing_from_the_start_has_nothing_to_lose() -> None:
    site = made(Shifted(-100.0))
    for number in range(30):
        next(site.step(batch(site, number)))


def test_nothing_that_follows_is_told() -> None:
    with pytest.raises(BadInput, match="site: neither views nor dropout"):
        made(views=0)


def test_statistics_alone_are_learnt_anew() -> None:
    """The mean and the spread of all batches; weights, momenta and modes stay."""
    network = small.network().train()
    before = copy.deepcopy(network.state_dict())
    images = [torch.rand(4, 3, *small.SIZE, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    assert remember_anew(network, images) == 12
    maps = [network.encoder[0](each) for each in images]
    norm = network.encoder[1]
    assert isinstance(norm, nn.BatchNorm2d)
    torch.testing.assert_close(norm.running_mean, torch.stack([each.mean((0, 2, 3)) for each in maps]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([each.var((0, 2, 3)) for each in maps]).mean(0))
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"encoder.1.running_mean", "encoder.1.running_var", "encoder.1.num_batches_tracked"}
    assert (norm.momentum, network.training, norm.training) == (0.1, True, True)
    assert remember_anew(small.network(norm=False), iter(images)) == 0
