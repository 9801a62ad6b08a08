"""Learning from images without masks: what is followed lies where it belongs, and what is not sure does not count."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from segue import losses
from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.methods import Given
from segue.methods.semi import Semi
from segue.methods.settings import SemiSettings
from segue.networks import Outputs
from segue.step import Batch, View
from segue.training.batches import Batches, on_device
from segue.training.loop import Loop
from segue.training.orders import Order
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.padding import CONSTANT
from tests.training import small

CPU = torch.device("cpu")
SIZE = (32, 40)


class Bright(nn.Module):
    """Finds what is bright, wherever it is: whatever an image's geometry, its mask follows."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(60.0))
        self.drops: list[float] = []

    def forward(self, x: Tensor, *, features: Any = False, decode: bool = True) -> Outputs:
        maps = (x.mean(1, keepdim=True) * torch.ones(1, 64, 1, 1),) if isinstance(features, bool) else features
        self.drops.append(float((maps[0] == 0).all((2, 3)).float().mean()))
        logits = self.scale * (maps[0].mean(1, keepdim=True) - 0.5)
        return Outputs(logits if decode else x.new_empty(0), features=tuple(maps))

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"encoder": [], "decoder": [self.scale]}


class Blind(Bright):
    """It tells what is bright from what is not, and calls all of it background."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(-15.0))  # of all logits

    def forward(self, x: Tensor, *, features: Any = False, decode: bool = True) -> Outputs:
        maps = (x.mean(1, keepdim=True) * torch.ones(1, 64, 1, 1),) if isinstance(features, bool) else features
        logits = 24 * (maps[0].mean(1, keepdim=True) - 0.5) + self.scale
        return Outputs(logits if decode else x.new_empty(0), features=tuple(maps))


def made(
    network: nn.Module | None = None,
    target: Target = small.TARGET,
    shares: tuple[float, ...] | None = None,
    **told: Any,
) -> Semi:
    told = {
        "weak": "none",
        "strong": "none",
        "views": 1,
        "dropout": 0.0,
        "fitted": 0.0,
        "teacher": False,
        "warm": 0.0,
        "ramp": 0.0,
        **told,
    }
    loss = losses.parse("dice + bce", target)
    return Semi(Given(network or Bright(), loss, parse("none"), target, SemiSettings(**told), shares=shares))


def blobs(n: int) -> Tensor:
    """Smooth bright spots, no two images alike and none symmetric."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    found = torch.zeros(n, 3, *SIZE)
    for index in range(n):
        for row, column, radius in ((8 + 4 * index, 12 + 3 * index, 5), (22 - 3 * index, 28 - 2 * index, 4)):
            found[index] += torch.exp(-((((rows - row) ** 2 + (columns - column) ** 2) / (2 * radius**2)) ** 2))
    return found.clamp(0, 1)


def view(images: Tensor, text: str, number: int) -> View:
    n = len(images)
    drawn = parse(text).draw(SIZE, [Address(0, "train", 0, position, "x", number) for position in range(n)])
    ones = torch.ones(n, *SIZE)
    _, shown = drawn.carry(ones)
    target = torch.full((n, *SIZE), IGNORE, dtype=torch.uint8)
    return View(drawn.images(images), target, drawn, shown)


GEOMETRY = [
    "flips(p=1)",
    "affine(rotate=30, scale=0.2, shift=0.1)",
    "elastic(p=1)",
    "rot90 + affine + optical",
    "cutmix(p=1)",
]


@pytest.mark.parametrize("strong", GEOMETRY)
@pytest.mark.parametrize("weak", ["none", "flips(p=1)", "affine(rotate=20, shift=0.1)"])
def test_what_is_followed_lies_over_what_follows(weak: str, strong: str) -> None:
    """A network that commutes with geometry agrees with itself, wherever anything counts."""
    semi, images = made(confidence=0.9), blobs(4)
    one, other = view(images, weak, 0), view(images, strong, 1)
    goal = semi.target_for(other, one, semi.followed(one, semi._maps(one)))
    own = semi.networks["segmenter"](other.images).logits[:, 0] > 0
    counts = goal != IGNORE
    assert counts.float().mean() > 0.4
    assert (goal == 1).any()
    differs = (goal[counts] == 1) != own[counts]
    assert differs.float().mean() < 0.002
    # Laid over it as it is, without bringing it back and over, it would not fit.
    there = semi._sure(semi.followed(one, semi._maps(one)), one.shown)
    both = (there != IGNORE) & other.shown
    assert ((there[both] == 1) != own[both]).float().mean() > 5 * max(float(differs.float().mean()), 0.001)


def test_neither_the_unsure_nor_the_invented_counts() -> None:
    semi, images = made(confidence=0.99), blobs(2)
    weak, strong = view(images, "none", 0), view(images, "affine(rotate=0, scale=0, shift=0.4)", 1)
    said = semi.followed(weak, semi._maps(weak))
    goal = semi.target_for(strong, weak, said)
    assert (goal[~strong.shown] == IGNORE).all()
    best = said.max(1).values
    plain = semi.target_for(weak, weak, said)
    assert torch.equal(plain == IGNORE, best < 0.99)
    assert (plain == IGNORE).any()
    erased = semi.target_for(view(images, "erase(count=1, size=0.5, p=1)", 2), weak, said)
    assert (erased == IGNORE).sum() > (plain == IGNORE).sum()


def test_regions_are_sure_each_by_itself() -> None:
    target = Target(("whole", "core"), exclusive=False, made_of=(("a", "b"), ("b",)))
    semi = made(target=target, confidence=0.9)
    said = torch.tensor([0.95, 0.5]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    found = semi._sure(said, torch.ones(1, *SIZE, dtype=torch.bool))
    assert (found[:, 0] == 1).all()
    assert (found[:, 1] == IGNORE).all()


def batch(semi: Semi, *, done: float = 1.0, beside: bool = True) -> Batch:
    images = blobs(4)
    masked = view(images[:2], "none", 0)
    masked = View(masked.images, (images[:2].mean(1) > 0.5).to(torch.uint8), masked.drawn, masked.shown)
    views = (view(images, "flips(p=1)", 0), view(images, "affine(rotate=20) + noise(strength=0.3)", 1))
    return Batch(
        (masked,), ("a", "b"), beside=Batch(views[: len(semi.beside)], tuple("abcd")) if beside else None, done=done
    )


def slope(semi: Semi) -> float:
    gradient = next(semi.networks["segmenter"].parameters()).grad
    assert gradient is not None
    return float(gradient)


def test_images_without_masks_change_the_gradient_and_each_part_does() -> None:
    """Every part of the method is in the loss: without one of them the gradient is another."""
    gradients = {}
    parts: dict[str, dict[str, Any]] = {
        "all": {"dropout": 0.5}, "views": {}, "dropout": {"views": 0, "dropout": 0.5}, "sure": {"confidence": 0.6},
        "weight": {"weight": 0.5},
    }  # fmt: skip
    for name, told in parts.items():
        semi = made(**told)
        torch.manual_seed(0)
        loss = next(semi.step(batch(semi)))
        ((loss.per_sample * loss.weight).sum() / loss.weight.sum()).backward()
        gradients[name] = slope(semi)
    alone = made()
    loss = next(alone.step(batch(alone, beside=False)))
    loss.per_sample.mean().backward()
    gradients["masks alone"] = slope(alone)
    values = sorted(gradients.values())
    assert min(more - less for less, more in pairwise(values)) > 1e-9, gradients


def test_a_scribble_weighs_as_much_as_a_mask() -> None:
    """A few pixels are all that there is of an image; what follows, of which nearly all counts, is no more than as told."""
    semi = made(weight=0.5)
    whole = batch(semi)
    (masked,) = whole.views
    scribble = torch.full_like(masked.target, IGNORE)
    scribble[:, 10:12, 10:30] = masked.target[:, 10:12, 10:30]
    scribble[0] = IGNORE  # and of an image without a stroke nothing is learnt
    few = replace(whole, views=(replace(masked, target=scribble),))
    (of_masks,), (of_scribbles,) = list(semi.step(whole)), list(semi.step(few))
    n = len(masked.images)
    assert of_scribbles.weight[0] == 0
    assert torch.equal(of_scribbles.weight[1:], of_masks.weight[1:])
    assert 0.3 < float(of_masks.weight[n:].sum() / of_masks.weight[:n].sum()) <= 0.5


def test_who_finds_nothing_is_not_followed_into_it() -> None:
    """A network that calls everything background, and is sure of it: its targets would teach it to stay so."""
    slopes, sure = {}, {}
    for name, shares in (("as said", None), ("balanced", (0.9, 0.1))):
        semi = made(Blind(), shares=shares, confidence=0.9)
        for _ in range(60):
            loss = next(semi.step(batch(semi)))
        sure[name] = float(loss.parts["sure"].mean())
        (loss.per_sample[2:] * loss.weight[2:]).sum().backward()
        slopes[name] = slope(semi)
    assert 0.5 < sure["balanced"] < sure["as said"]
    assert slopes["balanced"] < 0 < slopes["as said"]  # a step goes against it: more is found, or even less


def test_no_gradient_through_what_is_followed() -> None:
    class Spy(Semi):
        def followed(self, weak: View, maps: tuple[Tensor, ...] | None) -> Tensor:
            found = super().followed(weak, maps)
            assert not found.requires_grad
            return found

    semi = Spy(Given(Bright(), losses.parse("dice", small.TARGET), parse("none"), small.TARGET, SemiSettings(
        weak="none", strong="none", views=1, teacher=False, warm=0, ramp=0
    )))  # fmt: skip
    assert next(semi.step(batch(semi))).per_sample.requires_grad


def test_masks_alone_until_it_is_warm() -> None:
    semi = made(warm=0.5, ramp=0.25)
    losses_of = {done: next(semi.step(batch(semi, done=done))) for done in (0.0, 0.49, 0.6, 0.75, 1.0)}
    assert len(losses_of[0.0].per_sample) == len(losses_of[0.49].per_sample) == 2
    shares = [float(losses_of[done].weight[2:].sum()) for done in (0.6, 0.75, 1.0)]
    assert shares[0] == pytest.approx(0.4 * shares[1], rel=1e-4)
    assert shares[1] == pytest.approx(shares[2])


def test_nothing_is_followed_before_the_masks_are_fitted() -> None:
    """What finds nothing yet would be followed into finding nothing; and what is half fitted is followed by half."""
    semi = made(Blind(), fitted=0.5)
    for _ in range(30):
        loss = next(semi.step(batch(semi)))
        assert len(loss.per_sample) == 2
        assert loss.parts["fitted"] == 0
    semi.fit.areas[:] = torch.tensor([3.0, 4.0, 4.0]).view(3, 1)  # a Dice of .75, then of .4
    whole = next(semi.step(batch(semi)))
    semi.fit.areas[:] = torch.tensor([4.0, 10.0, 10.0]).view(3, 1)
    partly = next(semi.step(batch(semi)))
    assert float(partly.weight[2:].sum() / whole.weight[2:].sum()) == pytest.approx(2 * 0.4 / 0.5 - 1)
    network = Bright()
    able = made(network, fitted=0.5)
    next(able.step(batch(able)))
    assert len(next(able.step(batch(able))).per_sample) > 2


def test_the_teacher_is_the_average_and_is_followed() -> None:
    """With a teacher the target is what the average says, not what the network says."""
    sharp, dull = Bright(), Bright()
    dull.scale.data.fill_(0.1)
    semi = made(dull, teacher=True)
    semi.average = sharp
    assert float(next(semi.step(batch(semi))).parts["sure"].mean()) > 0.5
    semi.average = dull
    assert float(next(semi.step(batch(semi))).parts["sure"].mean()) == 0


def test_channels_are_left_away() -> None:
    semi = made(views=0, dropout=0.5)
    next(semi.step(batch(semi)))
    network = semi.networks["segmenter"]
    assert isinstance(network, Bright)
    drops = network.drops
    assert 0.3 < drops[-1] < 0.7
    assert max(drops[:-1]) < 0.1


def test_nothing_that_follows_is_told() -> None:
    with pytest.raises(BadInput, match="nothing follows"):
        made(views=0)


# In the loop


def loop(folder: Path, precision: Literal["32-true", "bf16-mixed"] = "32-true", **given: Any) -> Loop:
    helper = small.loop_in(folder, small.settings())
    semi = Semi(Given(small.network(), losses.parse("dice + bce", small.TARGET), parse("flips"), small.TARGET, SemiSettings(
        strong="affine + noise", dropout=0.0, warm=0.25, ramp=0.25, confidence=0.5
    ), shares=(0.8, 0.2)))  # fmt: skip
    settings = small.settings(average=0.9, **given)
    found = small.examples()
    beside = Batches(
        [type(each)(each.case, each.store, each.number, None) for each in found], Order(len(found), 1 << 32), semi.beside,  # type: ignore[attr-defined, call-arg]
        size=small.SIZE, batch=4, padding=CONSTANT,
    )  # fmt: skip
    batches = Batches(
        found[:4], Order(4, 0), semi.views, size=small.SIZE, batch=4, padding=CONSTANT, beside=beside, since=3
    )
    return Loop(
        semi,
        batches,
        settings,
        fabric=Fabric(accelerator="cpu", devices=1, precision=precision),
        run=helper.run,
        judge=small.norm_of_weights,
        keep=small.keep,
    )


def test_the_teacher_runs_in_the_loops_precision(tmp_path: Path) -> None:
    """It is not wrapped as what learns is, and once took a third of a step in full precision."""
    found, halved = loop(tmp_path, "bf16-mixed"), list[bool]()
    assert found.average is not None
    found.average.network.register_forward_pre_hook(lambda *_: halved.append(torch.is_autocast_enabled("cpu")))
    assert found.method.average is not None
    found.method.average(torch.rand(2, 3, *small.SIZE))
    assert halved == [True]


def test_masks_beside_are_never_looked_at(tmp_path: Path) -> None:
    found = loop(tmp_path).batches
    assert found[2].beside is None
    parcel = found[3].beside
    assert parcel is not None
    assert all((one.target == IGNORE).all() for one in parcel.stored)
    assert np.mean([one.shown.mean() for one in parcel.stored]) > 0.8
    seen = on_device(found[3], CPU).beside
    assert seen is not None
    assert seen.views[0].shown.dtype == torch.bool


def test_stopped_and_gone_on_is_the_same_bytes(tmp_path: Path) -> None:
    """The teacher is a part of the state, and by how much its classes are shifted."""
    whole = loop(tmp_path / "whole")
    whole.fit(workers=0)
    first = loop(tmp_path / "parts")
    plain = first.one_step

    def stopped(parcels: Any) -> float:
        if first.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(parcels)

    first.one_step = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.fit(workers=0)
    second = loop(tmp_path / "parts")
    second.fit(workers=0)
    shifts = [each.method.remembers["shift"] for each in (whole, second)]
    assert shifts[0][1] != 0
    assert torch.equal(*shifts)
    for name in ("last", "best"):
        one, other = (tmp_path / part / f"weights/{name}.safetensors" for part in ("whole", "parts"))
        assert one.read_bytes() == other.read_bytes()
