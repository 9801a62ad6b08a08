"""A volume of a CT's size, 512 x 512 x 300, through a 3-D network: memory at the peak, and time against MONAI's sliding window
with the same network, window and overlap, from the compressed file to the mask's file. A process each, in turns.

Marks: at most 6 GiB; twice as fast as MONAI on a processor with bf16 units, two thirds of that on one without. The body is an
ellipse in the air that a CT shows around it; the network is small (width 8) so that this takes minutes, not an hour, and has
learnt for some steps, so that the masks can be compared. They differ a little: MONAI lays its windows from the corner of the
whole volume, Segue over what is left without the air, and mixes probabilities where MONAI mixes logits.

    python -m benchmarks.window_speed [--turns 2] [--slices 300]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from benchmarks.common import machine, own_peak, save

MARKS = {True: 2.0, False: 2.0 * 2 / 3}  # with bf16 units, without
MEMORY = 6  # GiB
SIDE, SPACING = 512, (0.75, 0.75, 1.0)
PATCH = (64, 128, 128)
WINDOW = (-160.0, 240.0)  # Hounsfield units
STEPS = 150
SIDES = ("ours", "theirs")


def drawn(folder: Path, slices: int, seed: int = 0) -> Path:
    """A body with two organs, as a CT: air at -1000, noise everywhere, whole numbers. Another seed, another person."""
    import nibabel as nib
    import numpy as np

    folder.mkdir()
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIDE, dtype=np.float32)] * 2, indexing="ij")
    (left, right, high), low = rng.uniform((-0.45, 0.25, -0.2), (-0.25, 0.45, 0.0)), rng.uniform(0.5, 0.7)
    first, second = rng.uniform(0.15, 0.25, 2)
    voxels = np.empty((SIDE, SIDE, slices), np.int16)
    labels = np.zeros(voxels.shape, np.uint8)
    for number in range(slices):
        wide = 0.8 + 0.05 * np.sin(number / 40)
        body = (x / wide) ** 2 + (y / low) ** 2 < 1
        one, two = ((x - at) ** 2 + (y - high) ** 2 < size**2 for at, size in ((left, first), (right, second)))
        plane = np.where(body, 40.0, -1000.0) + 100 * one - 120 * two + rng.normal(0, 15, body.shape)
        voxels[:, :, number], labels[:, :, number] = plane, one + 2 * two
    for name, values in (("image", voxels), ("labels", labels)):
        nib.save(nib.Nifti1Image(values, np.diag([*SPACING, 1.0])), folder / f"{name}.nii.gz")
    return folder


def trained(folder: Path) -> Path:
    """A run of some steps on small volumes of the same kind: until it knows the organs, so that masks can be compared."""
    import nibabel as nib
    import numpy as np

    import segue

    for kind in ("images", "labels"):
        (folder / "cases" / kind).mkdir(parents=True)
    for number in range(4):
        made = drawn(folder / f"few{number}", PATCH[0], seed=number + 1)
        for kind, name in (("images", "image"), ("labels", "labels")):
            whole: Any = nib.load(made / f"{name}.nii.gz")
            part = np.asarray(whole.dataobj)[96:416, 64:384]  # both organs, and some air
            nib.save(nib.Nifti1Image(part, whole.affine), folder / "cases" / kind / f"case{number}.nii.gz")
    segue.scan(folder / "cases", folder / "dataset", name="ct", modality="CT")
    parts = folder / "parts.csv"  # ellipses are alike to whoever looks for frames of one scene, so nothing is held back
    parts.write_text("case,part\n" + "".join(f"case{number},train\n" for number in range(4)))
    segue.split(folder / "dataset", source=parts)
    from segue.data.preparing.settings import PrepareSettings

    settings = PrepareSettings(spacing=(0, 0, 0), window=WINDOW)
    segue.prepare(folder / "dataset", folder / "store", settings=settings)
    return segue.train(
        folder / "dataset", folder / "run", stores=(str(folder / "store"),), size=PATCH,
        network={"architecture": "unet-3d", "stages": {"width": 8}}, variation="none", loss="dice + ce", validation="none",
        loop={"steps": STEPS, "epoch_steps": STEPS, "batch": 1, "rate": 0.003},
    ).run.folder  # fmt: skip


def child(side: str, run: Path, image: Path, out: Path) -> None:
    import segue

    if side == "ours":
        start = time.perf_counter()
        segue.predict(run, image, out / side)
    else:
        from benchmarks.peers.monai_window import predict

        model = segue.load(run)
        (out / side).mkdir(exist_ok=True)
        start = time.perf_counter()
        # MONAI's arrays are (x, y, z), Segue's (z, y, x): the same network is given them the same way round.
        predict(Turned(model), image, out / side / "image.nii.gz", window=WINDOW, patch=PATCH[::-1])
    seconds = time.perf_counter() - start
    print("RESULT" + json.dumps({"seconds": seconds, "peak_bytes": own_peak()}))


class Turned(nn.Module):
    """Given axes and directions as files of this benchmark have them, Segue's network sees them as it has learnt to."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x.permute(0, 1, 4, 3, 2).flip(3, 4))
        return found.flip(3, 4).permute(0, 1, 4, 3, 2)


def measured(side: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.window_speed", "--child", side, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[-1])
    return found


def agreement(out: Path) -> tuple[float, dict[str, list[float]]]:
    """The share of voxels on which they do not agree, and the Dice of the organs by side."""
    import nibabel as nib
    import numpy as np

    def read(path: Path) -> Any:
        return np.asarray(nib.load(path).dataobj)  # type: ignore[attr-defined]

    found, truth = {side: read(out / side / "image.nii.gz") for side in SIDES}, read(out / "whole" / "labels.nii.gz")
    dice = {
        side: [float(2 * ((mask == n) & (truth == n)).sum() / ((mask == n).sum() + (truth == n).sum())) for n in (1, 2)]
        for side, mask in found.items()
    }
    return float((found["ours"] != found["theirs"]).mean()), dice


def left_away(run: Path, image: Path) -> float:
    """The share of voxels that prediction does not look at."""
    from segue.data.volumes.look import read_channels
    from segue.data.volumes.recipe import ready
    from segue.experiment.load import load

    seen = load(run).frame.volumes
    assert seen is not None
    there = ready(read_channels(image.parent, [image.name]), seen.recipe)
    return 1 - math.prod(there.placement.stored) / math.prod(there.placement.native)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=4)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--slices", type=int, default=300)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], *map(Path, given.child[1:]))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run = trained(folder)
        image = drawn(folder / "whole", given.slices) / "image.nii.gz"
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for turn in range(given.turns):
            for side in SIDES:
                found[side].append(measured(side, run, image, folder))
                print(f"{turn + 1}: {side} {found[side][-1]}", flush=True)
        (unlike, dice), away = agreement(folder), left_away(run, image)
    bf16 = "bf16" in machine()["cpu"]
    result = {
        "shape": [SIDE, SIDE, given.slices], "patch": PATCH, "bf16": bf16, "mark": MARKS[bf16], "most": MEMORY,
        "seconds": {side: statistics.median(one["seconds"] for one in each) for side, each in found.items()},
        "ratio": statistics.median(
            b["seconds"] / a["seconds"] for a, b in zip(found["ours"], found["theirs"], strict=True)
        ),
        "peak_gib": {side: max(one["peak_bytes"] for one in each) / 2**30 for side, each in found.items()},
        "differing": unlike, "dice": dice, "left_away": away,
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    if given.slices == 300:
        save("window_speed", result)


if __name__ == "__main__":
    main()
