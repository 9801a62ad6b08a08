"""N4 on a shrunk copy and kept with the dataset, against SimpleITK's reference call on all voxels: how far the corrected
volumes lie apart, how well each undoes a known field, and what is saved, on one thread. ACDC's hearts, and heads of a single
tissue and noise under such a field.

Apart: the median over the foreground of the relative difference, where both are divided by their own median, because a field
has no scale of its own; `correction` is the same between the volume as it was and the reference. Unevenness: standard
deviation over mean in the tissue, the noise left out.

    python -m benchmarks.bias_speed [--hearts 4] [--heads 1]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

import segue
from benchmarks.common import save, shared_data
from segue.data.preparing.settings import PrepareSettings
from segue.data.volumes.bias import BiasSettings, corrected

Floats = npt.NDArray[np.float32]
HEAD = (48, 160, 160)  # slices, rows, columns
NOISE, TISSUE = 8.0, 400.0
SPACING = (1.2, 0.9, 0.9)


def reference(voxels: Floats, spacing: tuple[float, float, float]) -> Floats:
    """As SimpleITK's own example calls it, with the four levels of fifty iterations."""
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing[::-1])
    mask = sitk.OtsuThreshold(image, 0, 1, 200)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([50] * 4)
    corrector.SetConvergenceThreshold(0.001)
    return np.asarray(sitk.GetArrayFromImage(corrector.Execute(image, mask)), np.float32)


def head(number: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """A ball of one tissue under a field of waves longer than itself; inside it, away from its rim, all should be the same."""
    rng = np.random.default_rng(number)
    places = [np.linspace(-1, 1, side, dtype=np.float32) for side in HEAD]
    down, along, across = np.meshgrid(*places, indexing="ij", sparse=True)
    away = np.sqrt(down**2 + along**2 + across**2)
    waves = [np.cos(rng.uniform(0.5, 1.5) * place * 2 + rng.uniform(0, 6)) for place in (down, along, across)]
    field = np.exp(0.25 * waves[0] + 0.25 * waves[1] * waves[2])
    voxels = (away < 0.8) * TISSUE * field + np.abs(rng.normal(0, NOISE, HEAD))
    return voxels.astype(np.float32), away < 0.75


def unevenness(voxels: Floats, tissue: npt.NDArray[np.bool_]) -> float:
    smooth = ndimage.gaussian_filter(voxels, 2)[tissue]
    return float(smooth.std() / smooth.mean())


def apart(one: Floats, other: Floats, where: npt.NDArray[np.bool_]) -> float:
    a, b = (each[where] / np.median(each[where]) for each in (one, other))
    return float(np.median(np.abs(a - b) / np.maximum(b, 0.1)))


def hearts(number: int) -> Iterator[tuple[str, Floats, tuple[float, float, float]]]:
    for path in sorted((shared_data() / "acdc").rglob("*_frame01.nii.gz"))[:number]:
        found: Any = nib.load(path)
        across, along, between = map(float, found.header.get_zooms()[:3])
        yield (
            path.name.split("_")[0],
            np.asarray(found.dataobj, np.float32).transpose(2, 1, 0),
            (between, along, across),
        )


def measured(name: str, voxels: Floats, spacing: tuple[float, float, float]) -> tuple[dict[str, Any], list[Floats]]:
    results, seconds = [], []
    for side in (lambda: reference(voxels, spacing), lambda: corrected(voxels, spacing, BiasSettings())):
        start = time.perf_counter()
        results.append(side())
        seconds.append(time.perf_counter() - start)
    theirs, ours = results
    row = {
        "name": name, "shape": voxels.shape, "seconds": {"theirs": seconds[0], "ours": seconds[1]},
        "apart": apart(ours, theirs, voxels > voxels.mean()), "correction": apart(voxels, theirs, voxels > voxels.mean()),
    }  # fmt: skip
    return row, [theirs, ours]


def kept(number: int, folder: Path) -> dict[str, float]:
    """Seconds of a store with N4, and of another one after it, of another spacing."""
    (folder / "images").mkdir(parents=True)
    for which in range(number):
        image = nib.Nifti1Image(head(which)[0].transpose(2, 1, 0), np.diag([*SPACING[::-1], 1.0]))
        nib.save(image, folder / "images" / f"head{which}.nii.gz")
    segue.scan(folder / "images", folder / "dataset", name="heads", modality="MR")
    seconds = {}
    for name, step in (("first", 1.5), ("next", 2.0)):
        start = time.perf_counter()
        segue.prepare(
            folder / "dataset", folder / name, settings=PrepareSettings(n4=True, spacing=(step,) * 3), workers=1
        )
        seconds[name] = time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearts", type=int, default=4)
    parser.add_argument("--heads", type=int, default=1)
    given = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # for both
    rows = []
    for name, voxels, spacing in hearts(given.hearts):
        row, _ = measured(name, voxels, spacing)
        rows.append(row)
        print(row, flush=True)
    for number in range(given.heads):
        voxels, tissue = head(number)
        row, (theirs, ours) = measured(f"head {number + 1}", voxels, SPACING)
        row["unevenness"] = {
            "as it was": unevenness(voxels, tissue), "theirs": unevenness(theirs, tissue), "ours": unevenness(ours, tissue),
        }  # fmt: skip
        rows.append(row)
        print(row, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stores = kept(given.heads, Path(folder))
    print(stores)
    faster = [row["seconds"]["theirs"] / row["seconds"]["ours"] for row in rows]
    save("bias_speed", {"rows": rows, "ratio": statistics.median(faster), "stores": stores})


if __name__ == "__main__":
    main()
