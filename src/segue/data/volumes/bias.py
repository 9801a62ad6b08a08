"""N4: the slow change of brightness that a coil leaves in an MR volume, estimated and divided away.

The field is smooth, so it is estimated on a smaller copy, and applied to every voxel.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from segue.config import Settings
from segue.data.volumes.libraries import sitk
from segue.errors import Failed

_SMALL = 64  # voxels of an axis that are enough to see a field by
_FEWEST = 4  # that it is left with

Floats = npt.NDArray[np.float32]


class BiasSettings(Settings):
    threshold: Annotated[float, Field(gt=0)] = 0.001  # change of the field at which a level is done
    levels: Annotated[int, Field(ge=1, le=8)] = 4
    iterations: Annotated[int, Field(ge=1)] = 50  # of each level, at most
    shrink: Annotated[int, Field(ge=0)] = 0  # 1: as it is; 0: until the longest axes have 64 voxels or a few more


def corrected(voxels: npt.NDArray[Any], spacing: tuple[float, float, float], settings: BiasSettings) -> Floats:
    """(slice, row, column), without its field. A volume of one value has none."""
    given = np.asarray(voxels, np.float32)
    if given.max() == given.min():
        return given
    # N4 takes logarithms: what is below zero, or far above the rest, would lead it.
    lowest = min(0.0, float(given.min()))
    image = sitk().GetImageFromArray(given - lowest)
    image.SetSpacing(tuple(reversed(spacing)))
    mask = sitk().OtsuThreshold(image, 0, 1, 200)
    corrector = sitk().N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([settings.iterations] * settings.levels)
    corrector.SetConvergenceThreshold(settings.threshold)
    factors = _factors(given.shape, spacing, settings.shrink)
    try:
        if max(factors) == 1:
            found = corrector.Execute(image, mask)
        else:
            corrector.Execute(sitk().Shrink(image, factors), sitk().Shrink(mask, factors))
            field = sitk().Exp(corrector.GetLogBiasFieldAsImage(image))
            found = sitk().Divide(image, sitk().Cast(field, sitk().sitkFloat32))
    except RuntimeError as error:
        raise Failed(f"N4 could not find a bias field ({str(error).strip().splitlines()[-1]})") from None
    return np.asarray(sitk().GetArrayFromImage(found), np.float32) + np.float32(lowest)


def _factors(shape: tuple[int, ...], spacing: tuple[float, ...], shrink: int) -> list[int]:
    """By axis, columns first: thick slices are few already, and stay."""
    room = [max(1, side // _SMALL) for side in shape]
    finest = min(spacing)
    return [
        max(1, min(shrink or have, side // _FEWEST, round((shrink or max(room)) * finest / step)))
        for side, have, step in zip(reversed(shape), reversed(room), reversed(spacing), strict=True)
    ]
