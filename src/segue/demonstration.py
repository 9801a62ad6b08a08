"""`segue demo`: the whole story on made data, in a minute. Later pieces add chapters."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from segue.data.case import read_table
from segue.data.explore import explore
from segue.data.images import read_image
from segue.data.phantoms import PHANTOMS
from segue.data.prepare import prepare
from segue.data.scan import scan
from segue.data.split import split
from segue.errors import BadInput

_MARK = ".made-by-segue-demo"  # a folder without it is not ours to replace
_PATIENTS = 16
_MASKS = {"north": 1.0, "south": 12, "harbour": 0}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    page: Path
    dataset: Path
    store: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "page": str(self.page), "dataset": str(self.dataset), "store": str(self.store),
            "seconds": {chapter: round(seconds, 1) for chapter, seconds in self.seconds.items()},
        }  # fmt: skip


def demo(out: Path | str = "demo", *, say: Say = print) -> Demo:
    """Phantoms of three hospitals -> scan -> split -> store -> page."""
    folder = _own(Path(out))
    seconds: dict[str, float] = {}
    frames = folder / "three-hospitals"

    with _chapter("Three hospitals", seconds, say):
        PHANTOMS["colon"].make(frames, patients=_PATIENTS, labelled=_MASKS)
        say(f"  Made up: {_PATIENTS} patients each at north, south and harbour. North has drawn every mask,")
        say("  south a dozen, harbour none. That is what data looks like before a project starts.")
        copied = _hide_a_copy(frames)
        say(f"  And somebody sent {copied} of north to harbour: flipped, cropped, recompressed.")

    with _chapter("What is in this folder?", seconds, say):
        found = scan(frames, folder / "datasets" / "three-hospitals", name="three-hospitals")
        if found.dataset is None:
            raise BadInput(f"{frames}: {found.bad[0][1]}")
        dataset = found.dataset
        say(f"  {len(found.cases)} images, {found.labelled} with a mask; {found.labels_in_words}.")
        across = [pair for pair in found.pairs if pair.a.partition("_")[0] != pair.b.partition("_")[0]]
        say(f"  {len(found.groups)} groups of images must stay together: frames of one scene, mostly.")
        for pair in across[:3]:
            say(f"  Found again: {pair.a} is {pair.b} ({pair.how or pair.kind}, {pair.score:.2f}).")

    with _chapter("Who is for the test?", seconds, say):
        parts = split(dataset)
        for part, count in parts.counts().items():
            say(
                f"  {part:<10} {count['patients']:>3} patients, {count['labelled']:>3} masks, {count['cases']:>3} images"
            )
        few = ", ".join(f"{amount}: {len(parts.budget(amount))}" for amount in ("1", "2", "5", "all"))
        say(f"  Masks at label budgets of so many patients, each inside the next: {few}.")
        for warning in parts.warnings:
            say(f"  ! {warning}")

    with _chapter("A store to train from", seconds, say):
        store = prepare(dataset, folder / "stores" / "three-hospitals")
        say(f"  {store.bytes / 1e6:.0f} MB, memory-mapped, long side {store.store.card.size} px, with a pyramid.")

    with _chapter("A page to look at", seconds, say):
        page = explore(dataset)
        say("  Sizes, colours of the three sites side by side, the copies as pictures, masks as contours.")

    return Demo(page, dataset.folder, store.target, seconds)


@contextmanager
def _chapter(title: str, seconds: dict[str, float], say: Say) -> Iterator[None]:
    say(f"\n{title}")
    start = time.perf_counter()
    yield
    seconds[title] = time.perf_counter() - start


def _own(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise BadInput(f"{folder}: is there and was not made by the demo", hint="Give another --out.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder


def _hide_a_copy(frames: Path) -> str:
    """A frame of north becomes one of harbour, as it happens when collections are merged."""
    rows = read_table(frames / "manifest.csv")
    source = next(row for row in rows if row["site"] == "north")
    image = read_image(frames / source["image"])
    height, width = image.shape[:2]
    hidden = cv2.flip(image[height // 20 : -height // 20, width // 20 : -width // 20], 1)
    name = "harbour/images/import_0001.jpg"
    cv2.imwrite(str(frames / name), cv2.cvtColor(hidden, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 50])
    with (frames / "manifest.csv").open("a", encoding="utf-8", newline="") as table:
        table.write(f"{name},,import_0001,import,harbour,0001\n")
    return source["case"]
