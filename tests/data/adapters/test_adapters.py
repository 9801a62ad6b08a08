"""Every layout on made trees, and the suite that checks it on broken twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from segue.data.adapters import ADAPTERS, Adapter, Known, Reading
from segue.data.case import Case, read_cases, write_cases
from segue.data.tree import Tree
from segue.testing import check_adapter

from .trees import ALL, PUBLISHED, Made, name


@pytest.mark.parametrize("made", ALL, ids=name)
def test_conforms(made: Made, tmp_path: Path) -> None:
    check_adapter(made.of, made.build(tmp_path), expected=made.expected)


@pytest.mark.parametrize("made", ALL, ids=name)
def test_names_what_is_bad(made: Made, tmp_path: Path) -> None:
    bad = made.of.read(Tree.read(made.build(tmp_path))).bad
    # A pair of files that cannot be told apart is told at one of the two.
    assert {path for path, _ in bad} == set(made.bad), bad


@pytest.mark.parametrize("made", ALL, ids=name)
def test_survives_the_table_of_cases(made: Made, tmp_path: Path) -> None:
    cases = made.of.read(Tree.read(made.build(tmp_path))).cases
    write_cases(tmp_path / "cases.csv", cases)
    assert read_cases(tmp_path / "cases.csv") == cases


def _labelled(made: Made) -> list[Mapping[str, object]]:
    return [fields for fields in made.expected.values() if fields.get("mask") and fields.get("images")]


@pytest.mark.parametrize("made", [made for made in PUBLISHED if _labelled(made)], ids=name)
def test_a_partial_copy_is_recognised(made: Made, tmp_path: Path) -> None:
    """One case with its mask is enough: recognition does not count."""
    one = _labelled(made)[0]
    assert isinstance(one["images"], tuple)
    helpers = tuple(path for path in made.files if path.endswith(".json"))
    wanted = (*one["images"], str(one["mask"]))
    files = tuple(
        path for path in made.files if path.startswith(tuple(f"{each}/" for each in wanted)) or path in wanted
    )
    part = replace(made, files=(*files, *helpers))
    tree = Tree.read(part.build(tmp_path))
    assert next(adapter.name for adapter in ADAPTERS.values() if adapter.recognise(tree)) == made.adapter
    assert len(made.of.read(tree).cases) == 1


def test_what_is_known_is_not_left_over(tmp_path: Path) -> None:
    """The whole cine, and the masks of the other kind."""
    made = next(made for made in ALL if made.adapter == "acdc")
    reading = made.of.read(Tree.read(made.build(tmp_path)))
    assert {Path(path).name for path in reading.beside} == {
        "patient001_4d.nii.gz",
        "patient001_frame01_scribble.nii.gz",
    }


def test_every_layout_has_a_made_tree() -> None:
    assert {made.adapter for made in ALL} == set(ADAPTERS)


def test_published_before_generic() -> None:
    known = [adapter.known is not None for adapter in ADAPTERS.values()]
    assert known == sorted(known, reverse=True)


def test_missing_folders_are_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "words.txt").touch()
    assert not any(adapter.recognise(Tree.read(tmp_path)) for adapter in ADAPTERS.values())


# The suite itself: each twin is broken in one way, and the sentence must say in which.

GOOD = Adapter(
    name="good",
    recognise=lambda tree: "frames beside truths" if "frames/1.png" in tree.paths else None,
    read=lambda tree: Reading(
        [_case("1", patient="A"), _case("2", mask="")], [("truth/3.png", "a mask without an image")]
    ),
    patients_from="nobody knows",
    known=Known(about="a", home="https://a.example", access="a", licence="a", citation="a", tree="a/\n  b"),
)
FILES = ("frames/1.png", "frames/2.png", "truth/1.png", "truth/3.png")
EXPECTED: Mapping[str, Mapping[str, object]] = {"1": {"mask": "truth/1.png", "patient": "A"}, "2": {"mask": ""}}


def _case(case: str, **fields: object) -> Case:
    return Case(case=case, images=(f"frames/{case}.png",), mask="truth/1.png").with_(**fields)


def _reads(*cases: Case, bad: tuple[str, str] = ("truth/3.png", "why")) -> Callable[[Tree], Reading]:
    return lambda tree: Reading(list(cases), [bad])


def _by_order(tree: Tree) -> Reading:
    last = tree.files[-1].path
    return Reading([_case("1", patient="A"), _case("2", mask="", site="" if last == "truth/3.png" else "x")], [])


def _forgetful() -> Callable[[Tree], Reading]:
    times: list[int] = []

    def read(tree: Tree) -> Reading:
        times.append(1)
        return Reading([_case("1", patient="A"), _case("2", mask="", time="" if len(times) == 1 else "later")], [])

    return read


ONE, TWO = _case("1", patient="A"), _case("2", mask="")
assert GOOD.known is not None

BROKEN = {
    "does not recognise its own tree": replace(GOOD, recognise=lambda tree: None),
    "does not say why it recognises": replace(GOOD, recognise=lambda tree: " " if tree.files else None),
    "recognises an empty folder": replace(GOOD, recognise=lambda tree: "always"),
    "claims a stranger's folder": replace(GOOD, recognise=lambda tree: "some files" if tree.files else None),
    "known.licence is empty": replace(GOOD, known=replace(GOOD.known, licence=" ")),
    "known.home is no address": replace(GOOD, known=replace(GOOD.known, home="somewhere")),
    "known.tree shows no tree": replace(GOOD, known=replace(GOOD.known, tree="a/")),
    "docstring does not say where the layout is from": GOOD,  # this file cites nothing
    "finds no case": replace(GOOD, known=None, read=_reads()),
    "2 cases are called 'a'": replace(GOOD, known=None, read=_reads(ONE.with_(case="a"), TWO.with_(case="A"))),
    "is not in the tree": replace(GOOD, known=None, read=_reads(ONE, _case("9", mask=""))),
    "is not relative with forward slashes": replace(
        GOOD, known=None, read=_reads(ONE, TWO.with_(images=("frames\\2.png",)))
    ),
    "is an image and a mask": replace(GOOD, known=None, read=_reads(ONE, TWO.with_(images=("truth/1.png",)))),
    "mask ['truth/1.png'] is used twice": replace(GOOD, known=None, read=_reads(ONE, _case("2"))),
    "image ['frames/1.png'] is used twice": replace(
        GOOD, known=None, read=_reads(ONE, TWO.with_(images=("frames/1.png",)))
    ),
    "does not say what from (patients_from)": replace(GOOD, known=None, patients_from=""),
    "does not say what from (sites_from)": replace(GOOD, known=None, read=_reads(ONE, TWO.with_(site="north"))),
    "has the part 'dev'": replace(GOOD, known=None, read=_reads(ONE, TWO.with_(part="dev"))),
    "has the name of a column of ours": replace(GOOD, known=None, read=_reads(ONE, TWO.with_(extra={"site": "x"}))),
    "holds something else than text": replace(GOOD, known=None, read=_reads(ONE, TWO.with_(extra={"age": 45}))),
    "is bad and yet a case's": replace(GOOD, known=None, read=_reads(ONE, TWO, bad=("truth/1.png", "why"))),
    "is bad for no reason": replace(GOOD, known=None, read=_reads(ONE, TWO, bad=("truth/3.png", ""))),
    "expected ['1', '2']": replace(GOOD, known=None, read=_reads(ONE)),
    "has patient 'B', expected 'A'": replace(GOOD, known=None, read=_reads(ONE.with_(patient="B"), TWO)),
    "differently when read a second time": replace(GOOD, known=None, read=_forgetful()),
    "differently when listed in another order": replace(GOOD, known=None, sites_from="order", read=_by_order),
}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    return Made("unlabelled", "frames and truth", FILES, EXPECTED).build(tmp_path)


def test_the_whole_twin_passes(frames: Path) -> None:
    check_adapter(replace(GOOD, known=None), frames, expected=EXPECTED)


@pytest.mark.parametrize("sentence", BROKEN)
def test_the_suite_catches(sentence: str, frames: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        check_adapter(BROKEN[sentence], frames, expected=EXPECTED)
    assert sentence in str(caught.value)


def test_the_suite_catches_one_that_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = replace(GOOD, name="greedy", recognise=lambda tree: "some files" if tree.files else None)
    monkeypatch.setattr("segue.testing.adapter.ADAPTERS", {"greedy": greedy, **ADAPTERS})
    made = next(made for made in ALL if made.adapter == "folders")
    with pytest.raises(AssertionError, match="greedy comes first and claims the tree of folders"):
        check_adapter(made.of, made.build(tmp_path), expected=made.expected)
