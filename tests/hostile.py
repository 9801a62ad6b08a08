"""A committed generator of hostile inputs: what real folders, tables and archives contain that should not be there.

Each entry lies next to good image/mask pairs. It is refused in one sentence that names the file, and the good pairs
survive it; or it looks strange and is understood. All of it is made here, tiny, from numbers.
"""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from segue.data.scanning.scanned import Scan

Array = npt.NDArray[Any]
HEIGHT, WIDTH = 40, 48
PAIRS = 2  # good ones, beside each hostile input


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A folder to scan."""

    name: str
    build: Callable[[Path], None]  # into a folder that holds the good pairs
    file: str = ""  # which must be named
    says: str = ""  # what its sentence must match
    understood: Callable[[Scan], object] | None = None  # not refused at all, and this holds
    survivors: int = PAIRS  # cases
    whole: bool = False  # the folder is refused as a whole: --skip-bad does not help
    arguments: Mapping[str, Any] = field(default_factory=dict)
    base: str = "folders"  # what the good pairs lie in: folders, manifest or nothing

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def make(self, root: Path) -> Path:
        root.mkdir(parents=True)
        if self.base != "nothing":
            for seed in range(PAIRS):
                put(root, f"images/good{seed}.png", picture(seed))
                put(root, f"masks/good{seed}.png", blob(seed))
        if self.base == "manifest":
            table(root, *([f"images/good{seed}.png", f"masks/good{seed}.png", f"P{seed}"] for seed in range(PAIRS)))
        self.build(root)
        return root


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive to unpack."""

    name: str
    build: Callable[[Path], None]  # writes the file
    ending: str = ".zip"
    says: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A dataset that was whole once."""

    name: str
    damage: Callable[[Path, Path], None]  # the dataset's folder, the images' root
    says: str
    verb: str = "prepare"  # or leaks, scan

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


# Made data


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    rng = np.random.default_rng([7, seed])
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
    made: Array = np.clip(smooth + rng.integers(-8, 9, smooth.shape), 0, 255).astype(np.uint8)
    return made


def blob(seed: int = 0, height: int = HEIGHT, width: int = WIDTH, value: int = 255) -> Array:
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 3 + seed % 5, height // 2), min(height, width) // 5, value, -1)
    return mask


def put(root: Path, path: str, pixels: Array | Image.Image, **options: Any) -> None:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    picture.save(root / path, **options)


def encoded(pixels: Array | Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind, **options)
    return stream.getvalue()


def write(root: Path, path: str, content: bytes | str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def table(root: Path, *rows: Sequence[str], head: str = "image,mask,patient") -> None:
    write(root, "manifest.csv", "\n".join([head, *(",".join(row) for row in rows)]) + "\n")


def manifest(content: bytes | str) -> Callable[[Path], None]:
    return lambda root: write(root, "manifest.csv", content)


def add_rows(*rows: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        put(root, "images/extra.png", picture(9))
        put(root, "masks/extra.png", blob(9))
        with (root / "manifest.csv").open("a", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")

    return build


def image(path: str, content: Callable[[], bytes] | bytes, mask: Array | None = None) -> Callable[[Path], None]:
    """An image of these bytes, with a mask that is fine."""

    def build(root: Path) -> None:
        write(root, path, content if isinstance(content, bytes) else content())
        put(root, f"masks/{Path(path).stem}.png", blob() if mask is None else mask)

    return build


def mask(path: str, content: Callable[[], bytes] | bytes) -> Callable[[Path], None]:
    """A mask of these bytes, with an image that is fine."""

    def build(root: Path) -> None:
        write(root, path, content if isinstance(content, bytes) else content())
        put(root, f"images/{Path(path).stem}.png", picture(5))

    return build


def masks(make: Callable[[int], bytes], ending: str = ".png") -> Callable[[Path], None]:
    """All masks of the folder, the good ones too, and one more pair."""

    def build(root: Path) -> None:
        put(root, f"images/good{PAIRS}.png", picture(PAIRS))
        for seed in range(PAIRS + 1):
            (root / f"masks/good{seed}.png").unlink(missing_ok=True)
            write(root, f"masks/good{seed}{ending}", make(seed))

    return build


def half(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def noise() -> Array:
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


# Headers that lie


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", data or zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bmp_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(0), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tiff_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(0), "TIFF"))
    start = struct.unpack_from("<I", data, 4)[0]
    for number in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * number
        tag = struct.unpack_from("<H", data, at)[0]
        if tag in (256, 257, 278):  # width, length, rows per strip
            struct.pack_into("<HII", data, at + 2, 4, 1, width if tag == 256 else height)
    return bytes(data)


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(0), "JPEG"))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def gif_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(0), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def jpeg_cut_and_closed() -> bytes:
    """A download that stopped, and a programme that put an end to it: whole by its marks, grey in its lower half."""
    data = encoded(noise(), "JPEG", quality=95)
    return data[: len(data) // 2] + b"\xff\xd9"


def png_with_a_bad_byte() -> bytes:
    data = bytearray(encoded(noise(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def tiff_with_a_broken_strip() -> bytes:
    data = bytearray(encoded(noise(), "TIFF", compression="tiff_lzw"))
    data[2_000:2_064] = bytes(64)
    return bytes(data)


def png_whose_chunk_claims() -> bytes:
    data = bytearray(encoded(picture(0), "PNG"))
    data[33:37] = b"\xff\x00\x0c\x34"  # 4 GB
    return bytes(data)


def png_with_a_text_bomb() -> bytes:
    data = encoded(picture(0), "PNG")
    text = b"Comment\0\0" + zlib.compress(bytes(80 << 20), 9)
    bomb = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return data[:33] + bomb + data[33:]


# Pictures of unusual kinds


def with_exif(orientation: int, *, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(4, height, width), "JPEG", exif=exif)


def rgba(alpha: Callable[[Array], None], kind: str = "PNG") -> bytes:
    pixels = np.dstack([picture(4), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    alpha(pixels)
    return encoded(pixels, kind)


def half_seen(pixels: Array) -> None:
    pixels[:9, :9, 3] = 0


def palette(indices: Array, colours: Sequence[int], **options: Any) -> bytes:
    image = Image.fromarray(indices.astype(np.uint8)).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([*colours, *([0] * (768 - len(colours)))])
    return encoded(image, "PNG", **options)


def several(kind: str) -> bytes:
    frames = [Image.fromarray(picture(seed)) for seed in range(3)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def sixteen(pixels: Array, ending: str = ".png") -> bytes:
    """16 bits, in the numbers' own order of channels."""
    return bytes(cv2.imencode(ending, pixels)[1].tobytes())


def colours(*blocks: tuple[int, int, int]) -> Array:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, colour in enumerate(blocks):
        pixels[5:20, 6 + 12 * number : 16 + 12 * number] = colour
    return pixels


def levels(*values: int) -> Array:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, value in enumerate(values):
        pixels[5:30, 6 + 12 * number : 16 + 12 * number] = value
    return pixels


def smoothed(seed: int = 0) -> Array:
    large = cv2.resize(blob(seed), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(cv2.GaussianBlur(large, (9, 9), 0), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def fractions(seed: int = 0) -> Array:
    return cv2.GaussianBlur(blob(seed).astype(np.float32) / 255, (9, 9), 0)


# What lies in a folder


def link(target: str, path: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)

    return build


def pipe(root: Path) -> None:
    os.mkfifo(root / "images/pipe.jpg")


def door(root: Path) -> None:
    here = Path.cwd()
    os.chdir(root / "images")  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("door.jpg")
    finally:
        os.chdir(here)


def link_outside(root: Path) -> None:
    outside = root.parent / "outside"
    put(outside, "images/far.png", picture(6))
    put(outside, "masks/far.png", blob(6))
    (root / "north").symlink_to(outside)


def maze(root: Path) -> None:
    for one in range(9):
        (root / f"maze/{one}").mkdir(parents=True)
    for one in range(9):
        for other in range(9):
            if one != other:
                (root / f"maze/{one}/{other}").symlink_to(f"../{other}")


def deep(root: Path) -> None:
    put(root, "/".join(["d"] * 120) + "/x.png", picture(6))


def folder_called_like_an_image(root: Path) -> None:
    (root / "images/folder.jpg").mkdir()
    (root / "masks/folder.jpg").mkdir()


def not_text(root: Path) -> None:
    write(root, "images/plain.png", encoded(picture(6), "PNG"))
    os.rename(root / "images/plain.png", os.fsencode(root) + b"/images/caf\xe9.png")


def named(*names: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        for number, name in enumerate(names):
            put(root, f"images/{name}.png", picture(20 + number))
            put(root, f"masks/{name}.png", blob(number))

    return build


STRANGE_NAMES = (
    "with space", "with\nnewline", "with\rreturn", "with\r\nboth", "quote'", 'double"quote', "глаз", "眼底", "żółć",
    "=1+1", "-minus", "@at", "'quoted", "[1]", '["a","b"]', "comma,semi;colon", "percent%20", "\x1b[31mred", "tab\t",
    "trailing ", "null", "true", "1e5", "#hash", "a&b", "$(id)", "{case}", "مرحبا", "e\u0301", "\u00e9", "\U0001f9ec",
    "\u2028line", "\u202egnp", "x" * 200,
)  # fmt: skip


def same_but_for_case(root: Path) -> None:
    for number, name in enumerate(("Case7", "case7")):
        put(root, f"images/{name}.png", picture(6 + number))
        put(root, f"masks/{name}.png", blob(number))


def two_masks(root: Path) -> None:
    put(root, "images/twice.png", picture(6))
    put(root, "masks/twice.png", blob())
    put(root, "masks/twice.bmp", blob())


def two_images(root: Path) -> None:
    put(root, "images/twice.png", picture(6))
    put(root, "images/twice.jpg", picture(7))
    put(root, "masks/twice.png", blob())


def channels_of_two_sizes(root: Path) -> None:
    for seed in range(2):
        put(root, f"imagesTr/p{seed}_0000.png", picture(seed)[..., 0])
        put(root, f"imagesTr/p{seed}_0001.png", picture(seed + 5)[..., 0])
        put(root, f"labelsTr/p{seed}.png", blob(seed))
    put(root, "imagesTr/bad_0000.png", picture(3)[..., 0])
    put(root, "imagesTr/bad_0001.png", picture(4, 20, 24)[..., 0])
    put(root, "labelsTr/bad.png", blob())


def only_text(root: Path) -> None:
    write(root, "notes.txt", "no images here\n")


def own_dataset_inside(root: Path) -> None:
    """A dataset that an earlier scan has written into the folder of its own images."""
    write(root, "dataset.yaml", "name: old\n")
    write(root, "cases.csv", "case,images,mask,height\ngood0,images/good0.png,masks/good0.png,40\n")


def a_mask_with_its_own_value(root: Path) -> None:
    for seed in range(8):
        put(root, f"images/good{seed}.png", picture(seed))
        put(root, f"masks/good{seed}.png", blob(seed, value=1))
    odd = blob(3, value=1)
    odd[0, 0] = 7
    put(root, "masks/good3.png", odd)


def all_masks(make: Callable[[int], Array]) -> Callable[[Path], None]:
    return masks(lambda seed: encoded(make(seed), "PNG"))


def _warned(words: str) -> Callable[[Scan], object]:
    return lambda found: any(words in warning for warning in found.warnings)


def _names(found: Scan) -> set[str]:
    return {case.case for case in found.cases}


HUGE = (
    ("png", png_of(60_000, 60_000)), ("bmp", bmp_of(60_000, 60_000)), ("tif", tiff_of(60_000, 60_000)),
    ("jpg", jpeg_of(60_000, 60_000)), ("gif", gif_of(60_000, 60_000)), ("ppm", b"P6 60000 60000 255\n" + bytes(99)),
)  # fmt: skip
LYING = (("png", png_of(9_900, 9_900)), ("jpg", jpeg_of(9_900, 9_900)), ("gif", gif_of(9_900, 9_900)))
_THREE = colours((255, 0, 0), (0, 255, 0), (0, 0, 255))
_TOLD = "#000000=background,#ff0000=polyp,#00ff00=tool,#0000ff=polyp"
_VOID = (
    0,
    0,
    0,
    200,
    30,
    30,
    *([0] * 759),
    224,
    224,
    192,
)  # as PASCAL VOC paints: 255 is the border that does not count

FOLDERS = (
    # files that are not what they are called
    Hostile(name="empty file", build=image("images/bad.png", b""), file="images/bad.png", says="is empty"),
    Hostile(name="empty mask", build=mask("masks/bad.png", b""), file="masks/bad.png", says="is empty"),
    *(
        Hostile(
            name=f"truncated {ending}",
            build=image(f"images/bad.{ending}", lambda kind=kind: half(encoded(noise(), kind))),  # type: ignore[misc]
            file=f"images/bad.{ending}",
            says="truncated|cannot be decoded|is not a picture",
        )
        for ending, kind in (
            ("jpg", "JPEG"),
            ("png", "PNG"),
            ("tif", "TIFF"),
            ("bmp", "BMP"),
            ("webp", "WEBP"),
            ("gif", "GIF"),
            ("ppm", "PPM"),
        )
    ),
    Hostile(
        name="truncated mask",
        build=mask("masks/bad.png", half(encoded(noise(), "PNG"))),
        file="masks/bad.png",
        says="truncated",
    ),
    Hostile(
        name="jpeg cut and closed",
        build=image("images/bad.jpg", jpeg_cut_and_closed),
        file="images/bad.jpg",
        says="is damaged .*premature end",
    ),
    Hostile(
        name="png with a flipped byte",
        build=image("images/bad.png", png_with_a_bad_byte),
        file="images/bad.png",
        says="cannot be decoded|is damaged",
    ),
    Hostile(
        name="tiff with a broken strip",
        build=image("images/bad.tif", tiff_with_a_broken_strip),
        file="images/bad.tif",
        says="cannot be decoded|is damaged",
    ),
    Hostile(
        name="png whose chunk claims 4 GB",
        build=image("images/bad.png", png_whose_chunk_claims),
        file="images/bad.png",
        says="is truncated",
    ),
    Hostile(
        name="12,000 x 12,000",
        build=image("images/bad.png", lambda: png_of(12_000, 12_000, noise().tobytes() * 4)),
        file="images/bad.png",
        says="12000 x 12000 pixels .limit 100 megapixels",
    ),
    Hostile(
        name="png with a text bomb",
        build=image("images/bad.png", png_with_a_text_bomb),
        file="images/bad.png",
        says="is not a picture that can be read",
    ),
    Hostile(
        name="png with bytes behind its end",
        build=image("images/odd.png", encoded(picture(4), "PNG") + bytes(9_000)),
        understood=lambda found: len(found.cases) == 3,
    ),
    Hostile(
        name="jpeg with a film behind its end",
        build=image("images/odd.jpg", encoded(picture(4), "JPEG") + b"\0\0\0\x18ftypmp42\xff\xda\0\x08rest"),
        understood=lambda found: len(found.cases) == 3,
    ),
    Hostile(
        name="text called jpg",
        build=image("images/bad.jpg", b"404 Not Found\n"),
        file="images/bad.jpg",
        says="is not a picture",
    ),
    Hostile(
        name="page called png",
        build=image("images/bad.png", b"<!DOCTYPE html><html>Sign in to download</html>"),
        file="images/bad.png",
        says="is not a picture",
    ),
    Hostile(
        name="pointer of git lfs",
        build=image("images/bad.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"),
        file="images/bad.png",
        says="is not a picture",
    ),
    Hostile(
        name="png called jpg",
        build=image("images/bad.jpg", lambda: encoded(picture(4), "PNG")),
        file="images/bad.jpg",
        says="is a PNG file under another ending",
    ),
    Hostile(
        name="postscript called png",
        build=image("images/bad.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"),
        file="images/bad.png",
        says="is not a picture",
    ),
    Hostile(
        name="volume",
        build=image("images/bad.nii.gz", b"\x1f\x8b"),
        file="images/bad.nii.gz",
        says="is cut short or damaged",
    ),
    # headers that lie
    *(
        Hostile(
            name=f"60,000 x 60,000 in a {ending}",
            build=image(f"images/bad.{ending}", data),
            file=f"images/bad.{ending}",
            says="its header claims .*megapixels",
        )
        for ending, data in HUGE
    ),
    *(
        Hostile(
            name=f"9,900 x 9,900 in a small {ending}",
            build=image(f"images/bad.{ending}", data),
            file=f"images/bad.{ending}",
            says="9900 x 9900 pixels, which [0-9,]+ bytes cannot hold",
        )
        for ending, data in LYING
    ),
    *(
        Hostile(
            name=f"no pixels in a {ending}",
            build=image(f"images/bad.{ending}", data),
            file=f"images/bad.{ending}",
            says="0 x|x 0|is not a picture",
        )
        for ending, data in (
            ("png", png_of(0, 7)),
            ("bmp", bmp_of(0, 0)),
            ("tif", tiff_of(0, 9)),
            ("jpg", jpeg_of(0, 0)),
            ("ppm", b"P6 0 0 255\n"),
        )
    ),
    Hostile(
        name="one pixel",
        build=image("images/dot.png", lambda: encoded(picture(4, 1, 1), "PNG"), blob(0, 1, 1)),
        understood=lambda found: found.as_json()["sizes"]["1x1"] == 1,
    ),
    Hostile(
        name="a line of pixels",
        build=image("images/line.png", lambda: encoded(picture(4, 1, 3000), "PNG"), blob(0, 1, 3000)),
        understood=lambda found: found.as_json()["sizes"]["3000x1"] == 1,
    ),
    # kinds of pixels
    Hostile(
        name="16-bit image",
        build=image("images/deep.png", lambda: sixteen(picture(4).astype(np.uint16) * 257)),
        understood=lambda found: found.dataset is not None and found.dataset.card.dtype == "uint16",
    ),
    Hostile(
        name="16-bit image with opaque alpha",
        build=image("images/deep.png", lambda: sixteen(np.full((HEIGHT, WIDTH, 4), 65535, np.uint16))),
        understood=lambda found: found.dataset is not None and found.dataset.card.dtype == "uint16",
    ),
    Hostile(
        name="16-bit masks",
        build=masks(lambda seed: sixteen(blob(seed).astype(np.uint16) * 257)),
        understood=lambda found: found.labels_in_words == "0 and 65535: background and foreground",
        survivors=3,
    ),
    Hostile(
        name="16-bit mask with instances",
        build=mask("masks/bad.png", lambda: sixteen(levels(1, 2, 3).astype(np.uint16) * 300)),
        file="masks/bad.png",
        says="its values are not understood: 0: [0-9,]+ px, 300: 250 px",
    ),
    Hostile(
        name="16-bit colours in a mask",
        build=mask("masks/bad.png", lambda: sixteen(_THREE.astype(np.uint16) * 257)),
        file="masks/bad.png",
        says="colours of 16 bits",
    ),
    Hostile(
        name="float image",
        build=image("images/bad.tif", lambda: encoded(picture(4)[..., 0].astype(np.float32), "TIFF")),
        file="images/bad.tif",
        says="holds float32 numbers; images are 8 or 16 bit",
    ),
    Hostile(
        name="palette image",
        build=image(
            "images/gif.png", lambda: palette(levels(1, 2, 3), (9, 9, 9, 200, 50, 50, 50, 200, 50, 50, 50, 200))
        ),
        understood=lambda found: (
            found.dataset is not None
            and found.dataset.image(found.dataset.by_name["gif"])[10, 10].tolist() == [200, 50, 50]
        ),
    ),
    Hostile(
        name="palette masks with class ids",
        build=masks(lambda seed: palette(levels(1, 2, 0), (0, 0, 0, 128, 0, 0, 0, 128, 0))),
        understood=lambda found: found.labels_in_words == "class ids 0, 1, 2",
        survivors=3,
    ),
    Hostile(
        name="palette masks with a grey ramp",
        build=masks(lambda seed: palette(blob(seed), [value for grey in range(256) for value in (grey, grey, grey)])),
        understood=lambda found: found.labels_in_words == "0 and 255: background and foreground",
        survivors=3,
    ),
    Hostile(
        name="palette masks with a void border",
        build=masks(lambda seed: palette(levels(1, 255), _VOID)),
        file="masks/good0.png",
        says="its values are not understood: .*255: 250 px.*--labels 0=background,1=class1,255=",
        survivors=0,
    ),
    Hostile(
        name="palette masks with a void border told",
        build=masks(lambda seed: palette(levels(1, 255), _VOID)),
        arguments={"labels": "0=background,1=polyp,255=ignore"},
        understood=lambda found: {case.foreground for case in found.cases} == {float(f"{250 / 1920:.6g}")},
        survivors=3,
    ),
    Hostile(
        name="cmyk jpeg",
        build=image("images/bad.jpg", lambda: encoded(Image.fromarray(picture(4)).convert("CMYK"), "JPEG")),
        file="images/bad.jpg",
        says="the four colours of print",
    ),
    Hostile(
        name="lab tiff",
        build=image("images/bad.tif", lambda: encoded(Image.fromarray(picture(4)).convert("LAB"), "TIFF")),
        file="images/bad.tif",
        says="LAB",
    ),
    *(
        Hostile(
            name=f"image with alpha in a {kind.lower()}",
            build=image(f"images/bad.{ending}", lambda kind=kind: rgba(half_seen, kind)),  # type: ignore[misc]
            file=f"images/bad.{ending}",
            says="the image is transparent in places",
        )
        for kind, ending in (("PNG", "png"), ("TIFF", "tif"), ("WEBP", "webp"))
    ),
    Hostile(
        name="image with a transparent colour",
        build=image("images/bad.png", lambda: encoded(levels(0, 200, 90), "PNG", transparency=0)),
        file="images/bad.png",
        says="the image is transparent in places",
    ),
    Hostile(
        name="palette image with a transparent entry",
        build=image("images/bad.png", lambda: palette(levels(1, 2), (0, 0, 0, 200, 0, 0, 0, 200, 0), transparency=0)),
        file="images/bad.png",
        says="the image is transparent in places",
    ),
    Hostile(
        name="image with opaque alpha",
        build=image("images/opaque.png", lambda: rgba(lambda pixels: None)),
        understood=lambda found: len(found.cases) == 3,
    ),
    Hostile(
        name="mask with alpha",
        build=mask("masks/bad.png", lambda: rgba(half_seen)),
        file="masks/bad.png",
        says="the mask is transparent in places",
    ),
    # turned by EXIF
    Hostile(
        name="photo turned, mask not",
        build=image("images/bad.jpg", lambda: with_exif(6)),
        file="images/bad.jpg",
        says="EXIF turns it .orientation 6",
    ),
    Hostile(
        name="photo turned, mask too",
        build=image("images/turned.jpg", lambda: with_exif(6), blob(0, WIDTH, HEIGHT)),
        understood=lambda found: found.as_json()["sizes"][f"{HEIGHT}x{WIDTH}"] == 1,
    ),
    Hostile(
        name="photo upside down",
        build=image("images/bad.jpg", lambda: with_exif(3)),
        file="images/bad.jpg",
        says="EXIF turns it .orientation 3",
    ),
    Hostile(
        name="square photo turned",
        build=image("images/bad.jpg", lambda: with_exif(8, width=HEIGHT), blob(0, HEIGHT, HEIGHT)),
        file="images/bad.jpg",
        says="EXIF turns it .orientation 8",
    ),
    Hostile(
        name="photo turned, mask of another size",
        build=image("images/bad.jpg", lambda: with_exif(6), blob(0, 17, 19)),
        file="masks/bad.png",
        says=r"is 19 x 17, but its image images/bad\.jpg is 40 x 48",
    ),
    Hostile(
        name="mask turned",
        build=mask("masks/bad.jpg", lambda: with_exif(6)),
        file="masks/bad.jpg",
        says="EXIF turns the mask",
    ),
    Hostile(
        name="orientation that there is not",
        build=image("images/odd.jpg", lambda: with_exif(77)),
        understood=lambda found: len(found.cases) == 3,
    ),
    # more than one frame
    *(
        Hostile(
            name=f"{what}",
            build=image(f"images/bad.{ending}", lambda kind=kind: several(kind)),  # type: ignore[misc]
            file=f"images/bad.{ending}",
            says="has 3 frames",
        )
        for what, kind, ending in (
            ("animated gif", "GIF", "gif"),
            ("tiff with pages", "TIFF", "tif"),
            ("animated webp", "WEBP", "webp"),
            ("animated png", "PNG", "png"),
        )
    ),
    # names
    Hostile(
        name="strange names",
        build=named(*STRANGE_NAMES),
        understood=lambda found: _names(found) >= set(STRANGE_NAMES),
        survivors=PAIRS + len(STRANGE_NAMES),
    ),
    Hostile(
        name="names equal but for case",
        build=same_but_for_case,
        file="images/case7.png",
        says="differs from 'Case7' only in the case of letters",
        survivors=PAIRS + 1,
    ),
    Hostile(
        name="name that is not text",
        build=not_text,
        file="images/caf\\udce9.png",
        says="its name is not valid text",
    ),
    Hostile(
        name="mask without an image",
        build=lambda root: put(root, "masks/alone.png", blob()),
        file="masks/alone.png",
        says="a mask without an image",
    ),
    Hostile(
        name="image without a mask",
        build=lambda root: put(root, "images/alone.png", picture(6)),
        understood=lambda found: found.as_json()["unlabelled"] == 1,
    ),
    Hostile(
        name="two masks for an image",
        build=two_masks,
        file="images/twice.png",
        says=r"two masks for one image: masks/twice\.bmp, masks/twice\.png",
    ),
    Hostile(
        name="two images of one stem",
        build=two_images,
        file="images/twice.jpg",
        says=r"two images of one name: images/twice\.jpg, images/twice\.png",
    ),
    Hostile(
        name="mask of another size",
        build=image("images/bad.png", lambda: encoded(picture(4), "PNG"), blob(0, 39, 48)),
        file="masks/bad.png",
        says=r"is 48 x 39, but its image images/bad\.png is 48 x 40",
    ),
    Hostile(
        name="channels of two sizes",
        build=channels_of_two_sizes,
        base="nothing",
        file="imagesTr/bad_0001.png",
        says=r"is 24 x 20, but imagesTr/bad_0000\.png is 48 x 40",
    ),
    # what masks mean
    Hostile(
        name="three colours in a mask",
        build=all_masks(lambda seed: _THREE),
        file="masks/good0.png",
        says="not understood: #000000: 1,470 px, #0000ff: 150 px.*--labels #000000=background",
        survivors=0,
    ),
    Hostile(
        name="three colours told",
        build=all_masks(lambda seed: _THREE),
        arguments={"labels": _TOLD},
        understood=lambda found: found.classes == {0: "background", 1: "polyp", 2: "tool"},
        survivors=3,
    ),
    Hostile(
        name="colour that was not told",
        build=mask("masks/bad.png", lambda: encoded(colours((255, 0, 0), (255, 255, 255)), "PNG")),
        arguments={"labels": "#000000=background,#ff0000=polyp,#ff8080=other"},
        file="masks/bad.png",
        says="150 of its pixels are far from every known colour",
        survivors=0,  # the good masks are black and white
    ),
    Hostile(
        name="three levels in a mask",
        build=mask("masks/bad.png", lambda: encoded(levels(127, 255), "PNG")),
        file="masks/bad.png",
        says="not understood: 0: 1,420 px, 127: 250 px, 255: 250 px",
    ),
    Hostile(
        name="three levels in all masks",
        build=all_masks(lambda seed: levels(127, 255)),
        file="masks/good0.png",
        says="127: 250 px.*--labels 0=background,127=class1,255=class2",
        survivors=0,
    ),
    Hostile(
        name="three levels told",
        build=all_masks(lambda seed: levels(127, 255)),
        arguments={"labels": "0=background,127=stroma,255=tumour"},
        understood=lambda found: found.masks_with_class == {0: 3, 1: 3, 2: 3},
        survivors=3,
    ),
    Hostile(
        name="level that was not told",
        build=mask("masks/bad.png", lambda: encoded(levels(127, 255), "PNG")),
        arguments={"labels": "0=background,255=polyp"},
        file="masks/bad.png",
        says="neither black nor white: .*127: 250 px",
    ),
    Hostile(
        name="smoothed masks",
        build=all_masks(smoothed),
        understood=lambda found: "grey from JPEG or smoothed edges in 3 masks" in found.labels_in_words,
        survivors=3,
    ),
    Hostile(
        name="jpeg masks",
        build=masks(lambda seed: encoded(blob(seed), "JPEG", quality=60), ".jpg"),
        understood=lambda found: "grey from JPEG or smoothed edges in 3 masks" in found.labels_in_words,
        survivors=3,
    ),
    Hostile(
        name="grey masks told by a threshold",
        build=masks(lambda seed: encoded((fractions(seed) * 250).astype(np.uint8), "PNG")),
        arguments={"labels": "above 100=polyp"},
        understood=lambda found: all(0 < (case.foreground or 0) < 1 for case in found.cases),
        survivors=3,
    ),
    Hostile(
        name="masks all foreground",
        build=all_masks(lambda seed: np.full((HEIGHT, WIDTH), 255, np.uint8)),
        understood=_warned("3 masks are all foreground"),
        survivors=3,
    ),
    Hostile(
        name="masks all empty",
        build=all_masks(lambda seed: np.zeros((HEIGHT, WIDTH), np.uint8)),
        understood=lambda found: _warned("3 masks are empty")(found) and "all masks are empty" in found.labels_in_words,
        survivors=3,
    ),
    Hostile(
        name="inverted masks",
        build=all_masks(lambda seed: 255 - blob(seed)),
        understood=_warned("are the masks inverted?"),
        survivors=3,
    ),
    Hostile(
        name="mask of fractions",
        build=mask("masks/bad.tif", lambda: encoded(fractions(), "TIFF")),
        file="masks/bad.tif",
        says="its values are not understood: 0: [0-9,]+ px",
    ),
    Hostile(
        name="masks of fractions 0.0 and 1.0",
        build=masks(lambda seed: encoded(blob(seed).astype(np.float32) / 255, "TIFF"), ".tif"),
        understood=lambda found: found.labels_in_words == "0 and 1: background and foreground",
        survivors=3,
    ),
    Hostile(
        name="masks of fractions 0.0 and 255.0",
        build=masks(lambda seed: encoded(blob(seed).astype(np.float32), "TIFF"), ".tif"),
        understood=lambda found: found.labels_in_words == "0 and 255: background and foreground",
        survivors=3,
    ),
    Hostile(
        name="mask with infinity and no number",
        build=mask("masks/bad.tif", lambda: encoded(np.full((HEIGHT, WIDTH), np.inf, np.float32), "TIFF")),
        file="masks/bad.tif",
        says="its values are not understood: inf",
    ),
    Hostile(
        name="value in one mask only",
        build=a_mask_with_its_own_value,
        understood=_warned("Class 'class 7' is in one mask only, masks/good3.png"),
        survivors=8,
    ),
    # what a folder may hold besides files
    Hostile(
        name="link in a circle",
        build=link("..", "images/again"),
        file="images/again",
        says="a link that leads back to a folder above it",
    ),
    Hostile(name="link to itself", build=link("self", "images/self"), file="images/self", says="a broken link"),
    Hostile(
        name="broken link", build=link("nowhere.png", "images/bad.png"), file="images/bad.png", says="a broken link"
    ),
    Hostile(
        name="link to a folder outside",
        build=link_outside,
        understood=lambda found: found.sites == ["north"],
    ),
    Hostile(name="pipe", build=pipe, file="images/pipe.jpg", says="is neither a file nor a folder"),
    Hostile(name="socket", build=door, file="images/door.jpg", says="is neither a file nor a folder"),
    Hostile(
        name="link to a device",
        build=link("/dev/zero", "images/zero.jpg"),
        file="images/zero.jpg",
        says="is neither a file nor a folder",
    ),
    Hostile(
        name="link to a file of the system",
        build=link("/proc/self/maps", "images/maps.png"),
        file="images/maps.png",
        says="is empty",
    ),
    Hostile(
        name="folder called like an image",
        build=folder_called_like_an_image,
        understood=lambda found: len(found.cases) == 2,
    ),
    Hostile(name="maze of links", build=maze, file="maze/0/1/2/3/4/5/6/7/8/0", says="a link that leads back"),
    Hostile(name="folders without end", build=deep, file="/".join(["d"] * 100), says="more than 100 folders deep"),
    Hostile(name="no images", build=only_text, base="nothing", whole=True, says="holds no images"),
    Hostile(name="nothing at all", build=lambda root: None, base="nothing", whole=True, says="holds no images"),
    Hostile(
        name="dataset inside its own images",
        build=own_dataset_inside,
        understood=lambda found: found.layout == "folders" and len(found.cases) == 2,
    ),
    # tables
    *(
        Hostile(name=name, build=add_rows(row), base="manifest", file="manifest.csv", says=says)
        for name, row, says in (
            ("table that leads out", "../secret.png,,P9", r"row 4: '\.\./secret\.png' leads out of the folder"),
            (
                "table that leads out by the mask",
                "images/extra.png,masks/../../m.png,P9",
                "row 4: .* leads out of the folder",
            ),
            ("table with an absolute path", "/etc/passwd,,P9", "row 4: '/etc/passwd' is an absolute path"),
            ("table with a drive", r"C:\data\1.png,,P9", "row 4: .*is an absolute path"),
            ("table with a share", r"\\server\data\1.png,,P9", "row 4: .*is an absolute path"),
            ("table with an image that is not there", "images/gone.png,,P9", r"row 4: 'images/gone\.png' is not there"),
            ("table with a folder for an image", "images,,P9", "row 4: 'images' is not there"),
            ("table without an image", ",masks/extra.png,P9", "row 4: names no image"),
            ("table with one image twice", "images/good0.png,,P9", "row 4: image .* stands in row 2 already"),
            (
                "table with one mask twice",
                "images/extra.png,masks/good0.png,P9",
                "row 4: mask .* stands in row 2 already",
            ),
            (
                "table with an image for a mask",
                "images/extra.png,images/good0.png,P9",
                "row 4: mask .* is an image as well",
            ),
            ("table with a list in a list", '"' + "[" * 99_999 + '",,P9', "row 4: .* is not there"),
        )
    ),
    Hostile(
        name="table with an unknown part",
        base="manifest",
        build=lambda root: table(
            root,
            *([f"images/good{n}.png", f"masks/good{n}.png", part] for n, part in enumerate(("train", "holdout"))),
            head="image,mask,part",
        ),
        file="manifest.csv",
        says="row 3: 'holdout' is none of train, validation, test",
        survivors=1,
    ),
    Hostile(
        name="table with one name twice",
        base="manifest",
        build=lambda root: table(
            root, *([f"images/good{n}.png", f"masks/good{n}.png", "A"] for n in range(2)), head="image,mask,case"
        ),
        file="manifest.csv",
        says="row 3: case 'A' stands in row 2 already",
        survivors=1,
    ),
    Hostile(
        name="table with formulas",
        base="manifest",
        build=lambda root: table(
            root,
            ["images/good0.png", "masks/good0.png", "=cmd|' /C calc'!A0"],
            ["images/good1.png", "masks/good1.png", '"@SUM(1+1)*\n2"'],
        ),
        understood=lambda found: [case.patient for case in found.cases] == ["=cmd|' /C calc'!A0", "@SUM(1+1)*\n2"],
    ),
    *(
        Hostile(
            name=name,
            build=manifest(content),
            base="manifest",
            whole=True,
            says=says,
        )
        for name, content, says in (
            (
                "table without the column image",
                "picture,mask\na,b\n",
                r"manifest\.csv: has no column 'image'; its columns are: picture",
            ),
            ("ragged table", "image,mask\nimages/good0.png\n", r"manifest\.csv: row 2 has 1 cells, the header has 2"),
            ("table that is not UTF-8", b"image,patient\nimages/good0.png,J\xf6rg\n", r"manifest\.csv: is not UTF-8"),
            ("table in UTF-16", "image,patient\nimages/good0.png,1\n".encode("utf-16"), r"manifest\.csv: is not UTF-8"),
            (
                "table with NUL",
                b"image,patient\nimages/good0.png,\0\n",
                r"manifest\.csv: is not UTF-8 text .it holds NUL",
            ),
            ("empty table", "image,mask\n", r"manifest\.csv: has no rows"),
            ("table of no bytes", b"", r"manifest\.csv: has no rows"),
            ("table with a column twice", "image,image\na,b\n", r"manifest\.csv: column 'image' stands twice"),
            (
                "table with a column twice in other letters",
                "image,Image\na,b\n",
                r"manifest\.csv: column 'image' stands twice",
            ),
            ("table with an open quote", 'image,mask\n"images/good0.png,\n', r"manifest\.csv: is not a table"),
        )
    ),
)


# Archives


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w", kind) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, kind)

    return build


def zip_with_a_link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("images/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")


def zip_changed(change: Callable[[bytearray], object], *, content: bytes = b"x" * 500) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        zipped(("images/1.png", content))(path)
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    return build


def encrypted(data: bytearray) -> None:
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + at] |= 1


def claims(size: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            struct.pack_into("<I", data, data.find(mark) + at, size)

    return change


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Callable[[Path], None]:
    def build(path: Path) -> None:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for info, content in members:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    return build


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b"" if kind != tarfile.REGTYPE else b"content"


def tar_with_a_long_header(path: Path) -> None:
    """A name of 64 MB, which packs to nothing and is read before anything is checked."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    import gzip

    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))


def tar_that_claims(path: Path) -> None:
    info = tarfile.TarInfo("images/1.png")
    info.size = 1 << 40
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


def tar_that_claims_less_than_nothing(path: Path) -> None:
    """Negative sizes would let the sum of all stay small."""
    info = tarfile.TarInfo("images/1.png")
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    data[124:136] = b"\xff" * 10 + (-1024).to_bytes(2, "big", signed=True)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    path.write_bytes(data + bytes(2048))


def cut(build: Callable[[Path], None]) -> Callable[[Path], None]:
    def shorter(path: Path) -> None:
        build(path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])

    return shorter


_RANDOM = np.random.default_rng(0).integers(0, 256, 30_000).astype(np.uint8).tobytes()

ARCHIVES = (
    Packed(
        name="zip that leads out",
        build=zipped(("a.png", b"x"), ("../b.png", b"x")),
        says=r"member '\.\./b\.png' leads out",
    ),
    Packed(name="zip that leads out deep", build=zipped(("a/../../b.png", b"x")), says="leads out of the folder"),
    Packed(name="zip that leads out in windows", build=zipped(("..\\..\\b.png", b"x")), says="leads out of the folder"),
    Packed(name="zip with an absolute path", build=zipped(("/etc/cron.d/x", b"x")), says="has an absolute path"),
    Packed(name="zip with a drive", build=zipped(("C:\\x.png", b"x")), says="has an absolute path"),
    Packed(name="zip with a link", build=zip_with_a_link, says="'images/link.png' is a link"),
    Packed(
        name="zip with one name twice",
        build=zipped(("a.png", b"x"), ("A.png", b"y")),
        says="has the name of another member",
    ),
    Packed(
        name="zip with one name twice in two spellings",
        build=zipped(("d/a.png", b"x"), ("d/./a.png", b"y")),
        says="has the name of another member",
    ),
    Packed(
        name="zip with a file for a folder",
        build=zipped(("d", b"x"), ("d/a.png", b"y")),
        says="is a folder and a file at once .'d'",
    ),
    Packed(
        name="zip with a folder for a file",
        build=zipped(("d/a.png", b"y"), ("d", b"x")),
        says="is a folder and a file at once",
    ),
    Packed(name="zip with a name too long", build=zipped(("x" * 300, b"x")), says="has a name that is too long"),
    Packed(
        name="zip with folders without end", build=zipped(("d/" * 900 + "x", b"x")), says="has a name that is too long"
    ),
    Packed(
        name="zip with a newline in a name", build=zipped(("a\nb.png", b"x")), says="has a name that cannot be written"
    ),
    Packed(name="zip bomb", build=zipped(("zeros.png", bytes(70 << 20))), says="claim to hold 73 MB or more"),
    Packed(
        name="zip bomb in pieces",
        build=zipped(*((f"{n}.png", bytes(7 << 20)) for n in range(10))),
        says="claim to hold [0-9]+ MB or more",
    ),
    Packed(name="encrypted zip", build=zip_changed(encrypted), says="'images/1.png' is encrypted"),
    Packed(name="truncated zip", build=cut(zipped(("a.png", _RANDOM))), says="is broken"),
    Packed(name="zip that claims less", build=zip_changed(claims(100)), says="is broken .*CRC"),
    Packed(name="zip that claims more", build=zip_changed(claims(900)), says="holds less than it claims"),
    Packed(
        name="zip with a flipped byte",
        build=zip_changed(lambda data: data.__setitem__(60, data[60] ^ 0xFF), content=_RANDOM),
        says="is broken",
    ),
    Packed(name="zip of nothing", build=zipped(), says="is empty"),
    Packed(name="text called zip", build=lambda path: write(path.parent, path.name, "404"), says="is broken"),
    Packed(name="no bytes called zip", build=lambda path: path.touch(), says="is broken"),
    Packed(name="7z", ending=".7z", build=lambda path: path.touch(), says="is not an archive that can be unpacked"),
    Packed(name="tar that leads out", ending=".tar", build=tarred(entry("../b.png")), says="leads out of the folder"),
    Packed(
        name="tar with an absolute path", ending=".tar", build=tarred(entry("/tmp/b.png")), says="has an absolute path"
    ),
    Packed(
        name="tar with a soft link",
        ending=".tar",
        build=tarred(entry("a", tarfile.SYMTYPE, "/etc")),
        says="'a' is a link",
    ),
    Packed(
        name="tar with a hard link",
        ending=".tar.gz",
        build=tarred(entry("a", tarfile.LNKTYPE, "/etc/passwd"), mode="w:gz"),
        says="'a' is a link",
    ),
    Packed(
        name="tar with a device", ending=".tar", build=tarred(entry("a", tarfile.CHRTYPE)), says="is a device or a pipe"
    ),
    Packed(
        name="tar with a pipe", ending=".tar", build=tarred(entry("a", tarfile.FIFOTYPE)), says="is a device or a pipe"
    ),
    Packed(
        name="tar bomb",
        ending=".tar.gz",
        build=tarred((tarfile.TarInfo("a.png"), bytes(70 << 20)), mode="w:gz"),
        says="claim to hold 73 MB or more",
    ),
    Packed(
        name="tar with a name of 64 MB",
        ending=".tar.gz",
        build=tar_with_a_long_header,
        says="is broken .a header claims 67,108,864 bytes",
    ),
    Packed(
        name="tar that claims a terabyte",
        ending=".tar",
        build=tar_that_claims,
        says="claim to hold 1,099,512 MB|is broken",
    ),
    Packed(
        name="tar that claims less than nothing",
        ending=".tar",
        build=tar_that_claims_less_than_nothing,
        says="claims -1024 bytes|is broken",
    ),
    Packed(
        name="truncated tar", ending=".tar", build=cut(tarred((tarfile.TarInfo("a.png"), _RANDOM))), says="is broken"
    ),
    *(
        Packed(
            name=f"truncated tar.{kind}",
            ending=f".tar.{kind}",
            build=cut(tarred((tarfile.TarInfo("a.png"), _RANDOM), mode=f"w:{kind}")),
            says="is broken",
        )
        for kind in ("gz", "bz2", "xz")
    ),
    Packed(
        name="text called tar.xz",
        ending=".tar.xz",
        build=lambda path: write(path.parent, path.name, "404"),
        says="is broken",
    ),
)


# Datasets


def edit(file: str, old: str, new: str) -> Callable[[Path, Path], None]:
    def damage(folder: Path, root: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def overwrite(file: str, content: bytes) -> Callable[[Path, Path], None]:
    return lambda folder, root: write(folder, file, content)


def without_column(name: str) -> Callable[[Path, Path], None]:
    def damage(folder: Path, root: Path) -> None:
        rows = [line.split(",") for line in (folder / "cases.csv").read_text(encoding="utf-8").splitlines()]
        at = rows[0].index(name)
        text = "\n".join(",".join(cell for number, cell in enumerate(row) if number != at) for row in rows)
        (folder / "cases.csv").write_text(text + "\n", encoding="utf-8")

    return damage


def without_a_row(folder: Path, root: Path) -> None:
    lines = (folder / "cases.csv").read_text(encoding="utf-8").splitlines()
    (folder / "cases.csv").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")


def yaml_bomb(folder: Path, root: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (folder / "dataset.yaml").write_text("\n".join([*lines, "name: *a11", "root: x", "layout: x"]), encoding="utf-8")


def elsewhere(folder: Path, root: Path) -> None:
    os.rename(root, root.with_name("moved"))


def other_root(folder: Path, root: Path) -> None:
    edit("dataset.yaml", str(root.resolve()), str(root.resolve().parent / "other"))(folder, root)
    (root.parent / "other").mkdir()


def changed(path: str, pixels: Array) -> Callable[[Path, Path], None]:
    return lambda folder, root: put(root, path, pixels)


def gone(path: str) -> Callable[[Path, Path], None]:
    return lambda folder, root: (root / path).unlink()


def a_pipe_now(folder: Path, root: Path) -> None:
    (root / "images/good0.png").unlink()
    os.mkfifo(root / "images/good0.png")


DATASETS = (
    Damaged(
        name="broken yaml", damage=edit("dataset.yaml", "name:", "name: ["), says=r"dataset\.yaml: is not valid YAML"
    ),
    Damaged(
        name="card that is not text",
        damage=overwrite("dataset.yaml", b"\xff\xfe\0"),
        says=r"dataset\.yaml: cannot be read",
    ),
    Damaged(
        name="card that is a list",
        damage=overwrite("dataset.yaml", b"- a\n"),
        says="must hold keys and values, not a list",
    ),
    Damaged(
        name="card of no bytes", damage=overwrite("dataset.yaml", b""), says=r"dataset\.yaml: key 'name' is missing"
    ),
    Damaged(
        name="card that is code",
        damage=overwrite("dataset.yaml", b"name: !!python/object/apply:os.system [id]\n"),
        says="is not valid YAML",
    ),
    Damaged(name="card that swells", damage=yaml_bomb, says=r"dataset\.yaml: (unknown key 'a0'|key 'name')"),
    Damaged(
        name="unknown key",
        damage=edit("dataset.yaml", "licence:", "lisence:"),
        says="unknown key 'lisence': did you mean licence",
    ),
    Damaged(
        name="unknown key when scanned again",
        damage=edit("dataset.yaml", "licence:", "lisence:"),
        says="unknown key 'lisence'",
        verb="scan",
    ),
    Damaged(
        name="card of another format",
        damage=edit("dataset.yaml", "format: 1", "format: 99"),
        says="format 99 is not the one",
    ),
    Damaged(
        name="card with another number type", damage=edit("dataset.yaml", "dtype: uint8", "dtype: object"), says="dtype"
    ),
    Damaged(
        name="card whose name leads out",
        damage=edit("dataset.yaml", "name: good", "name: ../../x"),
        says="'../../x' cannot be the name of a folder",
    ),
    Damaged(
        name="card with another threshold",
        damage=edit("dataset.yaml", "threshold: 127", "threshold: 255"),
        says=r"good0: masks/good0\.png: has changed since the scan",
    ),
    Damaged(
        name="card whose labels say nothing",
        damage=edit("dataset.yaml", "how: threshold", "how: values"),
        says="key 'labels'",
    ),
    Damaged(name="root is gone", damage=elsewhere, says="the images of 'good' are not there any more"),
    Damaged(name="dataset of another root", damage=other_root, says="is the dataset of .*other", verb="scan"),
    Damaged(
        name="table is gone",
        damage=lambda folder, root: (folder / "cases.csv").unlink(),
        says=r"cases\.csv: there is no such file",
    ),
    Damaged(name="table without a row", damage=without_a_row, says="holds 2 thumbnails for 1 cases", verb="leaks"),
    Damaged(
        name="table without the column images",
        damage=without_column("images"),
        says=r"cases\.csv: column 'images' is missing",
    ),
    Damaged(name="table without the column height", damage=without_column("height"), says="'good0' has no size"),
    Damaged(
        name="table without the column digest", damage=without_column("digest"), says="'good0' has no size or no digest"
    ),
    Damaged(
        name="table with a size in words",
        damage=edit("cases.csv", ",40,48,", ",forty,48,"),
        says=r"cases\.csv: row 2 cannot be understood",
    ),
    Damaged(
        name="table with a negative size",
        damage=edit("cases.csv", ",40,48,", ",-40,48,"),
        says=r"cases\.csv: row 2 cannot be understood .height -40",
    ),
    Damaged(
        name="table with an image's name empty",
        damage=edit("cases.csv", "images/good0.png", ""),
        says=r"cases\.csv: row 2 cannot be understood",
    ),
    Damaged(
        name="table with half a list",
        damage=edit("cases.csv", "images/good0.png", "[1"),
        says=r"cases\.csv: row 2 cannot be understood",
    ),
    Damaged(
        name="table with one case twice",
        damage=edit("cases.csv", "good1,", "good0,"),
        says=r"cases\.csv: row 3: case 'good0' stands twice",
    ),
    Damaged(
        name="thumbnails that are a pickle",
        damage=overwrite("thumbnails.npy", b"\x80\x04K\x01."),
        says=r"thumbnails\.npy: cannot be read",
        verb="leaks",
    ),
    Damaged(
        name="image changed",
        damage=changed("images/good0.png", picture(77)),
        says=r"good0: images/good0\.png: has changed since the scan",
    ),
    Damaged(
        name="image of another size",
        damage=changed("images/good0.png", picture(0, 20, 24)),
        says=r"good0: images/good0\.png: has changed its size",
    ),
    Damaged(
        name="image gone",
        damage=gone("images/good0.png"),
        says=r"good0: .*images/good0\.png: cannot be read .No such file",
    ),
    Damaged(name="image a pipe", damage=a_pipe_now, says=r"good0: .*images/good0\.png: is (empty|neither)"),
    Damaged(
        name="mask changed",
        damage=changed("masks/good0.png", blob(0)[:, ::-1] * 0),
        says=r"good0: masks/good0\.png: has changed since the scan",
    ),
    Damaged(
        name="mask of another size",
        damage=changed("masks/good0.png", blob(0, 20, 24)),
        says=r"good0: masks/good0\.png: has changed since the scan",
    ),
    Damaged(
        name="mask with another meaning",
        damage=changed("masks/good0.png", blob(0, value=1)),
        says=r"good0: masks/good0\.png: holds values that are neither",
    ),
)
