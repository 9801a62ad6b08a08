"""The command line as a user meets it: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue.cli import app
from tests.data import made


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "segue", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.folder_of_images(tmp_path_factory.mktemp("cli") / "polyps", 20)


def test_the_way_from_a_folder_to_a_store(folder: Path, tmp_path: Path) -> None:
    scan = run("data", "scan", folder, cwd=tmp_path)
    assert scan.returncode == 0, scan.stderr
    assert "20: 20 with a mask, 0 without" in scan.stdout
    assert "No patient is known" in scan.stdout
    assert "Next: segue data explore datasets/polyps" in scan.stdout
    split = run("data", "split", "datasets/polyps", "--seed", 3, cwd=tmp_path)
    assert "seed 3, hash" in split.stdout
    prepare = run("data", "prepare", "datasets/polyps", "--size", 64, cwd=tmp_path)
    assert "Written: stores/polyps" in prepare.stdout
    for done in (scan, split, prepare):
        assert "Traceback" not in done.stderr


def test_json_is_all_that_a_machine_reads(folder: Path, tmp_path: Path) -> None:
    for arguments, keys in (
        (
            ("data", "scan", folder),
            {"layout", "cases", "labelled", "unlabelled", "patients", "sites", "duplicate_groups", "bad"},
        ),
        (("data", "split", "datasets/polyps"), {"hash", "parts", "budgets", "warnings"}),
        (("data", "prepare", "datasets/polyps"), {"store", "bytes", "cases"}),
        (("data", "leaks", "datasets/polyps"), {"pairs", "groups"}),
        (("data", "explore", "datasets/polyps"), {"page"}),
        (("data", "known"), {"kvasir-seg", "ph2"}),
        (("doctor",), {"well", "lines"}),
    ):
        done = run(*arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert keys <= set(json.loads(done.stdout)), arguments


def test_errors_are_one_sentence_with_an_exit_code(folder: Path, tmp_path: Path) -> None:
    done = run("data", "split", "datasets/nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "segue: datasets/nowhere: there is no such dataset"
    assert "Traceback" in run("data", "split", "datasets/nowhere", "--debug", cwd=tmp_path).stderr
    told = json.loads(run("data", "split", "datasets/nowhere", "--json", cwd=tmp_path).stdout)
    assert told["error"] == "datasets/nowhere: there is no such dataset"
    assert run("data", "scan", folder, "--layout", "kvasir", cwd=tmp_path).stderr.startswith(
        "segue: --layout 'kvasir' is not known: did you mean kvasir-seg"
    )
    assert run("data", "sacn", folder).returncode == 2


def test_every_verb_takes_json_and_debug() -> None:
    runner = CliRunner()
    for verb in (["doctor"], ["demo"], *(["data", name] for name in _data_verbs())):
        shown = runner.invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        assert "--json" in shown, verb
        assert "--debug" in shown, verb


def _data_verbs() -> list[str]:
    from segue.cli import data

    return [command.name or command.callback.__name__ for command in data.app.registered_commands if command.callback]


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, segue.cli; print([m for m in ('numpy', 'cv2', 'pydantic', 'matplotlib', 'torch') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_every_verb_is_a_function() -> None:
    import segue

    for name in ("doctor", "demo", "scan", "split", "prepare", "explore", "leaks", "unpack"):
        assert callable(getattr(segue, name)), name
    with pytest.raises(AttributeError, match="no attribute 'scna'"):
        segue.scna  # noqa: B018
