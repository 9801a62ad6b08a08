"""Consistency training: each of its forms computes what it says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segue import losses
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses.inconsistency import Side, inconsistency, truths
from segue.methods import METHODS, Given
from segue.methods.consistency import Consistency
from segue.methods.settings import ConsistencySettings
from segue.methods.two_view import TwoView
from segue.networks.members import mean
from segue.networks.outputs import Outputs
from segue.step import Batch, Loss, View
from segue.variations import parse
from segue.variations.address import Address

LESION = Target(("background", "lesion"))
SIZE = (32, 40)
GEOMETRY = ["flips(p=1)", "affine(rotate=30, scale=0.2, shift=0.1)", "elastic(p=1)", "rot90 + affine + optical"]


class Pixels(nn.Module):
    """Says of each pixel what its brightness is: it commutes with geometry."""

    def __init__(self, steep: float = 30.0, over: float = 0.5) -> None:
        super().__init__()
        self.steep, self.over = nn.Parameter(torch.tensor(steep)), nn.Parameter(torch.tensor(over))
        self.norm = nn.BatchNorm2d(1)  # remembers what it has seen; says nothing

    def forward(self, x: Tensor) -> Outputs:
        self.norm(x[:, :1])
        return Outputs(self.steep * (x.mean(1, keepdim=True) - self.over))


def disks(n: int = 4, radius: float = 8.0) -> tuple[Tensor, Tensor]:
    """Images of a bright disk whose edge is soft, and their masks."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    away = torch.stack([((rows - 15 - i) ** 2 + (columns - 16 - 2 * i) ** 2).float().sqrt() for i in range(n)])
    return torch.sigmoid((radius - away) / 1.5)[:, None].repeat(1, 3, 1, 1), (away < radius).to(torch.uint8)


def view(text: str, number: int = 1, n: int = 4, mask: Tensor | None = None) -> View:
    images, masks = disks(n)
    drawn = parse(text).draw(SIZE, [Address(0, "train", 0, position, "x", number) for position in range(n)])
    target, shown = drawn.carry(masks if mask is None else mask)
    return View(drawn.images(images), target, drawn, shown)


def made(network: nn.Module | None = None, variation: str = "flips", loss: str = "jaccard", **told: Any) -> Consistency:
    settings = ConsistencySettings(**told)
    return Consistency(
        Given(network or Pixels(), losses.parse(loss, LESION), parse(variation), LESION, consistency=settings)
    )


def step(method: TwoView, *views: View, number: int = 0) -> Loss:
    found = list(method.step(Batch(views, ("x",) * len(views[0].images), step=number)))
    assert len(found) == 1
    return found[0]


def slopes(method: TwoView, loss: Loss) -> list[float]:
    network = method.networks["segmenter"]
    total = (loss.per_sample * loss.weight).sum()
    moved = [network.steep, network.over]
    return [float(one) for one in torch.autograd.grad(total, moved, retain_graph=True)]  # type: ignore[arg-type]


# The two forms


@pytest.mark.parametrize("geometry", GEOMETRY)
def test_aligned_asks_the_prediction_to_move_with_the_image(geometry: str) -> None:
    """A network that commutes with geometry is wrong at home and everywhere alike: aligned, it is consistent."""
    wrong = Pixels(steep=60.0, over=0.9)  # finds half of each disk
    clean, varied = view("none", 0), view(geometry)
    found = {places: step(made(wrong, places=places), clean, varied) for places in ("aligned", "published")}
    aligned, published = (found[places].parts["inconsistency"] for places in ("aligned", "published"))
    assert aligned.max() < 0.12  # what interpolation does to an edge
    assert published.mean() > 1.8 * aligned.mean()


@pytest.mark.parametrize("places", ["aligned", "published"])
@pytest.mark.parametrize("geometry", GEOMETRY)
def test_who_is_right_twice_is_consistent(geometry: str, places: str) -> None:
    clean, varied = view("none", 0), view(geometry)
    right, aside = made(Pixels(steep=200.0), places=places), made(Pixels(steep=200.0, over=0.1), places=places)
    found, other = (step(each, clean, varied).parts["inconsistency"] for each in (right, aside))
    assert found.max() < 0.12
    if places == "published":
        assert (other > found).all()


def test_what_is_not_shown_does_not_count() -> None:
    method = made(Pixels(over=0.9))
    clean, varied = view("none", 0), view("affine(rotate=0, scale=0, shift=0.4)")
    before = step(method, clean, varied).parts["inconsistency"]
    images = varied.images.clone()
    images[(~varied.shown)[:, None].expand_as(images)] = 1.0  # what was invented, as bright as a lesion
    after = step(method, clean, View(images, varied.target, varied.drawn, varied.shown)).parts["inconsistency"]
    assert torch.equal(before, after)


# The mixes


def test_the_weight_of_adaptive_is_each_samples_own_iou() -> None:
    """Of right predictions it is 1. (A known implementation compares every image with every other: 0.33 here.)"""
    clean, varied = view("none", 0), view("flips(p=1)")
    right = step(made(Pixels(steep=200.0)), clean, varied).parts["agreement"]
    assert right.min() > 0.97
    images, target = clean.images.clone(), clean.target
    images[1] = 0.0
    mixed = step(made(Pixels(steep=200.0)), View(images, target, clean.drawn, clean.shown), varied).parts["agreement"]
    assert mixed[1] == 0
    assert torch.equal(mixed[[0, 2, 3]], right[[0, 2, 3]])


def test_each_mix_is_its_formula() -> None:
    network = Pixels(steep=8.0, over=0.6)
    clean, varied = view("none", 0), view("affine(rotate=30) + noise")
    found = {
        mix: step(made(network, mix=mix, weight=0.25), clean, varied)
        for mix in ("adaptive", "fixed", "strict", "added")
    }
    loss = losses.parse("jaccard", LESION)
    both = network(torch.cat([clean.images, varied.images])).logits.chunk(2)
    masks, of_varied = loss(both[0], clean.target), loss(both[1], varied.target)
    w, changed = (found["adaptive"].parts[name] for name in ("agreement", "inconsistency"))
    expected = {
        "adaptive": (1 - w) * masks + w * changed,
        "fixed": (masks + changed) / 2,
        "strict": (1 - w) * masks + w * of_varied,
        "added": (masks + of_varied) / 2 + 0.25 * changed,
    }
    for mix, values in expected.items():
        assert torch.allclose(found[mix].per_sample, values, atol=1e-6), mix
    directions = [tuple(slopes(made(network), one)) for one in found.values()]
    assert len(set(directions)) == 4
    # The weight says how much, and is not itself learnt: no gradient passes through it.
    assert not w.requires_grad


@pytest.mark.parametrize("mix", ["adaptive", "fixed", "added"])
def test_both_predictions_learn_from_the_change(mix: str) -> None:
    """The gradient of the change reaches the clean and the varied prediction."""
    network = Pixels(steep=8.0, over=0.6)
    method = made(network, mix=mix, places="published")
    clean, varied = view("none", 0), view("flips(p=1)")
    for one in (clean, varied):
        one.images.requires_grad_(True)
    of_clean, of_varied = method.seen(clean, varied)
    method.inconsistency(clean, varied, of_clean, of_varied).sum().backward()
    for one in (clean, varied):
        assert one.images.grad is not None
        assert one.images.grad.abs().sum() > 0


def test_strict_learns_from_masks_alone() -> None:
    """Nothing of it hangs on how the two predictions lie to each other."""
    network = Pixels(steep=8.0, over=0.6)
    clean, varied = view("none", 0), view("flips(p=1)")
    one, other = (
        step(made(network, mix="strict", places=places), clean, varied) for places in ("aligned", "published")
    )
    assert torch.equal(one.per_sample, other.per_sample)
    assert not torch.equal(one.parts["inconsistency"], other.parts["inconsistency"])


# In turn


def test_interleaved_takes_the_step_of_two_views_and_then_one_of_consistency() -> None:
    network = Pixels(steep=8.0, over=0.6)
    clean, varied = view("none", 0), view("affine(rotate=30)")
    method = made(network, interleaved=2)
    plain = step(TwoView(Given(network, losses.parse("jaccard", LESION), parse("flips"), LESION)), clean, varied)
    for number in (0, 1, 3, 4):
        found = step(method, clean, varied, number=number)
        assert torch.equal(found.per_sample, plain.per_sample)
        assert slopes(method, found) == slopes(method, plain)
    for number in (2, 5):
        found = step(method, clean, varied, number=number)
        assert torch.equal(found.per_sample.detach(), found.parts["inconsistency"])
        assert "masks" not in found.parts


# The worst of several


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("places", ["aligned", "published"])
def test_the_worst_of_several_is_found_for_each_image(half: bool, places: str) -> None:
    network = Pixels(steep=8.0, over=0.6)
    method = made(network, "affine(rotate=40, shift=0.2) + noise", draws=5, half=half, places=places)
    assert len(method.views) == 6
    clean, *drawn = (
        view(text, number) for number, text in enumerate(["none", *["affine(rotate=40, shift=0.2) + noise"] * 5])
    )
    single = made(network, places=places)
    each = torch.stack([step(single, clean, one).parts["inconsistency"] for one in drawn])
    chosen = method.worst(clean, drawn)
    values = step(single, clean, chosen).parts["inconsistency"]
    if half:  # nearly so: an edge is another one at half size
        assert (values >= each.median(0).values).all()
    else:
        assert torch.allclose(values, each.max(0).values, atol=1e-6)
        assert len(set(each.argmax(0).tolist())) > 1
    assert step(method, clean, *drawn).parts["inconsistency"].tolist() == values.tolist()


def test_a_search_leaves_no_trace() -> None:
    network = Pixels(steep=8.0, over=0.6)
    method = made(network, draws=3)
    clean, *drawn = (view("none", 0), *(view("affine(rotate=40)", number) for number in (1, 2, 3)))
    network.train()
    before = copy.deepcopy(network.state_dict())
    method.worst(clean, drawn)
    assert network.training
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    step(method, clean, *drawn)
    assert not torch.equal(before["norm.running_mean"], network.state_dict()["norm.running_mean"])


def test_a_search_sees_half_of_the_sides() -> None:
    network, sizes = Pixels(steep=8.0, over=0.6), []
    network.register_forward_pre_hook(lambda module, given: sizes.append(tuple(given[0].shape[2:])))
    method = made(network, draws=2, half=True)
    step(method, view("none", 0), view("affine", 1), view("affine", 2))
    assert sizes == [(16, 20)] * 3 + [SIZE]


# What it refuses, and what it is told


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadInput, match=r"consistency.interleaved: strict has no step of consistency"):
        made(mix="strict", interleaved=3)
    with pytest.raises(BadInput, match=r"consistency.draws: .* cutmix mixes two"):
        step(made(draws=2), view("none", 0), view("cutmix(p=1)", 1), view("cutmix(p=1)", 2))


def test_it_holds_two_images_however_many_it_searches() -> None:
    assert (
        made(draws=10).at_once
        == METHODS["two-view"](Given(Pixels(), losses.parse("jaccard", LESION), parse("flips"), LESION)).at_once
    )


@pytest.mark.parametrize("told", [{}, {"draws": 2, "half": True}, {"places": "published"}], ids=str)
def test_patches_are_compared_slice_by_slice(told: dict[str, Any]) -> None:
    """All slices of a patch are varied alike, so that a stack of pictures is worth what each of them is."""

    class Voxels(Pixels):
        def forward(self, x: Tensor) -> Outputs:
            return Outputs(self.steep * (x.mean(1, keepdim=True) - self.over))

    def stacked(one: View) -> View:
        images, target, shown = (torch.stack([each] * 3, -3) for each in (one.images, one.target, one.shown))
        return View(images, target, one.drawn, shown)

    clean, *drawn = (
        view("none", 0),
        *(view("affine(rotate=30)", number) for number in range(1, 1 + told.get("draws", 1))),
    )
    flat = step(made(Pixels(steep=8.0, over=0.6), **told), clean, *drawn)
    deep = step(made(Voxels(steep=8.0, over=0.6), **told), stacked(clean), *map(stacked, drawn))
    assert torch.allclose(flat.per_sample, deep.per_sample, atol=1e-4)
    assert torch.allclose(flat.parts["inconsistency"], deep.parts["inconsistency"], atol=1e-4)


# Several networks in one


class Several(nn.Module):
    """Members of one kind, as a network that holds them says it."""

    def __init__(self, *members: Pixels) -> None:
        super().__init__()
        self.each = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Outputs:
        said = tuple(one(x) for one in self.each)
        return Outputs(mean([one.logits for one in said], exclusive=True), members=said)


PAIR = (Pixels(steep=8.0, over=0.6), Pixels(steep=20.0, over=0.4))


@pytest.mark.parametrize("places", ["aligned", "published"])
@pytest.mark.parametrize("mix", ["adaptive", "fixed", "strict", "added"])
def test_each_member_is_asked_to_change_as_the_mask_from_what_all_say(mix: str, places: str) -> None:
    network = Several(*PAIR)
    clean, varied = view("none", 0), view("affine(rotate=30) + noise")
    told: dict[str, Any] = {"mix": mix, "places": places, "weight": 0.25}
    found = step(made(network, **told), clean, varied)
    loss, expected, changes = losses.parse("jaccard", LESION), [], []
    said = torch.stack([torch.sigmoid(one(clean.images).logits) for one in PAIR]).mean(0)
    for one in PAIR:
        before, after = one(clean.images).logits, one(varied.images).logits
        masks, of_varied, w = (
            loss(before, clean.target),
            loss(after, varied.target),
            losses.overlap(before, clean.target),
        )
        true, counts = truths(varied.target, LESION)
        if places == "published":
            side = Side(said, *truths(clean.target, LESION))
        else:
            carried, known = varied.drawn.carry(said, valid=clean.shown)
            side = Side(carried, true, known[:, None])
        changed = inconsistency(side, Side(torch.sigmoid(after), true, counts))
        changes.append(changed)
        mixes = {
            "adaptive": (1 - w) * masks + w * changed, "fixed": (masks + changed) / 2,
            "strict": (1 - w) * masks + w * of_varied, "added": (masks + of_varied) / 2 + 0.25 * changed,
        }  # fmt: skip
        expected.append(mixes[mix])
    torch.testing.assert_close(found.per_sample, torch.stack(expected).mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.parts["inconsistency"], torch.stack(changes).mean(0), atol=1e-5, rtol=1e-4)


def test_that_is_not_the_mean_of_single_ones() -> None:
    """Two that are each consistent, and say otherwise, are not consistent together."""
    clean, varied = view("none", 0), view("flips(p=1)")
    together = step(made(Several(*PAIR), mix="fixed"), clean, varied)
    single = [step(made(one, mix="fixed"), clean, varied) for one in PAIR]
    alone = torch.stack([one.parts["inconsistency"] for one in single]).mean(0)
    assert (together.parts["inconsistency"] > 1.1 * alone).all()
    masks = torch.stack([one.parts["masks"] for one in single]).mean(0)
    torch.testing.assert_close(together.parts["masks"], masks)
    twins = step(made(Several(PAIR[0], copy.deepcopy(PAIR[0])), mix="fixed"), clean, varied)
    torch.testing.assert_close(twins.per_sample, single[0].per_sample, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("told", [{}, {"mix": "added"}, {"draws": 2}, {"interleaved": 1}], ids=str)
def test_a_gradient_reaches_each_member(told: dict[str, Any]) -> None:
    pair = [copy.deepcopy(one) for one in PAIR]
    method, overs = made(Several(*pair), **told), [one.over for one in pair]
    views = [view("affine(rotate=30)", number) for number in range(1, 1 + told.get("draws", 1))]
    for number in (0, 1):
        loss = step(method, view("none", 0), *views, number=number)
        slopes = torch.autograd.grad(loss.per_sample.sum(), overs)
        assert all(float(slope) != 0 for slope in slopes)
        assert float(slopes[0]) != float(slopes[1])


def test_the_worst_of_several_is_that_of_all_members_together() -> None:
    network = Several(*PAIR)
    clean, *drawn = (view(text, number) for number, text in enumerate(["none", *["affine(rotate=40, shift=0.2)"] * 4]))
    each = torch.stack([step(made(network), clean, one).parts["inconsistency"] for one in drawn])
    chosen = made(network, draws=4).worst(clean, drawn)
    values = step(made(network), clean, chosen).parts["inconsistency"]
    torch.testing.assert_close(values, each.max(0).values, atol=1e-5, rtol=1e-4)
