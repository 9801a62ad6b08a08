"""What a table of cases makes one doubt: a sentence, and what to do about it. The scan says it, the page explains it."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from statistics import median

from segue.data.case import Case
from segue.data.copies.leaks import Pair
from segue.words import count, percent

_BEGINS = re.compile(r"([^-_]+)[-_]")
_FULL = 0.999  # of a mask
_INVERTED = 0.6  # of a typical mask


def doubts(cases: Sequence[Case], pairs: Sequence[Pair]) -> Iterator[tuple[str, str]]:
    yield from _of_patients(cases)
    yield from _of_masks(cases)
    yield from _of_copies(cases, pairs)


def _of_patients(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    unknown = sum(not case.patient for case in cases)
    tell = (
        "Write a `manifest.csv` with the columns image, mask and patient beside the images, or name the patient in a "
        "template (`--image`), and scan again."
    )
    if unknown == len(cases):
        yield (
            f"No patient is known: each image counts as its own patient.{_in_names(cases)}",
            "Frames of one person may stand on both sides of a split, and every result then looks better than it is. "
            + tell,
        )
    elif unknown:
        yield f"{unknown:,} of {len(cases):,} images have no known patient; each counts as its own.", tell
    at: dict[str, set[str]] = {}
    for case in cases:
        if case.patient:
            at.setdefault(case.patient, set()).add(case.site)
    several = sum(len(sites) > 1 for sites in at.values())
    if several:
        yield (
            f"{count(several, 'patient name')} {'occurs' if several == 1 else 'occur'} at more than one site; "
            "they count as different people.",
            "If they are the same people, give them one site, or leave the site out of the table.",
        )


def _in_names(cases: Sequence[Case]) -> str:
    """Where names begin alike in a way that patients would, how to say so."""
    files = [PurePosixPath(case.images[0]) for case in cases if len(case.images) == 1]
    begun = [match[1] for file in files if (match := _BEGINS.match(file.name)) and any(map(str.isdigit, match[1]))]
    if len(begun) < max(0.8 * len(cases), 2):
        return ""
    counted = Counter(begun)
    alike = sum(number for number in counted.values() if number > 1)
    if alike < 0.5 * len(cases) or max(counted.values()) > 0.5 * len(cases):
        return ""
    most, number = counted.most_common(1)[0]
    case = next(case for case in cases if PurePosixPath(case.images[0]).name.startswith(most))
    told = [f"--image {shlex.quote(_template(case.images[0], most))}"]
    told += [f"--mask {shlex.quote(_template(case.mask, most))}"] if case.mask else []
    return f" {number:,} names begin with {most}: if that is the patient, scan with {' '.join(told)}."


def _template(path: str, patient: str) -> str:
    folder, _, name = path.rpartition("/")
    ending = PurePosixPath(name).suffix
    bare = name.removeprefix(patient).removesuffix(ending)
    return f"{folder}/" * bool(folder) + f"{{patient}}{bare[:1]}{{case}}{ending}"


def _of_masks(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    labelled = [case for case in cases if case.labelled]
    if not labelled:
        yield (
            "Nothing is labelled.",
            "These images can pre-train an encoder, adapt a model to their site or audit it there; to train and to "
            "evaluate needs masks.",
        )
    empty = sum(case.foreground == 0 for case in labelled)
    if empty:
        yield (
            f"{count(empty, 'mask')} {'is' if empty == 1 else 'are'} empty.",
            "If nothing is there to be found, they measure false alarms, which no other image can; if something was "
            "forgotten, they teach a model to overlook it. Look at a few.",
        )
    full = sum((case.foreground or 0) >= _FULL for case in labelled)
    if full:
        yield f"{count(full, 'mask')} {'is' if full == 1 else 'are'} all foreground.", "That is seldom meant: look."
    shares = [case.foreground for case in labelled if case.foreground is not None]
    if shares and median(shares) > _INVERTED:
        yield (
            f"Foreground covers {percent(median(shares))} of a typical mask: are the masks inverted?",
            "If so, scan again and say what the values mean, for example `--labels 0=lesion,255=background`.",
        )


def _of_copies(cases: Sequence[Case], pairs: Sequence[Pair]) -> Iterator[tuple[str, str]]:
    by_name = {case.case: case for case in cases}
    both = [(by_name[pair.a], by_name[pair.b]) for pair in pairs]
    crossing = sum(bool(a.part and b.part) and a.part != b.part for a, b in both)
    if crossing:
        yield (
            f"{count(crossing, 'pair')} of copies {'crosses' if crossing == 1 else 'cross'} the publisher's split.",
            "What was trained on is tested on. Split anew, or leave one of each pair out.",
        )
    people = sum(bool(a.patient and b.patient) and a.who != b.who for a, b in both)
    if people:
        yield (
            f"{count(people, 'pair')} of copies {'joins' if people == 1 else 'join'} images of different patients.",
            "Either a person has two names here, or a file was copied. `segue data split` keeps them together.",
        )
