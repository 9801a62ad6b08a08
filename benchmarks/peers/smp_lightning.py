"""The peer of training and prediction: segmentation-models-pytorch, albumentations and Lightning, as most would write it.

    python -m benchmarks.peers.smp_lightning DATA --layout kvasir-seg --size 128 --batch 16 --seconds 480 \
        --keep-best --weights peer.pt --predict IMAGES --masks-out PREDICTED --json peer.json

trains on the part `train` of DATA/split.csv, validates on `validation`, and prints what it did as JSON. `--settings
best` turns the knobs of settings.py after a probe; everything else is the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers import pairs as layouts
from benchmarks.peers import settings as knobs
from benchmarks.peers.dataset import Augmentation, Pictures, loader, read_image, resize, transform
from benchmarks.peers.module import Segmenter, build
from benchmarks.peers.pace import Pace
from benchmarks.peers.pairs import Pair
from benchmarks.peers.settings import Settings

LR = 1e-3


@dataclass(frozen=True, slots=True)
class Speed:
    """Images a second are training images. Peaks are of the whole process since its start, so one run a process."""

    images_per_second: float  # steps after the warm-up, loader included, validation not
    epoch_images_per_second: float  # whole epochs with their validation
    loader_share: float  # of the steady time: waiting for a batch
    step_seconds: tuple[float, ...]  # of each step after the warm-up, its wait for the batch included
    processor_seconds: tuple[float, ...]  # of the same steps: all threads of this process, without the workers
    steps: int
    images: int
    epochs: float
    seconds: float  # all of the training, from the call of fit
    peak_bytes: int
    worker_peak_bytes: int  # of the largest worker; forked, so most of it is shared with the process


@dataclass(frozen=True, slots=True)
class Trained:
    network: nn.Module  # float32, contiguous, eval, on the CPU; gives logits (n, 1, h, w)
    made_of: dict[str, Any]  # what build() was given
    size: int
    settings: Settings
    speed: Speed
    validation: list[dict[str, float]]  # by epoch: dice, iou
    best_epoch: int | None  # whose weights these are; None: the last step's
    probed: Mapping[str, float] = field(default_factory=dict)  # seconds a step


def train(
    training: Sequence[Pair],
    validation: Sequence[Pair] = (),
    *,
    architecture: str = "Unet",
    encoder: str = "resnet18",
    size: int = 256,
    batch: int = 8,
    epochs: float | None = None,
    steps: int | None = None,
    passes: int | None = None,
    seconds: float | None = None,
    lr: float = LR,
    seed: int = 0,
    settings: Settings | str = "default",
    augmentation: Augmentation | None = Augmentation(),  # noqa: B008
    keep_best: bool = False,
    warm_up: int = 5,
    options: Mapping[str, Any] | None = None,
    accelerator: str = "auto",
) -> Trained:
    """Train for exactly one of `epochs`, `steps`, image `passes` or `seconds`; the cosine ends with it.

    `seconds` is wall-clock from the call of fit and contains the last validation. Probing for `settings="best"` and
    building the network are not counted. Without `validation` none is run. `options` go to the network.
    """
    if sum(limit is not None for limit in (epochs, steps, passes, seconds)) != 1:
        raise ValueError("give exactly one of epochs, steps, passes, seconds")
    _quiet()
    probed: dict[str, float] = {}
    if isinstance(settings, str):
        if settings not in ("default", "best"):
            raise ValueError(f"settings: default, best or a Settings, not {settings!r}")
        settings, probed = (
            knobs.best(architecture, encoder, size, batch, **(options or {}))
            if settings == "best"
            else (knobs.DEFAULT, {})
        )
    if settings.threads:
        torch.set_num_threads(settings.threads)
    L.seed_everything(seed, workers=True, verbose=False)
    if epochs is not None:
        steps = max(round(epochs * (len(training) // batch)), 1)
    elif passes is not None:
        steps = max(passes // batch, 1)

    batches = loader(Pictures(training, size, augmentation, seed), batch, settings.workers, shuffle=True)
    held_out = loader(Pictures(validation, size, None), batch, settings.workers, shuffle=False) if validation else None
    pace = Pace(batch=batch, steps=steps, seconds=seconds, validation_images=len(validation))
    module = Segmenter(
        build(architecture, encoder, **(options or {})), lr, pace.progress, channels_last=settings.channels_last
    )
    scores = _Scores()
    with tempfile.TemporaryDirectory() as folder:
        keeper = ModelCheckpoint(folder, monitor="val_dice", mode="max", save_top_k=1, save_weights_only=True)
        keep_best = keep_best and held_out is not None
        trainer = L.Trainer(
            accelerator=accelerator,
            devices=1,
            precision=settings.precision,
            max_epochs=-1,
            callbacks=[pace, scores, *([keeper] if keep_best else [])],
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=keep_best,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        pace.start()
        trainer.fit(module, batches, held_out)
        if keep_best:
            module.load_state_dict(torch.load(keeper.best_model_path, weights_only=True)["state_dict"])
    network = module.network.to("cpu", memory_format=torch.contiguous_format).eval()
    dices = [row["dice"] for row in scores.rows]
    return Trained(
        network=network,
        made_of={"architecture": architecture, "encoder": encoder, **(options or {})},
        size=size,
        settings=settings,
        speed=_speed(pace, warm_up, len(training)),
        validation=scores.rows,
        best_epoch=int(np.argmax(dices)) if keep_best else None,
        probed=probed,
    )


def predict(
    network: nn.Module, images: Sequence[Path], *, size: int, out: Path | None = None, threshold: float = 0.5
) -> Iterator[tuple[Path, NDArray[np.float32]]]:
    """One image after the other, eager, float32: its file and its probabilities (h, w) in its own size.

    With `out`, also a mask (0 and 255) as PNG of the image's name.
    """
    ready = transform(None)
    network.eval()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for file in images:
        image = read_image(file)
        height, width = image.shape[:2]
        with torch.inference_mode():
            logits = network(ready(image=resize(image, size))["image"][None])
            small = torch.sigmoid(logits)[0, 0].numpy()
        probability = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        if out is not None:
            cv2.imwrite(str(out / f"{file.stem}.png"), np.where(probability > threshold, 255, 0).astype(np.uint8))
        yield file, probability


def predict_folder(
    network: nn.Module, images: Sequence[Path], *, size: int, out: Path | None = None, threshold: float = 0.5
) -> float:
    """Images a second of `predict` over all of them."""
    start = time.perf_counter()
    for _ in predict(network, images, size=size, out=out, threshold=threshold):
        pass
    return len(images) / (time.perf_counter() - start)


def save(trained: Trained, file: Path) -> None:
    kept = {"made_of": trained.made_of, "size": trained.size, "state_dict": trained.network.state_dict()}
    torch.save(kept, file)


def load(file: Path) -> tuple[nn.Module, int]:
    """The network and the size of its images."""
    kept = torch.load(file, weights_only=True)
    network = build(**kept["made_of"])
    network.load_state_dict(kept["state_dict"])
    return network.eval(), kept["size"]


class _Scores(L.Callback):
    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        values = trainer.callback_metrics
        self.rows.append({"dice": float(values["val_dice"]), "iou": float(values["val_iou"])})


def _speed(pace: Pace, warm_up: int, training_images: int) -> Speed:
    warm_up = min(warm_up, len(pace.working) - 1)
    rate, share = pace.steady(warm_up)
    images = len(pace.working) * pace.batch
    unit = 1 if resource.getpagesize() == 16384 else 1024  # macOS on its own processors counts bytes
    return Speed(
        images_per_second=rate,
        epoch_images_per_second=pace.whole_epochs(),
        loader_share=share,
        step_seconds=tuple(a + b for a, b in zip(pace.loading, pace.working, strict=True))[warm_up:],
        processor_seconds=tuple(pace.processor[warm_up:]),
        steps=len(pace.working),
        images=images,
        epochs=images / training_images,
        seconds=pace.total,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        worker_peak_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit,
    )


def _quiet() -> None:
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in ("does not have many workers", "no `val_dataloader`", "LeafSpec.* is deprecated"):
        warnings.filterwarnings("ignore", message=f".*{message}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--layout", default="kvasir-seg", choices=layouts.LAYOUTS)
    parser.add_argument("--limit", type=int, help="training images; of validation, an eighth of it")
    parser.add_argument("--no-validation", action="store_true")
    parser.add_argument("--architecture", default="Unet")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=5, help="steps that do not count in the speed")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--epochs", type=float)
    length.add_argument("--steps", type=int)
    length.add_argument("--passes", type=int)
    length.add_argument("--seconds", type=float)
    parser.add_argument("--lr", type=float, default=LR)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", default="default", choices=("default", "best"))
    for knob, kind in (("workers", int), ("threads", int), ("precision", str)):
        parser.add_argument(f"--{knob}", type=kind, help="in place of what --settings gives")
    parser.add_argument("--channels-last", action="store_true", default=None)
    parser.add_argument("--elastic", type=float, default=0.0)
    parser.add_argument("--keep-best", action="store_true")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--predict", type=Path, help="a folder of images")
    parser.add_argument("--masks-out", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)

    parts = layouts.read(args.data, args.layout)
    training, validation = parts.get("train", parts.get("all", [])), parts.get("validation", [])
    if args.limit:
        training, validation = training[: args.limit], validation[: max(args.limit // 8, 1)]
    chosen = {
        name: value
        for name in ("workers", "threads", "precision", "channels_last")
        if (value := getattr(args, name)) is not None
    }
    settings: Settings | str = args.settings
    if chosen:
        start, _ = (
            knobs.best(args.architecture, args.encoder, args.size, args.batch)
            if settings == "best"
            else (knobs.DEFAULT, {})
        )
        settings = Settings(**{**start.as_dict(), **chosen})
    trained = train(
        training, [] if args.no_validation else validation, architecture=args.architecture, encoder=args.encoder,
        size=args.size, batch=args.batch, epochs=args.epochs, steps=args.steps, passes=args.passes,
        seconds=args.seconds, lr=args.lr, seed=args.seed, settings=settings, keep_best=args.keep_best,
        augmentation=Augmentation(elastic=args.elastic), warm_up=args.warm_up,
    )  # fmt: skip
    said: dict[str, Any] = {
        name: getattr(trained.speed, name) for name in Speed.__slots__
    } | {"settings": trained.settings.as_dict(), "probed": dict(trained.probed), "validation": trained.validation,
         "best_epoch": trained.best_epoch}  # fmt: skip
    if args.weights:
        save(trained, args.weights)
    if args.predict:
        files = layouts.pictures(args.predict)
        said["predicted_per_second"] = predict_folder(trained.network, files, size=args.size, out=args.masks_out)
    if args.json:
        args.json.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(said))


if __name__ == "__main__":
    main()
