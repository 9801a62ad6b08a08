"""What was found of a site, in a sentence, and what its page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from segue.data.case import whom
from segue.evaluation.stressing.coverage import Coverage, Measured
from segue.experiment.covering.covered import CONTROL, PLAIN, WHOLE, Bank, SiteCovered
from segue.experiment.covering.images import Home
from segue.experiment.covering.look import Bytes, Eye
from segue.report.coverage_page import Beside, CoverageStory, Share, SiteStory
from segue.report.figures import jpeg
from segue.report.page import Estimate
from segue.training.run import Run
from segue.words import short

_OUTSIDE, _INSIDE = 12, 6  # pictures
_SHOWN = 240  # pixels of a picture's long side
_FEWEST = 6  # images of a site, below which nothing is said to be enough
_MORE = 0.02  # of a share, below which a family adds nothing worth a word


def in_words(site: str, variation: str, found: Mapping[str, Measured], families: Sequence[str]) -> str:
    """What is covered, what of it without the variation, which family brings most, and whether home would be covered more.
    Where a gain is one that so few images leave open, that is said, and no family is praised."""
    whole, plain = found[WHOLE].coverage, found[PLAIN].coverage
    told = (
        f"{short(variation)} covers {_whole(whole.share)} of {site} ({_whole(whole.low)} to {_whole(whole.high)}); "
        f"{_whole(plain.share)} are covered without variation"
    )
    if plain.low <= whole.share <= plain.high:
        told += ", which so few images do not tell apart"
    elif whole.share > plain.share and len(families) > 1:
        best = max((found[name].coverage for name in families), key=lambda one: one.share)
        if best.share > max(plain.share, found[CONTROL].coverage.share) + _MORE:
            told += f"; {best.bank} alone adds most ({_whole(best.share)})"
    return f"{told}. {_against_home(whole)}"


def _against_home(whole: Coverage) -> str:
    if whole.images < _FEWEST:
        return f"{whole.images} images are too few to say whether that is enough."
    low, high = whole.luck
    usual = f"of images like home's {_whole(low)} to {_whole(high)} would be"
    if whole.share >= low:
        return f"As far as this network sees, that is enough: {usual} covered."
    return f"{_whole(1 - whole.share)} lie outside; {usual} covered."


def _whole(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def page_of(
    run: Run, eye: Eye, home: Home, banks: Sequence[Bank], one: SiteCovered, variation: str,
    families: Sequence[str], draws: int,
) -> CoverageStory:  # fmt: skip
    network, steps = run.about["network"], int(run.about.get("steps") or 0)
    bank = next(one for one in banks if one.name == WHOLE)
    return CoverageStory(
        title=f"{run.name} at {short(one.name)}: is {short(variation)} enough?", variation=variation,
        encoder=f"{network['encoder']}, {run.config.get('method', '')}, {steps:,} steps", source=len(home.source),
        held=len(home.held), how=home.how, draws=draws, steps=steps,
        site=_site(eye, home, bank, one, families),
        commands=[
            f"segue cover {run.folder} --on {one.site.dataset.folder} --variation '{variation} + blur'",
            f"segue evaluate {run.folder} --on {one.site.dataset.folder} --vary '{variation}'",
        ],
    )  # fmt: skip


def _site(eye: Eye, home: Home, bank: Bank, one: SiteCovered, families: Sequence[str]) -> SiteStory:
    whole, images = one.found[WHOLE], one.site.images
    far = np.argsort(-whole.distances, kind="stable")
    outside = [int(place) for place in far if whole.distances[place] > 1][:_OUTSIDE]
    covered = [int(place) for place in far[::-1] if whole.distances[place] <= 1]
    spread = np.unique(np.linspace(0, len(covered) - 1, min(_INSIDE, len(covered))).round().astype(int))
    return SiteStory(
        name=one.name, images=len(images), every=one.site.every, units=len({image.unit for image in images}),
        whom=whom(image.case for image in images), told=one.sentence, seen=one.site.told,
        reference=whole.coverage.reference, luck=whole.coverage.luck, plain=_share(one.plain),
        control=_share(one.found[CONTROL].coverage),
        severities=tuple(
            _share(each, float(each.bank.removeprefix("severity ")))
            for each in one.coverages
            if each.bank.startswith("severity ")
        ),
        families=tuple(_share(one.found[name].coverage) for name in families),
        without=one.found[PLAIN].distances.tolist(), distances=whole.distances.tolist(),
        outside=tuple(_beside(eye, home, bank, one, outside)),
        inside=tuple(_beside(eye, home, bank, one, [covered[place] for place in spread])),
    )  # fmt: skip


def _share(one: Coverage, severity: float = float("nan")) -> Share:
    return Share(
        name=one.bank,
        estimate=Estimate(one.share, one.low, one.high),
        middle=one.middle,
        farther=one.farther,
        severity=severity,
    )


def _beside(eye: Eye, home: Home, bank: Bank, one: SiteCovered, places: Sequence[int]) -> Iterator[Beside]:
    examples = [image.example for image in home.source]
    there = [image.example for image in one.site.images]
    whole = one.found[WHOLE]
    for place in places:
        image = one.site.images[place]
        near, draw = bank.origin(int(whole.nearest[place]), len(examples))
        views = [bank.variation] * (draw + 1) if draw is not None and bank.variation is not None else []
        name, how = home.source[near].name, "as it is" if draw is None else "varied"
        yield Beside(
            f"{short(image.name)}\nnearest: {short(name)}, {how}",
            (
                (_picture(eye.picture(there, place)), f"{image.name} of {one.name}"),
                (_picture(eye.picture(examples, near, views, draw or 0)), f"{name} of the source, {how}"),
            ),
            f"{whole.distances[place]:.2f}",
        )  # fmt: skip


def _picture(picture: Bytes) -> str:
    height, width = picture.shape[:2]
    scale = _SHOWN / max(height, width)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return jpeg(np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8))
