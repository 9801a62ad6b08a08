"""Augmentation alone: images and masks of 256 pixels, one thread, against albumentations and kornia.

Marks, in images a second: flips + affine + colour + elastic at least 5 times albumentations and kornia; without elastic at
least as fast as albumentations; the tensor executor at least 3 times kornia, both ways.

All sides do the same things with the same strengths: both flips, an affine map, brightness, contrast, saturation and
hue, and a smooth deformation of 3 pixels (standard deviation). Bytes in and out for arrays, floats for tensors; drawing
the random numbers belongs to it. Seconds are the processor's, not the clock's: each side is one thread, and a machine that
others use too would else tell more about them.

albumentations has three smooth deformations: the elastic one, the same with its `approximate` kernel (rougher, but
faster), and a grid of quadrilaterals (not smooth). All are measured, and the mark is against the fastest of them.

    python -m benchmarks.augmentation_speed
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import kornia.augmentation as K
import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits

from benchmarks.common import ratio, save
from segue.data.geometry import Fit, pyramid
from segue.data.phantoms import colon
from segue.variations import Address, parse
from segue.variations.opencv import Rendered, render

SIZE, BATCH, REPEATS = 256, 16, 15
GEOMETRY = "flips + affine(rotate=15, scale=0.1, shift=0.05)"
COLOUR = "colour(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)"
CHAINS = {"without elastic": f"{GEOMETRY} + {COLOUR}", "with elastic": f"{GEOMETRY} + elastic(strength=0.4) + {COLOUR}"}
Bytes = npt.NDArray[np.uint8]


def in_turns(repeats: int, sides: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """As `common.in_turns`, in seconds of the processor."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return seconds


def data() -> tuple[Bytes, Bytes]:
    frames = itertools.islice(colon.frames(site="north", patients=BATCH, seed=0), BATCH)
    pairs = [(frame.image, frame.mask) for frame in frames]
    images = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image, _ in pairs]
    masks = [cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) for _, mask in pairs]
    return np.stack(images).astype(np.uint8), np.stack(masks).astype(np.uint8)


def keys() -> Callable[[], list[Address]]:
    count = itertools.count()
    return lambda: [Address(0, "train", 0, next(count), f"case {place}") for place in range(BATCH)]


def ours(chain: str, images: Bytes, masks: Bytes) -> Callable[[], None]:
    variation, fresh = parse(chain), keys()
    levels = [pyramid(image, Fit.capped(SIZE, SIZE, SIZE)) for image in images]
    out = [
        Rendered(np.empty_like(images[0]), np.empty_like(masks[0]), np.empty(masks[0].shape, np.bool_)) for _ in images
    ]

    def run() -> None:
        drawn = variation.draw((SIZE, SIZE), fresh())
        for index in range(BATCH):
            render(drawn, index, levels[index], masks[index], (SIZE, SIZE), out=out[index])

    return run


def ours_tensor(chain: str, images: Bytes, masks: Bytes) -> Callable[[], None]:
    variation, fresh = parse(chain), keys()
    x, y = torch.tensor(images).permute(0, 3, 1, 2).float() / 255, torch.tensor(masks)

    def run() -> None:
        drawn = variation.draw((SIZE, SIZE), fresh())
        drawn.images(x)
        drawn.carry(y)

    return run


def albumentations(elastic: Any, images: Bytes, masks: Bytes) -> Callable[[], None]:
    steps = [
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        A.Affine(rotate=(-15, 15), scale=(1 / 1.1, 1.1), translate_percent=(-0.05, 0.05), p=1),
        *([elastic] if elastic is not None else []),
        A.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.02, 0.02), p=1),
    ]
    chain = A.Compose(steps, seed=0)

    def run() -> None:
        for image, mask in zip(images, masks, strict=True):
            chain(image=image, mask=mask)

    return run


def kornia(elastic: bool, images: Bytes, masks: Bytes) -> Callable[[], None]:
    x = torch.tensor(images).permute(0, 3, 1, 2).float() / 255
    y = torch.tensor(masks)[:, None].float()
    steps: list[Any] = [
        K.RandomHorizontalFlip(p=0.5),
        K.RandomVerticalFlip(p=0.5),
        K.RandomAffine(15.0, (0.05, 0.05), (1 / 1.1, 1.1), align_corners=False, p=1.0),
    ]
    if elastic:
        steps.append(K.RandomElasticTransform((63, 63), (20.0, 20.0), (2.7, 2.7), p=1.0))
    steps.append(K.ColorJiggle(0.2, 0.2, 0.2, 0.02, p=1.0))
    chain = K.AugmentationSequential(*steps, data_keys=["input", "mask"])

    def run() -> None:
        with torch.no_grad():
            chain(x, y)

    return run


def main() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    images, masks = data()
    rows: dict[str, Any] = {}
    with threadpool_limits(1):
        for name, chain in CHAINS.items():
            elastic = name == "with elastic"
            sides: dict[str, Callable[[], None]] = {
                "ours": ours(chain, images, masks),
                "ours, tensors": ours_tensor(chain, images, masks),
                "kornia": kornia(elastic, images, masks),
            }
            if elastic:
                kinds = {
                    "elastic": A.ElasticTransform(alpha=200, sigma=20, p=1),
                    "approximate": A.ElasticTransform(alpha=40, sigma=20, approximate=True, p=1),
                    "grid": A.GridElasticDeform((4, 4), 5, p=1),
                }
                sides |= {f"albumentations, {kind}": albumentations(how, images, masks) for kind, how in kinds.items()}
            else:
                sides["albumentations"] = albumentations(None, images, masks)
            for run in sides.values():
                run()  # caches, first drawings
            seconds = in_turns(REPEATS, sides)
            rows[name] = {side: BATCH / statistics.median(taken) for side, taken in seconds.items()}
            peers = {side: taken for side, taken in seconds.items() if not side.startswith("ours")}
            ratios = {side: ratio(taken, seconds["ours"]) for side, taken in peers.items()}
            tensor = ratio(seconds["kornia"], seconds["ours, tensors"])
            rows[name] |= {"ratio to": ratios, "tensors to kornia": tensor}
            for side in sides:
                print(f"{name:16} {side:30} {rows[name][side]:7.0f} images/s  {ratios.get(side, 1):6.1f} x", flush=True)
            print(f"{name:16} tensors to kornia {tensor:.1f} x")
    marks = {"with elastic": 5, "without elastic, albumentations": 1, "tensors to kornia": 3}
    save("augmentation_speed", {"size": SIZE, "batch": BATCH, "threads": 1, "rows": rows, "marks": marks})


if __name__ == "__main__":
    main()
