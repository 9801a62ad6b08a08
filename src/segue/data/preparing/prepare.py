"""`segue data prepare`: a dataset becomes a store. Parallel, resumable, and either whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segue.config import read_yaml, validate, write_yaml
from segue.data.alone import alone
from segue.data.dataset import Dataset, as_dataset
from segue.data.preparing.frames import Frames
from segue.data.preparing.kind import Bench, Kind
from segue.data.preparing.settings import PrepareSettings
from segue.data.preparing.volumes import Volumes
from segue.data.stamp import stamp_now
from segue.data.stores.store import CARD, FORMAT, Store, StoreCard
from segue.errors import BadInput, Failed
from segue.executors import Executor, Needs, executor
from segue.executors.machine import cores
from segue.files import atomic

_PROBE = 5  # cases timed for the estimate
_PATIENCE = 20  # seconds of it, after which one case more is not begun


@dataclass(frozen=True)
class Plan:
    """What preparing will take, before it starts."""

    dataset: Dataset
    target: Path
    kind: Kind
    made_from: str
    sources: str

    @property
    def bytes(self) -> int:
        return self.kind.bytes

    @cached_property
    def seconds(self) -> float:
        """From a few cases, done and thrown away."""
        cases = self.dataset.cases
        chosen = cases[:: max(1, len(cases) // _PROBE)][:_PROBE]
        start = time.perf_counter()
        done = 0
        for case in chosen:
            with contextlib.suppress(BadInput):
                self.kind.try_one(case)
                done += 1
            if time.perf_counter() - start > _PATIENCE:
                break
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
            "size": self.store.card.size, "recipe": self.store.card.recipe and self.store.card.recipe.model_dump(mode="json"),
            "bytes": self.bytes, "seconds": round(self.seconds, 2), "already": self.already,
            "left_out": [{"case": case, "reason": reason} for case, reason in sorted(self.left_out.items())],
        }  # fmt: skip


def plan(
    dataset: Dataset | Path | str, out: Path | str | None = None, *, settings: PrepareSettings | None = None
) -> Plan:
    found = as_dataset(dataset)
    if not found.cases:
        raise BadInput(f"{found.folder}: has no cases")
    given = settings or PrepareSettings()
    volumes = [case.case for case in found.cases if case.volume]
    if 0 < len(volumes) < len(found.cases):
        raise BadInput(f"{found.folder}: holds frames and volumes ({volumes[0]}); a store is of one kind")
    kind: Kind = Volumes.of(found, given) if volumes else Frames.of(found, given)
    sources = hashlib.sha256()
    for case in found.cases:
        sources.update(f"{case.case}\t{stamp_now(found.root, case)}\t{case.digest}\n".encode())
    made_from = hashlib.sha256(
        f"{FORMAT}{kind.asked}{found.card.labels}{found.card.channels}{found.card.dtype}{sources.hexdigest()}".encode()
    ).hexdigest()[:16]
    target = Path(out) if out is not None else Path("stores") / found.name
    if out is None and (found.name in ("", ".", "..") or set(found.name) & set("/\\")):
        raise BadInput(f"{found.folder}: its name {found.name!r} cannot be the name of a folder", hint="Give an --out.")
    return Plan(found, target, kind, made_from, sources.hexdigest()[:16])


def prepare(
    dataset: Dataset | Path | str | Plan,
    out: Path | str | None = None,
    *,
    settings: PrepareSettings | None = None,
    skip_bad: bool = False,
    fresh: bool = False,
    on: str = "local",
    workers: int | None = None,
    progress: bool = False,
) -> Prepared:
    """Write the store; one that was made from the same is left as it is. `fresh` replaces one made with other settings; `on`:
    where the work is done (docs/scale.md)."""
    planned = dataset if isinstance(dataset, Plan) else plan(dataset, out, settings=settings)
    if _present(planned, fresh):
        store = Store.open(planned.target)
        return Prepared(store, planned.target, planned.bytes, 0.0, True, store.card.left_out)
    start = time.perf_counter()
    _enough_room(planned)
    engine = executor(on, workers=workers, progress=progress)
    lock = planned.target.with_name(f".{planned.target.name}.lock")
    with alone(planned.work, lock, what=planned.target, busy="another process prepares this store"):
        left_out = _fill(planned, skip_bad, engine)
        there = [case for case in planned.dataset.cases if case.case not in left_out]
        given = {
            "dataset": planned.dataset.name, "dataset_folder": str(planned.dataset.folder.resolve()),
            "channels": planned.kind.channels, "classes": planned.dataset.card.classes,
            "cases": len(there), "labelled": sum(case.labelled for case in there),
            "made_from": planned.made_from, "sources": planned.sources, "left_out": left_out,
        }  # fmt: skip
        card = StoreCard(**given, **planned.kind.about())
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
        card = validate(StoreCard, given, where=str(target / CARD))
        if card.classes != planned.dataset.card.classes:  # renamed; the pixels stay as they are
            renamed = card.model_copy(update={"classes": planned.dataset.card.classes})
            write_yaml(target / CARD, renamed.model_dump(mode="json"))
        return True
    if not fresh and given.get("sources") == planned.sources:
        raise BadInput(
            f"{target}: was prepared with other settings or labels; now {planned.kind.told}",
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
    return sum(getattr(file.stat(), "st_blocks", 0) * 512 for file in folder.rglob("*"))


def _fill(planned: Plan, skip_bad: bool, engine: Executor) -> dict[str, str]:
    """Write all images and masks; what is done is in a ledger. Returns the cases that could not be read."""
    work = planned.work
    stamp = work / "made_from"
    if not stamp.exists() or stamp.read_text() != planned.made_from:  # what lies there was for something else
        for left in work.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        with atomic(stamp) as new:
            new.write(planned.made_from)
    kind = planned.kind
    kind.begin(work)
    done: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for outcome in engine.map(
        kind.store_one, kind.tasks(), key=lambda task: task.case.case, setup=Bench(planned.dataset, work),
        label="preparing", needs=Needs(memory=kind.memory), ledger=work / "done.jsonl",
    ):  # fmt: skip
        if outcome.error is None:
            done[outcome.key] = outcome.value
        else:
            bad[outcome.key] = outcome.error
            if "Errno 28" in outcome.error:
                raise Failed(f"{planned.target.parent}: the disk is full", hint="Give an --out on a larger disk.")
    if bad and not skip_bad:
        first, reason = min(bad.items())
        more = f", and {len(bad) - 1} more cases" if len(bad) > 1 else ""
        raise BadInput(f"{first}: {reason}{more}", hint="--skip-bad goes on without them.")
    if not done:
        raise BadInput(f"{planned.dataset.folder}: none of its {len(bad)} cases can be read")
    kind.finish(work, done)
    return bad
