"""What only the tensor executor has: other types, gradients with the right values, shrinking."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import torch

from segue.errors import BadInput
from segue.variations import Address, Drawn, parse, tensor

SIZE = (48, 64)


def key(count: int) -> list[Address]:
    return [Address(0, "train", 0, place, f"case {place}") for place in range(count)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_any_float_goes_in_and_comes_out(dtype: torch.dtype) -> None:
    drawn = parse("strong").draw(SIZE, key(4))
    x = torch.rand((4, 3, *SIZE), generator=torch.Generator().manual_seed(0))
    done = drawn.images(x.to(dtype))
    assert done.dtype == dtype
    assert (done.float() - drawn.images(x)).abs().mean() < 0.02
    maps, valid = drawn.carry(x.to(dtype))
    assert maps.dtype == dtype
    assert valid.dtype == torch.bool
    assert (maps.float() - drawn.carry(x)[0]).abs().max() < 0.02


def test_places_are_exact_also_within_autocast() -> None:
    drawn = parse("affine + elastic + strong").draw(SIZE, key(4))
    x = torch.rand((4, 3, *SIZE), generator=torch.Generator().manual_seed(0))
    maps, _ = drawn.carry(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(drawn.images(x), drawn.images(x.clone()))
        inside, (moved, _), (back, _) = drawn.images(x), drawn.carry(x), drawn.undo(maps)
    assert torch.equal(inside, drawn.images(x))
    assert torch.equal(moved, maps)
    assert torch.equal(back, drawn.undo(maps)[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_whole_numbers_are_labels(dtype: torch.dtype) -> None:
    drawn = parse("affine + elastic").draw(SIZE, key(3))
    labels = torch.arange(3 * 48 * 64).view(3, *SIZE) % 5
    moved, valid = drawn.carry(labels.to(dtype))
    assert moved.dtype == dtype
    assert torch.equal(moved.long(), drawn.carry(labels)[0])
    assert ((moved == 255) == ~valid).all()
    regions = torch.stack([labels, labels + 1], dim=1).to(dtype)
    moved, valid = drawn.carry(regions)
    assert ((moved == 255) == ~valid[:, None]).all()
    array, counts = drawn.carry(regions.numpy())
    assert (array != moved.numpy()).mean() < 0.002
    assert (counts != valid.numpy()).mean() < 0.002


def test_truth_values_move_too() -> None:
    drawn = parse("affine").draw(SIZE, key(2))
    mask = torch.ones((2, *SIZE), dtype=torch.bool)
    moved, valid = drawn.carry(mask)
    assert torch.equal(moved, valid)
    array, counts = drawn.carry(mask.numpy())
    assert array.dtype == np.bool_
    assert np.array_equal(array, counts)


def test_a_flip_sends_each_gradient_home() -> None:
    drawn = Drawn(1, (2, 3), {"matrix": np.diag([-1.0, 1, 1])[None]})
    maps = torch.arange(6.0).view(1, 1, 2, 3).requires_grad_()
    (drawn.carry(maps)[0] * torch.tensor([[1.0, 2, 3], [4, 5, 6]])).sum().backward()
    assert maps.grad is not None
    assert torch.allclose(maps.grad[0, 0], torch.tensor([[3.0, 2, 1], [6, 5, 4]]))


def test_gradients_of_predictions_are_those_of_differences() -> None:
    drawn = parse("affine + elastic").draw((12, 12), key(1))
    maps = torch.rand(
        (1, 1, 12, 12), dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    known = torch.ones((1, 12, 12), dtype=torch.bool)
    known[:, :, :4] = False
    weight = torch.rand((1, 1, 12, 12), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for what in (drawn.carry, drawn.undo):
        (what(maps, valid=known)[0] * weight).sum().backward()
        assert maps.grad is not None
        grad, maps.grad = maps.grad.clone(), None
        step = 1e-2
        for row, column in ((6, 7), (3, 9), (8, 2)):
            nudge = torch.zeros_like(maps)
            nudge[0, 0, row, column] = step
            with torch.no_grad():
                up, down = (((what(maps + sign * nudge, valid=known)[0]) * weight).sum() for sign in (1, -1))
            assert float((up - down) / (2 * step)) == pytest.approx(float(grad[0, 0, row, column]), abs=1e-3)


def test_gradients_stop_where_white_is_white() -> None:
    x = torch.full((1, 3, *SIZE), 0.9, requires_grad=True)
    parse("brightness(amount=0.5)").draw(SIZE, key(1)).images(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_wide_view_is_read_from_a_shrunk_image_and_does_not_alias() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3)).astype(np.uint8)
    wide = Drawn(1, (128, 128), {"matrix": np.diag([2.5, 2.5, 1])[None]})
    x = torch.from_numpy(noise).permute(0, 3, 1, 2).float() / 255
    found = (wide.images(x)[0].permute(1, 2, 0).numpy() * 255)[40:88, 40:88]
    arrays = wide.images(noise)[0][40:88, 40:88]
    assert np.abs(found - arrays).mean() < 0.6
    area = cv2.resize(noise[0], (51, 51), interpolation=cv2.INTER_AREA)
    assert found.std() < 1.25 * area.std()


def test_shrinking_is_by_areas() -> None:
    x = torch.rand((2, 3, 50, 70), generator=torch.Generator().manual_seed(0))
    for size in ((33, 47), (22, 31), (50, 70), (7, 9)):
        found = tensor._shrunk(x, size)[0].permute(1, 2, 0).numpy()
        expected = cv2.resize(x[0].permute(1, 2, 0).numpy(), size[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(found - expected).max() < 1e-5


def test_wrong_tensors_are_told() -> None:
    drawn = Drawn.identity(2, SIZE)
    with pytest.raises(BadInput, match="and floats in"):
        drawn.images(torch.zeros((2, 3, *SIZE), dtype=torch.uint8))
    with pytest.raises(BadInput, match="has the shape"):
        drawn.images(torch.zeros((1, 3, *SIZE)))
    with pytest.raises(BadInput, match="not for the form"):
        drawn.images(torch.zeros((2, 3, 48, 48)))
    with pytest.raises(BadInput, match="maps have the shape"):
        parse("affine").draw(SIZE, key(2)).carry(torch.zeros((3, *SIZE)))


def test_arrays_need_no_torch() -> None:
    """What is deployed varies and predicts without it."""
    import subprocess

    code = (
        "import sys, numpy as np\n"
        "from segue.variations import Address, parse\n"
        "drawn = parse('strong').draw((32, 32), [Address(0, '', 0, 0, '')])\n"
        "drawn.images(np.zeros((1, 32, 32, 3), np.uint8)); drawn.undo(drawn.carry(np.zeros((1, 32, 32), np.uint8))[0])\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_kept_for_the_next_call_spoils_nothing() -> None:
    import pickle

    drawn = parse("affine + elastic").draw(SIZE, key(2))
    small = len(pickle.dumps(drawn))
    x = torch.rand((2, 3, *SIZE), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        drawn.images(x)
    x.requires_grad_()
    drawn.images(x).sum().backward()
    drawn.carry(x)[0].sum().backward()
    assert drawn.kept
    assert len(pickle.dumps(drawn)) < small + 500
    half = torch.rand((2, 3, 24, 32), generator=torch.Generator().manual_seed(0))
    assert drawn.carry(half)[0].shape == half.shape
    assert torch.equal(drawn.carry(half)[0], pickle.loads(pickle.dumps(drawn)).carry(half)[0])
    assert not drawn.geometric().kept
