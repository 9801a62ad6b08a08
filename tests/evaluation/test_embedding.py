"""What watches an encoder: against the formulas written out in loops, and on clouds of which one knows what is to be said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from segue.errors import BadInput
from segue.evaluation.showing import embedding
from segue.evaluation.showing.embedding import (
    Known,
    alignment,
    collapsed,
    effective_rank,
    knn_probe,
    neighbours,
    principal,
    probes,
    spread,
    uniformity,
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def cloud(n: int = 400, d: int = 24, seed: int = 0) -> Floats:
    """Without a direction that it prefers."""
    return np.random.default_rng(seed).normal(size=(n, d))


def point(noise: float = 0.0) -> Floats:
    return cloud(1, seed=1) + noise * cloud()


def line(noise: float = 0.0, d: int = 24) -> Floats:
    return cloud(1, d, seed=1) + cloud(400, 1, seed=2) * cloud(1, d, seed=3) + noise * cloud(400, d)


def clusters(apart: float, n: int = 120) -> tuple[Floats, list[str], list[str]]:
    """Three labels, four patients of each, ten images of a patient."""
    labels = [f"label {i % 3}" for i in range(n)]
    units = [f"patient {i % 12}" for i in range(n)]
    centres = apart * cloud(3, 8, seed=4)
    return centres[np.arange(n) % 3] + cloud(n, 8, seed=5), labels, units


def cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def nearest_by_loops(z: Floats, units: Sequence[str], k: int) -> list[list[int]]:
    found = []
    for i in range(len(z)):
        others = sorted((j for j in range(len(z)) if units[j] != units[i]), key=lambda j: -cosine(z[i], z[j]))
        found.append((others + [-1] * k)[:k])
    return found


@pytest.fixture(params=[1 << 22, 50])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one block, and row by row."""
    monkeypatch.setattr(embedding, "_CHUNK", request.param)


def test_an_even_cloud_is_spread_over_all_directions() -> None:
    z = cloud(2000)
    assert spread(z) == pytest.approx(1, abs=0.02)
    assert effective_rank(z) == pytest.approx(24, rel=0.01)
    assert uniformity(z) == pytest.approx(-4 + 8 / 24, abs=0.1)
    assert collapsed(z) == ""


def test_a_point() -> None:
    assert spread(point()) == pytest.approx(0, abs=1e-12)
    assert effective_rank(point()) == 0
    assert uniformity(point()) == pytest.approx(0, abs=1e-12)
    assert collapsed(point()) == "all images have nearly the same representation (spread 0.000)"
    assert collapsed(point(0.01)) == "all images have nearly the same representation (spread 0.016)"
    assert effective_rank(point(0.01)) > 20, "which is why the spread is asked first"
    assert collapsed(np.zeros((30, 24))).startswith("all images have nearly the same")


def test_a_line() -> None:
    assert effective_rank(line()) == pytest.approx(1, abs=1e-6)
    assert principal(line()).shares == pytest.approx((1, 0), abs=1e-9)
    assert collapsed(line()) == (
        "the representations lie on a line (100\N{NO-BREAK SPACE}% of their variance, effective rank 1.0)"
    )
    noisy = line(0.02, d=512)
    assert effective_rank(noisy) > 5, "noise in many dimensions hides a line from it"
    assert collapsed(noisy).startswith("the representations lie on a line")
    assert collapsed(line(1.0)) == ""


def test_few_directions_of_many() -> None:
    plane = cloud(400, 3) @ cloud(3, 64, seed=7)
    assert (
        collapsed(plane) == f"the representations vary in hardly any of 64 directions (effective rank "
        f"{effective_rank(plane):.1f})"
    )
    assert collapsed(cloud(400, 3)) == "", "where there are only three, three are all"
    assert collapsed(cloud(3, 64)) == "", "three images have no more"


def test_too_few_images_are_no_collapse() -> None:
    assert collapsed(cloud(0)) == collapsed(cloud(1)) == collapsed(cloud(2)) == ""
    assert all(math.isnan(measure(cloud(1))) for measure in (spread, effective_rank, uniformity))
    assert collapsed(np.ones((2, 5))) != "", "but two equal ones are"


def test_measures_are_their_formulas(blocks: None) -> None:
    z, z2 = cloud(37, 5) + 0.4, cloud(37, 5, seed=8)
    unit = [row / math.sqrt(sum(row**2)) for row in z]
    deviations = [math.sqrt(sum((row[i] - sum(r[i] for r in unit) / 37) ** 2 for row in unit) / 37) for i in range(5)]
    assert spread(z) == pytest.approx(sum(deviations) / 5 * math.sqrt(5))
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(z.T)), 0))
    assert effective_rank(z) == pytest.approx(math.exp(-sum(v * math.log(v) for v in values / values.sum())))
    pairs = [math.exp(-2 * sum((unit[i] - unit[j]) ** 2)) for i in range(37) for j in range(i)]
    assert uniformity(z) == pytest.approx(math.log(sum(pairs) / len(pairs)))
    assert alignment(z, z2) == pytest.approx(np.mean([2 - 2 * cosine(a, b) for a, b in zip(z, z2, strict=True)]))


def test_views_that_agree_and_views_that_do_not() -> None:
    assert alignment(cloud(), 3 * cloud()) == pytest.approx(0, abs=1e-12), "lengths do not count"
    assert alignment(cloud(), -cloud()) == pytest.approx(4)
    assert alignment(cloud(), cloud(seed=9)) == pytest.approx(2, abs=0.1)
    assert math.isnan(alignment(cloud(0), cloud(0)))
    with pytest.raises(ValueError, match="same images"):
        alignment(cloud(3), cloud(1))


def test_neighbours_are_of_other_units(blocks: None) -> None:
    z, _, units = clusters(1.0, n=40)
    assert neighbours(z, units, 4).tolist() == nearest_by_loops(z, units, 4)
    assert neighbours(z, ["one"] * 20 + ["other"] * 20, 25).tolist() == nearest_by_loops(
        z, ["one"] * 20 + ["other"] * 20, 25
    )
    assert neighbours(z, ["one"] * 40, 2).tolist() == [[-1, -1]] * 40
    assert neighbours(cloud(0), [], 3).shape == (0, 3)


def test_of_equal_images_the_first_is_nearest() -> None:
    assert neighbours(np.ones((5, 2)), list("abcde"), 3)[4].tolist() == [0, 1, 2]


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_the_probe_is_a_vote_of_other_patients(apart: float, blocks: None) -> None:
    z, labels, units = clusters(apart)
    labels[3], units[3] = "alone", "nobody else"
    kept = [i for i in range(120) if i != 3]
    right = 0
    for i, near in zip(kept, nearest_by_loops(z[kept], [units[j] for j in kept], 5), strict=True):
        votes = [labels[kept[j]] for j in near]
        right += max(votes, key=Counter(votes).__getitem__) == labels[i]
    probe = knn_probe(z, labels, units)
    assert probe.accuracy == pytest.approx(right / 119)
    assert probe.n == 119
    assert probe.chance == pytest.approx(40 / 119)


def test_labels_that_are_there_are_found_and_others_are_not() -> None:
    z, labels, units = clusters(10.0)
    assert knn_probe(z, labels, units).accuracy == 1
    z, labels, units = clusters(0.0)
    assert knn_probe(z, labels, units).accuracy < 0.5


def test_a_patient_is_no_evidence_for_itself() -> None:
    """Each patient has a place of its own and a label of chance: without units, all would be known."""
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 10)
    z = 10 * rng.normal(size=(40, 8))[patients] + rng.normal(size=(400, 8))
    labels, units = rng.integers(0, 2, 40)[patients], [f"p{i}" for i in patients]
    assert knn_probe(z, labels, [str(i) for i in range(400)]).accuracy == 1
    assert knn_probe(z, labels, units).accuracy < 0.75


def test_ties_and_few_neighbours() -> None:
    z = np.array([[1, 0], [1, 0.1], [1, 0.25], [0, 1], [0.1, 1]])
    probe = knn_probe(z, [0, 0, 1, 1, 1], list("abcde"), k=2)
    assert probe.accuracy == pytest.approx(4 / 5), "of two votes the nearer: the third image is taken for a 0"
    assert knn_probe(z, [0, 0, 1, 1, 1], list("abcde"), k=50).n == 5, "fewer than 50 are there, and they vote"


def test_nothing_to_guess() -> None:
    assert knn_probe(cloud(4), [0, 1, 2, 3], list("abcd")).n == 0
    assert math.isnan(knn_probe(cloud(4), [0, 0, 1, 1], list("aabb")).accuracy), "each label has one patient"
    assert knn_probe(cloud(0), [], []).n == 0


def known(n: int, **more: tuple[str, ...] | tuple[int, ...]) -> Known:
    names = tuple(f"{i}" for i in range(n))
    given = {
        "cases": names, "datasets": ("north",) * n, "sites": ("",) * n, "units": names, "partitions": (-1,) * n,
        "volumes": ("",) * n, "slices": (-1,) * n,
    }  # fmt: skip
    return Known(**{**given, **more})  # type: ignore[arg-type]


def test_what_is_known_is_probed() -> None:
    z, labels, _ = clusters(10.0)
    assert probes(z, known(120)) == {}, "one dataset, no site, no axis"
    half = tuple(int(label[-1]) if i < 60 else -1 for i, label in enumerate(labels))
    found = probes(z, known(120, sites=tuple(labels), partitions=half))
    assert {name: (probe.accuracy, probe.n) for name, probe in found.items()} == {
        "partition": (1, 60),
        "site": (1, 120),
    }
    with pytest.raises(ValueError, match="one entry an image"):
        known(3, sites=("a",))


def test_principal_components() -> None:
    z = cloud(60, 6) * [9, 5, 1, 1, 1, 1] + 3
    found = principal(z, 3)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    assert found.shares == pytest.approx(values[:-4:-1] / values.sum())
    for i in range(3):
        vector = vectors[:, -1 - i]
        vector = vector * np.sign(vector[np.abs(vector).argmax()])
        assert found.places[:, i] == pytest.approx((z - z.mean(axis=0)) @ vector)
    assert principal(z[::-1]).places[::-1] == pytest.approx(found.places[:, :2]), "the same picture in any order"


def test_components_that_are_not_there_are_zeros() -> None:
    assert principal(cloud(5, 1)).shares == pytest.approx((1, 0))
    for nothing in (np.ones((4, 3)), cloud(1, 3)):
        assert principal(nothing).shares == (0, 0)
        assert not principal(nothing).places.any()
    assert principal(cloud(0, 3)).places.shape == (0, 2)


def test_numbers_that_are_none_are_told_and_refused() -> None:
    z = cloud(30)
    z[3, 2], z[7] = math.inf, math.nan
    told = "the representations of 2 of 30 images are not finite numbers"
    assert collapsed(z) == told
    for measure in (spread, effective_rank, uniformity, principal):
        with pytest.raises(BadInput, match=told):
            measure(z)
    with pytest.raises(BadInput, match=told):
        neighbours(z, ["a"] * 30, 1)


def test_half_precision_is_measured_in_full() -> None:
    z = (300 * cloud()).astype(np.float16)
    assert spread(z) == pytest.approx(spread(z.astype(float)))
    assert effective_rank(z) == pytest.approx(effective_rank(z.astype(float)))
