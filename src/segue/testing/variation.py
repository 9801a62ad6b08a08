"""Whether a variation keeps its promise: it changes an image and knows how the mask must follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from segue.data.case import IGNORE
from segue.testing.demand import demand
from segue.testing.volume import check_volume_variation
from segue.variations import Address, Drawn, Variation

Array = npt.NDArray[Any]

_CANVASES = ((96, 96), (80, 112))
_BATCH = 8
# Of 255. Bytes are rounded after each stage and floats are not: half a level. Curves enlarge what was rounded, and under a
# strong JPEG half a level of its input is enough to round a coefficient the other way, which moves a block by several.
AGREE_MEAN, AGREE_MOST, AGREE_RARE = 1.0, 4.0, 0.06
# Pixels exactly between two, or exactly on the edge, may fall to either side.
AGREE_LABELS = 0.002


def check_variation(variation: Variation, *, changes: bool = True) -> None:
    """Raises AssertionError with a sentence that says which promise is broken. `changes`: whether it does anything."""
    if "turn" in variation.draw(_CANVASES[0], _key(_BATCH)).parts:
        check_volume_variation(variation)
        return
    for size in _CANVASES:
        key = _key(_BATCH)
        drawn = variation.draw(size, key)
        _check_numbers(variation, drawn, size, key, changes)
        _check_identity(variation, size, key)
        _check_kinds(variation, drawn, size)
        _check_neighbours(variation, drawn, size)
        _check_moves(variation, drawn, size)
        _check_together(variation, drawn, size)
        _check_mixed(variation, drawn, size)
        _check_valid(variation, drawn, size)
        _check_undo(variation, drawn, size)
        _check_executors(variation, drawn, size)
        _check_gradients(variation, drawn, size)


def _key(count: int) -> list[Address]:
    return [Address(0, "check", 1, position, f"case {position}") for position in range(count)]


# Phantoms


def picture(size: tuple[int, int], count: int) -> tuple[Array, Array]:
    """Images with an L of its own place and size in each, which no flip or turn brings onto itself, and their labels."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[: size[0], : size[1]]
    images, labels = [], []
    for _ in range(count):
        label = np.zeros(size, np.uint8)
        top, left = rng.integers(size[0] // 5, size[0] // 3), rng.integers(size[1] // 5, size[1] // 3)
        high, wide = rng.integers(size[0] // 3, size[0] // 2), rng.integers(size[1] // 4, size[1] // 3)
        label[top : top + high, left : left + 9] = 1
        label[top + high - 9 : top + high, left : left + wide] = 2
        soft = rng.uniform(0, 30) + 20 * np.sin(x / 9 + y / 13 + rng.uniform(0, 6))
        grey = 70 + soft + 90 * (label > 0) + rng.normal(0, 4, size)
        images.append(np.stack([grey * 1.1, grey * 0.9, grey * 0.8], axis=-1))
        labels.append(label)
    return np.stack(images).clip(0, 255).round().astype(np.uint8), np.stack(labels)


def places(size: tuple[int, int], count: int) -> tuple[Array, Array, Array]:
    """The column and the row of each pixel: as bytes of an image, and as two label maps."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.uint8)
    image = np.stack([columns, rows, np.zeros_like(rows)], axis=-1)
    return tuple(np.repeat(each[None], count, axis=0) for each in (image, columns, rows))  # type: ignore[return-value]


def tensors(images: Array) -> torch.Tensor:
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 255


def arrays(x: torch.Tensor) -> Array:
    return np.asarray(x.detach().permute(0, 2, 3, 1).numpy() * 255)


def _on_tensors(how: Callable[[torch.Tensor], Any], maps: Array) -> tuple[Array, Array]:
    found, valid = how(torch.from_numpy(maps))
    return found.numpy(), valid.numpy()


# Promises


def _check_numbers(
    variation: Variation, drawn: Drawn, size: tuple[int, int], key: Sequence[Address], changes: bool
) -> None:
    name = variation.name
    demand(drawn.n == len(key), f"{name} draws {drawn.n} samples for {len(key)} addresses")
    demand(bool(drawn.active) == changes, f"{name} {'changes nothing' if changes else 'is said to change nothing'}")
    again = variation.draw(size, list(key))
    demand(again == drawn, f"{name} draws other numbers from the same addresses")
    read = type(drawn).from_json(json.loads(json.dumps(drawn.as_json())))
    demand(read == drawn, f"{name}: its numbers do not survive being written as JSON")
    image, label = picture(size, drawn.n)
    other, _ = picture(size, drawn.n)
    demand(np.array_equal(read.images(image), drawn.images(other)), f"{name}: read from JSON, it makes other images")
    demand(
        np.array_equal(read.carry(label)[0], drawn.carry(label)[0]), f"{name}: read from JSON, it moves labels apart"
    )
    if not changes:
        return
    others = {
        "seed": [replace(address, seed=1) for address in key],
        "purpose": [replace(address, purpose="other") for address in key],
        "epoch": [replace(address, epoch=address.epoch + 1) for address in key],
        "position": [replace(address, position=address.position + 64) for address in key],
        "case": [replace(address, case=address.case + "b") for address in key],
        "view": [replace(address, view=1) for address in key],
    }
    for field, addresses in others.items():
        demand(
            not _same(variation.draw(size, addresses), drawn), f"{name} draws the same numbers whatever the {field} is"
        )


def _same(one: Drawn, other: Drawn) -> bool:
    """Whether two do the same. Positions that a mixing keeps in mind are no difference."""
    if one.parts.keys() != other.parts.keys():
        return False
    told = {"mix": slice(5)}
    return all(
        np.array_equal(part[:, told.get(name, slice(None))], other.parts[name][:, told.get(name, slice(None))])
        for name, part in one.parts.items()
    )


def _check_identity(variation: Variation, size: tuple[int, int], key: Sequence[Address]) -> None:
    name = variation.name
    drawn = variation.scaled(0.0).draw(size, key)
    image, label = picture(size, len(key))
    for kind, x in (("bytes", image), ("floats", image.astype(np.float32) / 255)):
        demand(np.array_equal(drawn.images(x), x), f"{name} at severity 0 changes {kind}")
    demand(torch.equal(drawn.images(tensors(image)), tensors(image)), f"{name} at severity 0 changes tensors")
    for maps in (label, torch.from_numpy(label)):
        moved, valid = drawn.carry(maps)
        demand(bool((moved == maps).all()) and bool(valid.all()), f"{name} at severity 0 moves labels")


def _check_kinds(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """Types and ranges, of one, three and five channels; nothing is changed in place, nothing shared."""
    name = variation.name
    image, label = picture(size, drawn.n)
    some = {
        "bytes": image,
        "16 bits": image.astype(np.uint16) * 257,
        "floats": image.astype(np.float32) / 255,
        "grey bytes": image[..., :1].copy(),
        "five channels": np.concatenate([image, image[..., :2]], axis=-1),
    }
    for kind, x in some.items():
        before = x.copy()
        for which in (drawn, type(drawn)(drawn.n, size)):
            done = which.images(x)
            demand(np.array_equal(x, before), f"{name} changes its input in place ({kind})")
            demand(not np.shares_memory(done, x), f"{name} gives its input's own memory back ({kind})")
            demand(
                done.dtype == x.dtype and done.shape == x.shape, f"{name} turns {kind} into {done.dtype} {done.shape}"
            )
        done = drawn.images(x)
        if kind == "floats":
            demand(np.isfinite(done).all() and done.min() >= 0 and done.max() <= 1, f"{name} leaves the range 0..1")
    found, _ = drawn.carry(label)
    demand(found.dtype == label.dtype and not np.shares_memory(found, label), f"{name} gives labels of another kind")
    demand(np.array_equal(label, picture(size, drawn.n)[1]), f"{name} changes labels in place")
    _check_tensors(variation, drawn, size)


def _check_tensors(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    name = variation.name
    image, label = picture(size, drawn.n)
    for channels in (1, 3, 5):
        x = tensors(image)[:, [0, 1, 2, 0, 1][:channels]]
        before = x.clone()
        for which in (drawn, type(drawn)(drawn.n, size)):
            done = which.images(x)
            demand(torch.equal(x, before), f"{name} changes its input in place (tensors)")
            demand(done.data_ptr() != x.data_ptr(), f"{name} gives its input's own memory back (tensors)")
            demand(done.shape == x.shape and done.dtype == x.dtype, f"{name} changes the form of tensors")
        low, high = float(drawn.images(x).min()), float(drawn.images(x).max())
        demand(low >= 0 and high <= 1, f"{name} leaves the range 0..1 on tensors")
    given = torch.from_numpy(label.copy())
    moved, _ = drawn.carry(given)
    demand(moved.data_ptr() != given.data_ptr(), f"{name} gives its labels' own memory back (tensors)")
    demand(np.array_equal(given.numpy(), label), f"{name} changes labels in place (tensors)")


def _check_neighbours(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """Two of a batch, drawn and done by themselves. Two, because a pair may mix."""
    name = variation.name
    pair = slice(2, 4)
    alone = variation.draw(size, _key(_BATCH)[pair])
    demand(alone == drawn[pair], f"{name} draws other numbers in another batch")
    image, label = picture(size, drawn.n)
    demand(np.array_equal(drawn.images(image)[pair], alone.images(image[pair])), f"{name}: neighbours change an image")
    demand(
        np.array_equal(drawn.carry(label)[0][pair], alone.carry(label[pair])[0]), f"{name}: neighbours change labels"
    )
    far = (drawn.images(tensors(image))[pair] - alone.images(tensors(image[pair]))).abs().max()
    demand(float(far) < 1e-4, f"{name}: neighbours change a tensor")


def _check_moves(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """To a fraction of a pixel: pixels that hold their own place, moved as an image and as labels."""
    name = variation.name
    still = drawn.geometric()
    image, columns, rows = places(size, drawn.n)
    executors: tuple[tuple[str, Array, Callable[[Array], tuple[Array, Array]]], ...] = (
        ("arrays", still.images(image), still.carry),
        ("tensors", arrays(still.images(tensors(image))), lambda maps: _on_tensors(still.carry, maps)),
    )
    for kind, moved, carry in executors:
        for axis, maps in enumerate((columns, rows)):
            labels, valid = carry(maps)
            # Where a neighbour is invented the image is a repeated edge: labels and image differ by less than a pixel.
            apart = (moved[..., axis].astype(np.float64) - labels)[valid]
            off = f"{name}: image and labels move apart by"
            demand(np.abs(apart).max(initial=0) <= 2.6, f"{off} {np.abs(apart).max(initial=0):.1f} pixels ({kind})")
            far = np.abs(apart.mean()) if apart.size else 0.0
            demand(far <= 0.1, f"{off} {far:.2f} pixels on average ({kind})")
    # A Drawn serves maps of half the size.
    small = tuple(length // 2 for length in size)
    half = np.repeat(
        ((np.arange(small[1]) * 2 + 0.5)[None, None, None] + np.zeros((1, 1, small[0], 1))), drawn.n, axis=0
    )
    full = np.arange(size[1], dtype=np.float32)[None, None, None] + np.zeros((drawn.n, 1, size[0], 1), np.float32)
    (small_moved, small_valid), (moved_full, full_valid) = still.carry(half.astype(np.float32)), still.carry(full)
    mean = moved_full.reshape(drawn.n, small[0], 2, small[1], 2).mean((2, 4))
    sure = small_valid & full_valid.reshape(drawn.n, small[0], 2, small[1], 2).all((2, 4))
    apart = np.abs(small_moved[:, 0] - mean)[sure]
    demand(not apart.size or np.quantile(apart, 0.95) < 1, f"{name} moves maps of half the size elsewhere")


def _check_together(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """With colours, noise and all: the carried mask fits the image better than it does a few pixels beside."""
    name = variation.name
    image, label = picture(size, drawn.n)
    for kind in ("arrays", "tensors"):
        if kind == "arrays":
            seen, (moved, valid) = drawn.images(image), drawn.carry(label)
        else:
            seen, (moved, valid) = arrays(drawn.images(tensors(image))), _on_tensors(drawn.carry, label)
        grey = seen.astype(np.float64).mean(-1)
        fits = _fit(grey, moved, valid, (0, 0))
        beside = {step: _fit(grey, moved, valid, step) for step in ((0, 3), (0, -3), (3, 0), (-3, 0), (3, 3), (-3, -3))}
        best = max(beside.values())
        demand(fits > best, f"{name}: the mask does not follow the image ({kind}): {fits:.2f}, {best:.2f} beside it")
        demand(fits > 0.3, f"{name}: the mask has little to do with the image ({kind}): {fits:.2f}")


def _check_mixed(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """What is pasted into an image is pasted into its labels: each case is filled with its own number."""
    if "mix" not in drawn.active:
        return
    name = variation.name
    only = type(drawn)(drawn.n, size, {"mix": drawn.parts["mix"]})
    labels = np.broadcast_to(np.arange(1, drawn.n + 1, dtype=np.uint8)[:, None, None], (drawn.n, *size)).copy()
    image = np.repeat(labels[..., None], 3, axis=-1)
    seen, (moved, _) = only.images(image), only.carry(labels)
    demand((seen != image).any(), f"{name} pastes nothing into images")
    demand(np.array_equal(seen[..., 0], moved), f"{name} pastes other labels than pixels")
    given = np.zeros_like(image) + np.uint8(99)
    nothing = np.ones((drawn.n, *size), np.bool_)
    seen = only.images(image, partner=given)
    moved, _ = only.carry(labels, partner=(given[..., 0], nothing))
    demand(np.array_equal(seen[..., 0], moved), f"{name} pastes other labels than pixels of a given partner")
    demand(not (only.undo(moved)[1] & (seen[..., 0] == 99)).any(), f"{name} undoes what belongs to the partner")


def _fit(grey: Array, label: Array, valid: Array, step: tuple[int, int]) -> float:
    """Mean correlation of image and mask, the mask a step aside."""
    found = []
    for image, mask, counts in zip(grey, (label > 0) & (label != IGNORE), valid, strict=True):
        both = counts & np.roll(counts, step, (0, 1))
        mine, other = image[both], np.roll(mask, step, (0, 1))[both].astype(np.float64)
        if mine.size > 50 and mine.std() > 0 and other.std() > 0:
            found.append(abs(float(np.corrcoef(mine, other)[0, 1])))
    return float(np.mean(found)) if found else 1.0


def _check_valid(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    """Invented pixels: black, IGNORE, 0 and invalid, and no label that was not there."""
    name = variation.name
    image, label = picture(size, drawn.n)
    for maps in (label, label.astype(np.int64), np.stack([label, label], axis=1)):
        moved, valid = drawn.carry(maps)
        counts = valid if maps.ndim == 3 else np.repeat(valid[:, None], 2, axis=1)
        demand(np.array_equal(moved == IGNORE, ~counts), f"{name}: IGNORE does not stand where labels are invalid")
        demand(set(np.unique(moved)) <= {0, 1, 2, IGNORE}, f"{name} makes labels that were not there")
    still = drawn.geometric()
    _, valid = still.carry(label)
    white = np.full_like(image, 255)
    demand(np.array_equal(still.images(white)[..., 0] == 0, ~valid), f"{name}: other pixels are black than are invalid")
    ones = np.ones((drawn.n, 2, *size), np.float32)
    moved, valid = drawn.carry(ones)
    expected = np.repeat(valid[:, None], 2, axis=1).astype(np.float32)
    demand(np.allclose(moved, expected, atol=1e-4), f"{name}: predictions of 1 do not stay 1, or 0 where invalid")
    # What did not count before does not count after, and does not bleed into what does.
    before = np.ones((drawn.n, *size), np.bool_)
    before[:, :, : size[1] // 2] = False
    spoilt = np.where(before[:, None], ones, np.float32(1e6))
    pairs: tuple[tuple[Any, Any], ...] = ((spoilt, before), (torch.from_numpy(spoilt), torch.from_numpy(before)))
    for maps, known in pairs:
        values, counts = drawn.carry(maps, valid=known)
        far = float(values.max())
        demand(far < 1.01, f"{name}: a prediction that does not count bleeds into its neighbours ({far:g})")
        demand(bool(counts.any()) and not bool(counts.all()), f"{name} forgets which predictions counted")


def _check_undo(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    name = variation.name
    _, columns, rows = places(size, drawn.n)
    for kind in ("arrays", "tensors"):
        maps: Any = np.stack([columns, rows], axis=1).astype(np.float32)
        maps = maps if kind == "arrays" else torch.from_numpy(maps)
        moved, valid = drawn.carry(maps)
        back, known = drawn.undo(moved, valid=valid)
        apart = np.abs(np.asarray(back) - np.asarray(maps)).max(1)[np.asarray(known)]
        demand(apart.size > 0.15 * known.shape[0] * size[0] * size[1], f"{name}: hardly a pixel can be undone ({kind})")
        # Where only part of a neighbourhood came through, a mean over that part is all there is.
        far = float(np.quantile(apart, 0.98))
        demand(far < 1, f"{name}: undo misses by {far:.1f} pixels ({kind})")
        demand(float(apart.max()) < 4, f"{name}: undo gives back wrong pixels as valid ({kind}): {apart.max():.1f} off")


def _check_executors(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    name = variation.name
    image, label = picture(size, drawn.n)
    apart = np.abs(drawn.images(image).astype(np.float64) - arrays(drawn.images(tensors(image))))
    says = f"{name}: the executors disagree"
    demand(apart.mean() <= AGREE_MEAN, f"{says} by {apart.mean():.2f} levels on average")
    rare = float((apart > AGREE_MOST).mean())
    demand(rare <= AGREE_RARE, f"{says} by more than {AGREE_MOST:g} levels in {rare:.1%} of the pixels")
    floats = image.astype(np.float32) / 255
    close = np.abs(drawn.images(floats) * 255 - arrays(drawn.images(tensors(image)))).mean()
    demand(close <= AGREE_MEAN, f"{says} on floats by {close:.2f} levels on average")
    for what in ("carry", "undo"):
        ours, valid = getattr(drawn, what)(label)
        theirs, known = _on_tensors(getattr(drawn, what), label)
        wrong = max(float((ours != theirs).mean()), float((valid != known).mean()))
        demand(wrong <= AGREE_LABELS, f"{says} on {wrong:.2%} of the labels ({what})")


def _check_gradients(variation: Variation, drawn: Drawn, size: tuple[int, int]) -> None:
    name = variation.name
    image, _ = picture(size, drawn.n)
    maps = torch.rand((drawn.n, 2, *size), generator=torch.Generator().manual_seed(0))
    for what, values in (("images", tensors(image)), ("carry", maps), ("undo", maps)):
        given = values.clone().requires_grad_()
        done = getattr(drawn, what)(given)
        (done if what == "images" else done[0]).sum().backward()
        found = given.grad
        demand(found is not None and bool(found.isfinite().all()), f"{name}: no gradient flows back through {what}")
        demand(found is not None and bool((found != 0).any()), f"{name}: the gradient through {what} is nothing but 0")
