"""Files into batches: OpenCV reads and resizes in `__getitem__`, albumentations varies, a DataLoader collects."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from benchmarks.peers.pairs import Pair


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strengths, each the largest deviation to either side; 0 leaves a part out. The flips come with probability 1/2,
    the rest with probability `p`."""

    flips: bool = True
    rotate: float = 15.0  # degrees
    scale: float = 0.1
    translate: float = 0.05  # of the side
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.02
    elastic: float = 0.0  # alpha of albumentations; 40 with sigma 6 is moderate at 256 px
    elastic_sigma: float = 6.0
    p: float = 1.0

    def chain(self) -> list[Any]:
        steps: list[Any] = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)] if self.flips else []
        if self.rotate or self.scale or self.translate:
            steps.append(
                A.Affine(
                    rotate=(-self.rotate, self.rotate),
                    scale=(1 - self.scale, 1 + self.scale),
                    translate_percent=(-self.translate, self.translate),
                    keep_ratio=True,
                    p=self.p,
                )
            )
        if self.elastic:
            steps.append(A.ElasticTransform(alpha=self.elastic, sigma=self.elastic_sigma, p=self.p))
        if self.brightness or self.contrast or self.saturation or self.hue:
            steps.append(
                A.ColorJitter(
                    brightness=(1 - self.brightness, 1 + self.brightness),
                    contrast=(1 - self.contrast, 1 + self.contrast),
                    saturation=(1 - self.saturation, 1 + self.saturation),
                    hue=(-self.hue, self.hue),
                    p=self.p,
                )
            )
        return steps


def transform(augmentation: Augmentation | None) -> Any:
    return A.Compose([*(augmentation.chain() if augmentation else []), A.Normalize(), ToTensorV2()])


def read_image(file: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(file)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    shrinks = min(image.shape[:2]) > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=how)  # type: ignore[return-value]


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, pairs: Sequence[Pair], size: int, augmentation: Augmentation | None, seed: int = 0) -> None:
        self.pairs = list(pairs)
        self.size = size
        self.transform = transform(augmentation)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """`Compose(seed=...)` and `set_random_seed` of albumentations 2.0.8 give each step a generator of its own with
        the *same* seed, so that both flips always come together; this way all steps share one generator."""
        self.transform.set_random_state(np.random.default_rng(seed), random.Random(seed))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image_file, mask_file = self.pairs[index]
        image = resize(read_image(image_file), self.size)
        grey = cv2.imread(str(mask_file), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise FileNotFoundError(mask_file)
        binary = (grey > 127).astype(np.uint8)
        mask = cv2.resize(binary, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        ready = self.transform(image=image, mask=mask)
        return ready["image"], ready["mask"][None].float()  # (3, h, w), (1, h, w)


def _start_worker(number: int) -> None:
    """Forked workers would all repeat the parent's random numbers, and OpenCV's threads fight with torch's."""
    cv2.setNumThreads(0)
    worker = get_worker_info()
    assert worker is not None
    assert isinstance(worker.dataset, Pictures)
    worker.dataset.seed(torch.initial_seed() % 2**32)


def loader(pictures: Pictures, batch: int, workers: int, *, shuffle: bool) -> DataLoader[tuple[Tensor, Tensor]]:
    if not workers:
        cv2.setNumThreads(0)
    return DataLoader(
        pictures,
        batch_size=batch,
        shuffle=shuffle,
        drop_last=shuffle,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_start_worker if workers else None,
    )
