"""What a step with images beside it costs, against the forward and backward passes that it is made of, on tensors that
are there already. What is on top: reading and varying the images, laying predictions over each other, losses, the step.

Mark: at most 1.2 times the sum.

    python -m benchmarks.semi_speed [--turns 7]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import segue
from benchmarks.common import save
from segue.data.phantoms import PHANTOMS
from segue.experiment import assemble
from segue.experiment.material import gather
from segue.experiment.resolve import resolve
from segue.experiment.settings import TrainSettings
from segue.training.devices import fabric_of
from segue.training.loop import Loop
from segue.training.machine import keep_memory
from segue.training.run import Run

MARK = 1.2
SIDE, BATCH = 128, 8


def loop_on(folder: Path, **given: object) -> Loop:
    """In the middle of a training on polyps, nothing but the step to do."""
    PHANTOMS["colon"].make(folder / "colon", patients=30, sites=["north"])
    dataset = segue.scan(folder / "colon", folder / "datasets/colon", name="colon").dataset
    assert dataset is not None
    segue.split(dataset)
    store = segue.prepare(dataset, folder / "stores/colon").target
    asked = TrainSettings.model_validate({
        "data": [str(dataset.folder)], "stores": [str(store)], "labels": "5", "size": (SIDE, SIDE), "variation": "strong",
        "loop": {"steps": 1000, "epoch_steps": 1000, "batch": BATCH}, **given,
    })  # fmt: skip
    material = gather(asked)
    settings = resolve(asked, material, print).settings
    built, _ = assemble.network(settings, material.target, material.channels)
    parts = assemble.parts(settings, material, built)
    return Loop(
        parts.method, parts.batches, settings.loop, fabric=fabric_of(settings.machine), run=Run(folder), judge=None,
        keep=lambda network, path: None,
    )  # fmt: skip


def passes(loop: Loop, views: int, dropout: bool) -> Callable[[], None]:
    """The same passes on random images, and nothing else."""
    network, fabric = loop.method.networks["segmenter"], loop.fabric
    teacher = loop.method.average
    assert teacher is not None
    masked, beside = (torch.rand(count, 3, SIDE, SIDE) for count in (BATCH * (1 + views), BATCH))
    precision = fabric._precision.forward_context

    def go() -> None:
        with torch.no_grad(), precision():
            teacher(beside)
        total = network(masked).logits.float().square().mean()
        if dropout:
            maps = network(beside, features=True, decode=False).features
            total = total + network(beside, features=maps).logits.float().square().mean()
        fabric.backward(total)
        for parameter in network.parameters():
            parameter.grad = None

    return go


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    keep_memory()
    rows = {}
    for views, dropout in ((1, 0.0), (2, 0.5)):
        with tempfile.TemporaryDirectory() as temporary:
            # Everything at work from the first step on.
            semi = {"warm": 0.0, "ramp": 0.0, "fitted": 0.0, "views": views, "dropout": dropout}
            loop = loop_on(Path(temporary), method="semi", semi=semi)
            nn.Module.train(loop.method.networks["segmenter"])
            bare = passes(loop, views, dropout > 0)
            parcels = loop.batches.loader(range(turns + 2), 0)
            taken: dict[str, list[float]] = {"step": [], "passes": []}
            for turn in range(turns + 2):
                began = time.perf_counter()
                loop.one_step([next(parcels)])
                loop.step += 1
                middle = time.perf_counter()
                bare()
                if turn > 1:  # kernels are chosen
                    taken["step"].append(middle - began)
                    taken["passes"].append(time.perf_counter() - middle)
        ratio = statistics.median(a / b for a, b in zip(taken["step"], taken["passes"], strict=True))
        name = f"{views} view{'s' if views > 1 else ''}{', dropout' if dropout else ''}"
        rows[name] = {"ratio": ratio, **{key: statistics.median(value) for key, value in taken.items()}}
        print(f"{name}: a step {rows[name]['step']:.3f} s, its passes {rows[name]['passes']:.3f} s, {ratio:.2f} times")
    save("semi_speed", {"mark": MARK, "rows": rows})


if __name__ == "__main__":
    main()
