"""From resolved settings to the parts that the loop drives. Used for the probes before a run, and for the run itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from segue import losses, networks, variations
from segue.data.target import Target
from segue.errors import BadInput, nearest
from segue.experiment.material import Material
from segue.experiment.settings import TrainSettings
from segue.methods import METHODS
from segue.networks import SegmentationNetwork
from segue.step import Method
from segue.training.batches import Batches, Order
from segue.training.machine import channels_last
from segue.variations.padding import Padding


@dataclass(frozen=True)
class Parts:
    network: SegmentationNetwork
    method: Method
    batches: Batches
    padding: Padding


def network(settings: TrainSettings, target: Target, channels: int) -> tuple[SegmentationNetwork, str]:
    """The network at its very beginning, the same for a seed on every machine of a kind; and where its weights are from."""
    digest = hashlib.blake2b(f"{settings.loop.seed}\tnetwork".encode(), digest_size=8).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest, "little"))
        built = networks.build(settings.network, target, channels)
    told = str(networks.load_weights(built, settings.init)) if settings.init else ""
    if settings.machine.layout == "channels-last":
        channels_last(built)
    return built, told


def padding(settings: TrainSettings, built: SegmentationNetwork) -> Padding:
    colour: tuple[float, ...] = built.mean if settings.padding == "ignore" else ()
    return Padding(settings.padding, colour)


def demand_known(settings: TrainSettings, target: Target) -> None:
    """What is misspelt is told before anything is prepared."""
    if settings.method not in METHODS:
        raise BadInput(f"no method is called {settings.method!r}: {nearest(settings.method, METHODS)}")
    variations.parse(settings.variation)
    losses.parse(settings.loss, target)
    networks.demand_known(settings.network)


def how(settings: TrainSettings, target: Target, built: SegmentationNetwork) -> Method:
    return METHODS[settings.method](
        built,
        losses.parse(settings.loss, target),
        variation=variations.parse(settings.variation),
        plain=variations.parse("none"),
    )


def parts(
    settings: TrainSettings, material: Material, built: SegmentationNetwork, *, rank: int = 0, world: int = 1
) -> Parts:
    method = how(settings, material.target, built)
    if settings.loop.accumulate > 1 and not method.accumulates:
        raise BadInput(f"{settings.method}: its loss compares the images of a batch, so loop.accumulate must be 1")
    assert isinstance(settings.size, tuple)
    fills = padding(settings, built)
    batches = Batches(
        material.train, order(settings, material), method.views,
        size=settings.size, batch=int(settings.loop.batch), padding=fills,
        regions=len(material.target.made_of), rank=rank, world=world,
    )  # fmt: skip
    return Parts(built, method, batches, fills)


def order(settings: TrainSettings, material: Material) -> Order:
    examples, seed = material.train, settings.loop.seed
    if settings.balance is None or material.patches:  # patches are balanced within their volumes
        return Order(len(examples), seed)
    has = tuple(number for number, example in enumerate(examples) if example.has_foreground())
    if not has or len(has) == len(examples):
        which = "no" if not has else "every"
        raise BadInput(
            f"balance {settings.balance:g}: {which} training image has foreground, so there is nothing to balance"
        )
    return Order(len(examples), seed, has, settings.balance)
