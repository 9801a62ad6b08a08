"""`segue data prepare`: a dataset becomes a store. Parallel, resumable, and either whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from segue.config import Auto, Settings, read_yaml, write_yaml
from segue.data.alone import alone
from segue.data.case import IGNORE, Case
from segue.data.copies.fingerprint import fingerprint
from segue.data.dataset import Dataset, as_dataset
from segue.data.geometry import pyramid
from segue.data.propose import working_size
from segue.data.stamp import stamp_now
from segue.data.store import CARD, FORMAT, IMAGES, INDEX, MASKS, Layout, Place, Store, StoreCard, write_index
from segue.errors import BadInput, Failed
from segue.executors import LocalExecutor, Needs
from segue.executors.local import cores
from segue.files import atomic

_PROBE = 5  # cases timed for the estimate


class PrepareSettings(Settings):
    size: Annotated[int, Field(ge=16, le=8192)] | Auto = "auto"  # cap of the long side; auto: proposed from the data


@dataclass(frozen=True)
class Plan:
    """What preparing will take, before it starts."""

    dataset: Dataset
    target: Path
    settings: PrepareSettings  # resolved
    layout: Layout
    made_from: str
    sources: str

    @property
    def bytes(self) -> int:
        return self.layout.image_bytes + self.layout.mask_bytes

    @cached_property
    def seconds(self) -> float:
        """From a few cases, done and thrown away."""
        cases = self.dataset.cases
        chosen = cases[:: max(1, len(cases) // _PROBE)][:_PROBE]
        start = time.perf_counter()
        done = 0
        for case in chosen:
            with contextlib.suppress(BadInput):
                self.dataset.image(case)
                done += 1
        return (time.perf_counter() - start) / max(done, 1) * len(cases) * 1.3 / cores()

    @property
    def work(self) -> Path:
        """Beside the target, so that one rename makes it whole."""
        return self.target.with_name(f".{self.target.name}.partial")


@dataclass(frozen=True)
class Prepared:
    store: Store
    target: Path
    bytes: int
    seconds: float
    already: bool  # it was there, made from the same
    left_out: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "store": str(self.target), "cases": len(self.store), "labelled": self.store.card.labelled,
            "size": self.store.card.size, "bytes": self.bytes, "seconds": round(self.seconds, 2), "already": self.already,
            "left_out": [{"case": case, "reason": reason} for case, reason in sorted(self.left_out.items())],
        }  # fmt: skip


def plan(
    dataset: Dataset | Path | str, out: Path | str | None = None, *, settings: PrepareSettings | None = None
) -> Plan:
    found = as_dataset(dataset)
    if not found.cases:
        raise BadInput(f"{found.folder}: has no cases")
    found.demand_frames("prepare")
    if found.card.dtype not in ("uint8", "uint16") or not found.card.channels:
        raise BadInput(
            f"{found.folder}: dtype {found.card.dtype!r} and {len(found.card.channels)} channels make no store"
        )
    unmeasured = next((case.case for case in found.cases if not (case.height and case.width and case.digest)), None)
    if unmeasured is not None:
        raise BadInput(f"{found.folder}: {unmeasured!r} has no size or no digest in the table", hint="Scan again.")
    given = settings or PrepareSettings()
    resolved = given.resolve(size=working_size(found.cases))
    pixel = len(found.card.channels) * np.dtype(found.card.dtype).itemsize
    sizes = [(case.case, case.height, case.width, case.labelled) for case in found.cases]
    layout = Layout.plan(sizes, long_side=int(resolved.size), pixel_bytes=pixel)
    sources = hashlib.sha256()
    for case in found.cases:
        sources.update(f"{case.case}\t{stamp_now(found.root, case)}\t{case.digest}\n".encode())
    made_from = hashlib.sha256(
        f"{FORMAT}{resolved.model_dump_json()}{found.card.labels}{found.card.channels}{found.card.dtype}{sources.hexdigest()}".encode()
    ).hexdigest()[:16]
    target = Path(out) if out is not None else Path("stores") / found.name
    if out is None and (found.name in ("", ".", "..") or set(found.name) & set("/\\")):
        raise BadInput(f"{found.folder}: its name {found.name!r} cannot be the name of a folder", hint="Give an --out.")
    return Plan(found, target, resolved, layout, made_from, sources.hexdigest()[:16])


def prepare(
    dataset: Dataset | Path | str | Plan,
    out: Path | str | None = None,
    *,
    settings: PrepareSettings | None = None,
    skip_bad: bool = False,
    fresh: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> Prepared:
    """Write the store; one that was made from the same is left as it is. `fresh` replaces one made with other settings."""
    planned = dataset if isinstance(dataset, Plan) else plan(dataset, out, settings=settings)
    if _present(planned, fresh):
        store = Store.open(planned.target)
        return Prepared(store, planned.target, planned.bytes, 0.0, True, store.card.left_out)
    start = time.perf_counter()
    _enough_room(planned)
    lock = planned.target.with_name(f".{planned.target.name}.lock")
    with alone(planned.work, lock, what=planned.target, busy="another process prepares this store"):
        left_out = _fill(planned, skip_bad, workers, progress)
        cases = {case.case: case for case in planned.dataset.cases}
        places = [place for place in planned.layout.places if place.case not in left_out]
        write_index(planned.work / INDEX, places)
        card = StoreCard(
            dataset=planned.dataset.name,
            dataset_folder=str(planned.dataset.folder.resolve()),
            size=int(planned.settings.size),
            channels=planned.dataset.card.channels,
            classes=planned.dataset.card.classes,
            dtype=planned.dataset.card.dtype,
            cases=len(places),
            labelled=sum(cases[place.case].labelled for place in places),
            made_from=planned.made_from,
            sources=planned.sources,
            left_out=left_out,
        )
        write_yaml(planned.work / CARD, card.model_dump(mode="json"))
        (planned.work / "done.jsonl").unlink()
        (planned.work / "made_from").unlink()
        if planned.target.exists():
            shutil.rmtree(planned.target)
        planned.work.rename(planned.target)
    return Prepared(
        Store.open(planned.target), planned.target, planned.bytes, time.perf_counter() - start, False, left_out
    )


def _present(planned: Plan, fresh: bool) -> bool:
    """Is the store there, and made from the same? One of other settings is not overwritten unasked."""
    target = planned.target
    if not target.exists():
        return False
    if not (target / CARD).is_file():
        raise BadInput(f"{target}: is there and is not a store", hint="Give another --out.")
    given = read_yaml(target / CARD)
    if given.get("made_from") == planned.made_from:
        if given.get("classes") != planned.dataset.card.classes:  # renamed; the pixels stay as they are
            write_yaml(target / CARD, {**given, "classes": planned.dataset.card.classes})
        return True
    if not fresh and given.get("sources") == planned.sources:
        raise BadInput(
            f"{target}: was prepared with other settings (size {given.get('size')}, now {planned.settings.size}, "
            "or other labels)",
            hint="Give another --out, or --fresh to replace it.",
        )
    return False  # the images have changed: what is there is worth nothing


def _enough_room(planned: Plan) -> None:
    parent = planned.target.parent
    try:
        free = shutil.disk_usage(next(folder for folder in (parent, *parent.parents) if folder.exists())).free
    except OSError as error:
        raise Failed(f"{parent}: cannot be written ({error.strerror})") from None
    if free < planned.bytes - _size(planned.work):
        raise Failed(
            f"{parent}: the store takes {planned.bytes / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free",
            hint="Give an --out on a larger disk, or a smaller --size.",
        )


def _size(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(file.stat().st_blocks * 512 if hasattr(file.stat(), "st_blocks") else 0 for file in folder.iterdir())


def _fill(planned: Plan, skip_bad: bool, workers: int | None, progress: bool) -> dict[str, str]:
    """Write all images and masks; what is done is in a ledger. Returns the cases that could not be read."""
    work, cases = planned.work, planned.dataset.cases
    stamp = work / "made_from"
    if not stamp.exists() or stamp.read_text() != planned.made_from:  # what lies there was for something else
        for file in work.iterdir():
            file.unlink()
        with atomic(stamp) as new:
            new.write(planned.made_from)
    _reserve(work / IMAGES, planned.layout.image_bytes)
    _reserve(work / MASKS, planned.layout.mask_bytes)
    tasks = [_Task(case, place) for case, place in zip(cases, planned.layout.places, strict=True)]
    largest = max(case.height * case.width for case in cases) * len(planned.dataset.card.channels)
    executor = LocalExecutor(workers=workers, progress=progress)
    bad: dict[str, str] = {}
    for outcome in executor.map(
        _store_one, tasks, key=lambda task: task.case.case, setup=_Bench(planned.dataset, work), label="preparing",
        needs=Needs(memory=(256 << 20) + 4 * largest),
        ledger=work / "done.jsonl",
    ):  # fmt: skip
        if outcome.error is not None:
            bad[outcome.key] = outcome.error
            if "Errno 28" in outcome.error:
                raise Failed(f"{planned.target.parent}: the disk is full", hint="Give an --out on a larger disk.")
    if bad and not skip_bad:
        first, reason = min(bad.items())
        more = f", and {len(bad) - 1} more cases" if len(bad) > 1 else ""
        raise BadInput(f"{first}: {reason}{more}", hint="--skip-bad goes on without them.")
    if len(bad) == len(cases):
        raise BadInput(f"{planned.dataset.folder}: none of its {len(cases)} cases can be read")
    return bad


def _reserve(path: Path, size: int) -> None:
    """The file at its length, so that workers can write anywhere in it. Room was looked for before; a disk that fills
    up meanwhile shows as a failed write, and reserving blocks beforehand makes every write three times slower."""
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            file.truncate(size)


@dataclass(frozen=True)
class _Bench:
    """What a worker has at hand for all cases."""

    dataset: Dataset
    work: Path

    def __call__(self) -> _Bench:
        return self


@dataclass(frozen=True)
class _Task:
    case: Case
    place: Place


def _store_one(task: _Task, bench: _Bench) -> int:
    """Returns the bytes of the decoded image, for the record; what matters is in the files."""
    card, case, place = bench.dataset.card, task.case, task.place
    # What the scan has seen of these very files need not be looked at again.
    untouched = bool(case.stamp) and stamp_now(bench.dataset.root, case) == case.stamp
    pixels = bench.dataset.image(case)
    if pixels.shape[:2] != place.fit.native:
        raise BadInput(f"{case.images[0]}: has changed its size since the scan; scan again")
    if not untouched and fingerprint(pixels if pixels.shape[2] > 1 else pixels[..., 0])[0] != case.digest:
        raise BadInput(f"{case.images[0]}: has changed since the scan; scan again")
    levels = pyramid(_to_channels(pixels, len(card.channels), np.dtype(card.dtype)), place.fit)
    _write_at(bench.work / IMAGES, place.image, b"".join(level.tobytes() for level in levels))
    if place.mask >= 0:
        ids = bench.dataset.mask(case, checked=untouched)
        if ids.shape != place.fit.native or not _same_share(ids, case):  # the rule on the card may have changed as well
            raise BadInput(f"{case.mask}: has changed since the scan; scan again")
        _write_at(bench.work / MASKS, place.mask, place.fit.labels(ids).tobytes())
    return pixels.nbytes


def _same_share(ids: npt.NDArray[np.uint8], case: Case) -> bool:
    counted = (np.count_nonzero(ids) - np.count_nonzero(ids == IGNORE)) / ids.size
    return case.foreground is None or math.isclose(counted, case.foreground, rel_tol=1e-5)  # the table has six digits


def _write_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        rest = memoryview(data)
        while rest:  # a full disk takes a part and says nothing; the next part is an error
            rest = rest[file.write(rest) :]


def _to_channels(pixels: Any, depth: int, dtype: np.dtype[Any]) -> Any:
    if pixels.shape[2] == 1 and depth > 1:
        pixels = np.repeat(pixels, depth, axis=2)  # a grey image among coloured ones
    elif pixels.shape[2] == 3 and depth == 1:
        pixels = (pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).round()[..., None]
    elif pixels.shape[2] != depth:
        raise BadInput(f"has {pixels.shape[2]} channels, the dataset has {depth}")
    if dtype == np.uint16 and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return pixels.astype(dtype, copy=False)
