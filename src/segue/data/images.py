"""Reading pictures that nobody has checked: the header is looked at before memory is taken, and every refusal is a sentence.

What comes out is upright (EXIF applied), RGB or grey, uint8 or uint16, without palette, alpha or a second page.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from segue.data.tree import suffix
from segue.errors import BadInput

MAX_PIXELS = 100_000_000  # larger pictures are slides, which want tiles
MAX_BYTES = 1 << 30
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "WEBP": (".webp",),
    "GIF": (".gif",), "PPM": (".ppm", ".pgm"), "MPO": (".jpg", ".jpeg"),
}  # fmt: skip

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Header:
    format: str
    mode: str
    width: int  # as stored, before EXIF turns it
    height: int
    orientation: int  # EXIF, 1 = upright

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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own size warning: ours below is an error
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                frames = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "TIFF", "PNG") else 1
                orientation = image.getexif().get(0x0112, 1) if "exif" in image.info or image.format == "TIFF" else 1
                header = Header(image.format or "", image.mode, width, height, orientation if 1 <= orientation <= 8 else 1)
    except Image.DecompressionBombError:
        raise BadInput(f"{path}: its header claims more than {MAX_PIXELS / 1e6:.0f} megapixels") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError) as error:
        raise BadInput(f"{path}: is not a picture that can be read ({_reason(error)})") from None
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
    _whole(path, data, header)
    return header


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "unknown format" if isinstance(error, UnidentifiedImageError) or not text else text[:120]


def _whole(path: Path, data: bytes, header: Header) -> None:
    """Decoders fill the missing rest of a truncated file with grey and say nothing."""
    if header.format == "JPEG":
        whole = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    elif header.format == "PNG":
        whole = data.rfind(b"IEND", -4096) >= 0
    else:
        return
    if not whole:
        raise BadInput(f"{path}: is truncated")


def decode(path: Path, data: bytes, header: Header) -> Pixels:
    """The pixels as stored; `upright` turns them."""
    if header.mode == "RGBA" or header.mode == "LA":
        return _without_alpha(path, _by_pillow(path, data, None), "image")
    if header.format == "GIF" or header.mode in ("P", "PA", "1"):
        return _by_pillow(path, data, "RGB" if header.mode in ("P", "PA", "RGB") else "L").astype(np.uint8)
    colour = header.mode in ("RGB", "YCbCr")
    flags = (cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise BadInput(f"{path}: cannot be decoded ({_reason(error)})") from None
    if pixels is None:
        raise BadInput(f"{path}: cannot be decoded (broken or truncated)")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"{path}: holds {pixels.dtype} numbers; images are 8 or 16 bit")
    return pixels


def upright(pixels: Pixels, header: Header) -> Pixels:
    """What EXIF says about how the camera was held."""
    if header.orientation == 1:
        return pixels
    turned = pixels.swapaxes(0, 1) if header.orientation >= 5 else pixels
    if header.orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if header.orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def decode_mask(path: Path, data: bytes, header: Header) -> npt.NDArray[np.generic]:
    if header.mode in ("P", "PA"):
        return _palette(path, data)
    if header.mode in ("RGBA", "LA"):
        return _grey_if_grey(_without_alpha(path, _by_pillow(path, data, None), "mask"))
    if header.mode == "1" or header.format == "GIF":
        return _grey_if_grey(_by_pillow(path, data, "L" if header.mode in ("1", "L") else "RGB").astype(np.uint8))
    if header.mode in ("F", "I"):
        return _by_pillow(path, data, None)
    return _grey_if_grey(decode(path, data, header))


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
    if pixels.ndim == 3 and np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]):
        return np.ascontiguousarray(pixels[..., 0])
    return pixels


def _without_alpha(path: Path, pixels: npt.NDArray[np.generic], what: str) -> Pixels:
    if not (pixels[..., -1] == pixels[..., -1].max()).all():
        raise BadInput(f"{path}: the {what} is transparent in places; flatten it, so that what is meant is in the colours")
    rest = pixels[..., :-1]
    return np.ascontiguousarray(rest[..., 0] if rest.shape[-1] == 1 else rest).astype(np.uint8)


def _by_pillow(path: Path, data: bytes, mode: str | None) -> npt.NDArray[np.generic]:
    with _opened(path, data) as image:
        return np.asarray(image.convert(mode) if mode else image)


def _opened(path: Path, data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            image.load()
        return image
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadInput(f"{path}: cannot be decoded ({_reason(error)})") from None


# Decoders of OpenCV print their complaints; ours are sentences with the file's name.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
