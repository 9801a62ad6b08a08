"""`segue inpaint look`: the page of a painter, with its measures and what it paints into images that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.config import validate
from segue.data.target import BACKGROUND, Target
from segue.errors import BadInput
from segue.evaluation.frechet import Distances
from segue.evaluation.showing.overlays import overlay
from segue.executors.progress import Progress
from segue.experiment import seen
from segue.experiment.inpainting.encoder import digest_of, encoder_for
from segue.experiment.inpainting.fit import Learnt, opened
from segue.experiment.inpainting.load import painter_at, painting_of
from segue.experiment.inpainting.quality import MEAN, PAINTED, Quality, quality, ticks
from segue.experiment.settings import InpaintSettings
from segue.experiment.telling import Say, silent
from segue.files import atomic, write_json
from segue.report.figures import jpeg
from segue.report.painter_page import Far, Filled, PainterStory, Shown, in_words, painter_page, warnings
from segue.training.painting import Painting
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.padding import CONSTANT
from segue.variations.paint import Paint
from segue.words import count, short

PAGE, NUMBERS = "painter.html", "quality.json"
_HOLES = 18
_EDITS = {
    "added": Paint(add=1.0, alter=0.0, repaint=0.0), "altered": Paint(add=0.0, alter=1.0, repaint=0.0),
    "taken away": Paint(add=0.0, alter=0.0, remove=1.0, repaint=0.0), "painted anew": Paint(add=0.0, alter=0.0, repaint=1.0),
}  # fmt: skip
_EACH = 4  # pictures of each edit
_TRIES = 40

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Looked:
    page: Path
    quality: Quality
    told: tuple[str, ...]  # in words, what is no column of a table

    def as_json(self) -> dict[str, Any]:
        return {"page": str(self.page), **self.quality.as_json()}


def look(where: Path | str, *, encoder: str | None = None, progress: bool = False, say: Say = silent) -> Looked:
    """Judge a painter on the validation images of what it has learnt from.

    Args:
        where: the run of `segue inpaint fit`.
        encoder: a run of `segue pretrain` or `segue train`, in whose encoder's eyes the Fréchet distance is told; without one
            it is not.
    """
    run = painter_at(where)
    painting = painting_of(run.folder, run.target, run.about["channels"], run.about["dtype"])
    settings = validate(InpaintSettings, run.config, where=str(run.folder / "config.yaml"))
    learnt = opened(settings)
    if not learnt.held:
        raise BadInput(f"{run.folder}: its split has no validation part, so there are no images that it has not seen")
    judge = None if encoder is None else encoder_for(encoder, run.about["channels"])
    say("filling the same holes in three ways, and teaching a network to tell each from what is real ...")
    with Progress("windows and steps", ticks(), shown=progress) as shown:
        found = quality(learnt, painting, judge, shown.advance)
    far = None
    if encoder is not None and judge is not None and found.far is not None:
        taught = digest_of(judge) == run.about.get("encoder")
        far = _far(found.far, encoder, taught, _known(learnt, encoder))
    story = PainterStory(
        title=f"{run.name}: a painter", what=run.target.names[run.about["channel"]],
        made=f"{count(run.about['train'], 'image')}, {count(run.about['steps'], 'step')}",
        fills=tuple(Filled(one.name, one.off, one.lesions, one.healthy, one.ssim, one.told) for one in found.fills),
        variety=found.variety, windows=found.windows, far=far, holes=tuple(_holes(found)),
        edits=tuple(_edited(learnt, painting)),
        commands=[
            f"segue train --data DATASET --variation 'paint + natural' --painter {run.folder}",
            f"segue inpaint apply {run.folder} --on DATASET --out FOLDER",
        ],
    )  # fmt: skip
    write_json(run.folder / NUMBERS, found.as_json())
    with atomic(run.folder / PAGE) as file:
        file.write(painter_page(story).html())
    distance = "Fréchet: not measured, it takes --encoder RUN" if far is None else in_words(far)
    doubts = [f"! {head} {why}" for head, why in warnings(story)]
    return Looked(run.folder / PAGE, found, (f"two draws of a window differ by {found.variety:.3f}", distance, *doubts))


def _far(found: Distances, encoder: str, taught: bool, known: int) -> Far:
    return Far(
        encoder=encoder, real=found.real, fills=tuple(found.fills.values()), deviation=found.deviations[PAINTED],
        way=found.way(PAINTED, MEAN), times=found.times, directions=found.directions, taught=taught, seen=known,
    )  # fmt: skip


def _known(learnt: Learnt, encoder: str) -> int:
    """Held-back images that the encoder has looked at: what it has learnt by heart it takes for more real than it is."""
    inherited = seen.inherited(encoder)
    return sum(
        len({case.case for case in source.validation} & set(seen.told(inherited, source.dataset)))
        for source in learnt.material.sources
    )


def _holes(found: Quality) -> Iterator[Shown]:
    held = found.held
    for number in np.linspace(0, len(held.images) - 1, min(_HOLES, len(held.images))).round().astype(int).tolist():
        image, hole, inside = held.images[number], held.hole[number], held.inside[number]
        covered = np.where(hole[:, :, None], np.iinfo(image.dtype).max // 2, image).astype(image.dtype)
        pictures = [(image, None, "as it is"), (covered, inside, "the hole")]
        pictures += [(one[number], None, f"painted, draw {draw}") for draw, one in enumerate(found.drawn, start=1)]
        case = held.cases[number]
        shown = tuple((_picture(each, mask), f"{case}: {told}") for each, mask, told in pictures)
        yield Shown(short(case), shown)


def _edited(learnt: Learnt, painting: Painting) -> Iterator[Shown]:
    """Some of each edit, of images in turn."""
    place = 0
    for told, kind in _EDITS.items():
        done = 0
        for _ in range(_TRIES):
            example = learnt.held[place % len(learnt.held)].example
            address = Address(0, "look", 0, place, example.case)
            place += 1
            nothing = Drawn.identity(1, learnt.canvas)
            whole = example.render(nothing, 0, learnt.canvas, CONSTANT, address)
            if whole.labels is None:
                continue
            values = kind.draw(learnt.canvas, [address]).parts["edit"][0]
            if (found := painting(whole.image, whole.labels, whole.valid, values)) is None:
                continue
            pairs = [(whole.image, whole.labels), found]
            shown = tuple(
                (_picture(image, labels == painting.channel), f"{example.case}, {when}")
                for (image, labels), when in zip(pairs, ("before", "after"), strict=True)
            )
            yield Shown(f"{told}\n{short(example.case)}", shown)
            done += 1
            if done == _EACH:
                break


def _picture(image: Array, mask: npt.NDArray[np.bool_] | None) -> str:
    plain = np.zeros(image.shape[:2], np.uint8) if mask is None else mask.astype(np.uint8)
    return jpeg(overlay(image, None, plain, Target((BACKGROUND, "painted")), long_side=max(image.shape[:2])))
