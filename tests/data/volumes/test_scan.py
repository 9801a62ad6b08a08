"""What a scan tells of volumes whose files do not say what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import segue
from segue.data.preparing.settings import PrepareSettings
from segue.errors import BadInput
from tests.data.volumes import made

UNKNOWN = "the modality is not known"


def test_a_modality_is_asked_for_and_can_be_told(tmp_path: Path) -> None:
    tree = made.folder(tmp_path / "tree", 2)
    silent = segue.scan(tree, tmp_path / "one", name="one")
    assert any(UNKNOWN in each for each in silent.warnings)
    told = segue.scan(tree, tmp_path / "two", name="two", modality="ct")
    assert not any(UNKNOWN in each for each in told.warnings)
    assert told.dataset is not None
    assert told.dataset.card.modality == "CT"
    assert "--modality ct" in " ".join(told.dataset.card.options)
    again = segue.scan(tree, tmp_path / "two", name="two").dataset
    assert again is not None
    assert again.card.modality == "CT"  # as it was told before


def test_ct_is_prepared_by_a_window_because_it_was_said_to_be_one(tmp_path: Path) -> None:
    tree = made.folder(tmp_path / "tree", 2)
    segue.scan(tree, tmp_path / "dataset", name="dataset")
    window = PrepareSettings(window=(0, 100))
    with pytest.raises(BadInput, match="window: is for CT"):
        segue.prepare(tmp_path / "dataset", tmp_path / "store", settings=window)
    segue.scan(tree, tmp_path / "dataset", name="dataset", modality="CT")
    recipe = segue.prepare(tmp_path / "dataset", tmp_path / "store", settings=window).store.card.recipe
    assert recipe is not None
    assert recipe.window == (0, 100)
