"""Masks as DICOM-SEG, beside the series that they were made of: what a hospital's archive and viewers take.

A segmentation bears the patient, the study and the frame of reference of its series, because that is what it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.data.volumes import dicom
from segue.data.volumes.libraries import highdicom, pydicom
from segue.errors import BadInput
from segue.files import atomic
from segue.version import __version__


def write(path: Path, masks: npt.NDArray[np.uint8], names: Sequence[str], series: Path) -> None:
    """`masks` on the series' own grid: (column, row, slice) of 0 and the segments' numbers from 1, or of 0 and 1 with an axis
    of segments at the end, which may overlap. An empty one is written too: that nothing is there is a finding."""
    library = highdicom()
    found = dicom.only_series(series)
    files = list(dict.fromkeys(one.path for one in found.slices))
    sources = [pydicom().dcmread(file, stop_before_pixels=False) for file in files]
    if len(sources) > 1 and len(sources) != masks.shape[2]:
        raise BadInput(f"{series}: {len(sources)} slices for a mask of {masks.shape[2]}")
    frames = np.ascontiguousarray(masks.transpose(2, 1, 0, *range(3, masks.ndim)))
    codes = library.sr.coding.CodedConcept
    algorithm = library.AlgorithmIdentificationSequence(
        name="Segue", version=__version__, family=codes("123109", "DCM", "Artificial Intelligence")
    )
    described = [
        library.seg.SegmentDescription(
            segment_number=number,
            segment_label=name[:64],
            segmented_property_category=codes("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=codes("85756007", "SCT", "Tissue"),
            algorithm_type=library.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, name in enumerate(names, start=1)
    ]
    try:
        made = library.seg.Segmentation(
            source_images=sources,
            pixel_array=frames,
            segmentation_type=library.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=library.UID(),
            series_number=100,
            sop_instance_uid=library.UID(),
            instance_number=1,
            manufacturer="Segue",
            manufacturer_model_name="Segue",
            software_versions=__version__,
            device_serial_number="1",
            series_description="Segue",
            omit_empty_frames=bool(frames.any()),
        )
    except (AttributeError, KeyError, ValueError) as error:  # a tag that the object must bear and the series has not
        raise BadInput(f"{series}: cannot be the source of a DICOM-SEG: {error}") from None
    with atomic(path, "wb") as file:
        made.save_as(file)
