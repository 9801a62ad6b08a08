from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segue.data import images
from segue.data.target import Target
from segue.errors import BadInput, Failed
from segue.evaluation.predicting.decision import Decision, decide
from segue.evaluation.predicting.folder import Written, predict_file, predict_files, predict_folder
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import predict_array
from tests.data import made
from tests.evaluation.fakes import POLYP, THREE, Array, red, shades, smooth

FRAME = Frame((64, 64), 100)


def save(path: Path, image: Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def read(path: Path) -> Array:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    return mask


def done(inputs: object, out: Path, **given: object) -> list[Written]:
    known = {"frame": FRAME, "target": POLYP, "progress": False}
    return list(predict_folder(red, inputs, out, **{**known, **given}))  # type: ignore[arg-type]


def test_each_image_gets_a_mask_of_its_own_size(tmp_path: Path) -> None:
    sizes = {"a.png": (60, 90), "deep/er/b.jpg": (131, 77), "c.tif": (40, 40), "d.bmp": (200, 300)}
    for number, (name, size) in enumerate(sizes.items()):
        save(tmp_path / "in" / name, smooth(*size, seed=number))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    found = done(tmp_path / "in", tmp_path / "out")
    assert [one.path.relative_to(tmp_path / "in").as_posix() for one in found] == [
        "a.png",
        "c.tif",
        "d.bmp",
        "deep/er/b.jpg",
    ]
    assert [one.masks[0].relative_to(tmp_path / "out").as_posix() for one in found] == [
        "a.png", "c.png", "d.png", "deep/er/b.png",
    ]  # fmt: skip
    for one in found:
        pixels = images.read_image(one.path)
        mask = read(one.masks[0])
        wanted = predict_array(red, pixels, frame=FRAME, target=POLYP)[1] >= 0.5
        assert np.array_equal(mask, wanted * np.uint8(255))
        assert one.shares == {"polyp": pytest.approx(wanted.mean())}
        assert np.array_equal(predict_file(red, one.path, frame=FRAME, target=POLYP)[1] >= 0.5, wanted)
    assert {path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()} == {".png"}


def test_a_bad_file_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    for name in ("a", "c", "e"):
        save(tmp_path / "in" / f"{name}.png", smooth(30, 40))
    (tmp_path / "in" / "b.png").write_bytes(b"nothing of the kind")
    (tmp_path / "in" / "d.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:200])
    for batch in (1, 2, 8):
        found = done(tmp_path / "in", tmp_path / f"out{batch}", batch=batch)
        assert [bool(one.error) for one in found] == [False, True, False, True, False]
        assert "b.png: is not a picture" in found[1].error
        assert "d.png: is truncated" in found[3].error
        assert sorted(path.name for path in (tmp_path / f"out{batch}").iterdir()) == ["a.png", "c.png", "e.png"]
    with pytest.raises(BadInput, match=r"b\.png: is not a picture"):
        predict_file(red, tmp_path / "in" / "b.png", frame=FRAME, target=POLYP)


def test_other_channels_and_volumes_are_told_by_file(tmp_path: Path) -> None:
    save(tmp_path / "a.png", smooth(30, 40))
    (tmp_path / "b.nii.gz").write_bytes(b"\x1f\x8b")
    for frame, told in ((Frame((64, 64), 100, channels=4), "a.png: has 3 channels, the network sees 4"),):
        found = list(
            predict_files(red, [tmp_path / "a.png", tmp_path / "b.nii.gz"], frame=frame, target=POLYP, progress=False)
        )
        assert told in found[0].error
        assert "is a volume" in found[1].error


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        save(tmp_path / "in" / f"{name}.png", smooth(30, 40))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"from an earlier time")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failed, match=r"a\.png: cannot be written \(No space left"):
        done(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"from an earlier time"


def test_one_after_the_other_as_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        save(tmp_path / "in" / f"{number:02d}.png", smooth(30, 40))
    reads = 0
    original = images.read_image

    def counting(path: Path) -> Array:
        nonlocal reads
        reads += 1
        return original(path)

    monkeypatch.setattr(images, "read_image", counting)
    results = predict_folder(red, tmp_path / "in", tmp_path / "out", frame=FRAME, target=POLYP, batch=4, progress=False)
    assert not (tmp_path / "out").exists()
    for number in range(3):
        assert next(results).path.name == f"{number:02d}.png"
    assert reads <= 16
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_several_classes_are_numbers_and_regions_files(tmp_path: Path) -> None:
    image = smooth(50, 70)
    save(tmp_path / "in" / "a.png", image)
    (one,) = predict_folder(shades, tmp_path / "in", tmp_path / "out", frame=FRAME, target=THREE, progress=False)
    mask = read(one.masks[0])
    assert np.array_equal(mask, decide(predict_array(shades, image, frame=FRAME, target=THREE), THREE))
    assert set(one.shares) == {"ring", "core"}
    regions = Target(("whole tumour", "core"), exclusive=False)
    (one,) = predict_folder(
        lambda images_: shades(images_)[:, 1:], tmp_path / "in", tmp_path / "parts", frame=FRAME, target=regions,
        decision=Decision(threshold=0.4), progress=False,
    )  # fmt: skip
    assert [path.name for path in one.masks] == ["a_whole-tumour.png", "a_core.png"]
    for path, name in zip(one.masks, regions.names, strict=True):
        mask = read(path)
        assert set(np.unique(mask)) == {0, 255}
        assert (mask > 0).mean() == one.shares[name]


def test_masks_and_earlier_results_are_no_images(tmp_path: Path) -> None:
    made.folder_of_images(tmp_path / "in", 2)
    save(tmp_path / "in" / "x_mask.png", made.blob_mask(0))
    out = tmp_path / "in" / "predicted"
    first = done(tmp_path / "in", out)
    assert [one.path.name for one in first] == ["000.png", "001.png"]
    assert [one.path for one in done(tmp_path / "in", out)] == [one.path for one in first]
    # A file that is named is taken as it is.
    assert len(done([tmp_path / "in" / "x_mask.png"], tmp_path / "other")) == 1


def test_names_that_collide(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        save(tmp_path / "in" / name, smooth(30, 40))
    found = done(tmp_path / "in", tmp_path / "out")
    assert [one.masks[0].name for one in found] == ["a.jpg.png", "a.png.png", "b.png"]
    save(tmp_path / "else" / "b.png", smooth(30, 40))
    with pytest.raises(BadInput, match=r"would both be written as .*b\.png"):
        predict_folder(red, [tmp_path / "in", tmp_path / "else"], tmp_path / "out2", frame=FRAME, target=POLYP)
    assert len(done([tmp_path / "in", tmp_path / "in" / "b.png"], tmp_path / "out3")) == 3  # the same file, named twice
    with pytest.raises(BadInput, match="its mask would overwrite it"):
        predict_folder(red, tmp_path / "in" / "b.png", tmp_path / "in", frame=FRAME, target=POLYP)


def test_what_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for wrong, told in (
        (tmp_path / "nowhere", "there is no such file or folder"),
        (tmp_path / "empty", "holds no pictures"),
        ([], "no image is given"),
        (tmp_path / ("x" * 300), "cannot be opened|no such file"),
    ):
        with pytest.raises(BadInput, match=told):
            predict_folder(red, wrong, tmp_path / "out", frame=FRAME, target=POLYP)


def test_an_image_that_exif_turns_gets_its_mask_upright(tmp_path: Path) -> None:
    upright = smooth(40, 80)
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(images.read_image(tmp_path / "a.png"), upright)
    (one,) = done(tmp_path / "a.png", tmp_path / "out")
    mask = read(one.masks[0])
    assert mask.shape == (40, 80)
    assert (mask > 0).mean() == pytest.approx((upright[..., 0] > 127).mean(), abs=0.03)


def test_sixteen_bit_files(tmp_path: Path) -> None:
    image = smooth(40, 80)[..., 0].astype(np.uint16) * 257
    save(tmp_path / "a.png", image)
    deep = Frame((64, 64), 100, dtype="uint16", channels=1)
    found = predict_file(red, tmp_path / "a.png", frame=deep, target=POLYP)
    assert np.array_equal(found, predict_array(red, image, frame=deep, target=POLYP))
    assert np.abs(found[1] - image / 65535).max() < 0.03
