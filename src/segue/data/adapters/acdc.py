"""ACDC: short-axis cardiac MR of 150 patients at end diastole and end systole, from Dijon.

Layout as in the archive of https://www.creatis.insa-lyon.fr/Challenge/acdc/: a folder a patient below `training` and
`testing`, in it `Info.cfg` (which frames are ED and ES, the group of disease, height and weight), the whole cine
`patient001_4d.nii.gz`, which is no case here, and for each of the two frames the image and its mask `_gt`. Copies with
the scribbles of https://vios-s.github.io/multiscale-adversarial-attention-gates/data have `_scribble` beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, without
from segue.data.case import Case
from segue.data.tree import File, Tree, suffix

CLASSES = {"background": 0, "right ventricle": 1, "myocardium": 2, "left ventricle": 3}
_FRAME = re.compile(r"(patient\d{3})_frame(\d{2})(|_gt|_scribble)", re.IGNORECASE)
_CINE = re.compile(r"patient\d{3}_4d", re.IGNORECASE)
_PARTS = {"training": "train", "testing": "test"}
_TOLD = {"Group": "group of disease", "Height": "height (cm)", "Weight": "weight (kg)"}
_LINE = re.compile(r"\s*(\w+)\s*:\s*(.*?)\s*")


def frames(tree: Tree, kind: str) -> list[File]:
    """'' the images, _gt or _scribble."""
    return [
        file for file in tree.files
        if suffix(file.name) in (".nii", ".nii.gz") and (found := _FRAME.fullmatch(file.stem))
        and found[3].lower() == kind
    ]  # fmt: skip


def read_with(tree: Tree, kind: str) -> Reading:
    """With the masks of one kind; those of the other are passed over."""
    reading = pair(frames(tree, ""), frames(tree, kind), mask_key=without(ending=kind))
    texts = {file.folder: file for file in tree.files if file.name.lower() == "info.cfg"}
    bad = list(reading.bad)
    told: dict[str, dict[str, str]] = {}
    for folder, file in texts.items():
        try:
            told[folder] = dict(_lines((tree.root / file.path).read_text(encoding="utf-8", errors="replace")))
        except OSError as error:
            bad.append((file.path, f"cannot be read ({error.strerror})"))
    several = len({folder for folder in map(_part, reading.cases) if folder}) > 1
    cases = [_with(case, told.get(case.images[0].rpartition("/")[0], {}), several) for case in reading.cases]
    beside = [
        file.path for file in tree.files
        if ((found := _FRAME.fullmatch(file.stem)) and found[3].lower() not in ("", kind)) or _CINE.fullmatch(file.stem)
    ]  # fmt: skip
    return Reading(cases, bad, beside=beside)


def _with(case: Case, told: dict[str, str], several: bool) -> Case:
    found = _FRAME.fullmatch(case.case)
    assert found
    frame = int(found[2])
    time = next((name for name in ("ED", "ES") if told.get(name, "").isdecimal() and int(told[name]) == frame), "")
    extra = {column: told[name] for name, column in _TOLD.items() if told.get(name)}
    extra["first slice"] = "base"  # in 98 % of the patients; what the headers say of orientation is nobody's
    # The published parts only where both are there: half of a split is none.
    return case.with_(patient=found[1].lower(), time=time, extra=extra, part=_part(case) if several else "")


def _part(case: Case) -> str:
    return next((_PARTS[name] for name in case.images[0].lower().split("/") if name in _PARTS), "")


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if found := _LINE.fullmatch(line):
            yield found[1], found[2]


def recognise(tree: Tree) -> str | None:
    masks = frames(tree, "_gt")
    return f"files such as {masks[0].path}" if masks and frames(tree, "") else None


def read(tree: Tree) -> Reading:
    return read_with(tree, "_gt")


ADAPTER = Adapter(
    name="acdc",
    recognise=recognise,
    read=read,
    modality="MR",
    anatomy="heart",
    channels=("cine MR",),
    classes=CLASSES,
    patients_from="the folders",
    known=Known(
        about="cardiac MR of 150 patients in five groups, ED and ES, ventricles and myocardium (ACDC, Dijon)",
        home="https://www.creatis.insa-lyon.fr/Challenge/acdc/",
        access="registration at its page",
        licence="CC BY-NC-SA 4.0",
        citation="Bernard et al., Deep learning techniques for automatic MRI cardiac multi-structures segmentation and "
        "diagnosis: is the problem solved?, IEEE Transactions on Medical Imaging 37, 2018",
        tree="""
        ACDC/
          training/patient001/Info.cfg
          training/patient001/patient001_frame01.nii.gz
          training/patient001/patient001_frame01_gt.nii.gz
          testing/...
        """,
    ),
)
