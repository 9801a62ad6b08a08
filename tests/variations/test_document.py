"""docs/variations.md names what there is, and its Python runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from segue.variations import PRESETS, VARIATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "variations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_and_each_argument_is_told(name: str) -> None:
    row = next(line for line in PAGE.splitlines() if re.match(rf"\|[^|]*`{name}`", line))
    for word, parameter in inspect.signature(VARIATIONS[name]).parameters.items():
        if word in ("name", "p", "severity"):
            continue
        assert f"`{word}`" in row, f"{name}: {word} is not told"
        alone = name in ("brightness", "contrast", "saturation", "hue")  # four in a row, each with its own default
        default = parameter.default
        shown = f"`{word}` {default:g}" if isinstance(default, int | float) else f"`{word}` {default}"
        assert alone or shown in row, f"{name}: the default of {word} is {default}"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_told(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE


def test_the_pages_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        space: dict[str, object] = {"__name__": "__main__"}
        exec(compile(block, "variations.md", "exec"), space)
