"""Names of mask values as ITK-SNAP and 3-D Slicer keep them: written, read, and taken by a scan."""

from __future__ import annotations

from pathlib import Path

import pytest

import segue
from segue.data.volumes import legends
from tests.data.volumes import made

CLASSES = {0: "background", 1: "left ventricle", 3: 'the "core"'}


def test_there_and_back(tmp_path: Path) -> None:
    legends.write(tmp_path, CLASSES)
    snap, slicer = ((tmp_path / name).read_text() for name in (legends.SNAP, legends.SLICER))
    assert legends.read(snap) == {"background": 0, "left ventricle": 1, "the 'core'": 3}
    assert legends.read(slicer) == {"background": 0, "left ventricle": 1, 'the "core"': 3}
    colours = [tuple(line.split()[1:4]) for line in snap.splitlines()]
    assert len(set(colours)) == 3


ITKSNAP = """
################################################
# ITK-SnAP Label Description File
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "ring"
    2     0  255    0     0.75  1  0    "core"
"""


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing but a remark", "1 2 3", "some notes\n" + ITKSNAP, '1 0 0 0 1 1 1 "a"\n2 0 0 0 1 1 1 "a"',
        '0 0 0 0 0 0 0 "Clear Label"',
    ],
)  # fmt: skip
def test_what_is_no_legend(text: str) -> None:
    assert legends.read(text) == {}


def test_a_scan_takes_the_names_that_lie_there(tmp_path: Path) -> None:
    raw = made.folder(tmp_path / "raw", 3)
    (raw / "notes.txt").write_text("taken in spring")
    (raw / "labels/names.txt").write_text(ITKSNAP)
    found = segue.scan(raw, tmp_path / "d", workers=0)
    assert found.classes == {0: "background", 1: "ring", 2: "core"}
    # What the person says goes before it.
    told = segue.scan(raw, tmp_path / "e", workers=0, labels="0=background,1=one,2=two")
    assert told.classes == {0: "background", 1: "one", 2: "two"}
    (raw / "labels/names.txt").write_text(ITKSNAP.replace("    2     0  255", "    5     0  255"))
    bad = segue.scan(raw, tmp_path / "f", workers=0).bad
    assert "2" in bad[0][1]
    assert "no class" in bad[0][1]
