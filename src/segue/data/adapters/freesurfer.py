"""FreeSurfer's results, as ABIDE has them preprocessed: `SUBJECT/mri/orig.mgz` with `aseg.mgz`, brains in T1 and 40
structures. HCP's are the same masks on its own grid: `100307/T1w/T1w_acpc_dc_restore.nii.gz` with `aparc+aseg.nii.gz`.

Subjects of ABIDE begin with their site (`Caltech_0051456`). Values as in its FreeSurferColorLUT.txt
(https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/AnatomicalROI/FreeSurferColorLUT); the cortex' parcels (of aparc,
1000 and above) are taken for cortex.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.case import Case
from segue.data.tree import File, Tree

_IMAGES = ("T1w_acpc_dc_restore.nii.gz", "orig.mgz", "T1.mgz", "orig.nii.gz", "T1.nii.gz", "brain.mgz", "brain.nii.gz")
_MASKS = ("aseg.mgz", "aseg.nii.gz", "aparc+aseg.mgz", "aparc+aseg.nii.gz")
_SITE = re.compile(r"([A-Za-z]\w*?)_\d{5,}")
_INSIDE = ("mri", "T1w")

_SIDES = {
    "white matter": (2, 41), "cortex": (3, 42), "lateral ventricle": (4, 43), "inferior lateral ventricle": (5, 44),
    "cerebellum white matter": (7, 46), "cerebellum cortex": (8, 47), "thalamus": (10, 49), "caudate": (11, 50),
    "putamen": (12, 51), "pallidum": (13, 52), "hippocampus": (17, 53), "amygdala": (18, 54), "accumbens": (26, 58),
    "ventral diencephalon": (28, 60), "vessel": (30, 62), "choroid plexus": (31, 63),
}  # fmt: skip
_MIDDLE = {
    "third ventricle": (14,), "fourth ventricle": (15,), "brain stem": (16,), "cerebrospinal fluid": (24,),
    "fifth ventricle": (72,), "hypointensities": (77, 80), "optic chiasm": (85,),
    "corpus callosum": (251, 252, 253, 254, 255),
}  # fmt: skip
_PARCELS = {"left cortex": range(1000, 1036), "right cortex": range(2000, 2036)}

CLASSES: dict[str, int | str | tuple[int, ...]] = {
    "background": 0,
    **{
        f"{side} {name}": (pair[number],)
        for name, pair in _SIDES.items()
        for number, side in enumerate(("left", "right"))
    },
    **_MIDDLE,
}
for _name, _parcels in _PARCELS.items():
    CLASSES[_name] = (*CLASSES[_name], *_parcels)  # type: ignore[misc]  # a tuple by now


def _subjects(tree: Tree) -> dict[str, tuple[File, File | None]]:
    """Folder -> image and mask."""
    found = {}
    for folder, files in tree.by_folder.items():
        if folder.rpartition("/")[2] in _INSIDE:
            by_name = {file.name: file for file in files}
            image = next((by_name[name] for name in _IMAGES if name in by_name), None)
            mask = next((by_name[name] for name in _MASKS if name in by_name), None)
            if image is not None:
                found[folder] = (image, mask)
    return found


def recognise(tree: Tree) -> str | None:
    masks = [mask for _, mask in _subjects(tree).values() if mask is not None]
    return f"FreeSurfer's {masks[0].path}" if masks else None


def read(tree: Tree) -> Reading:
    found = _subjects(tree)
    names = {folder: folder.rpartition("/")[0].rpartition("/")[2] or tree.root.resolve().name for folder in found}
    unique = len(set(names.values())) == len(names)
    cases = []
    for folder, (image, mask) in found.items():
        subject, path = names[folder], mask.path if mask else ""
        site = _SITE.fullmatch(subject)
        name = subject if unique else folder.rpartition("/")[0]
        cases.append(Case(name, (image.path,), path, patient=subject, site=site[1] if site else ""))
    return Reading(sorted(cases, key=lambda case: case.case), [])


ADAPTER = Adapter(
    name="freesurfer",
    recognise=recognise,
    read=read,
    modality="MR",
    anatomy="brain",
    channels=("T1",),
    classes=CLASSES,
    patients_from="the subjects' folders",
    sites_from="the subjects' names",
    known=Known(
        about="brains as FreeSurfer segments them: ABIDE (1,112 people of 17 sites), HCP (1,200 people), or yours",
        home="http://preprocessed-connectomes-project.org/abide/ and https://www.humanconnectome.org",
        access="ABIDE: open download; HCP: registration",
        licence="ABIDE: CC BY-NC-SA; HCP: its own data use terms (as remembered; see their pages)",
        citation="Craddock et al., The Neuro Bureau Preprocessing Initiative, 2013; Van Essen et al., The WU-Minn Human "
        "Connectome Project, NeuroImage 80, 2013; Fischl, FreeSurfer, NeuroImage 62, 2012",
        tree="""
        freesurfer/
          Caltech_0051456/mri/orig.mgz, aseg.mgz
        HCP/
          100307/T1w/T1w_acpc_dc_restore.nii.gz, aparc+aseg.nii.gz
        """,
    ),
)
