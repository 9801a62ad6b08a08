"""Archives: everything or nothing, and never outside of the folder. The refusals by name are in test_hostile.py."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import segue
from segue.data.scanning.unpack import Unpacked
from segue.errors import BadInput, Failed
from tests.hostile import blob, encoded, picture, tarred, zipped

FILES = {"images/1.png": encoded(picture(1), "PNG"), "masks/1.png": encoded(blob(), "PNG"), "notes.txt": b""}


def _tar(path: Path, mode: str) -> None:
    tarred(*((tarfile.TarInfo(name), content) for name, content in FILES.items()), mode=mode)(path)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.zip", ""),
        ("a.ZIP", ""),
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("packed.tar", "w:gz"),  # the ending forgets how
    ],
)
def test_what_is_in_comes_out(name: str, mode: str, tmp_path: Path) -> None:
    if mode:
        _tar(tmp_path / name, mode)
    else:
        zipped(*FILES.items())(tmp_path / name)
    done = segue.unpack(tmp_path / name, tmp_path / "deep" / "to")
    assert done.as_json() == {"folder": str(done.folder), "files": 3, "bytes": sum(map(len, FILES.values()))}
    found = {
        path.relative_to(done.folder).as_posix(): path.read_bytes() for path in done.folder.rglob("*") if path.is_file()
    }
    assert found == FILES
    assert os.listdir(tmp_path / "deep") == ["to"]
    assert len(segue.scan(done.folder, tmp_path / "d", workers=0).cases) == 1


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_kind_of_zip(kind: int, tmp_path: Path) -> None:
    zipped(*FILES.items(), kind=kind)(tmp_path / "a.zip")
    assert segue.unpack(tmp_path / "a.zip", tmp_path / "to").files == 3


def test_an_empty_folder_is_filled_and_a_full_one_is_not(tmp_path: Path) -> None:
    zipped(*FILES.items())(tmp_path / "a.zip")
    (tmp_path / "to").mkdir()
    segue.unpack(tmp_path / "a.zip", tmp_path / "to")
    with pytest.raises(BadInput, match="is there already"):
        segue.unpack(tmp_path / "a.zip", tmp_path / "to")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is there already"):
        segue.unpack(tmp_path / "a.zip", tmp_path / "file")
    with pytest.raises((BadInput, Failed), match="file"):
        segue.unpack(tmp_path / "a.zip", tmp_path / "file" / "below")
    with pytest.raises(BadInput, match="there is no such archive"):
        segue.unpack(tmp_path / "b.zip", tmp_path / "new")
    with pytest.raises(BadInput, match="too long"):
        segue.unpack(tmp_path / "a.zip", tmp_path / ("x" * 300))


def test_nothing_is_executable_or_owned_by_another(tmp_path: Path) -> None:
    info = tarfile.TarInfo("run.sh")
    info.mode, info.uid, info.gid = 0o6777, 12345, 12345
    tarred((info, b"#!/bin/sh\n"))(tmp_path / "a.tar")
    segue.unpack(tmp_path / "a.tar", tmp_path / "to")
    about = (tmp_path / "to" / "run.sh").stat()
    assert not about.st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_ISUID | stat.S_ISGID)
    assert about.st_uid == os.getuid() if hasattr(os, "getuid") else True


def test_a_disk_that_is_too_small_by_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(*FILES.items())(tmp_path / "a.zip")
    monkeypatch.setattr("segue.data.scanning.unpack.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(Failed, match="which do not fit"):
        segue.unpack(tmp_path / "a.zip", tmp_path / "new" / "to")
    assert os.listdir(tmp_path) == ["a.zip"]


def _unpacked_or_sentence(archive: Path, to: Path) -> tuple[Unpacked | None, str]:
    try:
        return segue.unpack(archive, to), ""
    except BadInput as error:
        return None, error.message


# Names that are sometimes harmless and sometimes not.
_PART = st.sampled_from(
    ["a", "b.png", "..", ".", "", "C:", "~", "con", "\\", "..\\x", "\x00", "\n", "é", " ", "...", "A"]
)
_NAME = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "/", "//"]),
    st.lists(_PART, min_size=1, max_size=4),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(_NAME, min_size=1, max_size=4), tar=st.booleans(), number=st.integers(0, 10**12))
def test_nothing_is_ever_written_outside(names: list[str], tar: bool, number: int, tmp_path: Path) -> None:
    home = tmp_path / str(number)
    home.mkdir(exist_ok=True)
    archive = home / ("a.tar" if tar else "a.zip")
    if tar:
        tarred(*((tarfile.TarInfo(name), b"x") for name in names))(archive)
    else:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two members of one name
            zipped(*((name, b"x") for name in names))(archive)
    done, told = _unpacked_or_sentence(archive, home / "in" / "to")
    assert "\n" not in told
    if done is None:
        assert [path.name for path in home.iterdir()] == [archive.name]
    else:
        assert {path.name for path in home.iterdir()} == {archive.name, "in"}
        assert os.listdir(home / "in") == ["to"]
        assert sum(path.is_file() for path in done.folder.rglob("*")) == done.files
        for folder in (home / "in" / "to", home / "in"):
            for path in sorted(folder.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            folder.rmdir()
    archive.unlink()
    home.rmdir()


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_broken_archives_are_whole_or_a_sentence(ending: str, tmp_path: Path) -> None:
    dice = random.Random(ending)
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        zipped(*FILES.items())(path)
    else:
        _tar(path, "w:" + ending.removeprefix("tar").lstrip("."))
    whole = path.read_bytes()
    for number in range(80):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 3, 9))):
            at = dice.randrange(len(data))
            if dice.random() < 0.2:
                del data[at + 1 :]
            else:
                data[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", bytes([dice.randrange(256)])))
        path.write_bytes(data)
        done, told = _unpacked_or_sentence(path, tmp_path / str(number))
        assert "\n" not in told
        assert (tmp_path / str(number)).exists() == (done is not None)
        assert not list(tmp_path.glob(".*"))


def test_extended_headers_are_read_within_bounds(tmp_path: Path) -> None:
    """An honest long name, in both dialects."""
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        name = "/".join(["d" * 60] * 4) + "/é.png"
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=dialect) as archive:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        (tmp_path / "a.tar").write_bytes(stream.getvalue())
        done = segue.unpack(tmp_path / "a.tar", tmp_path / str(dialect))
        assert (done.folder / name).read_bytes() == b"x"
