"""A page with every variation and preset at three severities, beside the untouched phantom, the mask as a contour.

    python -m benchmarks.variations_page            # writes docs/pictures/variations.jpg

Of a few draws one of the strongest at full severity is shown: what a variation can do, not what it mostly does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.phantoms import colon, heart, skin
from segue.variations import PRESETS, VARIATIONS, Address, Drawn, Variation
from segue.variations.opencv import paste, render

Bytes = npt.NDArray[np.uint8]
Pair = tuple[Bytes, Bytes]  # image, labels

SEVERITIES = (0.0, 0.33, 0.67, 1.0)
CANVAS, TILE, GAP, HEAD, BLOCKS = 256, 104, 4, 22, 3
_DRAWS = 24
_SKIN = ("dermoscopy", "perspective", "shadow", "equalise", "hue", "saturation", "sharpen", "motion_blur")
_HEART = ("mr", "pretext", "bias", "tone", "gamma", "invert", "elastic")
_RANK = {
    "shadow": 0.5,
    **dict.fromkeys(("gamma", "tone", "bias", "blur", "motion_blur", "sharpen", "elastic", "noise"), 0.99),
}
_CLOSE = ("blur", "motion_blur", "sharpen", "noise", "jpeg")  # shown pixel by pixel: smaller, they would vanish
_CORNER = (145, 40)  # row and column
OUT = Path(__file__).parents[1] / "docs" / "pictures" / "variations.jpg"


def subjects(name: str) -> tuple[Pair, Pair]:
    """The phantom on which a variation shows best, and another of its kind for what mixes two."""
    if name in _HEART:
        volumes = heart.volumes(site=heart.SITES[0], patients=2, seed=4)
        found = []
        for volume in list(volumes)[::2][:2]:
            plane = volume.image[len(volume.image) // 2]
            low, high = np.quantile(plane, (0.005, 0.995))
            grey = ((plane - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
            found.append((grey[..., None], volume.labels[len(volume.image) // 2]))
        return found[0], found[1]
    kind = skin if name in _SKIN else colon
    frames = kind.frames(site=kind.SITES[0], patients=12, seed=3)
    squares = [(_square(frame.image), _square(frame.mask)) for frame in frames]
    wanted = [(image, mask) for image, mask in squares if 0.08 < mask.mean() < 0.3 and not mask[0].any()]
    return wanted[0], wanted[-1]


def _square(pixels: Bytes) -> Bytes:
    """The middle of a frame: then all that is black was invented, or is the endoscope's own frame."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    return np.ascontiguousarray(pixels[(height - side) // 2 :, (width - side) // 2 :][:side, :side])


def tiles(name: str, variation: Variation) -> list[Bytes]:
    pairs = subjects(name)
    key = [Address(0, "page", 1, 2 * draw + place, f"{draw} {place}") for draw in range(_DRAWS) for place in (0, 1)]
    full = variation.draw((CANVAS, CANVAS), key)
    untouched = done(Drawn.identity(2, (CANVAS, CANVAS)), pairs)[0].astype(int)
    changes = [
        np.abs(done(full[2 * draw : 2 * draw + 2], pairs)[0].astype(int) - untouched).mean() for draw in range(_DRAWS)
    ]
    # The very strongest of a geometry is the one that loses most, of a shadow the one that lies on everything.
    chosen = int(np.argsort(changes)[int(_DRAWS * _RANK.get(name, 0.85))])
    found = []
    for severity in SEVERITIES:
        drawn = variation.scaled(severity).draw((CANVAS, CANVAS), key)[2 * chosen : 2 * chosen + 2]
        image, labels = done(drawn, pairs)
        for value in set(np.unique(labels)) - {0, IGNORE}:
            outline, _ = cv2.findContours((labels == value).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(image, outline, -1, (80, 255, 120), 2, cv2.LINE_AA)
        if name in _CLOSE:
            found.append(image[_CORNER[0] :, _CORNER[1] :][:TILE, :TILE])
        else:
            found.append(np.asarray(cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8))
    return found


def done(drawn: Drawn, pairs: tuple[Pair, Pair]) -> Pair:
    """The first of a pair, varied."""
    rendered = [render(drawn, place, [image], labels, (CANVAS, CANVAS)) for place, (image, labels) in enumerate(pairs)]
    images = np.stack([each.image for each in rendered])
    labels = np.stack([each.labels for each in rendered if each.labels is not None])
    paste(drawn, images, labels)
    image = images[0]
    return np.ascontiguousarray(np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image), labels[0]


def page() -> Bytes:
    entries = {**VARIATIONS, **PRESETS}
    for name in ("none", "tilt"):  # tilt is of volumes: a picture has nothing behind it
        entries.pop(name)
    rows = -(-len(entries) // BLOCKS)
    wide = len(SEVERITIES) * (TILE + GAP) - GAP
    sheet = np.full((rows * (HEAD + TILE + GAP) + GAP, BLOCKS * (wide + 4 * GAP) - 2 * GAP, 3), 250, np.uint8)
    for place, (name, maker) in enumerate(entries.items()):
        # Down the columns, so that kin stand together.
        column, row = divmod(place, rows)
        variation = maker(p=1.0) if name in VARIATIONS else maker()
        left, top = GAP + column * (wide + 4 * GAP), GAP + row * (HEAD + TILE + GAP)
        title = name + (" (preset)" if name in PRESETS else "")
        _write(sheet, title, (left, top + HEAD - 7), 0.5, 20)
        for step, tile in enumerate(tiles(name, variation)):
            x = left + step * (TILE + GAP)
            sheet[top + HEAD : top + HEAD + TILE, x : x + TILE] = tile
            if not row and step:
                _write(sheet, f"{SEVERITIES[step]:g}", (x + TILE - 32, top + HEAD - 7), 0.4, 110)
    return sheet


def _write(sheet: Bytes, text: str, where: tuple[int, int], size: float, grey: int) -> None:
    cv2.putText(sheet, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, (grey, grey, grey), 1, cv2.LINE_AA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    cv2.imwrite(str(out), cv2.cvtColor(page(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 76])
    print(f"Written: {out} ({out.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
