from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from segue.config import Auto, Settings, load, plain, read_yaml, write_yaml
from segue.errors import BadInput, Failed, nearest
from segue.files import atomic


class Inner(Settings):
    depth: int = 4


class Outer(Settings):
    size: Annotated[int, Field(ge=16)] | Auto = "auto"
    rate: float = 1e-3
    inner: Inner = Inner()


def test_a_file_then_overrides(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("size: 64\ninner: {depth: 3}\n")
    settings = load(Outer, tmp_path / "s.yaml", ["inner.depth=5", "rate=1e-4"])
    assert (settings.size, settings.inner.depth, settings.rate) == (64, 5, 1e-4)


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["siz=64"], r"unknown key 'siz': did you mean size\?"),
        (["inner.dept=3"], r"unknown key 'inner.dept': did you mean inner.depth\?"),
        (["size"], "not of the form key=value"),
        (["size=8"], "key 'size.*16"),
        (["size=many"], "key 'size': "),
        (["rate.deep=1"], "valid number"),
        (["size=1", "size.more=2"], "holds a value"),
    ],
)
def test_a_wrong_override_is_one_sentence(pairs: list[str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        load(Outer, None, pairs)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("size: 1\nsize: 2\n", "line 2: key 'size' stands twice"),
        ("- a\n- b\n", "must hold keys and values"),
        ("a: [1, 2", "is not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "is not valid YAML"),
        ("{[1]: 2}", "a key must be a plain word"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_yaml(tmp_path / "s.yaml")


def test_auto_is_resolved_but_what_was_set_stays(tmp_path: Path) -> None:
    assert Outer().resolve(size=384).size == 384
    assert Outer(size=64).resolve(size=384).size == 64
    write_yaml(tmp_path / "r.yaml", Outer().resolve(size=384).model_dump(mode="json"))
    assert load(Outer, tmp_path / "r.yaml").size == 384


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "t.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="I/O"), atomic(target) as file:  # noqa: PT012  fails half-way
        file.write("half of the new")
        file.close()
        file.write("the other half")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]
    with pytest.raises(Failed, match="cannot be written"), atomic(target) as file:
        raise OSError(28, "No space left on device")


def test_nearest_names_the_close_ones_or_all() -> None:
    assert nearest("unet", ["unet++", "fpn"]) == "did you mean unet++?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"


def test_numbers_may_have_an_exponent_alone(tmp_path: Path) -> None:
    file = tmp_path / "numbers.yaml"
    file.write_text("{a: 1e-5, b: 2.E+3, c: 1e, d: 12, e: 1.5e-3, f: e5}")
    assert read_yaml(file) == {"a": 1e-5, "b": 2000.0, "c": "1e", "d": 12, "e": 0.0015, "f": "e5"}
    assert plain("1e-05") == 1e-5


def test_on_is_a_word(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("on: no\noff: true\n")
    assert read_yaml(file) == {"on": "no", "off": True}
