"""Smooth fields, and maps that are inverted."""

from __future__ import annotations

import numpy as np
import pytest

from segue.variations import Address, Drawn, parse, spline, warp
from segue.variations.optical import _lenses

ALONG = np.linspace(-1, 1, 41)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_a_straight_line_is_kept(count: int) -> None:
    assert np.allclose(spline.at(ALONG, count) @ (3 * spline.knots(count) - 1), 3 * ALONG - 1, atol=1e-12)
    assert np.allclose(spline.at(ALONG, count).sum(1), 1)
    assert np.allclose(spline.at(ALONG, count, derivative=True) @ (3 * spline.knots(count)), 3)


def test_a_line_goes_on_beyond_the_lattice() -> None:
    beyond = np.array([-1.5, 1.3])
    assert np.allclose(spline.at(beyond, 4) @ spline.knots(4), beyond)


def test_a_finer_lattice_holds_the_same_field() -> None:
    field = np.random.default_rng(0).normal(size=(2, 5, 5))
    fine = spline.refine(field, 8)
    assert fine.shape == (2, 11, 11)
    rows, finer_rows = spline.at(ALONG, 2), spline.at(ALONG, 8)
    assert np.allclose(rows @ field @ rows.T, finer_rows @ fine @ finer_rows.T, atol=1e-12)
    assert spline.refinable(8, 2)
    assert not spline.refinable(6, 4)


def test_the_slope_is_the_slope() -> None:
    field = np.random.default_rng(1).normal(size=7)
    inner = ALONG[1:-1]
    steps = (spline.at(inner + 1e-6, 4) - spline.at(inner - 1e-6, 4)) @ field / 2e-6
    assert np.allclose(spline.at(inner, 4, derivative=True) @ field, steps, atol=1e-6)


def test_a_smooth_function_is_fitted() -> None:
    centres = (np.arange(40) + 0.5) / 20 - 1
    values = np.sin(2 * centres)[None] * np.cos(centres)[:, None]
    fitted = spline.fit(values, 8)
    rows = spline.basis(40, 1.0, 8)
    assert np.abs(rows @ fitted @ rows.T - values).max() < 2e-3


def test_the_strongest_elastic_never_folds_and_is_undone() -> None:
    """Every coefficient as far as it may go, this way or that: the map must stay one to one."""
    rng = np.random.default_rng(2)
    size = (64, 64)
    for count in (2, 4, 8):
        side = spline.FOLD * 2 / count
        bend = rng.choice([-side, side], (1, 2, count + 3, count + 3))
        drawn = Drawn(1, size, {"bend": bend})
        x, y = warp.forward(drawn, 0, size).maps()
        jacobian = (
            np.diff(x, axis=1)[:-1] * np.diff(y, axis=0)[:, :-1] - np.diff(x, axis=0)[:, :-1] * np.diff(y, axis=1)[:-1]
        )
        assert jacobian.min() > 0
        back = warp.backward(drawn, 0, size)
        assert back.known is not None
        assert back.known.mean() > 0.9


def test_maps_and_matrices_are_the_same_map() -> None:
    """A matrix by itself and the same matrix folded into a spline's coefficients, with perspective and without."""
    size = (40, 60)
    for last in (0.0, 0.2):
        matrix = np.array([[0.9, 0.2, 0.1], [-0.1, 1.1, 0.05], [last, -last / 2, 1]])
        straight = Drawn(1, size, {"matrix": matrix[None]})
        bent = Drawn(1, size, {"matrix": matrix[None], "bend": np.full((1, 2, 5, 5), 1e-9)})
        assert bent.acts("bend", 0)
        for one, other in zip(warp.forward(straight, 0, size).maps(), warp.forward(bent, 0, size).maps(), strict=True):
            assert np.abs(one - other).max() < 1e-3
        where = warp.forward(straight, 0, size)
        assert where.covers((400, 600)) is False  # another source altogether
        assert np.array_equal(where.inside(size), where.inside(size) & (where.maps()[0] >= -0.5))


def test_covering_is_never_claimed_wrongly() -> None:
    rng = np.random.default_rng(3)
    size, claims = (32, 48), 0
    for _ in range(300):
        matrix = np.eye(3)
        matrix[:2] += rng.normal(0, 0.1, (2, 3))
        matrix[2, :2] = rng.normal(0, 0.1, 2) * (rng.random() < 0.3)
        matrix[:2] *= rng.uniform(0.4, 1)
        parts = {"matrix": matrix[None]}
        if rng.random() < 0.5:
            parts["bend"] = rng.uniform(-0.1, 0.1, (1, 2, 7, 7))
        where = warp.forward(Drawn(1, size, parts), 0, size)
        if where.covers(size):
            claims += 1
            assert where.inside(size).all()
    assert claims > 30


@pytest.mark.parametrize("k", [1.0, 0.5, -0.5, -1.0])
def test_a_lens_is_its_formula_and_never_folds(k: float) -> None:
    size = (128, 128)
    cubic, quintic = _lenses()
    bend = k * (cubic / 4 + quintic / 16) if k > 0 else k * 0.6 / 4 * cubic
    x, y = warp.forward(Drawn(1, size, {"bend": bend[None]}), 0, size).maps()
    places = (np.arange(128) + 0.5) / 64 - 1
    square = places[None] ** 2 + places[:, None] ** 2
    factor = 1 + k * (square / 4 + square**2 / 16) if k > 0 else 1 + 0.6 * k * square / 4
    assert np.abs(x - (places[None] * factor * 64 + 63.5)).max() < 0.2
    assert np.abs(y - (places[:, None] * factor * 64 + 63.5)).max() < 0.2
    jacobian = (
        np.diff(x, axis=1)[:-1] * np.diff(y, axis=0)[:, :-1] - np.diff(x, axis=0)[:, :-1] * np.diff(y, axis=1)[:-1]
    )
    assert jacobian.min() > 0.05


def test_optical_draws_lenses_of_its_limit() -> None:
    key = [Address(0, "", 0, place, "") for place in range(400)]
    bends = parse("optical(limit=1)").draw((64, 64), key).parts["bend"]
    cubic, quintic = _lenses()
    strength = np.abs(bends).max((1, 2, 3))
    assert strength.max() == pytest.approx(np.abs(cubic / 4 + quintic / 16).max(), rel=0.02)
    assert 0.4 < (bends[:, 0, 5, -1] > 0).mean() < 0.6  # either way


def test_a_bias_field_is_no_brightness() -> None:
    key = [Address(0, "", 0, place, "") for place in range(50)]
    light = parse("bias").draw((64, 64), key).parts["light"]
    assert np.abs(light.mean((1, 2))).max() < 1e-12
    assert np.abs(light).max() > 0.5
