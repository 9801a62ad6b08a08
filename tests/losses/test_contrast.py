"""Contrast against its definition, computed slowly: who is a pair with whom, the loss, its slopes, and broken twins of all."""

from __future__ import annotations

import importlib
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from segue.errors import BadInput
from segue.losses.contrast import contrast
from segue.losses.pairs import Columns, Elsewhere, Kind, Negatives, Pairs, pairs
from segue.losses.places import local_contrast, places
from segue.networks.operators import make_importable

from . import contrast_reference as slow

KINDS: list[tuple[Kind, Elsewhere, Negatives]] = [
    *itertools.product(get_args(Kind), get_args(Elsewhere), get_args(Negatives))
]
every_kind = pytest.mark.parametrize(("kind", "elsewhere", "negatives"), KINDS)
VIEWS = [(1, 0), (2, 0), (3, 0), (2, 1), (4, 0)]  # how many, and the first: (2, 1) is without the plain one
SHAPES: list[dict[str, Any]] = [
    {"datasets": 1, "volumes": 1, "partitions": (0, 1, 2, 3)},
    {"datasets": 1, "volumes": 3, "partitions": (0,)},
    {"datasets": 3, "volumes": 2, "partitions": (0, 1, 2, 3, 4)},
    {"partitions": (1, 3), "units": 2},
    {"partitions": (0, 2), "frames": 2, "units": 3},
    {"partitions": (), "frames": 4, "units": 5},
    {"partitions": (-1, 0), "frames": 1, "units": 1},
]


def columns(
    datasets: int = 2,
    volumes: int = 2,
    partitions: tuple[int, ...] = (0, 1),
    frames: int = 0,
    units: int = 100,
    views: tuple[int, int] = (3, 0),
) -> Columns:
    """A slice of each partition, and frames in every dataset; `units` people, whose images lie in all datasets."""
    found: list[tuple[int, ...]] = []
    for dataset in range(datasets):
        for volume in range(volumes):
            number = volumes * dataset + volume
            found += [(len(found) + k, number, part, dataset, number % units) for k, part in enumerate(partitions)]
        first = len(found)
        found += [(first + k, 100 + first + k, -1, dataset, (7 * dataset + k) % units) for k in range(frames)]
    return plain(found).views(views[0], first=views[1])


def plain(known: Sequence[tuple[int, ...]]) -> Columns:
    """Of (image, volume, partition, dataset, unit)."""
    return Columns(*torch.tensor([(*row, 0) for row in known]).unbind(1))


def some(given: Columns, chosen: list[int] | slice) -> Columns:
    return given.each(lambda column: column[chosen])


@st.composite
def batches(draw: st.DrawFn) -> Columns:
    """Anything that stands together: slices that are there twice, partitions that are missing, copies, frames."""
    found: dict[tuple[int, ...], tuple[int, ...]] = {}
    unit = st.integers(0, draw(st.integers(0, 4)))
    owner = [draw(unit) for _ in range(9)]
    drawn = []
    for _ in range(draw(st.integers(1, 9))):
        dataset, volume, part = draw(st.integers(0, 2)), draw(st.integers(0, 2)), draw(st.integers(-1, 4))
        key = (dataset, volume, part, draw(st.integers(0, 1)))
        number = 3 * dataset + volume if part >= 0 else draw(st.sampled_from([-1, 20 + len(found)]))
        owned = owner[number] if part >= 0 else draw(unit)
        drawn.append(found.setdefault(key, (len(found), number, part, dataset, owned)))
    count, first = draw(st.sampled_from(VIEWS))
    whole = plain(drawn).views(count, first=first)
    return some(whole, draw(st.permutations(range(len(whole))))[: draw(st.integers(1, 14))])


def listed(mask: Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in mask]


def same_rows(found: Tensor, wanted: list[list[int]]) -> None:
    """Row by row: where `CI` is set, pytest explains the difference of two nested lists for many minutes."""
    for row, other in zip(listed(found), wanted, strict=True):
        assert row == other


def compare_pairs(function: Callable[..., Pairs], given: Columns, own: int | None = 0, **kind: Any) -> None:
    anchors = given if own is None else some(given, slice(own, None))
    found = function(anchors, given, own=own, **kind)
    near, far = slow.pairs(anchors, given, own=own, **kind)
    assert found.positives.dtype == found.negatives.dtype == torch.bool
    same_rows(found.positives, near)
    same_rows(found.negatives, far)
    assert not (found.positives & found.negatives).any()
    itself = anchors.image[:, None] == given.image
    assert not (found.negatives & itself).any()
    if own is not None:
        assert not found.positives.diagonal(own).any()


@every_kind
def test_pairs_are_what_their_definition_says(kind: Kind, elsewhere: Elsewhere, negatives: Negatives) -> None:
    for shape, views in itertools.product(SHAPES, VIEWS):
        compare_pairs(pairs, columns(**shape, views=views), kind=kind, elsewhere=elsewhere, negatives=negatives)


@settings(deadline=None, max_examples=200)
@given(batches(), st.sampled_from(KINDS), st.data())
def test_pairs_of_anything(given: Columns, chosen: tuple[Kind, Elsewhere, Negatives], data: st.DataObject) -> None:
    kind, elsewhere, negatives = chosen
    own = data.draw(st.none() | st.integers(0, len(given) - 1))
    compare_pairs(pairs, given, own, kind=kind, elsewhere=elsewhere, negatives=negatives)


def changed(columns_change: Callable[[Columns], Columns]) -> Callable[..., Pairs]:
    return lambda anchors, others, *args, **kind: pairs(columns_change(anchors), columns_change(others), *args, **kind)


def after(change: Callable[[Columns, Columns, Pairs], Pairs]) -> Callable[..., Pairs]:
    return lambda anchors, others, *args, **kind: change(anchors, others, pairs(anchors, others, *args, **kind))


def as_published(anchors: Columns, others: Columns, found: Pairs) -> Pairs:
    """Exclusion begins at the anchor's own place."""
    part = (anchors.partition[:, None] == others.partition) & (anchors.dataset[:, None] != others.dataset)
    return replace(found, negatives=found.negatives | torch.ones_like(part).tril(-1) & part)


TWINS: dict[str, Callable[..., Pairs]] = {
    "sound": pairs,
    "the same partition is not excluded": changed(lambda c: replace(c, partition=torch.arange(len(c)) + 10)),
    "frames are a partition": changed(lambda c: replace(c, partition=c.partition + 1)),
    "volumes are not told apart": changed(lambda c: replace(c, volume=c.dataset)),
    "datasets are not told apart": changed(lambda c: replace(c, dataset=torch.zeros_like(c.dataset))),
    "copies are negatives": changed(lambda c: replace(c, unit=c.image + 1000)),
    "views are not told apart": changed(lambda c: replace(c, view=torch.zeros_like(c.view))),
    "exclusion as published": after(as_published),
    "negatives of the other side": after(lambda a, o, found: replace(found, negatives=found.negatives.roll(1, 0))),
    "a row is its own positive": after(
        lambda a, o, found: replace(found, positives=found.positives.clone().fill_diagonal_(True))
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_comparison_catches(name: str) -> None:
    mixed = columns(partitions=(0, 1, 2), frames=2, units=3)
    fails = 0
    for kind, elsewhere, negatives in KINDS:
        try:
            compare_pairs(TWINS[name], mixed, kind=kind, elsewhere=elsewhere, negatives=negatives)
        except AssertionError:
            fails += 1
    assert bool(fails) == (name != "sound")


def test_pairs_by_hand() -> None:
    """Two datasets of two volumes of two slices, three views: image 0 is the first slice of the first volume."""
    batch = columns()
    assert len(batch) == 24

    def of_first(
        kind: Kind, elsewhere: Elsewhere = "ignore", negatives: Negatives = "all"
    ) -> tuple[list[int], set[int]]:
        found = pairs(batch, batch, kind, own=0, elsewhere=elsewhere, negatives=negatives)
        images = batch.image[found.negatives[8]].tolist()
        return listed(found.positives)[8], set(images)  # row 8: image 0 as view 1

    assert of_first("images") == ([0, 16], {1, 2, 3, 4, 5, 6, 7})
    assert of_first("images", negatives="dataset") == ([0, 16], {1, 2, 3})
    assert of_first("partitions") == ([0, 16], {1, 3, 5, 7})
    assert of_first("partitions", "negative") == ([0, 16], {1, 3, 4, 5, 6, 7})
    assert of_first("partitions", "positive") == of_first("partitions")
    assert of_first("partitions", negatives="dataset") == ([0, 16], {1, 3})
    assert of_first("across") == ([0, 16, 18], {1, 3, 5, 7})
    assert of_first("across", "positive") == ([0, 16, 18, 20, 22], {1, 3, 5, 7})


def test_frames_of_a_patient_and_copies_are_no_negatives() -> None:
    #         image, volume, partition, dataset, unit
    frames = [(0, -1, -1, 0, 5), (1, -1, -1, 0, 5), (2, -1, -1, 0, 6)]
    slices = [(3, 9, 0, 1, 7), (4, 9, 1, 1, 7), (5, 8, 0, 2, 7), (6, 8, 1, 2, 7), (7, 7, 0, 1, 5)]
    batch = plain(frames + slices)

    def negatives(kind: Kind, elsewhere: Elsewhere = "ignore") -> list[list[int]]:
        return listed(pairs(batch, batch, kind, own=0, elsewhere=elsewhere, negatives="all").negatives)

    # Frame 0, frame 2, slice 3 (whose volume has a copy: 5 and 6).
    for kind in get_args(Kind):
        assert negatives(kind)[0] == [2, 3, 4, 5, 6]
        assert negatives(kind)[2] == [0, 1, 3, 4, 5, 6, 7]
    assert negatives("images")[3] == [0, 1, 2, 4, 7]
    assert negatives("partitions")[3] == [0, 1, 2, 4, 6]
    assert negatives("partitions", "negative")[3] == [0, 1, 2, 4, 6]
    assert negatives("partitions", "negative")[5] == [0, 1, 2, 4, 6, 7]


def test_columns() -> None:
    one = columns(views=(1, 0))
    three = one.views(2, first=1)
    assert three.view.tolist() == [1] * 8 + [2] * 8
    assert three.image.tolist() == one.image.tolist() * 2
    both = Columns.cat([one, three])
    assert len(both) == 24
    assert slow.rows(both) == slow.rows(one.views(3))
    with pytest.raises(ValueError, match="all alike"):
        replace(one, unit=torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="there are 8 others"):
        pairs(one, one, "images", own=1, elsewhere="ignore", negatives="all")


# --- the loss of images


def embeddings(count: int, dims: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed + count))


def leaves(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    return one.clone().requires_grad_(), other.clone().requires_grad_()


def compare_contrast(
    function: Callable[..., Any], given: Columns, own: int | None, temperature: float, **kind: Any
) -> None:
    """Losses, weights and slopes of both sides."""
    anchors = given if own is None else some(given, slice(own, None))
    others = embeddings(len(given))
    z = embeddings(len(given), seed=1) if own is None else others[own:]
    ours, theirs = leaves(z, others), leaves(z.double(), others.double())
    found = function(*ours, pairs(anchors, given, own=own, **kind), temperature)
    loss, weight = slow.contrast(*theirs, *slow.pairs(anchors, given, own=own, **kind), temperature)
    assert found.loss.dtype == found.weight.dtype == torch.float32
    assert found.weight.tolist() == weight
    torch.testing.assert_close(found.loss.double(), loss, rtol=1e-4, atol=1e-5)
    assert bool((found.loss[found.weight == 0] == 0).all())
    same_slopes(found.loss, loss, ours, theirs)


def same_slopes(found: Tensor, wanted: Tensor, ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> None:
    mixture = torch.linspace(0.5, 1.5, len(found))  # each anchor has a slope of its own
    slopes = torch.autograd.grad((found * mixture).sum(), ours, allow_unused=True, materialize_grads=True)
    total = (wanted * mixture).sum() + 0 * (theirs[0].sum() + theirs[1].sum())  # perhaps no anchor has a positive
    for slope, other in zip(slopes, torch.autograd.grad(total, theirs), strict=True):
        torch.testing.assert_close(slope.double(), other, rtol=1e-3, atol=1e-4)


@every_kind
def test_contrast_is_what_its_definition_says(kind: Kind, elsewhere: Elsewhere, negatives: Negatives) -> None:
    batch = columns(partitions=(0, 1), frames=1, units=3)
    compare_contrast(contrast, batch, 0, 0.1, kind=kind, elsewhere=elsewhere, negatives=negatives)


@settings(deadline=None, max_examples=60)
@given(batches(), st.sampled_from(KINDS), st.sampled_from([0.05, 0.1, 1.0]), st.data())
def test_contrast_of_anything(
    given: Columns, chosen: tuple[Kind, Elsewhere, Negatives], temperature: float, data: st.DataObject
) -> None:
    kind, elsewhere, negatives = chosen
    own = data.draw(st.none() | st.integers(0, len(given) - 1))
    compare_contrast(contrast, given, own, temperature, kind=kind, elsewhere=elsewhere, negatives=negatives)


def own_images(count: int, views: int = 2) -> Pairs:
    batch = columns(1, count, (0,), views=(views, 1))
    return pairs(batch, batch, "images", own=0, elsewhere="ignore", negatives="all")


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 50.0])
def test_contrast_by_hand(temperature: float) -> None:
    """Two images in two views, each embedded to one axis: cosines of 1 to the positive and of 0 to two negatives."""
    z = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.2, 0.0], [0.0, 7.0]])
    found = contrast(z, z, own_images(2), temperature)
    wanted = math.log1p(2 * math.exp(-1 / temperature))
    assert found.loss.tolist() == pytest.approx([wanted] * 4, rel=1e-5, abs=1e-8)
    assert found.weight.tolist() == [1, 1, 1, 1]


def test_a_temperature_so_high_that_nothing_is_told_apart() -> None:
    z = embeddings(12)
    flat = contrast(z, z, own_images(6), 1e6)
    torch.testing.assert_close(flat.loss, torch.full((12,), math.log(11)), rtol=1e-4, atol=0)


def test_both_directions_of_a_pair() -> None:
    """The mean over anchors is the symmetrised loss: each side's negatives, seen from it."""
    z, batch = embeddings(4), columns(1, 2, (0,), views=(2, 1))
    found = contrast(z, z, pairs(batch, batch, "images", own=0, elsewhere="ignore", negatives="all"), 0.5)
    one, other = slow.term(z[0], z[2], z[[1, 3]], 0.5), slow.term(z[2], z[0], z[[1, 3]], 0.5)
    assert abs(float(one - other)) > 0.01
    torch.testing.assert_close(found.loss[[0, 2]], torch.stack([one, other]))


def test_anchors_of_a_process_and_a_memory() -> None:
    """What is gathered from others changes nothing of the rows, and a memory's image is known again."""
    batch, z = columns(frames=1), embeddings(30)
    chosen: dict[str, Any] = {"elsewhere": "negative", "negatives": "all"}
    whole = contrast(z, z, pairs(batch, batch, "across", own=0, **chosen), 0.1)
    mine = slice(10, 20)
    anchors = batch.each(lambda column: column[mine])
    part = contrast(z[mine], z, pairs(anchors, batch, "across", own=10, **chosen), 0.1)
    torch.testing.assert_close(part.loss, whole.loss[mine])
    kept = pairs(anchors, Columns.cat([anchors, batch]), "images", own=0, **chosen)
    assert bool(kept.positives[0, 20])  # image 0 in the memory
    assert not kept.positives[0, 0]


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-10, 1e10, 1e18])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_at_extremes(dtype: torch.dtype, size: float) -> None:
    axis = torch.eye(4)[0]
    for z in (embeddings(12, 4), axis.expand(12, 4), torch.cat([axis.expand(6, 4), -axis.expand(6, 4)])):
        z = (z * size).to(dtype).requires_grad_()
        for chosen in (own_images(6), own_images(12, 1), Pairs(own_images(6).positives, torch.zeros(12, 12) > 0)):
            found = contrast(z, z, chosen, 0.05)
            (slope,) = torch.autograd.grad(found.loss.sum(), z)
            assert bool(found.loss.isfinite().all())
            assert bool(slope.isfinite().all())
        assert bool((found.loss == 0).all())  # without negatives
    worst = torch.cat([torch.eye(12), -torch.eye(12)])  # each positive is opposite
    found = contrast(worst, worst, own_images(12), 0.05)
    assert found.loss.tolist() == pytest.approx([20 + math.log(22)] * 24, rel=1e-5)


def test_half_precision_is_computed_in_single() -> None:
    z = embeddings(12)
    rough = contrast(z.bfloat16(), z.bfloat16(), own_images(6), 0.05)
    single = contrast(z.bfloat16().float(), z.bfloat16().float(), own_images(6), 0.05)
    assert torch.equal(rough.loss, single.loss)
    whole = contrast(z, z, own_images(6), 0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(contrast(z, z, own_images(6), 0.05).loss, whole.loss)


def without_direction(z: Tensor, others: Tensor, chosen: Pairs, temperature: float) -> Any:
    return contrast(z.detach(), others, chosen, temperature)


BROKEN: dict[str, Callable[..., Any]] = {
    "sound": contrast,
    "one side only has a slope": without_direction,
    "the temperature is forgotten": lambda z, others, chosen, _: contrast(z, others, chosen, 1.0),
    "negatives of all": lambda z, others, chosen, t: contrast(
        z, others, replace(chosen, negatives=~chosen.positives), t
    ),
    "positives are negatives": lambda z, others, chosen, t: contrast(
        z, others, replace(chosen, negatives=chosen.negatives | chosen.positives), t
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_comparison_of_losses_catches(name: str) -> None:
    def run() -> None:
        batch = columns(partitions=(0, 1), frames=1, units=3)
        compare_contrast(BROKEN[name], batch, 0, 0.1, kind="across", elsewhere="ignore", negatives="all")

    if name == "sound":
        run()
    else:
        with pytest.raises(AssertionError):
            run()


def test_lightly() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("lightly")
        make_importable()  # it imports torchvision
        peer = pytest.importorskip("lightly.loss", exc_type=ImportError)
        for temperature in (0.05, 0.1, 0.5, 1.0):
            z = embeddings(32, 16)
            ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
            found = contrast(ours, ours, own_images(16), temperature).loss.mean()
            wanted = peer.NTXentLoss(temperature=temperature)(theirs[:16], theirs[16:])
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
            found.backward()
            wanted.backward()
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


# --- the loss of places


def maps(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 2, height, width, generator=torch.Generator().manual_seed(seed))


def valid_everywhere(count: int, height: int, width: int) -> Tensor:
    return torch.ones(count, height, width, dtype=torch.bool)


def compare_local(function: Callable[..., Any], first: Tensor, second: Tensor, valid: Tensor, **given: Any) -> None:
    ours, theirs = leaves(first, second), leaves(first.double(), second.double())
    found = function(*ours, valid, **given)
    loss, weight = slow.local_contrast(*theirs, valid, **given)
    assert found.loss.dtype == found.weight.dtype == torch.float32
    assert found.weight.tolist() == weight
    torch.testing.assert_close(found.loss.double(), loss, rtol=1e-4, atol=1e-5)
    same_slopes(found.loss, loss, ours, theirs)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("regions", [9, 13])
@pytest.mark.parametrize("size", [(3, 3), (4, 4), (3, 8), (9, 9), (12, 10), (17, 24)], ids=str)
def test_local_contrast_is_what_its_definition_says(size: tuple[int, int], regions: int, across: bool) -> None:
    batch = columns(partitions=(0, 1), frames=2, views=(1, 0)) if across else None
    first, second = maps(12, *size), maps(12, *size, seed=1)
    valid = valid_everywhere(12, *size)
    valid[1, 0, 0] = valid[2, :, -2:] = valid[3, size[0] // 2] = valid[4] = valid[8] = False
    compare_local(local_contrast, first, second, valid, temperature=0.1, regions=regions, neighbours=5, across=batch)


@settings(deadline=None, max_examples=40)
@given(
    batches(),
    st.tuples(st.integers(3, 11), st.integers(3, 11)),
    st.sampled_from([9, 13]),
    st.integers(1, 14),
    st.sampled_from([0.05, 0.1, 1.0]),
    st.floats(0, 0.05),
    st.booleans(),
)
def test_local_contrast_of_anything(
    batch: Columns,
    size: tuple[int, int],
    regions: Literal[9, 13],
    neighbours: int,
    temperature: float,
    holes: float,
    across: bool,
) -> None:
    batch = some(batch, slice(6))
    first, second = maps(len(batch), *size), maps(len(batch), *size, seed=1)
    valid = torch.rand(len(batch), *size, generator=torch.Generator().manual_seed(2)) >= holes
    compare_local(
        local_contrast,
        first,
        second,
        valid,
        temperature=temperature,
        regions=regions,
        neighbours=neighbours,
        across=batch if across else None,
    )


def test_places_by_hand() -> None:
    assert places(9, 11, 9) == [(y, x) for y in (0, 3, 6) for x in (0, 4, 8)]
    assert places(11, 11, 13)[9:] == [(2, 2), (2, 6), (6, 2), (6, 6)]
    assert places(3, 3, 13) == [(0, 0)]
    assert places(3, 5, 9) == [(0, 0), (0, 1), (0, 2)]
    for height, width in itertools.product(range(3, 20), repeat=2):
        for regions in (9, 13):
            where = places(height, width, regions)
            assert len(set(where)) == len(where)
            assert where == slow.places(height, width, regions)
            assert {(0, 0), (height - 3, width - 3)} <= set(where)
            assert len(where) == regions or min(height, width) < 7


def test_local_contrast_by_hand() -> None:
    """Nine regions side by side, each of an axis of its own: 1 to itself, 0 to five neighbours in two maps."""
    colours = torch.eye(9).reshape(9, 3, 3)
    one = colours.repeat_interleave(3, 1).repeat_interleave(3, 2).unsqueeze(0)
    found = local_contrast(one, 2 * one, valid_everywhere(1, 9, 9), temperature=0.5, regions=9)
    assert found.loss.tolist() == pytest.approx([math.log1p(10 * math.exp(-2))], rel=1e-5)
    # Where the lowest three are not known, of the nearest five these many are left to the other six.
    valid = valid_everywhere(1, 9, 9)
    valid[:, 8] = False
    upper = local_contrast(one, one, valid, temperature=0.5, regions=9)
    wanted = sum(math.log1p(2 * kept * math.exp(-2)) for kept in (4, 5, 4, 3, 4, 3)) / 6
    assert upper.loss.tolist() == pytest.approx([wanted], rel=1e-5)


def test_places_that_are_not_known_take_no_part() -> None:
    first, second, valid = maps(3, 9, 9), maps(3, 9, 9, seed=1), valid_everywhere(3, 9, 9)
    valid[0, :3] = valid[1] = False
    batch = columns(1, 3, (0,), views=(1, 0))
    for across in (None, batch):
        slopes, losses = [], []
        for what in (0.0, 1e4, torch.inf, torch.nan):
            hidden = ~valid.unsqueeze(1)
            filled = leaves(first.masked_fill(hidden, what), second.masked_fill(hidden, what))
            found = local_contrast(filled[0], filled[1], valid, temperature=0.1, regions=9, across=across)
            assert found.weight.tolist() == [1, 0, 1]
            assert found.loss[1] == 0
            losses.append(found.loss)
            slopes.append(torch.stack(torch.autograd.grad(found.loss.sum(), filled)))
            assert bool((slopes[-1].movedim(2, -1)[:, ~valid] == 0).all())
        for loss, slope in zip(losses, slopes, strict=True):
            assert torch.equal(loss, losses[0])
            assert torch.equal(slope, slopes[0])


def test_local_contrast_in_half_precision_and_at_extremes() -> None:
    first, second, valid = maps(4, 9, 9), maps(4, 9, 9, seed=1), valid_everywhere(4, 9, 9)
    single = local_contrast(first.bfloat16().float(), second.bfloat16().float(), valid, temperature=0.05).loss
    assert torch.equal(local_contrast(first.bfloat16(), second.bfloat16(), valid, temperature=0.05).loss, single)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = local_contrast(first, second, valid, temperature=0.05).loss
    assert torch.equal(mixed, local_contrast(first, second, valid, temperature=0.05).loss)
    for size in (0.0, 1e-30, 1e18):
        given = (first * size).requires_grad_()
        found = local_contrast(given, -given, valid, temperature=0.05, across=columns(1, 4, (0,), views=(1, 0)))
        (slope,) = torch.autograd.grad(found.loss.sum(), given)
        assert bool(found.loss.isfinite().all())
        assert bool(slope.isfinite().all())


@pytest.mark.parametrize("twin", ["other volumes", "every partition", "farther places", "an own side"])
def test_the_comparison_of_places_catches(twin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("segue.losses.places")
    counterparts, nearest, seen_from = module.counterparts, module.nearest, module._seen_from
    broken: dict[str, tuple[str, Any]] = {
        "other volumes": ("counterparts", lambda given: torch.zeros_like(counterparts(given))),
        "every partition": ("counterparts", lambda given: torch.ones_like(counterparts(given))),
        "farther places": ("nearest", lambda where, count: nearest(where, count + 1)),
        "an own side": ("_seen_from", lambda first, second, *rest: seen_from(first, first, *rest)),
    }
    beside = columns(1, 2, (0, 1), views=(1, 0))

    def run() -> None:
        kind: dict[str, Any] = {"temperature": 0.1, "regions": 9, "neighbours": 5, "across": beside}
        compare_local(local_contrast, maps(4, 9, 9), maps(4, 9, 9, seed=1), valid_everywhere(4, 9, 9), **kind)

    run()
    monkeypatch.setattr(module, *broken[twin])
    with pytest.raises(AssertionError):
        run()


def test_maps_that_are_too_small_or_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match="feature maps of 2 x 8 cells are too small for local contrast"):
        local_contrast(maps(1, 2, 8), maps(1, 2, 8), valid_everywhere(1, 2, 8), temperature=0.1)
    with pytest.raises(ValueError, match=r"must be \(n, c, h, w\) twice"):
        local_contrast(maps(2, 5, 5), maps(2, 5, 5), valid_everywhere(1, 5, 5), temperature=0.1)
