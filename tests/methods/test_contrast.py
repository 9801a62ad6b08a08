"""Learning from images alone: each setting is in the loss, the loss is its definition, and geometry is undone."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segue.data.target import Target
from segue.losses.pairs import Columns
from segue.methods.contrast import Contrast, Local, Steady, columns_of
from segue.methods.masked import Masked
from segue.methods.settings import ContrastSettings, MaskedSettings
from segue.networks import NetworkSettings, Outputs, SegmentationNetwork, build
from segue.networks.pretext import Embedded, Memory, Pretext
from segue.step import KNOWN, Batch, Loss, View
from segue.training.batches import Batches, on_device
from segue.training.orders import Order
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.padding import CONSTANT
from segue.variations.variation import Scene, Variation
from tests.losses import contrast_reference as slow
from tests.training import small

SIZE = (48, 56)
SMALL = NetworkSettings(encoder="tu-mobilenetv3_small_050", depth=3, decoder_channels=(16, 8, 8), norm="group")
# image, volume, partition, dataset, unit: two datasets of two volumes of three parts, a copy among them, two pictures.
ROWS = [
    *((3 * volume + part, volume, part, volume // 2, (0, 1, 2, 0)[volume]) for volume in range(4) for part in range(3)),
    (12, 4, -1, 2, 5), (13, 5, -1, 2, 5),
]  # fmt: skip


@pytest.fixture(scope="module")
def base() -> SegmentationNetwork:
    torch.manual_seed(0)
    return build(SMALL, Target(("r", "g", "b"), exclusive=False), 3)


def pretext(base: SegmentationNetwork, told: ContrastSettings, levels: int = 0) -> Pretext:
    torch.manual_seed(1)
    return Pretext(
        copy.deepcopy(base), width=told.width, levels=levels, demean=told.demean, datasets=3, memory=told.memory
    )


def contrast(base: SegmentationNetwork, variation: str = "flips + affine(shift=0.05) + noise", **told: Any) -> Contrast:
    found = ContrastSettings(**{"width": 16, **told})
    return Contrast(pretext(base, found), found, parse(variation))


def pictures(n: int, seed: int = 0, size: tuple[int, int] = SIZE) -> Tensor:
    """Coloured clouds."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 7, 8, generator=generator)
    return nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)


def view(images: Tensor, variation: Variation, number: int) -> View:
    key = [Address(0, "train", 0, position, "x", number) for position in range(len(images))]
    drawn = variation.draw((images.shape[2], images.shape[3]), key)
    _, shown = drawn.carry(torch.ones(len(images), *images.shape[2:]))
    target = torch.full(shown.shape, 255, dtype=torch.uint8)
    return View(drawn.images(images), target, drawn, shown)


def batch(method: Contrast | Local, seed: int = 0, rows: Sequence[tuple[int, ...]] = ROWS) -> Batch:
    images = pictures(len(rows), seed)
    views = tuple(view(images, variation, number) for number, variation in enumerate(method.views))
    return Batch(views, ("x",) * len(rows), torch.tensor(rows))


def total(loss: Loss) -> Tensor:
    return (loss.per_sample * loss.weight).sum() / loss.weight.sum()


def number(loss: Loss) -> float:
    return total(loss).item()


def slopes(method: Contrast | Local, steps: int = 1) -> Tensor:
    """Of the encoder in the last of so many steps, of which none moves anything."""
    for seed in range(steps):
        method.networks["encoder"].zero_grad()
        total(next(method.step(batch(method, seed)))).backward()
    inner = method.networks["encoder"].network
    assert isinstance(inner, SegmentationNetwork)
    found = [p.grad.flatten() for p in inner.groups()["encoder"] if p.grad is not None]
    return torch.cat(found)


def differ(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).norm() > 1e-3 * one.norm())


# Settings


ACROSS = {"positives": "across"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"positives": "images"}, {"positives": "partitions"}),
        ({"positives": "partitions"}, ACROSS),
        ({"elsewhere": "ignore"}, {"elsewhere": "negative"}),
        (ACROSS, {**ACROSS, "elsewhere": "negative"}),
        (ACROSS, {**ACROSS, "elsewhere": "positive"}),
        ({"negatives": "all"}, {"negatives": "dataset"}),
        ({"own": 0.0}, {"own": 0.5}),
        ({"own": 0.5}, {"own": 1.0}),
        ({"representation": 0.0}, {"representation": 0.3}),
        ({"representation": 0.3}, {"representation": 0.6}),
        ({"demean": "none"}, {"demean": "projection"}),
        ({"demean": "projection"}, {"demean": "representation"}),
        ({"temperature": 0.1}, {"temperature": 0.5}),
        ({"plain": False}, {"plain": True}),
        ({"width": 16}, {"width": 32}),
    ],
    ids=str,
)
def test_every_setting_is_in_the_loss(base: SegmentationNetwork, one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (slopes(contrast(base, **told)) for told in (one, other))
    assert float(first.norm()) > 0
    assert differ(first, second)
    assert not differ(first, slopes(contrast(base, **one)))


def test_memory_is_in_the_loss_once_there_is_something_in_it(base: SegmentationNetwork) -> None:
    for steps, differs in ((1, False), (2, True)):
        without, remembering = (slopes(contrast(base, memory=size), steps) for size in (0, 64))
        assert differ(without, remembering) == differs
    assert differ(slopes(contrast(base, memory=4), 2), slopes(contrast(base, memory=64), 2))


@pytest.mark.parametrize("demean", ["none", "projection", "representation"])
def test_what_is_compared_is_as_wide_as_was_asked(base: SegmentationNetwork, demean: str) -> None:
    """Where nothing is projected it is as wide as the encoder, in the memory too."""
    method = contrast(base, demean=demean, memory=40)
    for seed in (0, 1):
        next(method.step(batch(method, seed)))
    head = method.networks["encoder"]
    assert isinstance(head, Pretext)
    found: Embedded = head(pictures(2), torch.tensor([0, 1]))
    wide = found.representation.shape[1]
    assert found.embedding.shape[1] == (wide if demean == "representation" else 16)
    assert head.memory is not None
    assert head.memory.past.shape == (40, found.embedding.shape[1])
    assert found.maps.numel() == 0


@pytest.mark.parametrize("share", [0.25, 0.9])
def test_shares_are_those_of_the_loss(base: SegmentationNetwork, share: float) -> None:
    """The representation's is what was asked, with one view more of the images or not."""
    for plain in (False, True):
        method = contrast(base, representation=share, plain=plain)
        loss = next(method.step(batch(method)))
        count = (3 if plain else 2) * len(ROWS)
        assert len(loss.weight) == count + 2 * len(ROWS)
        assert float(loss.weight[count:].sum() / loss.weight.sum()) == pytest.approx(share)


def test_settings_do_not_let_nonsense_pass() -> None:
    for wrong in ({"positives": "neighbours"}, {"own": 1.5}, {"temperature": 0}, {"memory": -1}, {"width": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ContrastSettings(**wrong)


# Definition


class Spy(nn.Module):
    """The network, and what it has said."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.said: list[Embedded] = []

    def forward(self, x: Tensor, dataset: Tensor) -> Embedded:
        found: Embedded = self.network(x, dataset)
        self.said.append(found)
        return found


def columns(views: int, first: int) -> Columns:
    table = [(*row, first + number) for number in range(views) for row in ROWS]
    return Columns(*torch.tensor(table).unbind(1))


def slowly(
    z: Tensor, rows: Columns, told: ContrastSettings, past: tuple[Tensor, Columns] | None = None, negatives: str = ""
) -> tuple[Tensor, list[int]]:
    others = z if past is None else torch.cat([z, past[0]])
    theirs = rows if past is None else Columns.cat([rows, past[1]])
    near, far = slow.pairs(
        rows, theirs, told.positives, own=0, elsewhere=told.elsewhere, negatives=negatives or told.negatives
    )
    near = [[place for place in places if place < len(z)] for places in near]  # what is remembered pulls nothing
    return slow.contrast(z, others, near, far, told.temperature)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"positives": "images", "plain": True},
        {"positives": "across", "plain": True, "elsewhere": "positive"},
        {"positives": "across", "elsewhere": "negative", "temperature": 0.3, "memory": 30},
        {"negatives": "dataset", "demean": "projection"},
        {"own": 0.4, "memory": 500},
        {"positives": "across", "representation": 0.3, "plain": True, "demean": "representation"},
        {"representation": 1.0, "own": 0.2, "memory": 10},
    ],
    ids=str,
)
def test_the_loss_is_its_definition(base: SegmentationNetwork, told: dict[str, Any]) -> None:
    """Two steps on the same images: of the second, what is remembered is of the very images that are compared."""
    method = contrast(base, **told)
    spy = Spy(method.networks["encoder"])
    method.networks["encoder"] = spy
    given, first, views = method.told, int(not told.get("plain", False)), 3 if told.get("plain") else 2
    rows, steady = columns(views, first), columns(2, 1)
    remembered: list[tuple[Tensor, Columns]] = []
    for _ in range(2):
        loss = next(method.step(batch(method)))
        found = spy.said[-1]
        z = found.embedding[: len(rows)].detach().double()
        past = None
        if given.memory and remembered:
            last = slice(-given.memory, None)
            past = (
                torch.cat([one for one, _ in remembered])[last],
                Columns(*(column[last] for column in Columns.cat([one for _, one in remembered]).all())),
            )
        expected, weights = slowly(z, rows, given, past)
        if given.own:
            expected = (1 - given.own) * expected + given.own * slowly(z, rows, given, past, "dataset")[0]
        remembered.append((z, rows))
        share = torch.tensor(weights, dtype=torch.float32)
        if given.representation:
            whole = found.representation[len(rows) :].detach().double()
            more, counted = slowly(whole, steady, given)
            if given.own:
                more = (1 - given.own) * more + given.own * slowly(whole, steady, given, negatives="dataset")[0]
            expected = torch.cat([expected, more])
            part = given.representation
            share = torch.cat([(1 - part) * share / len(rows), part * torch.tensor(counted) / len(steady)])
        else:
            assert len(found.embedding) == len(rows)
        assert torch.allclose(loss.per_sample.double(), expected, atol=1e-4)
        assert torch.allclose(loss.weight, share)
        assert loss.per_sample.requires_grad


def test_columns_are_those_of_the_batch(base: SegmentationNetwork) -> None:
    found = columns_of(batch(contrast(base)))
    for number, name in enumerate(KNOWN):
        assert getattr(found, name).tolist() == [row[number] for row in ROWS]
    assert not found.view.any()


def test_a_dataset_alone_has_no_mean_of_others(base: SegmentationNetwork) -> None:
    """Each dataset's images lose their own mean, and nothing of others gets in; a mean is known from the first batch on."""
    head = pretext(base, ContrastSettings(width=16, demean="representation"))
    images, dataset = pictures(6), torch.tensor([0, 0, 0, 2, 2, 2])
    plain = head.network(images, features=True, decode=False).features[-1].mean((2, 3))
    found = head(images, dataset)
    for number in (0, 2):
        own = dataset == number
        assert torch.allclose(found.embedding[own], plain[own] - plain[own].mean(0), atol=1e-5)
    assert head.known.tolist() == [True, False, True]
    assert torch.equal(head.means[1], torch.zeros_like(head.means[1]))
    # Later batches move it by a hundredth of the way; a look moves nothing.
    before = head.means.clone()
    head(images.flip(0), dataset)
    assert torch.allclose(head.means[0], before[0].lerp(plain[3:].mean(0), 0.01), atol=1e-5)
    kept = head.means.clone()
    head(images[:2], dataset[:2])
    assert torch.equal(head.means[1:], kept[1:])  # of what is not in a batch nothing is learnt
    kept = head.means.clone()
    head.eval()(images, dataset)
    assert torch.equal(head.means, kept)
    assert {"means", "known"} <= set(head.state_dict())


# Views


def test_views_are_apart(base: SegmentationNetwork) -> None:
    """What is done to one view happens to no other, the plain one included."""
    method = contrast(base, "none", plain=True, representation=0.5)
    found = small.examples()
    known = torch.arange(len(found))[:, None].expand(-1, len(KNOWN)).numpy()
    batches = Batches(
        found, Order(len(found), 0), method.views, size=small.SIZE, batch=4, padding=CONSTANT, known=known
    )
    made = on_device(batches[0], torch.device("cpu"))
    assert len(made.views) == 5
    before = [one.images.clone() for one in made.views]
    assert all(torch.equal(one, before[0]) for one in before)  # without a variation all are alike ...
    for number, one in enumerate(made.views):
        one.images.zero_()
        rest = made.views[number + 1 :]
        assert all(torch.equal(other.images, before[0]) for other in rest)  # ... and yet not the same


def test_two_views_are_two_draws(base: SegmentationNetwork) -> None:
    one, other = batch(contrast(base)).views
    assert one.drawn != other.drawn
    assert not torch.equal(one.images, other.images)


def test_steady_leaves_geometry_away() -> None:
    chain = parse("flips(p=1) + affine(rotate=30, shift=0.2) + elastic(p=1) + noise(strength=0.2) + gamma(p=1)")
    steady = Steady(chain)
    key = [Address(3, "train", 0, position, "x", 1) for position in range(6)]
    whole, found = chain.draw(SIZE, key), steady.draw(SIZE, key)
    assert found == whole.photometric()  # of the same numbers
    assert not found.geometric().active
    assert whole.geometric().active
    assert set(found.active) == set(whole.photometric().active) != set()
    images = pictures(6)
    _, shown = found.carry(torch.ones(6, *SIZE))
    assert shown.all()
    assert not torch.equal(found.images(images), images)
    assert steady.into(Scene.of(SIZE, key)) == found
    assert not steady.scaled(0).draw(SIZE, key).active
    assert isinstance(steady, Variation)


def test_only_the_representations_views_are_steady(base: SegmentationNetwork) -> None:
    made = batch(contrast(base, "affine(shift=0.3) + noise", representation=0.5, plain=True)).views
    assert [bool(one.drawn.geometric().active) for one in made] == [False, True, True, False, False]
    assert [bool(one.drawn.photometric().active) for one in made] == [False, True, True, True, True]
    assert made[3].drawn != made[4].drawn


# Memory


def rows_of(*numbers: int) -> Tensor:
    return torch.tensor(numbers)[:, None].expand(-1, 6)


def test_memory_holds_the_last() -> None:
    memory = Memory(5, 2)
    assert [len(one) for one in memory.read()] == [0, 0]
    at = torch.arange(20.0)[:, None].expand(-1, 2)
    memory.write(at[:3], rows_of(0, 1, 2))
    past, past_of = memory.read()
    assert torch.equal(past, at[:3])  # only what was filled
    assert past_of.tolist() == rows_of(0, 1, 2).tolist()
    memory.write(at[3:7], rows_of(3, 4, 5, 6))
    past, past_of = memory.read()
    assert past[:, 0].tolist() == past_of[:, 0].tolist() == [2, 3, 4, 5, 6]  # the oldest have left
    memory.write(at[7:15], rows_of(*range(7, 15)))  # more than it holds
    assert memory.read()[1][:, 0].tolist() == [10, 11, 12, 13, 14]
    twin = Memory(5, 2)
    twin.load_state_dict(memory.state_dict())
    assert torch.equal(twin.read()[0], memory.read()[0])


def test_memory_is_a_part_of_the_state(base: SegmentationNetwork) -> None:
    method = contrast(base, memory=100)
    head = method.networks["encoder"]
    made = batch(method)
    next(method.step(made))
    state = head.state_dict()
    assert torch.equal(state["memory.past_of"][-1], torch.tensor([*ROWS[-1], 2]))
    assert int((state["memory.past_of"][:, 0] >= 0).sum()) == 2 * len(ROWS)
    assert not state["memory.past"].requires_grad
    other = contrast(base, memory=100)
    other.networks["encoder"].load_state_dict(state)
    one, two = (total(next(each.step(batch(each, 1)))) for each in (method, other))
    assert torch.equal(one, two)


def test_what_is_remembered_is_pushed_away_and_never_pulled(base: SegmentationNetwork) -> None:
    """Alone, an image of which the memory holds its own earlier view and one of its part has no pair and no loss."""
    method = contrast(base, memory=10, positives="across")
    assert method.memory is not None
    method.memory.write(
        torch.eye(10, 16)[:3], torch.tensor([(0, 0, 0, 0, 0, 2), (3, 1, 0, 0, 1, 2), (1, 0, 1, 0, 0, 1)])
    )
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    rows = Columns(*torch.tensor([(0, 0, 0, 0, 0, 1), (6, 2, 0, 1, 2, 1)]).unbind(1))
    found = method._compared(z, rows, method.memory)
    assert found.weight.tolist() == [0, 0]  # nothing to be near to
    # With a second view there is, and of the three only the other part of the volume is pushed away.
    again = contrast(base, memory=10, positives="across")
    assert again.memory is not None
    again.memory.write(
        torch.eye(10, 16)[:3], torch.tensor([(0, 0, 0, 0, 0, 2), (3, 1, 0, 0, 1, 2), (1, 0, 1, 0, 0, 1)])
    )
    pair = Columns(*torch.tensor([(0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 0, 2)]).unbind(1))
    found = again._compared(z, pair, again.memory)
    one, two = z.detach()
    far, near = (nn.functional.cosine_similarity(one, other, dim=0) for other in (torch.eye(10, 16)[2], two))
    expected = math.log1p(math.exp(float(far - near) / 0.1))
    assert float(found.loss[0].detach()) == pytest.approx(expected, rel=1e-4)


# Places


class Commutes(nn.Module):
    """A map that hangs on each cell's colours alone: whatever moves an image moves it alike."""

    def __init__(self, coarser: int = 2, channels: int = 24) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.mix = nn.Parameter(9 * torch.randn(channels, 3, 1, 1, generator=generator))
        self.coarser = coarser
        self.maps: Tensor | None = None

    def forward(self, x: Tensor, dataset: Tensor) -> Embedded:
        assert len(dataset) == len(x)
        maps = torch.sin(nn.functional.conv2d(nn.functional.avg_pool2d(x, self.coarser), self.mix))
        return Embedded(x.new_empty(len(x), 0), x.new_empty(len(x), 0), maps)


def local(variation: str, network: nn.Module | None = None, **told: Any) -> Local:
    made = ContrastSettings(**{"temperature": 0.05, **told})
    return Local(network or Commutes(), made, parse(variation))  # type: ignore[arg-type]  # a stand-in


GEOMETRY = [
    "flips(horizontal=0.5, vertical=0.5)",
    "affine(rotate=25, scale=0.15, shift=0.1)",
    "rot90 + flips",
    "elastic",
]


@pytest.mark.parametrize("variation", GEOMETRY)
def test_geometry_is_undone(variation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = local(variation)
    made = batch(method)
    undone = next(method.step(made))
    assert float(undone.weight.sum()) > 0.7 * len(ROWS)
    monkeypatch.setattr(Drawn, "undo", lambda self, maps, *, valid: (maps, valid))
    left = next(method.step(made))
    assert number(undone) < 0.25
    assert number(left) > 4 * number(undone)


def test_what_is_not_of_the_picture_does_not_count() -> None:
    """Whatever stands there: the loss and every slope stay what they are."""
    method = local("affine(rotate=10, scale=0.1, shift=0.25)")
    made = batch(method)
    found = []
    for filled in (0.0, 0.7, 1.0):
        views = tuple(replace(one, images=torch.where(one.shown[:, None], one.images, filled)) for one in made.views)
        network = method.networks["encoder"]
        network.zero_grad()
        loss = next(method.step(replace(made, views=views)))
        total(loss).backward()
        slope = next(network.parameters()).grad
        assert slope is not None
        found.append((loss.per_sample.detach(), loss.weight, slope.clone()))
    assert not made.views[0].shown.all()
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    # Nothing shown in either view, nothing counted.
    for which in (0, 1):
        gone = [*made.views]
        gone[which] = replace(gone[which], shown=torch.zeros_like(gone[which].shown))
        nothing = next(method.step(replace(made, views=tuple(gone))))
        assert not nothing.weight.any()
        assert not nothing.per_sample.any()


def test_a_cell_that_is_shown_in_part_does_not_count() -> None:
    """Of the invented it would tell as much as of the picture."""
    method = local("none", Commutes(coarser=8), regions=9)
    made = batch(method)
    shown = made.views[0].shown.clone()
    shown[:, :, :9] = False  # one column of cells and a pixel of the next
    cut = tuple(replace(one, images=torch.where(shown[:, None], one.images, 0.0), shown=shown) for one in made.views)
    other = tuple(replace(one, images=torch.where(shown[:, None], one.images, 1.0)) for one in cut)
    one, two = (next(method.step(replace(made, views=views))) for views in (cut, other))
    assert torch.equal(one.per_sample, two.per_sample)


@pytest.mark.parametrize("told", [{"across": True}, {"regions": 9}, {"neighbours": 2}, {"temperature": 0.5}], ids=str)
def test_every_setting_of_places_is_in_the_loss(told: dict[str, Any]) -> None:
    one, other = (local("flips + noise(strength=0.2)", **more) for more in ({}, told))
    first, second = (next(each.step(batch(each))) for each in (one, other))
    assert abs(number(first) - number(second)) > 1e-3


def test_across_goes_by_part_and_volume() -> None:
    """It changes nothing for what has no counterpart: pictures, and a part that only one volume has."""
    one, other = (local("flips + noise(strength=0.2)", across=across) for across in (False, True))
    first, second = (next(each.step(batch(each))).per_sample for each in (one, other))
    assert torch.allclose(first[12:], second[12:])
    assert (first[:12] - second[:12]).abs().min() > 1e-5
    lone = [row for row in ROWS if row[1] not in (1, 3)]
    alone = [next(each.step(batch(each, rows=lone))).per_sample for each in (one, other)]
    assert torch.allclose(alone[0], alone[1])


def test_levels_of_a_real_decoder_learn(base: SegmentationNetwork) -> None:
    """As many as were asked, and nothing that lies after them."""
    for levels in (1, 2):
        told = ContrastSettings(width=8, levels=levels)
        method = Local(pretext(base, told, levels), told, parse("flips"))
        head = method.networks["encoder"]
        assert isinstance(head, Pretext)
        total(next(method.step(batch(method, rows=ROWS[:4])))).backward()
        learnt = tuple(f"network.{start}" for start in head.learnt())
        moved = {name for name, p in head.named_parameters() if p.grad is not None and bool(p.grad.any())}
        assert {name for name, p in head.named_parameters() if p.requires_grad} >= moved
        for level in range(3):
            block = f"network.body.decoder.blocks.{level}."
            assert any(name.startswith(block) for name in moved) == (level < levels)
        assert all(name.startswith((*learnt, "places.")) for name in moved)
        assert head.memory is None


@pytest.mark.parametrize("levels", [1, 2])
def test_a_part_of_the_decoder_is_what_the_whole_goes_through(base: SegmentationNetwork, levels: int) -> None:
    seen: list[Tensor] = []
    block = base.get_submodule(f"body.decoder.blocks.{levels - 1}")
    hook = block.register_forward_hook(lambda *given: seen.append(given[2]))
    with torch.no_grad():
        base.eval()(pictures(2))
        part = base(pictures(2), features=True, decode=False, levels=levels).decoded
    hook.remove()
    assert torch.equal(seen[0], part)


def test_what_takes_no_part_does_not_learn(base: SegmentationNetwork) -> None:
    """Several processes would wait for gradients that never come."""
    for told, levels in ((ContrastSettings(width=8), 0), (ContrastSettings(width=8, demean="representation"), 0),
                         (ContrastSettings(width=8), 2)):  # fmt: skip
        head = pretext(base, told, levels)
        kind = Local if levels else Contrast
        method = kind(head, told, parse("flips"))
        total(next(method.step(batch(method)))).backward()
        assert all(p.requires_grad == (p.grad is not None) for p in head.parameters())
    assert all(p.requires_grad for p in base.parameters())


# Hidden squares


class Painter(nn.Module):
    """Says of an image what it is told to, whatever of it is hidden; in the numbers that a network sees."""

    def __init__(self, said: Tensor, dims: int = 2, channels: int = 3) -> None:
        super().__init__()
        shape = (1, channels, *[1] * dims)
        self.colour_mean: Tensor
        self.colour_std: Tensor
        self.register_buffer("colour_mean", torch.linspace(0.2, 0.6, channels).view(shape))
        self.register_buffer("colour_std", torch.linspace(0.1, 0.4, channels).view(shape))
        self.said, self.seen = said, list[Tensor]()

    def forward(self, x: Tensor) -> Outputs:
        self.seen.append(x)
        return Outputs((self.said - self.colour_mean) / self.colour_std)


def masked(painter: nn.Module, **told: Any) -> Masked:
    return Masked(painter, MaskedSettings(**told), parse("none"))  # type: ignore[arg-type]  # a stand-in


def one_view(images: Tensor, shown: Tensor | None = None) -> Batch:
    everything = torch.ones(len(images), *images.shape[2:], dtype=torch.bool)
    size = (images.shape[-2], images.shape[-1])
    target = torch.full(everything.shape, 255, dtype=torch.uint8)
    seen = View(images, target, Drawn.identity(len(images), size), everything if shown is None else shown)
    return Batch((seen,), ("x",) * len(images))


@pytest.mark.parametrize(("share", "side"), [(0.6, 16), (0.25, 4), (0.9, 7)])
def test_as_much_is_hidden_as_was_asked(share: float, side: int) -> None:
    torch.manual_seed(0)
    found = torch.cat([masked(Painter(pictures(8)), share=share, side=side).hidden(pictures(8)) for _ in range(40)])
    assert found.shape[1:] == (1, *SIZE)
    assert float(found.float().mean()) == pytest.approx(share, abs=0.03)
    each = found.float().mean((1, 2, 3))
    assert each.std() > 0.01  # each image has its own squares


def test_squares_are_squares_and_begin_anywhere() -> None:
    torch.manual_seed(0)
    begins = set()
    method = masked(Painter(pictures(1)), share=0.5, side=8)
    for _ in range(120):
        found = method.hidden(pictures(1))[0, 0]
        down, along = ((found.diff(dim=axis) != 0).any(1 - axis).nonzero()[:, 0] + 1 for axis in (0, 1))
        for edges in (down, along):
            assert len({int(edge) % 8 for edge in edges}) <= 1
        if len(down) and len(along):
            begins.add((int(down[0]) % 8, int(along[0]) % 8))
    assert {row for row, _ in begins} == {column for _, column in begins} == set(range(8))
    assert len(begins) > 40


def test_who_paints_what_was_there_has_no_loss() -> None:
    images = pictures(5)
    loss = next(masked(Painter(images), side=8).step(one_view(images)))
    assert float(loss.per_sample.abs().max()) < 1e-10
    assert loss.weight.tolist() == [1] * 5


def test_only_what_is_hidden_and_of_the_picture_is_asked_for() -> None:
    images, shown = pictures(4), torch.ones(4, *SIZE, dtype=torch.bool)
    shown[:, :20] = False
    shown[3] = False
    said = pictures(4, 9).requires_grad_()
    painter = Painter(said)
    torch.manual_seed(3)
    loss = next(masked(painter, side=8).step(one_view(images, shown)))
    assert loss.weight.tolist() == [1, 1, 1, 0]
    assert loss.per_sample[3].item() == 0
    total(loss).backward()
    (seen,) = painter.seen
    hidden = (seen == painter.colour_mean).all(1)
    assert torch.equal(seen.movedim(1, -1)[~hidden], images.movedim(1, -1)[~hidden])  # the rest is as it was
    assert said.grad is not None
    asked = said.grad.any(1)
    assert torch.equal(asked, hidden & shown)
    # The mean over those pixels, in the numbers that the network sees.
    wrong = ((said.detach() - images) / painter.colour_std).square().mean(1)
    for index in range(3):
        mean = wrong[index][hidden[index] & shown[index]].mean()
        assert loss.per_sample[index].item() == pytest.approx(float(mean), rel=1e-5)


def test_patches_of_volumes_are_hidden_too() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 2, 9, 20, 30)
    loss = next(masked(Painter(images, dims=3, channels=2), side=4).step(one_view(images)))
    assert float(loss.per_sample.abs().max()) < 1e-10
    assert loss.weight.tolist() == [1] * 3
    hidden = masked(Painter(images, dims=3, channels=2), side=4, share=0.5).hidden(images)
    assert hidden.shape == (3, 1, 9, 20, 30)
    assert 0.3 < float(hidden.float().mean()) < 0.7


def test_hidden_is_the_colour_that_the_network_has_now() -> None:
    """A network that goes to another device has other buffers there."""
    images = pictures(2)
    painter = Painter(images)
    method = masked(painter, side=8)
    painter.colour_mean = torch.full_like(painter.colour_mean, 0.9)
    next(method.step(one_view(images)))
    hidden = (painter.seen[0] == 0.9).all(1)
    assert 0.2 < float(hidden.float().mean()) < 0.95


def test_a_network_learns_to_paint(base: SegmentationNetwork) -> None:
    torch.manual_seed(0)
    network = copy.deepcopy(base).train()
    method, images = masked(network, side=8), pictures(6)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = total(next(method.step(one_view(images))))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])
