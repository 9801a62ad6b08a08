"""What to do with so many masks, and what cannot be known: the rules of `segue advise`.

How it is judged, by patients with masks:

    none                              not at all: annotate first
    fewer than FEW                    by eye; every mask is learnt from
    a test of fewer than HONEST       by folds
    a test of HONEST or more          by the test part

What is learnt from, by patients with masks that are learnt from, and by images without masks:

    none                                              an encoder, from other datasets' images, while masks are drawn
    MANY or more, or fewer images than masks          masks alone
    fewer, and as many images as masks or more        masks and images at once: --method semi
    fewer, and only images of another kind            an encoder of theirs before, from ABUNDANT images a mask on: pretrain

Never both: what went into an encoder before following images brought less than following them for as long (hearts, masks of
one patient: .461 against .565). Pre-training from its own images is left away where folds judge: it would look at every
fold's.

How volumes are seen:

    voxels ANISOTROPIC times as long along one axis, or spacing not known     slice by slice
    an encoder is pre-trained                                                 slice by slice: it is of slices
    on a processor, more than SMALL voxels a volume                           slice by slice
    else                                                                      in patches: unet-3d
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from segue.evaluation.comparing.budget_curve import SPREAD, half_width, patients_for
from segue.experiment.advising.facts import Beside, Facts
from segue.words import count, some

FEW = 8  # patients: of fewer than 6 that differ no test can say "more than luck", and some never differ
HONEST = 10  # test patients, as `segue data split` warns
FOLDS = 5
# Published (UniMatch, ACDC): 7 of 70 patients with all other images reach 0.90, all 70 with masks alone 0.91. At so many,
# nothing is left to gain.
MANY = 70
ABUNDANT = 10  # images for each mask: the published gains of pre-training are at a tenth of the masks and below
ANISOTROPIC = 3.0  # as nnU-Net has it
SMALL = (
    1 << 20
)  # voxels: eight of the patches that a processor learns from. There, the hippocampus gains 0.02 by patches
WANTED = 0.05  # half of an interval that is worth reporting

Judged = Literal["nothing", "eye", "folds", "test"]
Method = Literal["", "supervised", "semi"]


@dataclass(frozen=True)
class Route:
    judged: Judged
    method: Method  # empty: there is nothing to learn from
    pool: tuple[str, ...]  # datasets to pre-train on; none: it is left away
    unlabelled: tuple[str, ...]  # more datasets for semi
    patches: bool  # of volumes; false: slices, or these are pictures
    reasons: tuple[str, ...]


def route(facts: Facts, beside: Sequence[Beside], *, on_cpu: bool) -> Route:
    judged, why_judged = _judged(facts)
    followed = [one for one in beside if one.alike and not one.of_tests]
    learnt = _learnt(facts, judged)
    method, why_method = _method(facts, judged, learnt, _images(facts, followed))
    mixing = [one for one in beside if _mixes(facts, one)]
    held = judged in ("eye", "test") or (judged == "nothing" and facts.split is not None)
    own = [str(facts.dataset.folder)] if held else []
    masks = max(1, len(facts.part("train")) or len(facts.masked))
    few = 0 < learnt < MANY
    pools = judged == "nothing" or (few and method != "semi" and _images(facts, mixing) >= ABUNDANT * masks)
    pool = (*own, *(one.folder for one in mixing)) if pools else ()
    patches, why_seen = _seen(facts, bool(pool), on_cpu) if facts.volumes else (False, "")
    unlabelled = tuple(one.folder for one in followed if method == "semi")
    reasons = [why_judged, why_method, *_why_pool(judged, pool, pools, own), *_apart(beside, mixing, few), why_seen]
    return Route(judged, method, pool, unlabelled, patches, tuple(filter(None, reasons)))


def _images(facts: Facts, others: Sequence[Beside]) -> int:
    """Without masks."""
    return len(facts.unmasked) + sum(one.images - one.copies for one in others)


def _judged(facts: Facts) -> tuple[Judged, str]:
    annotated, unit = facts.annotated, facts.unit
    if not annotated:
        return "nothing", (
            f"Annotate first: {count(FEW + HONEST, unit)}, chosen at random, {HONEST} of them for a test and {FEW} to learn "
            "from."
        )
    if annotated < FEW:
        return "eye", (
            f"Judge by eye: {count(annotated, unit)} with masks can be learnt from or tested on, not both. Learn from all of "
            "them, and look at what is found on images without masks."
        )
    if facts.tested < HONEST:
        return "folds", (
            f"Judge by {FOLDS} folds: a test part would have {count(facts.tested, unit)} with masks, and folds judge all "
            f"{annotated:,}."
        )
    return "test", f"Judge once, at the end, on the test part: {count(facts.tested, unit)} with masks."


def _learnt(facts: Facts, judged: Judged) -> int:
    """Patients with masks that a training learns from."""
    if judged == "test":
        return facts.learnt
    return facts.annotated * (FOLDS - 1) // FOLDS if judged == "folds" else facts.annotated


def _method(facts: Facts, judged: Judged, learnt: int, images: int) -> tuple[Method, str]:
    if judged == "nothing":
        return "", ""
    masks = len(facts.part("train")) or len(facts.masked)
    if not learnt:
        return (
            "",
            f"Annotate some to learn from, chosen at random: the masks that there are belong to the test. {FEW} are a start.",
        )
    if learnt >= MANY:
        return "supervised", (
            f"Learn from masks alone: with {count(learnt, facts.unit)} to learn from, images without masks bring little."
        )
    if not images:
        return (
            "supervised",
            "Learn from masks alone: there is no image without one to look at. --with DATASET adds some.",
        )
    if images < masks:
        return "supervised", (
            f"Learn from masks alone: {count(images, 'image')} without a mask beside {count(masks, 'mask')} would bring "
            "little. --with DATASET adds more of them."
        )
    helps = "" if judged == "eye" else " A second run, of masks alone, says whether that helps."
    return "semi", (
        f"Learn from masks and images at once: {count(learnt, facts.unit)} with masks to learn from, {count(images, 'image')} "
        f"without. On hearts that brought 0.19 of Dice from one patient's masks, 0.09 from three.{helps}"
    )


def _why_pool(judged: Judged, pool: Sequence[str], wanted: bool, own: Sequence[str]) -> list[str]:
    if judged == "nothing" and own:
        return ["Pre-train meanwhile on what the split has for training: that cannot be a test later."]
    if judged == "nothing":
        later = "This dataset's own images wait for its split: what an encoder has looked at cannot be a test later."
        return [
            f"Pre-train on other images meanwhile. {later}"
            if pool
            else f"{later} Others can be pre-trained on: --with."
        ]
    if not wanted:
        return []
    if not pool:
        return ["No pre-training: folds judge by all of these images, and an encoder would have looked at them."]
    whose = "" if own else " of other datasets: folds judge by this one's own"
    return [
        f"Pre-train an encoder first: there are {ABUNDANT} images or more for each mask{whose}. It does not always pay "
        "(on hearts it broke even); masks alone tell."
    ]


def _apart(beside: Sequence[Beside], mixing: Sequence[Beside], few: bool) -> list[str]:
    """What of other datasets cannot be used, and why."""
    several = [one.name for one in beside if one not in mixing]
    told = [f"Not pre-trained on: {some(several)}, whose channels do not go with these."] if several else []
    if few:
        others = [one.name for one in beside if not one.alike]
        told += [f"Not beside the masks: {some(others)}, images of another kind than these."] if others else []
        leaking = [one.name for one in beside if one.alike and one.of_tests]
        told += (
            [f"Not beside the masks: {some(leaking)}, with copies of what this one is judged by."] if leaking else []
        )
    return told


def _mixes(facts: Facts, one: Beside) -> bool:
    """Whether a pre-training takes both: as many channels, or grey among colours."""
    own = len(facts.dataset.card.channels)
    return one.channels == own or 1 in (one.channels, own)


def _seen(facts: Facts, pretrained: bool, on_cpu: bool) -> tuple[bool, str]:
    steps, voxels = facts.steps, math.prod(facts.size)
    if not steps:
        return False, "Slice by slice: the spacing is not known."
    ratio = max(steps) / min(steps)
    if ratio >= ANISOTROPIC:
        return False, f"Slice by slice: voxels are {ratio:.2g} times as long along one axis as along another."
    if pretrained:
        return False, "Slice by slice: that is what an encoder is pre-trained for."
    if on_cpu and voxels > SMALL:
        return (
            False,
            f"Slice by slice: {voxels / 1e6:.1f} million voxels a volume are more than a processor learns in patches.",
        )
    small = ", and the volumes are small" if on_cpu else ""
    return True, f"In patches: voxels are at most {ratio:.2g} times as long along one axis as along another{small}."


def unknown(facts: Facts, way: Route, spread: float | None) -> list[str]:
    """What cannot be known; what the split warns of in its own words. `spread`: of patients' Dice, where it was measured."""
    told = list(facts.split.warnings) if facts.split is not None else []
    if way.judged == "eye":  # what it says of tests is said below, with a number
        told = [one for one in told if "test" not in one]
    if not facts.known and not any("No patient is known" in one for one in told):
        told.append("No patient is known: images of one patient may stand on both sides of a split.")
    if facts.stale:
        told.append(
            "The split is of before: the table has other cases or masks now, and new ones are in no part of it."
        )
    told.append(_interval(facts, way, spread))
    if way.judged == "eye":
        told.append(
            "What is trained now looks at every image: when there is a test, train anew, without --init of what is there."
        )
    if len(facts.sites) > 1:
        told.append(
            f"Another hospital: {count(len(facts.sites), 'site')} are known, and segue data split --leave-site-out "
            f"{facts.sites[0]} --name away would say how one is served by what the others taught."
        )
    else:
        which = "One site" if facts.sites else "No site is named"
        told.append(
            f"{which}: nothing can be said about another hospital. {HONEST} patients from there, chosen at random and "
            "annotated, would say it: segue data scan, then segue evaluate --on."
        )
    if facts.masked and facts.unmasked:
        told.append(
            "Whether masks were drawn of images chosen at random: if the easy ones were taken, every figure flatters."
        )
    return told


def _interval(facts: Facts, way: Route, spread: float | None) -> str:
    assumed = SPREAD if spread is None else spread
    basis = f"{'assuming' if spread is None else 'at'} a spread of {assumed:.2g} between {facts.unit}s"
    wanted = patients_for(WANTED, assumed)
    if way.judged in ("nothing", "eye"):
        enough = f"{wanted:,} more, chosen at random, would tell Dice to within {WANTED:.2g} ({basis})."
        masks = count(facts.annotated, f"annotated {facts.unit}") if facts.masked else "No masks"
        return f"{masks}: no test is possible that means anything; about {enough}"
    by_test = way.judged == "test"
    there = facts.tested if by_test else facts.annotated
    who = "A test of" if by_test else "Folds over"
    told = f"{who} {count(there, facts.unit)} {'tells' if by_test else 'tell'} Dice to within about"
    known = f"{told} {half_width(there, assumed):.2g} ({basis})"
    return f"{known}; to within {WANTED:.2g} it takes {wanted:,}." if wanted > there else f"{known}."
