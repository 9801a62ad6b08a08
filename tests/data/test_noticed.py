"""What a scan remarks about pictures that belong to no case."""

from __future__ import annotations

from pathlib import Path

import segue
from segue.data.scanning.noticed import unused
from tests.data import made


def test_masks_that_no_template_takes_are_hinted_at(tmp_path: Path) -> None:
    folder = made.folder_of_images(tmp_path / "raw", 3)
    (remark,) = [
        one
        for one in segue.scan(folder, tmp_path / "d", image="images/{case}.png", workers=0).warnings
        if "no case" in one
    ]
    assert (
        remark == "3 pictures belong to no case, for example masks/000.png; --mask TEMPLATE takes those that are masks."
    )
    paired = segue.scan(folder, tmp_path / "e", image="images/{case}.png", mask="masks/{case}.png", workers=0).warnings
    assert not any("no case" in one for one in paired)


def test_other_pictures_are_only_counted() -> None:
    assert list(unused([], unpaired=True)) == []
    (remark,) = unused(["notes/sketch.png"], unpaired=True)
    assert "--mask" not in remark
    (remark,) = unused(["a_mask.png", "b_mask.png"], unpaired=False)
    assert remark == "2 pictures belong to no case, for example a_mask.png."
