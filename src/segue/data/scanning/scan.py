"""`segue data scan`: what is in this folder? Layout, pairs, labels, patients, sites, copies, and what is wrong with it."""

from __future__ import annotations

import itertools
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.config import read_yaml, validate
from segue.data import labels as rules
from segue.data.adapters import ADAPTERS, Adapter, Reading
from segue.data.adapters.pairing import is_picture
from segue.data.adapters.template import from_templates
from segue.data.alone import alone
from segue.data.case import Case, write_rows
from segue.data.copies import leaks as copies
from segue.data.copies.alignment import SIDE
from segue.data.dataset import CARD, DUPLICATES, SKIPPED, TABLE, THUMBNAILS, Card, Dataset, patients
from segue.data.scanning import noticed
from segue.data.scanning.doubts import doubts
from segue.data.scanning.look import Task, look
from segue.data.scanning.noticed import classes_in
from segue.data.scanning.scanned import Scan
from segue.data.stamp import stamp
from segue.data.tree import IMAGES, VOLUMES, Tree, series_stat, suffix
from segue.data.volumes import legends
from segue.errors import BadInput, nearest
from segue.executors import LocalExecutor, Needs, Outcome
from segue.files import atomic

_WORK = ".scan"  # holds what an interrupted scan has done so far
_BY_CODE = {"CT": "CT", "MR": "MR", "MRI": "MR"}  # as DICOM has them: what is prepared by modality asks for these
_KEPT = ("modality", "anatomy", "licence", "citation", "home", "patients_from", "sites_from")


def scan(
    path: Path | str,
    out: Path | str | None = None,
    *,
    name: str | None = None,
    layout: str | None = None,
    image: str | None = None,
    mask: str | None = None,
    labels: str | None = None,
    modality: str | None = None,
    skip_bad: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> Scan:
    """Look at every file below `path` and write a dataset (card and table) to `out`; the images stay where they are.

    `layout` names an adapter; `image` and `mask` are templates instead (`"img/{case}.jpg"`); `labels` says what mask
    values mean (`"0=background,255=polyp"`); `modality` is what all of it is (`"CT"`), where its files do not tell. Without
    `skip_bad`, nothing is written while a file is bad.
    """
    root = Path(path)
    tree = Tree.read(root)
    adapter, why = _adapter(tree, layout, image, mask)
    reading = adapter.read(tree)
    if not reading.cases and not reading.bad:
        if layout is None:
            raise _no_images(root)
        raise BadInput(
            f"{root}: is not laid out as {layout}", hint=f"segue data known {layout}" if adapter.known else None
        )
    if out is not None and Path(out).resolve() == root.resolve():
        raise BadInput(f"{out}: is the folder of the images; give another --out")
    name = name if name is not None else _slug(root.resolve().name)
    if name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f]", name):
        raise BadInput(f"--name {name!r} cannot be the name of a folder")
    folder = Path(out) if out is not None else Path("datasets") / name
    known = _known_card(folder, root)
    volumes = any(suffix(case.mask) in VOLUMES for case in reading.cases)
    legend = legends.found(tree) if volumes and not (labels or reading.classes or adapter.classes) else {}
    told = _told_labels(adapter, reading, labels, legend)
    rule, classes = told or (None, {})

    with alone(folder / _WORK, folder / ".scan.lock", what=folder, busy="another process writes this dataset"):
        thumbs, found, bad, traces = _look_at_all(tree, reading, rule, folder, workers, progress)
        bad = [*tree.left_out, *reading.bad, *bad]
        words = "as the legend beside the masks says" if legend else "as the layout says"
        words = words if labels is None else f"as told: {labels}"
        if rule is None:
            summaries = {case.mask: seen["mask"] for case, seen in found.values() if "mask" in seen}
            rule, classes, words = rules.infer(summaries, foreground=adapter.foreground)
            refused = dict(rules.refused(rule, summaries))
            bad += refused.items()
            found = {key: pair for key, pair in found.items() if pair[0].mask not in refused}
        if known is not None and rule is not None and known.labels == rule:
            classes = known.classes
        order = sorted(found, key=lambda key: found[key][0].case)
        cases = [_measured(*found[key], rule) for key in order]
        rows = np.array([found[key][1]["row"] for key in order], np.intp)
        ordered = _in_order(thumbs, rows, folder)
        pairs = _telling(copies.within(cases, ordered), cases)
        cases = copies.grouped(cases, pairs)
        card = Card(
            name=name,
            root=str(root.resolve()),
            layout=adapter.name,
            options=_options(layout, image, mask, labels, modality, skip_bad),
            modality=adapter.modality,
            anatomy=adapter.anatomy,
            channels=_channels(adapter, cases, [found[key][1]["channels"] for key in order]),
            classes=classes,
            labels=rule,
            dtype=_dtype([found[key][1]["dtype"] for key in order]),
            patients_from=_patients_from(adapter, reading.cases, cases),
            sites_from=adapter.sites_from if any(case.site for case in cases) else "",
            licence=adapter.known.licence if adapter.known else "",
            citation=adapter.known.citation if adapter.known else "",
            home=adapter.known.home if adapter.known else "",
        )
        if known is not None:  # a person may have mended these
            card = card.model_copy(update={key: value for key in _KEPT if (value := getattr(known, key))})
        if modality is not None:
            card = card.model_copy(update={"modality": _BY_CODE.get(modality.upper(), modality)})
        dataset = Dataset(folder, card, tuple(cases))
        with_class = Counter(number for key in order for number in classes_in(rule, found[key][1]) if number in classes)
        written = bool(cases) and (skip_bad or not bad)
        if written:
            copies.write_pairs(folder / _WORK / DUPLICATES, pairs)
            with atomic(folder / _WORK / SKIPPED) as file:
                write_rows(file, [("file", "reason"), *sorted(set(bad))])
            replace(dataset, folder=folder / _WORK).save()
            for part in (THUMBNAILS, DUPLICATES, SKIPPED, TABLE, CARD):
                (folder / _WORK / part).replace(folder / part)
        shutil.rmtree(folder / _WORK, ignore_errors=True)
        used = {path for case in reading.cases for path in (*case.images, case.mask)} | {file for file, _ in bad}
        used |= set(reading.beside)
        pictures = {file.path for file in tree.files if is_picture(file) and file.folder not in used}
        return Scan(
            root=root,
            layout=adapter.name,
            why=why,
            cases=tuple(cases),
            bad=tuple(sorted(set(bad))),
            labels_in_words=words if any(case.labelled for case in cases) or rule else "no masks",
            classes=classes,
            masks_with_class=dict(with_class),
            pairs=tuple(pairs),
            groups=tuple(copies.groups(pairs)),
            warnings=(
                *(doubt for doubt, _ in doubts(cases, pairs)),
                *noticed.resembling(tree, adapter, ADAPTERS.values()),
                *noticed.of_volumes(found.values()),
                *noticed.unknown_modality(cases, card.modality),
                *noticed.unused(sorted(pictures - used), unpaired=image is not None and mask is None),
                *noticed.rare(classes, with_class, found.values(), rule),
            ),
            dataset=dataset if written else None,
            traces=traces,
        )


def _options(
    layout: str | None, image: str | None, mask: str | None, labels: str | None, modality: str | None, skip_bad: bool
) -> tuple[str, ...]:
    given = {"--layout": layout, "--image": image, "--mask": mask, "--labels": labels, "--modality": modality}
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    return (*words, *["--skip-bad"] * skip_bad)


def _adapter(tree: Tree, layout: str | None, image: str | None, mask: str | None) -> tuple[Adapter, str]:
    if image is not None:
        if layout is not None:
            raise BadInput("--layout and --image both say how to read the folder; give one")
        adapter = from_templates(image, mask)
        return adapter, f"the templates {image!r}" + (f" and {mask!r}" if mask else "")
    if mask is not None:
        raise BadInput("--mask needs --image: two templates that share {case}")
    if layout is not None:
        if layout not in ADAPTERS:
            raise BadInput(f"--layout {layout!r} is not known: {nearest(layout, ADAPTERS)}")
        return ADAPTERS[layout], ADAPTERS[layout].recognise(tree) or "you said so"
    for adapter in ADAPTERS.values():
        why = adapter.recognise(tree)
        if why:
            return adapter, why
    raise _no_images(tree.root)


def _no_images(root: Path) -> BadInput:
    return BadInput(
        f"{root}: holds no images", hint=f"Read are {', '.join(IMAGES + VOLUMES)} and folders of DICOM slices."
    )


def _told_labels(
    adapter: Adapter, reading: Reading, words: str | None, legend: Mapping[str, int]
) -> tuple[rules.Labels, rules.Classes] | None:
    if words is not None:
        return rules.parse(words)
    named = reading.classes or adapter.classes or legend
    return rules.from_names(named) if named else None


def _known_card(folder: Path, root: Path) -> Card | None:
    """The card of an earlier scan of the same images."""
    if not (folder / CARD).exists():
        return None
    known = validate(Card, read_yaml(folder / CARD), where=str(folder / CARD))
    if Path(known.root) != root.resolve():
        raise BadInput(f"{folder}: is the dataset of {known.root}", hint="Give another --name or --out.")
    return known


def _look_at_all(
    tree: Tree, reading: Reading, rule: rules.Labels | None, folder: Path, workers: int | None, progress: bool
) -> tuple[Path, dict[str, tuple[Case, dict[str, Any]]], list[tuple[str, str]], dict[str, str]]:
    """By key of the ledger: the case and what was seen of it. Thumbnails go to a file, so that memory stays small."""
    about = {file.path: (file.path, file.size, file.changed) for file in tree.files}
    said = repr(rule) if rule else ""

    def key(task: Task) -> str:
        files = (*task.case.images, task.case.mask) if task.case.mask else task.case.images
        return f"{task.case.case}|{'|'.join(f'{path}:{about.get(path)}' for path in files)}|{said}"

    tasks = {key(task): task for task in (Task(case, tree.root, rule) for case in reading.cases)}
    work = folder / _WORK
    if not (work / "thumbnails.bin").exists():
        (work / "done.jsonl").unlink(missing_ok=True)
        (work / "thumbnails.bin").touch()
    found: dict[str, tuple[Case, dict[str, Any]]] = {}
    bad: list[tuple[str, str]] = []
    traces: dict[str, str] = {}
    with (work / "thumbnails.bin").open("r+b", buffering=0) as store:
        rows = itertools.count(store.seek(0, 2) // SIDE**2)

        def keep(seen: dict[str, Any]) -> dict[str, Any]:
            row = next(rows)
            store.seek(row * SIDE**2)
            store.write(seen.pop("thumbnail"))  # at once: the ledger must not know of rows that are not there
            return {**seen, "row": row}

        executor = LocalExecutor(workers=workers, progress=progress)
        outcomes: Iterator[Outcome[dict[str, Any]]] = executor.map(
            look, tasks.values(), key=key, label="scanning", needs=Needs(memory=_memory(tree, reading.cases)),
            ledger=work / "done.jsonl", stash=keep,
        )  # fmt: skip
        for outcome in outcomes:
            case = tasks[outcome.key].case
            if outcome.error is None and outcome.value is not None:
                files = [about[path] for path in (*case.images, case.mask) if path in about]
                if case.mask and case.mask not in about:  # a folder of pictures
                    files.append((case.mask, *series_stat(tree.root / case.mask)))
                found[outcome.key] = (case.with_(stamp=stamp(files)), outcome.value)
            else:
                bad.append(_named(case, outcome.error or "", tree.root))
                if outcome.trace:
                    traces[case.case] = outcome.trace
    return work / "thumbnails.bin", found, bad, traces


def _telling(pairs: Sequence[copies.Pair], cases: Sequence[Case]) -> list[copies.Pair]:
    """Volumes of one patient look alike, be they two times of one heart: a split keeps them together all the same."""
    patient = {case.case: case.who for case in cases if case.volume and case.patient}
    return [
        pair for pair in pairs
        if pair.kind == "exact" or pair.a not in patient or patient[pair.a] != patient.get(pair.b)
    ]  # fmt: skip


def _memory(tree: Tree, cases: Sequence[Case]) -> int:
    """Of a worker: volumes are unpacked whole, to four times their files or so, and looked at as floats."""
    sizes = {file.path: file.size for file in tree.files if file.series or suffix(file.name) in VOLUMES}
    return (512 << 20) + 24 * max((sizes.get(path, 0) for case in cases for path in case.images), default=0)


def _named(case: Case, error: str, root: Path) -> tuple[str, str]:
    """(file, reason): the sentence begins with the file where one is to blame."""
    for path in (case.mask, *case.images):
        for start in (f"{root / path}: ", f"{path}: "):
            if path and error.startswith(start):
                return path, error.removeprefix(start)
    return case.images[0], error


def _measured(case: Case, seen: dict[str, Any], rule: rules.Labels | None) -> Case:
    foreground = seen.get("foreground")
    if rule is not None and "mask" in seen:
        foreground = rules.foreground_share(rule, seen["mask"])
    if foreground is not None:
        foreground = float(f"{foreground:.6g}")  # as the table will hold it: a split must not differ before and after
    size = {"height": seen["height"], "width": seen["width"], "depth": seen.get("depth", 0)}
    return case.with_(
        **size, spacing=tuple(seen.get("spacing", ())), digest=seen["digest"], foreground=foreground,
        patient=case.patient or seen.get("patient", ""), modality=case.modality or seen.get("modality", ""),
    )  # fmt: skip


def _patients_from(adapter: Adapter, given: Sequence[Case], measured: Sequence[Case]) -> str:
    if patients(given):
        return adapter.patients_from
    return "ids in DICOM headers, made unreadable" if patients(measured) else ""


def _in_order(thumbs: Path, rows: npt.NDArray[np.intp], folder: Path) -> npt.NDArray[np.uint8]:
    """The thumbnails in the order of the table, as a file that is mapped and not loaded."""
    target = folder / _WORK / THUMBNAILS
    with target.open("wb") as file:  # not through a map, where a full disk kills the process
        head = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), SIDE, SIDE)}
        np.lib.format.write_array_header_1_0(file, head)
        if len(rows):
            source = np.memmap(thumbs, np.uint8, "r").reshape(-1, SIDE, SIDE)
            for start in range(0, len(rows), 4096):
                file.write(source[rows[start : start + 4096]].tobytes())
    result: npt.NDArray[np.uint8] = np.load(target, mmap_mode="r", allow_pickle=False)
    return result


def _channels(adapter: Adapter, cases: Sequence[Case], counts: list[int]) -> tuple[str, ...]:
    most = max(Counter(counts).items(), key=lambda pair: pair[1], default=(0, 0))[0]
    named = {case.channels for case in cases if case.channels}
    if len(adapter.channels) == most:
        return adapter.channels
    if len(named) == 1 and len(names := named.pop()) == most:
        return names
    return {1: ("grey",), 3: ("red", "green", "blue")}.get(most, tuple(f"channel {i}" for i in range(most)))


def _dtype(kinds: list[str]) -> str:
    """What holds all of them."""
    return max(kinds, key=("uint8", "uint16").index, default="uint8")


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower() or "dataset"
