"""The command line as a user meets it: a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue.cli import app, judging
from tests.data import made
from tests.data.volumes import made as volumes


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
    assert "patients" not in split.stdout.replace("images of one patient", ""), "none is known"
    assert "label budgets (images: labelled images)" in split.stdout
    assert "seed 3, hash" in split.stdout
    prepare = run("data", "prepare", "datasets/polyps", "--size", 64, cwd=tmp_path)
    assert "Written: stores/polyps" in prepare.stdout
    for done in (scan, split, prepare):
        assert "Traceback" not in done.stderr


def test_images_alone_lead_to_what_can_be_done_with_them(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "images", tmp_path / "bare")
    scan = run("data", "scan", "bare", cwd=tmp_path)
    assert "20: 0 with a mask, 20 without" in scan.stdout
    told = scan.stdout.rpartition("Next: ")[2]
    for command in ("audit RUN --on", "predict RUN", "adapt RUN --to", "pretrain --data"):
        assert f"segue {command}" in told
    assert "split" not in told
    explored = run("data", "explore", "datasets/bare", cwd=tmp_path)
    assert "Next: segue audit RUN --on datasets/bare" in explored.stdout


def test_json_is_all_that_a_machine_reads(folder: Path, tmp_path: Path) -> None:
    for arguments, keys in (
        (
            ("data", "scan", folder),
            {"layout", "cases", "labelled", "unlabelled", "patients", "sites", "duplicate_groups", "bad"},
        ),
        (("data", "split", "datasets/polyps"), {"hash", "parts", "budgets", "warnings"}),
        (("data", "prepare", "datasets/polyps"), {"store", "bytes", "cases"}),
        (("data", "leaks", "datasets/polyps"), {"pairs", "groups"}),
        (("data", "scan", folder, "--name", "others"), {"cases"}),
        (("data", "leaks", "datasets/polyps", "datasets/others"), {"pairs", "groups"}),
        (("data", "leaks", "datasets/polyps", "--against", "datasets/others"), {"pairs", "groups"}),
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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and names")
def test_output_survives_pipes_terminals_and_names(folder: Path, tmp_path: Path) -> None:
    segue = [sys.executable, "-m", "segue"]
    with subprocess.Popen([*segue, "data", "known", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as early:
        assert early.stdout is not None
        early.stdout.close()  # as `| head` does
        assert early.stderr is not None
        complaint = early.stderr.read()
    assert (early.returncode, complaint) == (0, b"")
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ascii_only = subprocess.run([*segue, "data", "known", "kvasir-seg"], capture_output=True, check=True, env=plain)
    assert b"B\\xe6rum" in ascii_only.stdout
    (tmp_path / "red\x1b[31m").mkdir()
    done = run("data", "scan", tmp_path / "red\x1b[31m")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\\x1b[31m" in done.stderr


def test_volumes_are_looked_at(tmp_path: Path) -> None:
    folder = volumes.folder(tmp_path / "brains", 4)
    done = run("data", "scan", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "spacing    0.8x0.9x3 mm (4)" in done.stdout
    assert "Next: segue data explore datasets/brains" in done.stdout
    done = run("data", "explore", "datasets/brains", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Proposed spacing" in (tmp_path / "datasets/brains/explore.html").read_text()
    assert run("data", "split", "datasets/brains", cwd=tmp_path).returncode == 0


def test_the_command_to_go_on_with_is_the_one_that_was_given(tmp_path: Path) -> None:
    bad = made.folder_of_images(tmp_path / "bad ones", 3)
    (bad / "images" / "torn.png").write_bytes(b"")
    done = run("data", "scan", bad, "--out", tmp_path / "o", "--labels", "0=background,255=polyp")
    assert done.returncode == 2
    command = done.stdout.rpartition("Next: ")[2].split("\n")[0]
    again = subprocess.run(
        [sys.executable, "-m", "segue", *shlex.split(command)[1:]], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "o" / "dataset.yaml").exists()


def test_a_blank_after_a_comma_parts_no_arm() -> None:
    assert judging._words(["a-0,", "a-1,", "a-2", "b-0,b-1", "c,"]) == ["a-0,a-1,a-2", "b-0,b-1", "c"]
