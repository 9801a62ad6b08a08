"""Pictures are read as they are meant, or refused; nothing that a decoder invents gets through."""

from __future__ import annotations

import io
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from segue.data import images
from segue.data.images import read_image, read_mask
from segue.errors import BadInput
from tests.hostile import (
    FOLDERS,
    Array,
    blob,
    encoded,
    jpeg_cut_and_closed,
    levels,
    noise,
    palette,
    picture,
    rgba,
    several,
    sixteen,
    with_exif,
)


def _put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


LOSSLESS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("a.png", "PNG", {}),
    ("a.bmp", "BMP", {}),
    ("a.tif", "TIFF", {}),
    ("a.tiff", "TIFF", {"compression": "tiff_lzw"}),
    ("b.tif", "TIFF", {"compression": "tiff_deflate"}),
    ("a.webp", "WEBP", {"lossless": True}),
    ("a.ppm", "PPM", {}),
    ("A.PNG", "PNG", {"interlace": True}),
)


@pytest.mark.parametrize(("name", "kind", "options"), LOSSLESS)
@pytest.mark.parametrize("grey", [False, True])
def test_every_format_gives_the_same_pixels(
    name: str, kind: str, options: dict[str, object], grey: bool, tmp_path: Path
) -> None:
    pixels = picture(1)[..., 0] if grey else picture(1)
    found = read_image(_put(tmp_path, name, encoded(pixels, kind, **options)))
    assert found.dtype == np.uint8
    if grey and kind == "WEBP":  # knows no grey
        found = found[..., 0]
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept(kind: str, channels: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    if channels == 4:
        pixels[..., 3] = 65535
    ordered = pixels[..., [2, 1, 0, 3][:channels]] if channels > 1 else pixels[..., 0]
    found = read_image(_put(tmp_path, f"a.{kind}", sixteen(ordered, f".{kind}")))
    assert found.dtype == np.uint16
    assert np.array_equal(found, pixels[..., :3] if channels > 1 else pixels[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_makes_of_it(orientation: int, tmp_path: Path) -> None:
    path = _put(tmp_path, "a.jpg", with_exif(orientation))
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    found = read_image(path).astype(int)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 2  # two decoders


def test_a_mask_is_not_turned(tmp_path: Path) -> None:
    assert read_mask(_put(tmp_path, "a.jpg", with_exif(6))).shape[:2] == (40, 48)


@pytest.mark.parametrize(
    ("name", "data", "values"),
    [
        ("a.png", lambda: encoded(blob(), "PNG"), {0, 255}),
        ("a.png", lambda: encoded(np.dstack([blob()] * 3), "PNG"), {0, 255}),
        ("a.png", lambda: encoded(blob() > 0, "PNG"), {0, 255}),
        ("a.bmp", lambda: encoded(blob() > 0, "BMP"), {0, 255}),
        ("a.tif", lambda: encoded(blob() > 0, "TIFF", compression="group4"), {0, 255}),
        ("a.gif", lambda: encoded(blob() > 0, "GIF"), {0, 255}),
        ("a.png", lambda: sixteen(blob().astype(np.uint16) * 257), {0, 65535}),
        ("a.tif", lambda: encoded(blob().astype(np.int32) * 1000, "TIFF"), {0, 255_000}),
        ("a.tif", lambda: encoded(blob().astype(np.float32) / 255, "TIFF"), {0.0, 1.0}),
        ("a.pgm", lambda: b"P5 3 1 4095\n" + bytes([0, 0, 0, 7, 15, 255]), {0, 7, 4095}),
        ("a.png", lambda: palette(levels(1, 2, 3), (0, 0, 0, 9, 9, 9, 200, 0, 0, 0, 200, 0)), {0, 1, 2, 3}),
        ("a.png", lambda: palette(levels(1, 2), (0, 0, 0, 9, 0, 0, 0, 9, 0), transparency=0), {0, 1, 2}),
        ("a.png", lambda: palette(blob(value=1), (0, 0, 0, 255, 255, 255)), {0, 255}),
        ("a.png", lambda: rgba(lambda pixels: pixels.__setitem__((..., slice(3)), blob()[..., None])), {0, 255}),
    ],
)
def test_the_raw_values_of_a_mask(name: str, data: Callable[[], bytes], values: set[float], tmp_path: Path) -> None:
    found = read_mask(_put(tmp_path, name, data()))
    assert found.ndim == 2
    assert set(np.unique(found).tolist()) == values


def test_a_coloured_mask_keeps_its_colours(tmp_path: Path) -> None:
    assert np.array_equal(read_mask(_put(tmp_path, "a.png", encoded(picture(2), "PNG"))), picture(2))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jpg", jpeg_cut_and_closed, "is damaged"),
        ("a.tif", lambda: several("TIFF"), "has 3 frames"),
        ("a.tif", lambda: encoded(Image.fromarray(picture(1)).convert("CMYK"), "TIFF"), "CMYK"),
        ("a.jfif", lambda: encoded(picture(1), "JPEG"), "is a JPEG file under another ending"),
    ],
)
def test_refusals_name_the_file(name: str, data: Callable[[], bytes], says: str, tmp_path: Path) -> None:
    path = _put(tmp_path, name, data())
    for read in (read_image, read_mask):
        with pytest.raises(BadInput, match=says) as raised:
            read(path)
        assert raised.value.message.startswith(f"{path}: ")


def test_a_file_that_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(BadInput, match=r"folder\.png: (cannot be read|is empty)"):
        read_image(tmp_path / "folder.png")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = _put(tmp_path, "a.png", encoded(picture(1), "PNG"))
    path.chmod(0)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody
    try:
        if os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("this user may read everything")
        with pytest.raises(BadInput, match=r"a\.png: cannot be read .Permission denied"):
            read_image(path)
    finally:
        if root:
            os.seteuid(0)


def test_a_file_of_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(BadInput, match="more than a picture should have"):
        read_image(tmp_path / "a.png")


def test_a_pyramid_of_thumbnails_does_not_hide_a_truncation(tmp_path: Path) -> None:
    """The EXIF of a photo holds a small JPEG with an end of its own."""
    exif = b"Exif\0\0" + encoded(picture(1, 8, 8), "JPEG")
    whole = encoded(noise(), "JPEG")
    data = whole[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + whole[2:]
    assert read_image(_put(tmp_path, "whole.jpg", data)).shape == (40, 48, 3)
    with pytest.raises(BadInput, match="is truncated"):
        read_image(_put(tmp_path, "cut.jpg", data[:-600]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_cut_of_a_plain_file_is_a_sentence(kind: str, tmp_path: Path) -> None:
    """Headers of plain files are read by a way of their own."""
    whole = encoded(picture(1, 8, 8), kind)
    end = b"\xff\xd9" if kind == "JPEG" else b"IEND\xaeB`\x82"
    for cut in range(len(whole) - 1):
        for data in (whole[:cut], whole[:cut] + end):
            if data == whole:
                continue
            _, told = _pixels_or_sentence(read_image, _put(tmp_path, f"a.{kind.lower()}", data))
            assert told or cut > len(whole) - 9, cut
            assert "\n" not in told


def test_standard_error_is_given_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = _put(tmp_path, "a.jpg", jpeg_cut_and_closed())
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        with pytest.raises(BadInput, match="is damaged"):
            read_image(path)
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"  # and nothing of the decoder's
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_without_standard_error_pictures_are_read(tmp_path: Path) -> None:
    path = _put(tmp_path, "a.jpg", encoded(noise(), "JPEG"))
    kept = os.dup(2)
    os.close(2)
    try:
        found = read_image(path)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert found.shape == (40, 48, 3)


SEEDS: dict[str, Callable[[], bytes]] = {
    "jpg": lambda: encoded(picture(1), "JPEG"),
    "progressive.jpg": lambda: encoded(picture(1), "JPEG", progressive=True),
    "turned.jpg": lambda: with_exif(6),
    "png": lambda: encoded(picture(1), "PNG"),
    "palette.png": lambda: palette(levels(1, 2, 3), (0, 0, 0, 9, 9, 9, 200, 0, 0, 0, 200, 0)),
    "alpha.png": lambda: rgba(lambda pixels: None),
    "deep.png": lambda: sixteen(picture(1).astype(np.uint16) * 257),
    "bmp": lambda: encoded(picture(1), "BMP"),
    "gif": lambda: encoded(picture(1), "GIF"),
    "moving.gif": lambda: several("GIF"),
    "webp": lambda: encoded(picture(1), "WEBP"),
    "ppm": lambda: encoded(picture(1), "PPM"),
    "tif": lambda: encoded(picture(1), "TIFF"),
    "lzw.tif": lambda: encoded(picture(1), "TIFF", compression="tiff_lzw"),
    "jpeg.tif": lambda: encoded(picture(1), "TIFF", compression="jpeg"),
    "fax.tif": lambda: encoded(blob() > 0, "TIFF", compression="group4"),
    "pages.tif": lambda: several("TIFF"),
}


@pytest.mark.parametrize("kind", SEEDS)
def test_broken_bytes_are_pixels_or_a_sentence(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing but `BadInput` comes out, whatever is in a file; and no word of a decoder's own."""
    dice = random.Random(kind)
    whole = SEEDS[kind]()
    path = tmp_path / f"a.{kind.rpartition('.')[2]}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(60):
            path.write_bytes(_hurt(whole, dice))
            for read in (read_image, read_mask):
                pixels, told = _pixels_or_sentence(read, path)
                assert "\n" not in told
                assert told or pixels.size
                assert told or pixels.ndim == 2 or pixels.shape[2:] == (3,)
    assert capfd.readouterr().err == ""


def _pixels_or_sentence(read: Callable[[Path], Array], path: Path) -> tuple[Array, str]:
    try:
        return read(path), ""
    except BadInput as error:
        return np.zeros(0), error.message


def _hurt(whole: bytes, dice: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(dice.choice((1, 1, 2, 5))):
        at = dice.randrange(min(len(data), dice.choice((60, 200, len(data)))) or 1)
        what = dice.random()
        if what < 0.6:
            data[at : at + 1] = bytes([dice.choice((0, 255, dice.randrange(256)))])
        elif what < 0.75:
            data[at : at + 4] = b"\0\0\0\0"
        elif what < 0.9:
            del data[at + 20 :]
        else:
            data[at:at] = data[at : at + 9]
    return bytes(data)


def test_all_entries_with_a_file_that_is_a_picture_are_read_here_too(tmp_path: Path) -> None:
    """Reading one file says what the scan of its folder says."""
    for hostile in FOLDERS:
        if not hostile.file.startswith("images/bad.") or "volume" in hostile.says or "EXIF" in hostile.says:
            continue
        if "link" in hostile.says:
            continue
        root = hostile.make(tmp_path / str(hostile))
        with pytest.raises(BadInput):
            read_image(root / hostile.file)


def test_opencv_and_pillow_agree_on_turned_colours(tmp_path: Path) -> None:
    """Red is the first channel, by whichever decoder."""
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    for name, kind in (("a.png", "PNG"), ("a.tif", "TIFF"), ("a.webp", "WEBP"), ("a.bmp", "BMP"), ("a.gif", "GIF")):
        found = read_image(_put(tmp_path, name, encoded(red, kind, **({"lossless": True} if kind == "WEBP" else {}))))
        assert found[0, 0].tolist() == [200, 0, 0], kind
    assert read_image(_put(tmp_path, "b.png", bytes(cv2.imencode(".png", red[..., ::-1])[1].tobytes())))[0, 0, 0] == 200
    stream = io.BytesIO()
    Image.fromarray(red).save(stream, "PNG")
    assert read_image(_put(tmp_path, "c.png", stream.getvalue()))[0, 0, 0] == 200
