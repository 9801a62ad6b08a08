"""A training small enough for a test: 24 images of a bright disk, a network of three layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from segue import losses
from segue.data.target import Target
from segue.methods import METHODS, Given
from segue.methods.settings import ConsistencySettings
from segue.networks import Outputs
from segue.step import Method
from segue.training.batches import Batches
from segue.training.examples import Example, FrameExample
from segue.training.loop import Judge, Judged, Loop
from segue.training.orders import Order
from segue.training.run import Run
from segue.training.settings import LoopSettings
from segue.variations.flips import Flips
from segue.variations.padding import CONSTANT

TARGET = Target(("background", "disk"))
SIZE = (24, 32)


class Tiny(nn.Module):
    def __init__(self, norm: bool = True) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8) if norm else nn.Identity(), nn.ReLU()
        )
        self.decoder = nn.Sequential(nn.Dropout(0.2), nn.Conv2d(8, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Outputs:
        return Outputs(self.decoder(self.encoder(x)))

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"encoder": list(self.encoder.parameters()), "decoder": list(self.decoder.parameters())}


class _Card(NamedTuple):
    dtype: str = "uint8"
    channels: tuple[str, ...] = ("r", "g", "b")


class DiskStore:
    """What batches ask of a store, in memory."""

    card = _Card()

    def __init__(self, count: int = 24) -> None:
        rng = np.random.default_rng(3)
        rows, columns = np.mgrid[:30, :40]
        self.images, self.masks = [], []
        for _ in range(count):
            centre, radius = rng.uniform((8, 8), (22, 32)), rng.uniform(3, 7)
            disk = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
            image = rng.integers(0, 120, (30, 40, 3)) + 100 * disk[..., None]
            self.images.append(image.astype(np.uint8))
            self.masks.append(disk.astype(np.uint8))

    def pyramid(self, number: int) -> list[Any]:
        return [self.images[number]]

    def mask(self, number: int) -> Any:
        return self.masks[number]


def examples(count: int = 24) -> list[Example]:
    store, lookup = DiskStore(count), TARGET.table({0: "background", 1: "disk"}, where="a test")
    return [FrameExample(f"disk {n}", store, n, lookup) for n in range(count)]  # type: ignore[arg-type]  # a stand-in


def network(norm: bool = True) -> Tiny:
    torch.manual_seed(1)
    return Tiny(norm)


SEARCHING = ConsistencySettings(interleaved=1, draws=2)


def method(name: str = "supervised", *, norm: bool = True) -> Method:
    loss = losses.parse("dice + bce", TARGET)
    return METHODS[name](Given(network(norm), loss, Flips(), TARGET, consistency=SEARCHING))


def settings(**given: Any) -> LoopSettings:
    return LoopSettings(**{"steps": 12, "epoch_steps": 4, "batch": 4, "encoder_rate": 1e-3, "average": 0.0, **given})


def batches(loop: LoopSettings, made: Method, *, rank: int = 0, world: int = 1, seed: int = 0) -> Batches:
    found = examples()
    order = Order(len(found), seed)
    return Batches(found, order, made.views, size=SIZE, batch=int(loop.batch), padding=CONSTANT, rank=rank, world=world)


def loop_in(
    folder: Path, given: LoopSettings, *, name: str = "supervised", judge: Judge | None = None, norm: bool = True,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Loop:  # fmt: skip
    torch.set_num_threads(1)
    made = method(name, norm=norm)
    run = (
        Run(folder)
        if (folder / "run.json").exists()
        else Run.create(folder, config={}, about={}, cases=[{"case": "x"}], seen=[{"case": "x"}])
    )
    return Loop(
        made, batches(given, made), given, fabric=Fabric(accelerator="cpu", devices=1), run=run,
        judge=judge or norm_of_weights, keep=keep, warn=warn,
    )  # fmt: skip


def keep(made: nn.Module, path: Path) -> None:
    save_file(dict(made.state_dict()), path)


def norm_of_weights(made: nn.Module, tick: Callable[[], None]) -> Judged:
    """A number that depends on all the weights: what is judged twice alike was learnt alike."""
    tick()
    total = sum(float(value.double().abs().sum()) for value in made.state_dict().values())
    return Judged(total, {"dice": total})
