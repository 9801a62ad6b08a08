from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import segue
from segue.data.components import components
from segue.data.copies.fingerprint import copies, following, thumbnail
from segue.data.copies.leaks import COPY, FRAME, leaks
from segue.data.copies.neighbours import Forest
from segue.data.copies.variant import VARIANTS
from tests.data import made
from tests.data.made import Picture


def recompressed(picture: Picture, quality: int = 50) -> Picture:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def cropped(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return picture[height // 12 : height // 12 + int(0.9 * height), width // 30 : width // 30 + int(0.9 * width)]


DISGUISES: dict[str, Callable[[Picture], Picture]] = {
    "recompressed": recompressed,
    "smaller": lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
    "larger": lambda p: cv2.resize(p, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC),
    "brighter": lambda p: np.clip(p * 1.15 + 12, 0, 255).astype(np.uint8),
    "other colours": lambda p: np.clip(p * [1.1, 0.9, 1.2], 0, 255).astype(np.uint8),
    "cropped": cropped,
    "flipped": lambda p: cv2.flip(p, 1),
    "turned": lambda p: np.rot90(p).copy(),
    "flipped, recompressed at 50, 90 % crop": lambda p: recompressed(cropped(cv2.flip(p, 0))),
}


def thumbs(pictures: list[Picture]) -> np.ndarray:
    return np.stack([thumbnail(picture) for picture in pictures])


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_copy_is_found_and_nothing_else(disguise: str) -> None:
    pictures = [made.scene(seed) for seed in range(60)]
    found = copies(thumbs([*pictures, DISGUISES[disguise](pictures[17])])).above(COPY)
    assert {tuple(sorted(pair)) for pair in found.pairs.tolist()} == {(17, 60)}


def test_strangers_are_not_copies() -> None:
    found = copies(thumbs([made.scene(seed) for seed in range(300)])).above(COPY)
    assert not len(found.pairs)


def test_frames_of_one_scene_are_found_when_they_follow_each_other() -> None:
    wide = [made.scene(seed, 200, 260) for seed in range(30)]
    frames = [scene[20 + 9 * step :, 10 + 12 * step :][:140, :180] for scene in wide for step in range(2)]
    pairs = np.array([(i, i + 1) for i in range(len(frames) - 1)])
    found = following(thumbs(frames), pairs).above(FRAME)
    same_scene = {(i, i + 1) for i in range(0, len(frames), 2)}
    hits = {(int(i), int(j)) for i, j in found.pairs}
    assert len(hits & same_scene) >= 27
    assert len(hits - same_scene) <= 1


def test_what_all_pictures_share_is_no_evidence() -> None:
    """An aperture and a text overlay make strangers alike; a copy is found all the same."""
    pictures = []
    for seed in range(60):
        picture = made.scene(seed)
        ring = np.zeros(picture.shape[:2], np.uint8)
        cv2.circle(ring, (80, 60), 55, 1, -1)
        picture[ring == 0] = 0
        cv2.putText(picture, "12/03 GI", (2, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 2)
        pictures.append(picture)
    found = copies(thumbs([*pictures, recompressed(pictures[4])])).above(COPY)
    assert {tuple(sorted(pair)) for pair in found.pairs.tolist()} == {(4, 60)}


def test_black_frames_are_not_near_copies_of_each_other() -> None:
    black = [np.full((60, 80, 3), value, np.uint8) for value in (0, 1, 2, 0)]
    assert not len(copies(thumbs([*black, *(made.scene(seed) for seed in range(5))])).pairs)


def test_a_variants_matrix_undoes_what_it_says() -> None:
    """The frequencies say which variant; the pixels must then agree at once."""
    picture = made.scene(3)
    for variant in (VARIANTS[0], VARIANTS[3], VARIANTS[5], VARIANTS[20]):
        (top, bottom), (left, right) = variant.rows, variant.columns
        height, width = picture.shape[:2]
        copy = picture[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
        copy = copy.swapaxes(0, 1) if variant.turned else copy
        copy = copy[::-1] if variant.flipped_rows else copy
        copy = np.ascontiguousarray(copy[:, ::-1] if variant.flipped_columns else copy)
        found = copies(thumbs([picture]), thumbs([copy, made.scene(8)])).above(0.8)
        assert found.pairs.tolist() == [[0, 0]]
        assert VARIANTS[found.variants[0]].words() == variant.words()


def test_the_forest_finds_what_looking_at_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((3000, 63)) * np.linspace(3, 0.3, 63)
    points[1500:] = points[:1500] + 0.15 * rng.standard_normal((1500, 63)) * np.linspace(3, 0.3, 63)
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    truth = np.argwhere(points @ points.T > 0.9)
    truth_set = {(int(i), int(j)) for i, j in truth if i != j}
    found = {
        (int(i), int(j))
        for rows, columns, _ in Forest(points).near(points, 0.9)
        for i, j in zip(rows, columns, strict=True)
    }
    found = {(i, j) for i, j in found if i != j}
    assert found <= truth_set
    assert len(found) > 0.99 * len(truth_set)
    small = points[:200]
    exact = {
        (int(i), int(j)) for rows, cols, _ in Forest(small).near(small, 0.5) for i, j in zip(rows, cols, strict=True)
    }
    assert exact == {(int(i), int(j)) for i, j in np.argwhere(small @ small.T > 0.5)}


def test_components() -> None:
    assert components([("b", "a"), ("c", "d"), ("d", "b"), ("x", "x")]) == [("a", "b", "c", "d"), ("x",)]


def test_scan_groups_copies_and_a_second_dataset_is_searched(tmp_path: Path) -> None:
    home = made.folder_of_images(tmp_path / "home", 12)
    picture = made.read(home / "images" / "003.png")
    cv2.imwrite(str(home / "images" / "late.bmp"), picture)  # the same pixels in another format
    away = made.folder_of_images(tmp_path / "away", 8, masks=False, seed=100)
    cv2.imwrite(str(away / "images" / "zzz.jpg"), cropped(cv2.flip(picture, 1)), [cv2.IMWRITE_JPEG_QUALITY, 50])
    (away / "masks").rmdir()
    ours = segue.scan(home, tmp_path / "d1", workers=0).dataset
    theirs = segue.scan(away, tmp_path / "d2", workers=0).dataset
    assert ours is not None
    assert theirs is not None
    inside = leaks(ours)
    assert [(pair.a, pair.b, pair.kind) for pair in inside.pairs] == [("003", "late", "exact")]
    assert ours.by_name["003"].group == ours.by_name["late"].group == "003"
    across = leaks(tmp_path / "d1", tmp_path / "d2")
    assert {(pair.a, pair.b) for pair in across.pairs} == {("003", "images/zzz"), ("late", "images/zzz")}
    assert {pair.kind for pair in across.pairs} == {"copy"}
    assert {(pair.b, pair.a) for pair in leaks(theirs, ours).pairs} == {(pair.a, pair.b) for pair in across.pairs}


KNOWN = [("train_0510", "train_0593"), ("train_0459", "train_0620"), ("train_0300", "train_0667")]


def test_known_pairs_of_real_data(shared_data: Path, tmp_path: Path) -> None:
    kvasir = segue.scan(shared_data / "kvasir-seg", tmp_path / "k", workers=0)
    assert set(KNOWN) <= {(pair.a, pair.b) for pair in kvasir.pairs}
    assert len(kvasir.pairs) <= 12
    clinic = segue.scan(shared_data / "cvc-clinicdb", tmp_path / "c", workers=0)
    consecutive = {pair for pair in clinic.pairs if abs(int(pair.a) - int(pair.b)) == 1}
    assert len(consecutive) >= 215
    assert clinic.dataset is not None
    sequence = {case.case: case.patient for case in clinic.dataset.cases}
    across = [pair for pair in clinic.pairs if sequence[pair.a] != sequence[pair.b]]
    assert len(across) <= 0.03 * len(clinic.pairs)


def test_known_pairs_of_polypgen_and_isic(shared_data: Path, tmp_path: Path) -> None:
    polypgen = segue.scan(shared_data / "polypgen", tmp_path / "p", workers=0)
    assert len(polypgen.pairs) >= 20
    assert {pair.a[:2] == pair.b[:2] for pair in polypgen.pairs} == {True}
    isic = segue.scan(shared_data / "isic2018", tmp_path / "i", workers=0)
    assert sum(pair.kind == "copy" for pair in isic.pairs) >= 9
