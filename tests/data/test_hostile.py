"""Bad input gets one sentence that names the file; the good cases survive; nothing half-written is left."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import segue
from segue.data.case import COLUMNS, Case, guard, read_cases, unguard, write_cases
from segue.data.copies.leaks import leaks
from segue.data.dataset import Dataset
from segue.data.preparing.prepare import prepare
from segue.data.preparing.settings import PrepareSettings
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import Store
from segue.errors import BadInput, Failed, SegueError
from tests.hostile import (
    ARCHIVES,
    DATASETS,
    FOLDERS,
    HUGE,
    Damaged,
    Hostile,
    Packed,
    blob,
    picture,
    png_whose_chunk_claims,
    put,
    zipped,
)

REFUSED = [hostile for hostile in FOLDERS if hostile.file]
UNDERSTOOD = [hostile for hostile in FOLDERS if hostile.understood]
WHOLE = [hostile for hostile in FOLDERS if hostile.whole]
OF_A_DATASET = {"dataset.yaml", "cases.csv", "thumbnails.npy", "duplicates.csv", "skipped.csv"}
OF_A_STORE = {"store.yaml", "index.csv", "images.bin", "masks.bin"}


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """What blocks (a pipe that is opened, a lock) fails instead."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def _one_sentence(text: str) -> None:
    assert text
    assert "\n" not in text
    assert not re.search(r"\b[A-Z]\w+(Error|Exception|Warning)\b|Traceback|Errno|<class|0x[0-9a-f]{6}", text), text
    assert len(text) < 600


def _below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _made(hostile: Hostile, folder: Path) -> Path:
    try:
        return hostile.make(folder / "dataset root")
    except (OSError, AttributeError, NotImplementedError) as error:  # no links, no pipes, no such names
        pytest.skip(f"this file system has no {hostile.name}: {error}")


def test_there_are_enough() -> None:
    everything: list[Hostile | Packed | Damaged] = [*FOLDERS, *ARCHIVES, *DATASETS]
    assert len(everything) >= 40
    assert len({(type(one), one.name) for one in everything}) == len(everything)
    assert len(REFUSED) + len(UNDERSTOOD) + len(WHOLE) == len(FOLDERS)


@pytest.mark.parametrize("hostile", REFUSED, ids=str)
def test_a_bad_file_is_named_and_the_good_survive(hostile: Hostile, cwd: Path) -> None:
    root = _made(hostile, cwd.parent)
    if hostile.name == "names equal but for case" and len(os.listdir(root / "images")) < 4:
        pytest.skip("this file system knows no case of letters")
    found = segue.scan(root, workers=0, **hostile.arguments)
    reasons = dict(found.bad)
    assert hostile.file in reasons, found.bad
    assert re.search(hostile.says, reasons[hostile.file]), reasons[hostile.file]
    for reason in reasons.values():
        _one_sentence(reason)
    assert found.dataset is None
    assert _below(cwd) == [], "something was written"

    again = segue.scan(root, workers=0, skip_bad=True, **hostile.arguments)
    assert len(again.cases) == hostile.survivors
    assert {"file": hostile.file, "reason": reasons[hostile.file]} in again.as_json()["bad"]
    if hostile.survivors == 0:
        assert again.dataset is None
        assert _below(cwd) == []
    else:
        _whole_dataset(again.dataset)
        assert again.dataset is not None
        assert again.dataset.skipped == again.bad, "what was left out is not to be read in the dataset"


def _whole_dataset(dataset: Dataset | None) -> None:
    assert dataset is not None
    assert set(os.listdir(dataset.folder)) == OF_A_DATASET
    read = Dataset.open(dataset.folder)
    assert (read.card, read.cases) == (dataset.card, dataset.cases)
    assert len(read.thumbnails()) == len(read.cases)
    for case in read.cases:
        assert read.image(case).shape[:2] == (case.height, case.width)
        if case.labelled:
            assert read.mask(case).shape == (case.height, case.width)


@pytest.mark.parametrize("hostile", UNDERSTOOD, ids=str)
def test_what_looks_strange_is_understood(hostile: Hostile, cwd: Path) -> None:
    assert hostile.understood is not None
    root = _made(hostile, cwd.parent)
    found = segue.scan(root, workers=0, **hostile.arguments)
    assert found.bad == ()
    assert hostile.understood(found), found.as_json()
    if hostile.survivors > 2:
        assert len(found.cases) == hostile.survivors
    _whole_dataset(found.dataset)
    assert _below(cwd / "datasets" / "dataset-root") == sorted(OF_A_DATASET)
    assert found.dataset is not None
    made = prepare(found.dataset, workers=0).store
    assert made.cases == [case.case for case in found.cases]


@pytest.mark.parametrize("hostile", WHOLE, ids=str)
def test_a_folder_that_cannot_be_read_at_all(hostile: Hostile, cwd: Path) -> None:
    root = _made(hostile, cwd.parent)
    with pytest.raises(BadInput, match=hostile.says) as raised:
        segue.scan(root, workers=0, **hostile.arguments)
    _one_sentence(raised.value.message)
    assert _below(cwd) == []


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ("gone", "there is no such folder"),
        ("x" * 300, "cannot be opened .File name too long"),
        ("file", "is a file, not a folder"),
        ("file.zip", "is an archive, not a folder"),
        ("file/below", "there is no such folder|cannot be opened"),
        ("caf\udce9", "its name is not valid text"),
        ("loop", "there is no such folder|cannot be opened"),
    ],
)
def test_a_root_that_is_no_folder(root: str, says: str, cwd: Path, good: Path) -> None:
    for name in ("file", "file.zip"):
        (cwd / name).write_text("x")
    try:
        (cwd / "loop").symlink_to("loop")
        os.rename(good, os.fsencode(cwd) + b"/caf\xe9")
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error}")
    before = sorted(os.listdir(cwd))
    with pytest.raises(BadInput, match=says) as raised:
        segue.scan(root, workers=0)
    _one_sentence(raised.value.message)
    raised.value.message.encode()
    assert sorted(os.listdir(cwd)) == before


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb"])
def test_a_name_that_is_no_folder(name: str, cwd: Path, good: Path) -> None:
    with pytest.raises(BadInput, match="cannot be the name of a folder"):
        segue.scan(good, name=name, workers=0)
    assert _below(cwd) == []


@pytest.mark.parametrize("packed", ARCHIVES, ids=str)
def test_an_archive_is_unpacked_whole_or_not_at_all(packed: Packed, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = home / f"archive{packed.ending}"
    packed.build(path)
    before = _below(tmp_path)
    with pytest.raises(BadInput, match=packed.says) as raised:
        segue.unpack(path, home / "new" / "folder")
    _one_sentence(raised.value.message)
    assert str(path) in raised.value.message
    assert _below(tmp_path) == before, "something was written"


VERBS: Mapping[str, Callable[[Path, Path], object]] = {
    "prepare": lambda dataset, root: prepare(dataset, workers=0),
    "leaks": lambda dataset, root: leaks(dataset),
    "scan": lambda dataset, root: segue.scan(root, dataset, workers=0),
}


@pytest.mark.parametrize("damaged", DATASETS, ids=str)
def test_a_damaged_dataset_is_told(damaged: Damaged, cwd: Path, good: Path) -> None:
    segue.scan(good, cwd / "dataset", workers=0)
    try:
        damaged.damage(cwd / "dataset", good)
    except AttributeError as error:
        pytest.skip(f"this platform has no {damaged.name}: {error}")
    before = _below(cwd)
    with pytest.raises(BadInput, match=damaged.says) as raised:
        VERBS[damaged.verb](cwd / "dataset", good)
    _one_sentence(raised.value.message)
    assert _below(cwd) == before, "something was written"


def test_a_card_that_was_mended_in_windows(cwd: Path, good: Path) -> None:
    """A byte-order mark, and other ends of lines."""
    dataset = segue.scan(good, cwd / "dataset", workers=0).dataset
    assert dataset is not None
    for file in ("dataset.yaml", "cases.csv"):
        content = (cwd / "dataset" / file).read_bytes()
        (cwd / "dataset" / file).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    read = Dataset.open(cwd / "dataset")
    assert (read.card, read.cases) == (dataset.card, dataset.cases)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return Hostile(name="good", build=lambda root: None, says="").make(tmp_path / "good")


# Tables


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_STARTS = st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "'", "''=", "\n", '"', "[", "\ufeff", ";;;"])
_CELL = st.builds(lambda start, text: start + text, _STARTS, _TEXT)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=_CELL.filter(bool),
    image=_CELL.filter(bool),
    more=_CELL,
    mask=_CELL,
    patient=_CELL,
    site=_CELL,
    free=_CELL,
    scanner=_CELL,
)
def test_a_table_gives_back_any_text_and_starts_no_formula(
    name: str, image: str, more: str, mask: str, patient: str, site: str, free: str, scanner: str, tmp_path: Path
) -> None:
    case = Case(
        case=name,
        images=(image, more) if more else (image,),
        mask=mask,
        patient=patient,
        site=site,
        channels=("T1", more) if more else (),
        extra={column: scanner for column in (free.strip(),) if column and scanner and column not in COLUMNS},
    )
    write_cases(tmp_path / "cases.csv", [case])
    assert read_cases(tmp_path / "cases.csv") == [case]
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        for cell in (cell for row in csv.reader(file) for cell in row):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(_CELL)
def test_a_guarded_cell_is_unguarded(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


# Sizes


def test_a_lying_header_takes_no_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="peak memory is not told on this platform")
    for ending, data in HUGE:
        (tmp_path / f"huge.{ending}").write_bytes(data)
    (tmp_path / "huge.chunk.png").write_bytes(png_whose_chunk_claims())
    code = """
import resource, sys
from pathlib import Path
from segue.data.images import read_image, read_mask
from segue.errors import BadInput
unit = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).glob("huge.*")):
    for read in (read_image, read_mask):
        try:
            read(path)
        except BadInput:
            continue
        sys.exit(f"{path} was read")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32 << 20


# A disk that fills up


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "segue-test", str(folder)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("a small disk cannot be mounted here (root on Linux can)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    root = tmp_path / "many"
    for seed in range(24):
        put(root, f"images/{seed}.png", picture(seed, 96, 128))
        put(root, f"masks/{seed}.png", blob(seed, 96, 128))
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
@pytest.mark.parametrize("free", [0, 8, 40, 100])
def test_a_disk_that_is_full_during_the_scan(free: int, many: Path, tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk", "512k") as disk:
        _fill(disk, free << 10)
        before = _below(disk)
        with pytest.raises(Failed, match=r"disk is full|No space left") as raised:
            segue.scan(many, disk / "datasets" / "d", workers=0)
        _one_sentence(raised.value.message)
        assert _below(disk) == before


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_is_full_keeps_the_older_dataset(many: Path, tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk", "512k") as disk:
        first = segue.scan(many, disk / "d", workers=0).dataset
        assert first is not None
        put(many, "images/24.png", picture(24, 96, 128))
        _fill(disk, 40 << 10)
        with pytest.raises(Failed, match="disk is full"):
            segue.scan(many, disk / "d", workers=0)
        _whole_dataset(Dataset.open(disk / "d"))
        assert Dataset.open(disk / "d").cases == first.cases


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
@pytest.mark.parametrize("room", ["too little by the plan", "too little for the rest"])
def test_a_disk_that_is_full_during_prepare(
    room: str, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = segue.scan(many, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    if room == "too little for the rest":  # as when another programme fills the disk meanwhile
        monkeypatch.setattr("segue.data.preparing.prepare._enough_room", lambda planned: None)
    with _small_disk(tmp_path / "disk", "1m") as disk:
        with pytest.raises(Failed, match=r"disk is full|MB are free") as raised:
            prepare(dataset, disk / "stores" / "s", workers=0)
        _one_sentence(raised.value.message)
        assert _below(disk) == []
    with _small_disk(tmp_path / "larger disk", "8m") as disk:
        assert len(prepare(dataset, disk / "stores" / "s", workers=0).store) == 24


def _fill(disk: Path, free: int) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(max(0, file.tell() - free))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_is_full_during_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(0).integers(0, 256, 700_000).astype(np.uint8).tobytes()
    zipped(("a.png", content))(tmp_path / "a.zip")
    free = type("Usage", (), {"free": 1 << 40})
    monkeypatch.setattr("segue.data.scanning.unpack.shutil.disk_usage", lambda folder: free)
    with _small_disk(tmp_path / "disk", "512k") as disk:
        with pytest.raises(Failed, match="No space left"):
            segue.unpack(tmp_path / "a.zip", disk / "to")
        assert _below(disk) == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_cannot_be_written(good: Path, tmp_path: Path) -> None:
    dataset = segue.scan(good, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    with _small_disk(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(Failed, match="cannot be written"):
            segue.scan(good, disk / "d", workers=0)
        with pytest.raises(Failed, match="cannot be written"):
            prepare(dataset, disk / "s", workers=0)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_an_out_that_is_a_file(out: str, good: Path, tmp_path: Path) -> None:
    dataset = segue.scan(good, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    (tmp_path / "taken").write_text("mine")
    for verb in (
        lambda: segue.scan(good, tmp_path / out, workers=0),
        lambda: prepare(dataset, tmp_path / out, workers=0),
    ):
        with pytest.raises(SegueError, match="taken") as raised:
            verb()
        _one_sentence(raised.value.message)
    assert (tmp_path / "taken").read_text() == "mine"
    assert _below(tmp_path / "d") == sorted(OF_A_DATASET)


# More than one process, and processes that end


def _segue(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "segue", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _run(*arguments: object, cwd: Path | None = None) -> tuple[int, str, str]:
    process = _segue(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def _bytes(store: Path) -> dict[str, bytes]:
    assert set(os.listdir(store)) == OF_A_STORE
    return {name: (store / name).read_bytes() for name in sorted(OF_A_STORE)}


@pytest.fixture
def dataset(many: Path, tmp_path: Path) -> Dataset:
    found = segue.scan(many, tmp_path / "d", workers=0).dataset
    assert found is not None
    return found


# Stops in the middle of an item: the process tells how far it is, and waits to be ended.
_SLOW = """
import sys, time
from segue.data.preparing import prepare
from segue.data.preparing import frames
from segue.errors import SegueError
whole = frames._store_one
done = 0
def slow(task, bench):
    global done
    value = whole(task, bench)
    done += 1
    if done == 9:
        print("in the middle", flush=True)
        time.sleep(60)
    return value
frames._store_one = slow
try:
    prepare.prepare(sys.argv[1], sys.argv[2], workers=0)
except SegueError as error:
    sys.exit(error.message)
"""


@contextmanager
def _in_the_middle(dataset: Dataset, target: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(dataset.folder), str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_prepare_that_is_ended_goes_on_to_the_same_bytes(name: str, dataset: Dataset, tmp_path: Path) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"{name} is not known on this platform")
    with _in_the_middle(dataset, tmp_path / "s") as process:
        process.send_signal(getattr(signal, name))
        process.wait(timeout=30)
    assert not (tmp_path / "s").exists()
    assert (tmp_path / ".s.partial" / "done.jsonl").read_text().count("\n") == 8
    resumed = prepare(dataset, tmp_path / "s", workers=0)
    assert not resumed.already
    prepare(dataset, tmp_path / "uninterrupted", workers=0)
    assert _bytes(tmp_path / "s") == _bytes(tmp_path / "uninterrupted")
    assert {path.name for path in tmp_path.iterdir()} == {"many", "d", "s", "uninterrupted"}


def test_two_that_prepare_one_store(dataset: Dataset, tmp_path: Path) -> None:
    with _in_the_middle(dataset, tmp_path / "s"):
        with pytest.raises(BadInput, match="another process prepares this store") as raised:
            prepare(dataset, tmp_path / "s", workers=0)
        _one_sentence(raised.value.message)
        assert (tmp_path / ".s.partial" / "images.bin").exists()
    assert len(prepare(dataset, tmp_path / "s", workers=0).store) == 24


def test_two_that_prepare_one_store_from_the_command_line(dataset: Dataset, tmp_path: Path) -> None:
    both = [_segue("data", "prepare", dataset.folder, "--out", tmp_path / "s", "--workers", 0) for _ in range(2)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in both]
    codes = sorted(code for _, code in ended)
    assert codes in ([0, 0], [0, 2]), ended
    for (_, err), code in ended:
        assert "Traceback" not in err
        assert code == 0 or "another process prepares this store" in err
    assert len(Store.open(tmp_path / "s")) == 24
    assert {path.name for path in tmp_path.iterdir()} == {"many", "d", "s"}


def test_a_scan_that_is_ended_goes_on_to_the_same_dataset(many: Path, tmp_path: Path) -> None:
    code = """
import sys, time
from segue.data.scanning import scan
whole, done = scan.look, 0
def slow(task):
    global done
    value = whole(task)
    done += 1
    if done == 9:
        print("in the middle", flush=True)
        time.sleep(60)
    return value
scan.look = slow
scan.scan(sys.argv[1], sys.argv[2], workers=0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(many), str(tmp_path / "d")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    with pytest.raises(BadInput, match="another process writes this dataset"):
        segue.scan(many, tmp_path / "d", workers=0)
    process.kill()
    process.communicate()
    assert (tmp_path / "d" / ".scan" / "done.jsonl").read_text().count("\n") == 8
    segue.scan(many, tmp_path / "d", workers=0)
    segue.scan(many, tmp_path / "uninterrupted", workers=0)
    assert set(os.listdir(tmp_path / "d")) == OF_A_DATASET
    for file in ("cases.csv", "thumbnails.npy", "duplicates.csv"):
        assert (tmp_path / "d" / file).read_bytes() == (tmp_path / "uninterrupted" / file).read_bytes()


def test_other_settings_are_refused_and_fresh_replaces(dataset: Dataset, tmp_path: Path) -> None:
    prepare(dataset, tmp_path / "s", workers=0, settings=PrepareSettings(size=64))
    before = _bytes(tmp_path / "s")
    with pytest.raises(BadInput, match=r"other settings or labels; now long side at most 32 px"):
        prepare(dataset, tmp_path / "s", workers=0, settings=PrepareSettings(size=32))
    assert _bytes(tmp_path / "s") == before
    assert (
        prepare(dataset, tmp_path / "s", workers=0, settings=PrepareSettings(size=32), fresh=True).store.card.size == 32
    )


def test_prepare_skips_what_it_may_skip(dataset: Dataset, tmp_path: Path) -> None:
    (dataset.root / "images/3.png").unlink()
    with pytest.raises(BadInput, match=r"^3: "):
        prepare(dataset, tmp_path / "s", workers=0)
    assert not (tmp_path / "s").exists()
    done = prepare(dataset, tmp_path / "s", workers=0, skip_bad=True)
    assert list(done.left_out) == ["3"]
    assert len(done.store) == 23
    assert isinstance(done.store, FrameStore)
    for number, place in enumerate(done.store.places):
        image = done.store.image(number)
        assert image.shape[:2] == place.fit.stored
        assert image.any()


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("images.bin", lambda data: data[:-1], "lies outside of its files"),
        ("masks.bin", lambda data: data[: len(data) // 2], "lies outside of its files"),
        ("index.csv", lambda data: data.rsplit(b"\n", 2)[0] + b"\n", "has 23 cases, store.yaml says 24"),
        (
            "index.csv",
            lambda data: data.replace(b"96,128,96,128,0,0", b"96,128,96,128,-9,0"),
            "lies outside|not the index",
        ),
        ("index.csv", lambda data: b"case\n1\n", "is not the index of a store"),
        ("store.yaml", lambda data: data.replace(b"uint8", b"object"), "key 'dtype'"),
        ("store.yaml", lambda data: data.replace(b"format: 2", b"format: 7"), "format 7 is not the one"),
        ("store.yaml", lambda data: b"[", "is not valid YAML"),
    ],
)
def test_a_damaged_store_is_told(
    file: str, change: Callable[[bytes], bytes], says: str, dataset: Dataset, tmp_path: Path
) -> None:
    prepare(dataset, tmp_path / "s", workers=0)
    content = (tmp_path / "s" / file).read_bytes()
    assert change(content) != content
    (tmp_path / "s" / file).write_bytes(change(content))
    with pytest.raises(BadInput, match=says) as raised:
        Store.open(tmp_path / "s")
    _one_sentence(raised.value.message)


# The command line


def test_the_command_line_names_all_bad_files_and_writes_nothing(tmp_path: Path) -> None:
    def build(root: Path) -> None:
        (root / "images/empty.png").touch()
        (root / "images/text.jpg").write_text("404")
        (root / "images/\x1b[2Jscreen.png").touch()

    root = Hostile(name="bad", build=build, says="").make(tmp_path / "bad")
    here = tmp_path / "here"
    here.mkdir()
    code, out, err = _run("data", "scan", root, "--workers", 0, cwd=here)
    assert code == 2
    assert "3 bad" in out
    assert "images/empty.png: is empty" in out
    assert "images/text.jpg: is not a picture" in out
    assert "\x1b" not in out
    assert "Traceback" not in out + err
    assert _below(here) == []

    code, out, err = _run("data", "scan", root, "--workers", 0, "--skip-bad", "--json", cwd=here)
    assert code == 0, err
    told = json.loads(out)
    assert told["cases"] == 2
    assert {bad["file"] for bad in told["bad"]} == {"images/empty.png", "images/text.jpg", "images/\x1b[2Jscreen.png"}
    assert _below(here / "datasets" / "bad") == sorted(OF_A_DATASET)


def test_the_command_line_tells_a_sentence_and_debug_the_traceback(tmp_path: Path) -> None:
    archive = tmp_path / "data.zip"
    archive.write_bytes(b"PK")
    code, out, err = _run("data", "scan", archive, "--json")
    assert code == 2
    assert "is an archive, not a folder" in json.loads(out)["error"]
    assert "segue data unpack" in json.loads(out)["hint"]
    assert "Traceback" not in err
    code, out, err = _run("data", "scan", archive, "--debug")
    assert code != 0
    assert "Traceback" in err
    code, _, err = _run("data", "scan", "x" * 300)
    assert code == 2
    assert "Traceback" not in err
    assert "should not have" not in err
