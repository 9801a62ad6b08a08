"""`segue demo`: the whole story on made data, in a few minutes on two cores. Later pieces add chapters."""

from __future__ import annotations

import math
import shutil
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from segue.data.case import read_table
from segue.data.copies.leaks import leaks
from segue.data.dataset import Dataset
from segue.data.exploring.explore import explore
from segue.data.images import read_image
from segue.data.phantoms import PHANTOMS
from segue.data.preparing.prepare import prepare
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.words import count

_MARK = ".made-by-segue-demo"  # a folder without it is not ours to replace
_PATIENTS, _MASKS = {"north": 90, "south": 30}, 2  # of a patient's five frames so many are annotated
_FULL_PATIENTS, _FULL_STEPS = 4, 10  # times as many in the full story
_FEW = "5"  # patients whose masks the first network gets

# Small enough to learn from nothing on two cores within a chapter.
_NETWORK = {"encoder": "resnet18", "depth": 3, "decoder_channels": (64, 32, 16)}
_SIZE = (64, 96)
# Of each training: 50 s on two cores. Steps, because on a busy machine seconds would tell another story.
_STEPS, _EPOCH = 400, 40
# What each network learns from. The second also looks at the images whose masks it does not get, two for each with one, and
# in fewer steps, so that all three look at about as many.
_LEARNERS: dict[str, dict[str, Any]] = {
    "few": {"labels": _FEW},
    "beside": {"labels": _FEW, "method": "semi", "semi": {"views": 1, "dropout": 0.0, "batch": 2.0}},
    "all": {"labels": "all"},
}
_VARIATION = "natural(severity=0.5) + affine(rotate=20, scale=0.2)"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    pages: dict[str, Path]
    seconds: dict[str, float]
    dice: dict[str, dict[str, float]]  # run -> set -> mean Dice

    def as_json(self) -> dict[str, Any]:
        return {
            "pages": {name: str(path) for name, path in self.pages.items()}, "dice": self.dice,
            "seconds": {chapter: round(seconds, 1) for chapter, seconds in self.seconds.items()},
        }  # fmt: skip


@dataclass
class _Story:
    folder: Path
    say: Say
    steps: int
    full: bool
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        self.say(f"\n{title}")
        start = time.perf_counter()
        yield
        self.seconds[title] = time.perf_counter() - start


def demo(out: Path | str = "demo", *, say: Say = print, full: bool = False, steps: int = 0) -> Demo:
    """Phantoms of two hospitals -> datasets -> few and many masks -> judged at home and elsewhere.

    `full` trains ten times as long, on four times the patients, and fails if the effects that it tells of are not there.
    """
    story = _Story(_own(Path(out)), say, steps or _STEPS * (_FULL_STEPS if full else 1), full)
    home, away = _two_hospitals(story)
    _the_folder(story, home, away)
    pages = {"explore": _the_split(story, home)}
    runs = _trainings(story, home)
    dice = _judged(story, runs, home, away, pages)
    if full:
        _demand_effects(dice)
    return Demo(pages, story.seconds, dice)


def _two_hospitals(story: _Story) -> tuple[Dataset, Dataset]:
    found = {}
    with story.chapter("Two hospitals"):
        patients = {site: number * (_FULL_PATIENTS if story.full else 1) for site, number in _PATIENTS.items()}
        for site, number in patients.items():
            frames = story.folder / "images" / site
            PHANTOMS["colon"].make(frames, patients=number, sites=[site], labelled=_MASKS * number)
            found[site] = frames
        story.say(f"  Made up: {patients['north']} patients at north, which draws the masks to learn from, and")
        story.say(f"  {patients['south']} at south, another endoscope, where the network has to hold up.")
        copied = _hide_a_copy(found["north"], found["south"])
        story.say(f"  And somebody sent {copied} of north to south: flipped, cropped, recompressed.")
    with story.chapter("What is in these folders?"):
        datasets = []
        for site, frames in found.items():
            scanned = scan(frames, story.folder / "datasets" / site, name=site)
            if scanned.dataset is None:
                raise BadInput(f"{frames}: {scanned.bad[0][1]}")
            story.say(
                f"  {site}: {len(scanned.cases)} images, {scanned.labelled} with a mask; {scanned.labels_in_words}."
            )
            datasets.append(scanned.dataset)
    return datasets[0], datasets[1]


def _the_folder(story: _Story, home: Dataset, away: Dataset) -> None:
    with story.chapter("Is anything of the one in the other?"):
        pairs = [pair for pair in leaks(home, away).pairs if pair.kind in ("exact", "copy")]
        for pair in pairs[:3]:
            story.say(
                f"  Found again: {pair.a} of north is {pair.b} of south ({pair.how or pair.kind}, {pair.score:.2f})."
            )
        story.say("  It will be put apart when south is judged: a copy of what was learnt proves nothing.")


def _the_split(story: _Story, home: Dataset) -> Path:
    with story.chapter("Learnt from, chosen by, tested on"):
        parts = split(home, settings=SplitSettings(test=0.3, validation=0.14))
        for part, numbers in parts.counts().items():
            story.say(
                f"  {part:<10} {numbers['patients']:>3} patients, {numbers['labelled']:>3} masks, "
                f"{numbers['cases']:>3} images"
            )
        for warning in parts.warnings:
            story.say(f"  ! {warning}")
        store = prepare(home, story.folder / "stores" / "north")
        page = explore(home)
        story.say(
            f"  Stored once for training: {store.bytes / 1e6:.0f} MB. A page shows it all: sizes, colours, copies."
        )
    return page


def _trainings(story: _Story, home: Dataset) -> dict[str, Path]:
    from segue.experiment.train import train  # torch, which takes seconds to load, only once it is needed

    with story.chapter("Few masks, and more"):
        runs = {}
        minutes = "about a minute each" if not story.full else "some minutes each"
        story.say(f"  Three networks learn now, {minutes} on two cores.")
        for name, told in _LEARNERS.items():
            semi = "semi" in told
            steps = math.ceil(0.65 * story.steps) if semi else story.steps
            done = train(
                home.folder, story.folder / "runs" / name, size=_SIZE, variation=_VARIATION, network=_NETWORK,
                stores=(str(story.folder / "stores" / "north"),), loop={
                    "steps": steps, "epoch_steps": min(_EPOCH, steps), "rate": 3e-3, "batch": 4 if semi else 8,
                    "average": 0.98,
                }, **told,
            )  # fmt: skip
            about = done.run.about
            # Who has ten masks has no others to choose an epoch by.
            chosen = f"validation Dice {about['validation']['dice']:.2f}" if about["validation"] else "the last weights"
            beside = f", and {about['images']} images beside" if semi else ""
            story.say(
                f"  {name:>9}: {count(about['train'], 'mask')}{beside}: {about['steps']:,} steps in {done.seconds:.0f} s, "
                f"{chosen}"
            )
            runs[name] = done.run.folder
        size = f"{about['parameters'] / 1e6:.2f} M parameters"
        story.say(f"  The same network ({size}), from nothing; each looked at about as many images.")
    return runs


def _judged(
    story: _Story, runs: dict[str, Path], home: Dataset, away: Dataset, pages: dict[str, Path]
) -> dict[str, dict[str, float]]:
    from segue.experiment.auditing.audit import audit
    from segue.experiment.compare import compare
    from segue.experiment.evaluate import evaluate

    dice: dict[str, dict[str, float]] = {}
    with story.chapter("At home, and at the next hospital"):
        for name, run in runs.items():
            done = evaluate(run, [home.folder, away.folder])
            pages[name] = done.page
            dice[name] = {
                one.name: summary.means["dice"] for one in done.sets for summary in one.summaries if not summary.seen
            }
            told = ", ".join(f"{place} {value:.2f}" for place, value in dice[name].items())
            story.say(f"  {name:>9}: Dice at {told}")
        for sentence in done.gaps:  # of the network that learnt from all masks
            for line in textwrap.wrap(sentence, 100, subsequent_indent="  "):
                story.say(f"  {line}")
    with story.chapter("And if nobody had masks at the next hospital?"):
        (audited,) = audit(run, away.folder).audits  # of the network that learnt from all masks
        pages["audit"] = audited.page
        lines = ["From images alone:", *audited.verdict.told, "And now the truth beside it:"]
        for line in (*lines, *(one.told for one in audited.truth)):
            for part in textwrap.wrap(line, 100, subsequent_indent="  "):
                story.say(f"  {part}")
    with story.chapter("Is that more than luck?"):
        pages["comparison"] = story.folder / "comparison.html"
        found = compare(*runs.values(), out=pages["comparison"])
        for place, comparison in found.sets.items():
            for sentence in comparison.sentences:
                for line in textwrap.wrap(f"{place}: {sentence}", 100, subsequent_indent="  "):
                    story.say(f"  {line}")
    return dice


def _demand_effects(dice: dict[str, dict[str, float]]) -> None:
    for place in dice["all"]:
        if dice["all"][place] < dice["few"][place] + 0.05:
            raise AssertionError(f"more masks should have helped at {place}: {dice}")


def _own(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise BadInput(f"{folder}: is there and was not made by the demo", hint="Give another --out.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder


def _hide_a_copy(home: Path, away: Path) -> str:
    """A frame of one becomes one of the other, as it happens when collections are merged."""
    source = next(row for row in read_table(home / "manifest.csv") if row["mask"])
    image, mask = read_image(home / source["image"]), cv2.imread(str(home / source["mask"]), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    height, width = image.shape[:2]
    inside = slice(height // 20, -(height // 20)), slice(width // 20, -(width // 20))
    folder = away / away.name
    cv2.imwrite(
        str(folder / "images" / "import_0001.jpg"), cv2.cvtColor(cv2.flip(image[inside], 1), cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, 50],
    )  # fmt: skip
    cv2.imwrite(str(folder / "masks" / "import_0001.png"), cv2.flip(mask[inside], 1))
    with (away / "manifest.csv").open("a", encoding="utf-8", newline="") as table:
        name = folder.name
        table.write(f"{name}/images/import_0001.jpg,{name}/masks/import_0001.png,import_0001,import,{name},0001\n")
    return source["case"]
