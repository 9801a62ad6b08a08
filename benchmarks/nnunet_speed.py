"""Against nnU-Net 2.8 on the same processor, in turns, a process each: the training step of the network that it plans for the
hippocampus (patches, batch, kernels, widths, deep supervision and kinds of augmentation are its own), and preparing volumes
of 256 x 256 x 100 from the files until patches could be drawn.

Marks: twice its voxels a second and a third of its preparation on a processor with bf16 units, two thirds of that on one
without. Segue writes its raw folder (`segue data export --to nnunet`), so both have the same files.

    python -m benchmarks.nnunet_speed [--nnunet PYTHON] [--turns 3] [--only step|prepare]

PYTHON has `nnunetv2==2.8.1` and is by default the one that runs this.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import machine, own_peak, save, shared_data

PEER = Path(__file__).parent / "peers" / "nnunet.py"
MARKS = {True: (2.0, 3.0), False: (2.0 * 2 / 3, 3.0 * 2 / 3)}  # with bf16 units, without: of steps, of preparing
WARM_UP, STEPS = 2, 8
VOLUMES, SHAPE = 20, (100, 256, 256)  # slices, rows, columns
# Its list, by our names: turned and scaled in a fifth of the patches, mirrored in all.
CHAIN = (
    "flips + tilt(degrees=30, reverse=0.5, p=0.2) + affine(rotate=30, scale=0.4, shift=0, p=0.2) + "
    "noise(strength=0.1, p=0.1) + blur(p=0.2) + colour(brightness=0.25, contrast=0.25, saturation=0, hue=0, p=0.3) + "
    "coarse(factor=2, p=0.25) + gamma(p=0.4)"
)


def theirs(python: str, what: str, base: Path, number: int, *arguments: object) -> dict[str, Any]:
    return _result([python, str(PEER), what, str(base), str(number), *map(str, arguments)])


def ours(what: str, *arguments: object) -> dict[str, Any]:
    return _result([sys.executable, "-m", "benchmarks.nnunet_speed", "--child", what, *map(str, arguments)])


def _result(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[-1])
    return found


def child(what: str, arguments: list[str]) -> dict[str, Any]:
    if what == "step":
        return _steps(Path(arguments[0]), json.loads(arguments[1]))
    return _prepared(Path(arguments[0]))


def _steps(folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    import torch

    import segue
    from segue.training.loop import Loop

    ends: list[float] = []
    step = Loop.one_step

    def timed(self: Loop, parcels: Any) -> float:
        loss = step(self, parcels)
        ends.append(time.perf_counter())
        return loss

    fit = Loop.fit

    def fitted(self: Loop, *, workers: int) -> None:
        ends[:] = [time.perf_counter()]  # what came before were probes
        fit(self, workers=workers)

    Loop.one_step, Loop.fit = timed, fitted  # type: ignore[method-assign]
    network = plan["architecture"]["arch_kwargs"]
    patch, batch = tuple(plan["patch_size"]), plan["batch_size"]
    run = segue.train(
        folder / "dataset", folder / f"run-{os.getpid()}", stores=(str(folder / "store"),), size=patch,
        network={"architecture": "unet-3d", "stages": {
            "width": network["features_per_stage"][0], "kernels": network["kernel_sizes"], "strides": network["strides"],
        }},
        variation=CHAIN, loss="dice + ce", loop={"steps": STEPS, "epoch_steps": STEPS, "batch": batch},
    ).run  # fmt: skip
    told = run.config["machine"]
    return {
        "seconds": [after - before for before, after in itertools.pairwise(ends)],
        "voxels": batch * patch[0] * patch[1] * patch[2],
        "parameters": run.about["parameters"],
        "threads": torch.get_num_threads(),
        "how": f"{told['precision']}, {told['layout']}",
        "peak_bytes": own_peak(),
    }  # fmt: skip


def step(python: str, turns: int, folder: Path) -> dict[str, Any]:
    import segue

    segue.scan(shared_data() / "msd" / "Task04_Hippocampus", folder / "dataset", name="hippocampus")
    segue.split(folder / "dataset")
    segue.prepare(folder / "dataset", folder / "store")
    base = folder / "nnunet"
    segue.export(folder / "dataset", base / "nnUNet_raw", number=4)
    theirs(python, "prepare", base, 4)
    plan = theirs(python, "plan", base, 4)["configurations"]["3d_fullres"]
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for turn in range(turns):
        found["theirs"].append(theirs(python, "train", base, 4, "--steps", STEPS))
        found["ours"].append(ours("step", folder, json.dumps(plan)))
        print(f"{turn + 1}: {_speed(found['ours'][-1]):,.0f} voxels/s, nnU-Net {_speed(found['theirs'][-1]):,.0f}")
    # nnU-Net has logits of one more level, which its loss counts as nothing.
    (parameters,), (many,) = ({each["parameters"] for each in side} for side in found.values())
    assert abs(parameters - many) < 1e-3 * many
    return {
        "parameters": parameters, "patch": plan["patch_size"], "batch": plan["batch_size"],
        "voxels_per_second": {side: statistics.median(map(_speed, each)) for side, each in found.items()},
        "ratio": statistics.median(_speed(a) / _speed(b) for a, b in zip(found["ours"], found["theirs"], strict=True)),
        "peak_bytes": {side: max(one["peak_bytes"] for one in each) for side, each in found.items()},
        "waited": statistics.median(each["waited"] for each in found["theirs"]),
        "how": found["ours"][0]["how"],
    }  # fmt: skip


def _speed(found: dict[str, Any]) -> float:
    return float(found["voxels"] / statistics.median(found["seconds"][WARM_UP:]))


def drawn(folder: Path) -> Path:
    """Volumes of a head's size and texture, each with a spacing of its own, so that both have to resample."""
    import nibabel as nib
    import numpy as np
    from scipy import ndimage

    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    places = np.indices(SHAPE, np.float32)
    middle = np.array(SHAPE, np.float32)[:, None, None, None] / 2
    for number in range(VOLUMES):
        rng = np.random.default_rng(number)
        away = np.sqrt((((places - middle) / (middle * rng.uniform(0.6, 0.85, (3, 1, 1, 1)))) ** 2).sum(0))
        texture = ndimage.zoom(rng.standard_normal([max(side // 8, 2) for side in SHAPE]), 8, order=1)
        texture = np.pad(texture, [(0, max(0, side - there)) for side, there in zip(SHAPE, texture.shape, strict=True)])
        voxels = (away < 1) * (600 + 120 * texture[: SHAPE[0], : SHAPE[1], : SHAPE[2]]) + rng.normal(0, 25, SHAPE)
        mask = ((away < 0.5).astype(np.uint8) + (away < 0.3)).transpose(2, 1, 0)
        affine = np.diag([*rng.uniform(0.85, 1.1, 1).repeat(2), rng.uniform(1.0, 1.4), 1.0])
        for kind, values in (("images", voxels.transpose(2, 1, 0).clip(0).astype(np.int16)), ("labels", mask)):
            nib.save(nib.Nifti1Image(values, affine), folder / kind / f"case{number:02d}.nii.gz")
    return folder


def _prepared(folder: Path) -> dict[str, Any]:
    import segue

    for name in ("dataset", "store"):
        shutil.rmtree(folder / name, ignore_errors=True)
    start = time.perf_counter()
    segue.scan(folder / "volumes", folder / "dataset", name="heads")
    scanned = time.perf_counter()
    segue.prepare(folder / "dataset", folder / "store")
    end = time.perf_counter()
    return {"seconds": end - start, "preparing": end - scanned}


def prepare(python: str, turns: int, folder: Path) -> dict[str, Any]:
    import segue

    drawn(folder / "volumes")
    ours("prepare", folder)  # once, so that there is a dataset to export; and all files are in memory
    segue.split(folder / "dataset")
    base = folder / "nnunet"
    segue.export(folder / "dataset", base / "nnUNet_raw", number=5)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for turn in range(turns):
        found["theirs"].append(theirs(python, "prepare", base, 5, "--processes", machine()["cores"]))
        found["ours"].append(ours("prepare", folder))
        print(f"{turn + 1}: {found['ours'][-1]}, nnU-Net {found['theirs'][-1]}")
    return {
        "volumes": VOLUMES, "shape": SHAPE,
        "seconds": {side: statistics.median(one["seconds"] for one in each) for side, each in found.items()},
        "ratio": statistics.median(
            b["seconds"] / a["seconds"] for a, b in zip(found["ours"], found["theirs"], strict=True)
        ),
        "preparing": statistics.median(one["preparing"] for one in found["ours"]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs="+")
    parser.add_argument("--nnunet", default=sys.executable)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=["step", "prepare"])
    given = parser.parse_args()
    if given.child:
        print("RESULT" + json.dumps(child(given.child[0], given.child[1:])))
        return
    bf16 = "bf16" in machine()["cpu"]
    result: dict[str, Any] = {"bf16": bf16, "marks": dict(zip(("step", "prepare"), MARKS[bf16], strict=True))}
    for name, measure in (("step", step), ("prepare", prepare)):
        if given.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                result[name] = measure(given.nnunet, given.turns, Path(folder))
            print(json.dumps(result[name], indent=1), flush=True)
    if given.only is None:
        save("nnunet_speed", result)


if __name__ == "__main__":
    main()
