"""Reading pictures that nobody has checked: the header is looked at before memory is taken; a refusal is a sentence.

What comes out is upright (EXIF applied), RGB or grey, uint8 or uint16, without palette, alpha or a second page.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from segue.data.tree import suffix
from segue.errors import BadInput

MAX_PIXELS = 100_000_000  # larger pictures are slides, which want tiles
MAX_BYTES = 1 << 30
# Pixels that a byte can hold at most; the other formats have no bound.
_PACKED = {"JPEG": 1 << 10, "MPO": 1 << 10, "PNG": 10_000, "GIF": 10_000, "BMP": 10_000, "PPM": 8}
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "WEBP": (".webp",),
    "GIF": (".gif",), "PPM": (".ppm", ".pgm"), "MPO": (".jpg", ".jpeg"),
}  # fmt: skip

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "YCbCr", "I", "I;16", "I;16B", "I;16L", "F")
# What libjpeg, libtiff and libpng say of a file that they decode all the same; stray bytes between markers are common.
_DAMAGED = ("premature end", "bad huffman code", "instead of rst", "incorrect data check", "bad code word")

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Header:
    format: str
    mode: str
    width: int  # as stored, before EXIF turns it
    height: int
    orientation: int  # EXIF, 1 = upright
    deep: bool = False  # 16 bits a channel, of which Pillow would drop half
    keyed: bool = False  # one colour stands for transparent

    @property
    def turned(self) -> bool:
        """Does EXIF swap width and height?"""
        return self.orientation >= 5


def read_image(path: Path) -> Pixels:
    """(height, width) grey or (height, width, 3) RGB."""
    data, header = load(path)
    return upright(decode(path, data, header), header)


def read_mask(path: Path) -> npt.NDArray[np.generic]:
    """The raw values: (height, width), or (height, width, 3) where colours mean classes. EXIF is not applied."""
    data, header = load(path)
    return decode_mask(path, data, header)


def load(path: Path) -> tuple[bytes, Header]:
    try:
        size = path.stat().st_size
        if size == 0:
            raise BadInput(f"{path}: is empty")
        if size > MAX_BYTES:
            raise BadInput(f"{path}: {size / 2**30:.1f} GiB is more than a picture should have (limit 1 GiB)")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None
    return data, _header(path, data)


def _header(path: Path, data: bytes) -> Header:
    return _plain_header(path, data) or _any_header(path, data)


def _plain_header(path: Path, data: bytes) -> Header | None:
    """Of the two kinds of file that nearly all are, without Pillow, in a tenth of its time: a JPEG of 8 bits, grey or
    YCbCr, without EXIF; a PNG of 8 bits, grey or RGB, with nothing but pixels. None: something else, or doubtful."""
    ending = suffix(path.name)
    if (
        ending == ".png"
        and len(data) > 64
        and data[:8] == b"\x89PNG\r\n\x1a\n"
        and data[12:16] == b"IHDR"
        and data[24] == 8
    ):
        width, height = struct.unpack(">II", data[16:24])
        mode = {0: "L", 2: "RGB"}.get(data[25])
        if not mode or data[37:41] != b"IDAT":
            return None
        header = Header("PNG", mode, width, height, 1)
        if not _whole(data, header):
            return None
    elif ending in (".jpg", ".jpeg") and data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9":
        frame = _plain_frame(data)
        if frame is None:
            return None
        header = Header("JPEG", *frame, 1)
    else:
        return None
    size = header.width * header.height
    return header if 0 < size <= min(MAX_PIXELS, _PACKED[header.format] * len(data)) else None


def _plain_frame(data: bytes) -> tuple[str, int, int] | None:
    """(mode, width, height) from the markers before the first scan."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if marker in (0xC0, 0xC1, 0xC2):
            bits, height, width, components = struct.unpack(">BHHB", data[place + 4 : place + 10])
            mode = {1: "L", 3: "RGB"}.get(components)
            return (mode, width, height) if bits == 8 and mode else None
        if marker not in (0xDB, 0xC4, 0xDD, 0xE0, 0xFE):  # tables, JFIF, comment; EXIF and Adobe's colours are doubtful
            return None
        place += 2 + length
    return None


def _any_header(path: Path, data: bytes) -> Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own size warning: ours below is an error
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                frames = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "TIFF", "PNG") else 1
                orientation = image.getexif().get(0x0112, 1) if "exif" in image.info or image.format == "TIFF" else 1
                header = Header(
                    image.format or "",
                    image.mode,
                    width,
                    height,
                    int(orientation) if orientation in range(2, 9) else 1,
                    deep=_deep(image, data),
                    keyed="transparency" in image.info,
                )
    except Image.DecompressionBombError:
        raise BadInput(f"{path}: its header claims more than {MAX_PIXELS / 1e6:.0f} megapixels") from None
    except Exception as error:  # Pillow raises nearly anything on bytes that were made to hurt
        raise BadInput(f"{path}: is not a picture that can be read ({_reason(error)})") from None
    if width < 1 or height < 1:
        raise BadInput(f"{path}: its header claims {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"{path}: its header claims {width} x {height} pixels (limit {MAX_PIXELS / 1e6:.0f} megapixels)",
            hint="Cut slides into tiles first.",
        )
    if frames > 1:
        raise BadInput(f"{path}: has {frames} frames; a case is one image")
    if suffix(path.name) not in _ENDINGS.get(header.format, ()):
        raise BadInput(f"{path}: is a {header.format} file under another ending")
    if header.mode == "CMYK":
        raise BadInput(f"{path}: has the four colours of print (CMYK); save it as RGB")
    if header.mode not in _MODES:
        raise BadInput(f"{path}: has colours of another kind ({header.mode}); save it as RGB")
    if width * height > _PACKED.get(header.format, MAX_PIXELS) * len(data):
        raise BadInput(f"{path}: its header claims {width} x {height} pixels, which {len(data):,} bytes cannot hold")
    if not _whole(data, header):
        raise BadInput(f"{path}: is truncated")
    return header


def _deep(image: Image.Image, data: bytes) -> bool:
    if image.format == "PNG":
        return data[24] == 16
    bits = getattr(image, "tag_v2", {}).get(258, 8)
    return image.mode != "F" and max(bits if isinstance(bits, tuple) else (bits,)) == 16


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, UnidentifiedImageError) or not text:
        return "unknown format"
    return text[:120] if isinstance(error, OSError | SyntaxError | cv2.error) else "broken"


def _whole(data: bytes, header: Header) -> bool:
    """Decoders fill the missing rest of a truncated file with grey and say nothing."""
    if header.format == "PNG":
        at = 8
        while data[at + 4 : at + 8] not in (b"IEND", b""):  # OpenCV takes the memory that a chunk claims
            at += 12 + int.from_bytes(data[at : at + 4], "big")
        return at + 12 <= len(data)
    if header.format not in ("JPEG", "MPO"):
        return True  # the others do say so
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":  # to the pixels, past a thumbnail
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(b"\xff\xd9", at) >= 0


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """The C libraries tell of damage on standard error alone, and go on with invented pixels."""
    if sys.platform == "win32":  # a pipe would have to be emptied meanwhile
        yield
        return
    with _ear:
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        ear, mouth = os.pipe()
        os.set_blocking(mouth, False)  # what is more than a pipe holds is lost, not waited for
        try:
            os.dup2(mouth, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(mouth)
            with os.fdopen(ear, "rb") as file:
                said = file.read().decode(errors="replace")
    for line in said.splitlines():
        if any(words in line.lower() for words in _DAMAGED):
            raise BadInput(f"{path}: is damaged ({' '.join(line.split())[:120]})")


_ear = threading.Lock()  # standard error is one for all threads


def decode(path: Path, data: bytes, header: Header) -> Pixels:
    """The pixels as stored; `upright` turns them."""
    if header.mode in ("RGBA", "LA", "PA") or header.keyed:
        return _without_alpha(path, _rgba(path, data, header), header, "image")
    if header.format == "GIF" or header.mode in ("P", "1"):
        return _by_pillow(path, data, "RGB" if header.mode in ("P", "RGB") else "L").astype(np.uint8)
    colour = header.mode in ("RGB", "YCbCr")
    if header.format == "TIFF" and header.mode in ("L", "RGB", "YCbCr") and not header.deep:
        return _by_pillow(path, data, "RGB" if colour else "L").astype(np.uint8)  # OpenCV passes over broken strips
    if colour and header.deep:  # OpenCV 5.0 makes noise of a 16-bit TIFF that is to be RGB
        deep = _by_opencv(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        return cast(Pixels, cv2.cvtColor(deep, cv2.COLOR_BGR2RGB))
    pixels = _by_opencv(path, data, (cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_ANYDEPTH)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"{path}: holds {pixels.dtype} numbers; images are 8 or 16 bit")
    return pixels


def _by_opencv(path: Path, data: bytes, flags: int) -> Pixels:
    try:
        with _damage_told(path):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise BadInput(f"{path}: cannot be decoded ({_reason(error)})") from None
    if pixels is None:
        raise BadInput(f"{path}: cannot be decoded (broken or truncated)")
    return cast(Pixels, pixels)


def upright(pixels: Pixels, header: Header) -> Pixels:
    """What EXIF says about how the camera was held."""
    if header.orientation == 1:
        return pixels
    turned = pixels.swapaxes(0, 1) if header.orientation >= 5 else pixels
    if header.orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if header.orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return cast(Pixels, np.ascontiguousarray(turned))


def decode_mask(path: Path, data: bytes, header: Header) -> npt.NDArray[np.generic]:
    if header.mode in ("P", "PA"):
        return _palette(path, data)
    if header.mode in ("RGBA", "LA") or header.keyed:
        return _grey_if_grey(_without_alpha(path, _rgba(path, data, header), header, "mask"))
    if header.mode == "F" or (header.mode == "I" and header.format != "PPM"):  # Pillow stretches the numbers of a PGM
        return _by_pillow(path, data, None)
    pixels = _grey_if_grey(decode(path, data, header))
    if pixels.ndim == 3 and pixels.dtype != np.uint8:
        raise BadInput(f"{path}: holds colours of 16 bits; a mask has 8")
    return pixels


def _palette(path: Path, data: bytes) -> npt.NDArray[np.generic]:
    """Indices where the palette is only for looks (class ids), grey values where the palette is a grey ramp."""
    with _opened(path, data) as image:
        indices = np.asarray(image if image.mode == "P" else image.convert("P"))
        colours = np.asarray(image.convert("RGB"))
    used = np.unique(indices)
    grey = bool((colours[..., 0] == colours[..., 1]).all() and (colours[..., 1] == colours[..., 2]).all())
    small = bool(used.max() < 32 and np.array_equal(used, np.arange(len(used))))
    return np.ascontiguousarray(colours[..., 0]) if grey and not (small and len(used) > 2) else indices


def _grey_if_grey(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if pixels.ndim == 3 and all(np.array_equal(pixels[..., 0], pixels[..., other]) for other in (1, 2)):
        return np.ascontiguousarray(pixels[..., 0])
    return pixels


def _rgba(path: Path, data: bytes, header: Header) -> Pixels:
    if header.deep and not header.keyed:
        return cast(Pixels, cv2.cvtColor(_by_opencv(path, data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA))
    return _by_pillow(path, data, "RGBA").astype(np.uint8)


def _without_alpha(path: Path, pixels: Pixels, header: Header, what: str) -> Pixels:
    if not (pixels[..., 3] == pixels[..., 3].max()).all():
        raise BadInput(f"{path}: the {what} is transparent in places; flatten it, so that colours say what is meant")
    rest = pixels[..., 0] if header.mode in ("1", "L", "LA", "I;16") else pixels[..., :3]
    return cast(Pixels, np.ascontiguousarray(rest))


def _by_pillow(path: Path, data: bytes, mode: str | None) -> npt.NDArray[np.generic]:
    with _opened(path, data, mode) as image:
        return np.asarray(image)


def _opened(path: Path, data: bytes, mode: str | None = None) -> Image.Image:
    try:
        with warnings.catch_warnings(), _damage_told(path):
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            image.load()
            return image.convert(mode) if mode else image
    except BadInput:
        raise
    except Exception as error:  # as above
        raise BadInput(f"{path}: cannot be decoded ({_reason(error)})") from None


# Decoders of OpenCV print their complaints; ours are sentences with the file's name.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


# Writing


def jpeg(image: npt.NDArray[np.uint8], quality: int) -> bytes:
    """An RGB image."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()
