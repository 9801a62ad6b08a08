"""From resolved settings to the parts that the loop drives. Used for the probes before a run, and for the run itself."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from segue import losses, networks, variations
from segue.data.target import Target
from segue.errors import BadInput, nearest
from segue.experiment.inpainting.load import painting_of
from segue.experiment.load import Model
from segue.experiment.material import Material
from segue.experiment.settings import PretrainSettings, TrainSettings
from segue.methods import METHODS, Given
from segue.methods.supervised import Supervised
from segue.networks import SegmentationNetwork
from segue.step import Method
from segue.training.batches import Batches
from segue.training.examples import Example
from segue.training.machine import channels_last
from segue.training.orders import Order
from segue.training.painting import Painting
from segue.training.shares import shares
from segue.variations.padding import Padding
from segue.variations.paint import Paint
from segue.variations.variation import Variation

_SEVERAL = ("supervised", "two-view", "consistency")  # methods by which the members of a network learn each by itself
_APART = 1 << 32  # between the seeds of two rows of cases


@dataclass(frozen=True)
class Parts:
    network: SegmentationNetwork
    method: Method
    batches: Batches
    padding: Padding


def network(
    settings: TrainSettings | PretrainSettings, target: Target, channels: int
) -> tuple[SegmentationNetwork, str]:
    """The network at its very beginning, the same for a seed on every machine of a kind; and where its weights are from."""
    with seeded(settings.loop.seed, "network"):
        built = networks.build(settings.network, target, channels)
    told = str(networks.load_weights(built, settings.init)) if settings.init else ""
    if settings.machine.layout == "channels-last":
        channels_last(built)
    return built, told


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """What torch draws in here follows from these alone, and changes nothing outside."""
    digest = hashlib.blake2b(f"{seed}\t{purpose}".encode(), digest_size=8).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest, "little"))
        yield


def padding(settings: TrainSettings | PretrainSettings, built: SegmentationNetwork) -> Padding:
    colour: tuple[float, ...] = built.mean if settings.padding == "ignore" else ()
    return Padding(settings.padding, colour)


def demand_known(settings: TrainSettings, target: Target) -> None:
    """What is misspelt is told before anything is prepared."""
    if settings.method not in METHODS:
        raise BadInput(f"no method is called {settings.method!r}: {nearest(settings.method, METHODS)}")
    if settings.network.members > 1 and settings.method not in _SEVERAL:
        raise BadInput(
            f"network.members: {settings.method} teaches one network",
            hint=f"Several learn side by side by {', '.join(_SEVERAL)}; segue ensemble joins runs of any method.",
        )
    views = {"semi": settings.semi, "site": settings.site}.get(settings.method)
    for text in [settings.variation, *([views.weak, views.strong] if views else [])]:
        if text != "auto":
            variations.parse(text)
    losses.parse(settings.loss, target)
    networks.demand_known(settings.network)


def how(
    settings: TrainSettings, target: Target, built: SegmentationNetwork, masks: Sequence[Example] = (),
    teachers: Model | None = None,
) -> Supervised:  # fmt: skip
    loss = losses.parse(settings.loss, target)
    asked = settings.method == "semi" and settings.semi.shares
    wanted = shares(masks, target) if asked else None
    variation = variations.parse(settings.variation)
    said = teachers.predictor(str(settings.machine.device)).said if teachers else None
    given = Given(
        built, loss, variation, target, settings.semi, settings.consistency, settings.site, settings.distil, wanted, said,
    )  # fmt: skip
    return METHODS[settings.method](given)


def parts(
    settings: TrainSettings, material: Material, built: SegmentationNetwork, *, rank: int = 0, world: int = 1
) -> Parts:
    method = how(settings, material.target, built, material.train, material.teachers)
    demand_whole_batch(settings, method)
    assert isinstance(settings.size, tuple)
    fills = padding(settings, built)
    batches = Batches(
        material.learnt, order(settings, material), method.views,
        size=settings.size, batch=int(settings.loop.batch), padding=fills, regions=len(material.target.made_of),
        beside=_beside(settings, material, method, fills, rank, world), since=_since(settings),
        painting=_painting(settings, material, method), rank=rank, world=world,
    )  # fmt: skip
    return Parts(built, method, batches, fills)


def _painting(settings: TrainSettings, material: Material, method: Method) -> Painting | None:
    """A variation that paints and its painter: neither is anything without the other."""
    asked = any(_paints(view) for view in method.views)
    if not (asked or settings.painter):
        return None
    if asked and settings.method == "distil":
        raise BadInput("variation: teachers say nothing of what is painted into an image after they have seen it")
    if not settings.painter:
        raise BadInput(
            "variation: paint needs a painter that has learnt what to paint",
            hint="segue inpaint fit --data DATASET --out runs/painter, then --painter runs/painter",
        )
    if not asked:
        raise BadInput(
            f"painter: no view is painted by the variation {settings.variation!r}", hint="--variation 'paint + natural'"
        )
    if material.patches:
        raise BadInput("painter: patches of volumes cannot be painted, slices and pictures can")
    return painting_of(settings.painter, material.target, material.channels, material.dtype)


def _paints(variation: Variation) -> bool:
    return isinstance(variation, Paint) or any(map(_paints, getattr(variation, "members", ())))


def demand_whole_batch(settings: TrainSettings | PretrainSettings, method: Method) -> None:
    if settings.loop.accumulate > 1 and not method.accumulates:
        raise BadInput(f"{settings.method}: its loss compares the images of a batch, so loop.accumulate must be 1")


def _beside(
    settings: TrainSettings, material: Material, method: Method, fills: Padding, rank: int, world: int
) -> Batches | None:
    if not method.beside or settings.beside is None:
        return None
    assert isinstance(settings.size, tuple)
    # A row of its own: the same case drawn beside itself must not be drawn alike.
    order = Order(len(material.images), settings.loop.seed + _APART)
    count = max(2, 2 * round(int(settings.loop.batch) * settings.beside.batch / 2))  # pairs, that can be mixed
    return Batches(
        material.images, order, method.beside, size=settings.size, batch=count, padding=fills, rank=rank, world=world
    )


def _since(settings: TrainSettings) -> int:
    """The first micro-batch with images beside it."""
    if settings.method != "semi":
        return 0
    steps = settings.loop.steps
    return math.ceil(settings.semi.warm * steps) * settings.loop.accumulate if isinstance(steps, int) else 0


def order(settings: TrainSettings, material: Material) -> Order:
    examples, seed = material.learnt, settings.loop.seed
    if settings.balance is None or material.patches:  # patches are balanced within their volumes
        return Order(len(examples), seed)
    has = tuple(number for number, example in enumerate(examples) if example.has_foreground())
    if not has or len(has) == len(examples):
        which = "no" if not has else "every"
        raise BadInput(
            f"balance {settings.balance:g}: {which} training image has foreground, so there is nothing to balance"
        )
    return Order(len(examples), seed, has, settings.balance)
