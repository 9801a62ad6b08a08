"""The peer of pre-training: SimCLR with lightly 1.6 and Lightning, as lightly's own tutorial has it, without a line of Segue.

    python -m benchmarks.peers.simclr_lightly IMAGES --size 128 --batch 32 --steps 12 --json peer.json

resnet18 of torchvision, lightly's projection head and NTXentLoss at temperature .1, its SimCLRTransform with the list of
augmentations that is compared (flip, crop and resize, colour jitter, blur), two persistent workers, AdamW.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers.torchvision_here import define_missing_operators

define_missing_operators()

import lightning as L  # noqa: E402
import torchvision  # noqa: E402
from lightly.data import LightlyDataset  # noqa: E402
from lightly.loss import NTXentLoss  # noqa: E402
from lightly.models.modules import SimCLRProjectionHead  # noqa: E402
from lightly.transforms import SimCLRTransform  # noqa: E402
from torch import Tensor, nn  # noqa: E402

WARM_UP = 2


class SimCLR(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        resnet = torchvision.models.resnet18()
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.head = SimCLRProjectionHead(512, 1024, 128)
        self.loss = NTXentLoss(temperature=0.1)

    def training_step(self, batch: Any, index: int) -> Tensor:
        (one, other), *_ = batch
        z = self.head(self.backbone(torch.cat([one, other])).flatten(1))
        found: Tensor = self.loss(*z.chunk(2))
        return found

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Clock(L.Callback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--best", action="store_true", help="bf16 and channels_last, as one tunes it by hand")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    transform = SimCLRTransform(
        input_size=given.size, cj_prob=0.9, cj_strength=1.0, cj_bright=0.4, cj_contrast=0.4, cj_sat=0.4, cj_hue=0.05,
        min_scale=0.25, random_gray_scale=0.0, gaussian_blur=0.4, hf_prob=0.5, rr_prob=0.0,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(
        LightlyDataset(str(given.images), transform=transform), batch_size=given.batch, shuffle=True, drop_last=True,
        num_workers=2, persistent_workers=True,
    )  # fmt: skip
    clock, model = Clock(), SimCLR()
    if given.best:
        model = model.to(memory_format=torch.channels_last)
    L.Trainer(
        max_steps=given.steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, callbacks=[clock], precision="bf16-mixed" if given.best else "32-true",
    ).fit(model, loader)  # fmt: skip
    gaps = [after - before for before, after in itertools.pairwise(clock.ends)][WARM_UP:]
    given.json.write_text(json.dumps({"seconds": gaps, "batch": given.batch, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
