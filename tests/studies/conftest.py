from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiment.conftest import hospitals as hospitals
from tests.experiment.conftest import working_in


@pytest.fixture
def here(hospitals: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder of its own that has the hospitals' datasets."""
    (tmp_path / "datasets").symlink_to(hospitals / "datasets")
    with working_in(tmp_path):
        yield tmp_path
