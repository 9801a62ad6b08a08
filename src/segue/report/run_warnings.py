"""What one should mind before one believes a run's numbers, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from segue.report.story import Evaluated, RunStory
from segue.words import count, short, some

FEW = 20  # patients, below which an interval says little
HARDLY = 10  # passes over the training images: of fewer a network that starts from nothing has hardly learnt
SHORT = 300  # steps: likewise, however often they show the same few images
BARELY = (
    0.7  # Dice in training: polyps that were fitted to .60 and .67 lost by what was followed, hearts with .75 gained
)
_FALLS = 0.1  # Dice lost elsewhere that deserves a word


def warnings(story: RunStory) -> Iterator[tuple[str, str]]:
    yield from _of_training(story)
    if story.sets:
        yield from _of_places(story)
        yield from _of_numbers(story)
    elif story.finished:
        how = f": `{story.next[0]}`" if story.next else ""
        yield "It has not been evaluated.", f"Whole cases, at home and elsewhere, say how good it is{how}."


def _of_training(story: RunStory) -> Iterator[tuple[str, str]]:
    if not story.finished:
        yield (
            "This run is not finished.",
            "What stands here is its state so far; the command that began it goes on with it.",
        )
    if story.epochs and not any(epoch.scores for epoch in story.epochs):
        yield "There was no validation.", "Nobody looked whether more steps still helped; the last weights were kept."
    elif story.finished and len(story.epochs) > 1 and story.best == story.epochs[-1].number:
        yield "The last epoch was the best.", "It may still have been getting better: more steps could help."
    elif story.finished and len(story.epochs) > 1 and story.best == story.epochs[0].number:
        yield "The first epoch was the best.", "It has learnt nothing since: another learning rate or loss may help."
    if story.finished and not story.started_from and (told := hardly(story.passes, story.steps)):
        yield (
            f"Each training image was seen {told}.",
            "For a network that starts from nothing that is hardly any training: its numbers say little of what it can do.",
        )
    fitted = [epoch.fitted for epoch in story.epochs if epoch.fitted is not None]
    if story.finished and fitted:
        followed = any(epoch.sure is not None for epoch in story.epochs)
        yield from unfitted(fitted[-1], followed=followed)
    if story.taught:
        yield (
            "It was taught to agree with itself.",
            f"How steady it is under what it was adapted with ({some(list(story.taught))}) says nothing of how right it is: "
            "ask with other variations, or judge it with masks.",
        )
    blind = {part.dataset: part.unknown for part in story.parts if part.learnt and part.unknown}
    if blind:
        yield (
            f"The patient of {count(sum(blind.values()), 'training image')} is not known: {some(list(blind))}.",
            "Whether one patient is in training and in the test cannot be ruled out there.",
        )


def _of_places(story: RunStory) -> Iterator[tuple[str, str]]:
    parts = {one.part for one in story.home if one.strange}
    if "test" not in parts:
        yield (
            "There is no test part from home.",
            "The number from home comes from images which also chose the epoch (and the threshold, where one "
            "was chosen): it is somewhat too good."
            if {"validation", "out-of-fold"} & parts
            else "How good it is on new images from home is not known.",
        )
    if not any(one.strange for one in story.elsewhere):
        yield (
            "It was not judged on strange images from elsewhere.",
            "How it does at another hospital cannot be told from home: evaluate it on another dataset.",
        )
    falls = [one.name for one in story.elsewhere if _falls(story, one)]
    if falls:
        yield (
            f"It is clearly worse at {some(falls)} than at home.",
            "Where sizes differ, By size tells whether that explains it."
            if story.strata
            else "Look at its worst cases.",
        )
    seen = [one.name for one in story.sets if any(result.seen for result in one.results)]
    if seen:
        yield (
            f"Training has seen images of {some(seen)}, or copies of them.",
            "Their numbers stand in a table of their own; they do not say how a strange image fares.",
        )


def _falls(story: RunStory, one: Evaluated) -> bool:
    """By enough to matter, and more than the intervals leave to chance."""
    home = {result.name: result.dice for at in story.home for result in at.strange}
    pairs = [(home[result.name], result.dice) for result in one.strange if result.name in home]
    return any(
        here.value - there.value > _FALLS and (here.low is None or there.high is None or there.high < here.low)
        for here, there in pairs
    )


def _of_numbers(story: RunStory) -> Iterator[tuple[str, str]]:
    blank = [one.name for one in story.ordered if any(result.missed == result.present for result in one.strange)]
    if blank:
        yield (
            f"Nothing at all was found in {some(blank)}.",
            "A class was predicted in none of the cases that have it: look at the curves and at the pictures.",
        )
    hardly = [
        (short(result.name), one.name)
        for one in story.ordered
        for result in one.strange
        if result.missed < result.present and result.dice.value < story.nothing
    ]
    if hardly:
        names, places = (list(dict.fromkeys(each)) for each in zip(*hardly, strict=True))
        yield (
            f"{some(names)}: hardly found at all at {some(places)}.",
            f"Dice is below {story.nothing:g}: it did not work, and comparing or measuring what was found says nothing.",
        )
    few = [one.name for one in story.ordered if any(result.patients < FEW for result in one.strange)]
    if few:
        known = all(result.patients_known for one in story.ordered if one.name in few for result in one.strange)
        yield (
            f"Fewer than {FEW} {'patients' if known else 'patients, scenes or images'} in {some(few)}.",
            "Intervals are wide there and may still be too narrow; small differences mean nothing.",
        )
    unknown = [one.name for one in story.ordered if any(not result.patients_known for result in one.results)]
    if unknown:
        yield (
            f"Patients are not known in {some(unknown)}.",
            "Each image, or scene of several, counts as a patient; where one patient has more, intervals are too narrow.",
        )
    lost = sum(one.left_out for one in story.sets)
    if lost:
        are = "is" if lost == 1 else "are"
        yield f"{count(lost, 'case')} could not be read and {are} in no number.", "Mend the files and evaluate again."
    bare = sum(result.uncounted for one in story.sets for result in one.results)
    if bare:
        yield (
            f"{count(bare, 'case')} had no pixel that counts.",
            "Their masks leave a class open everywhere, so they are in no number of it.",
        )


def unfitted(dice: float, *, followed: bool) -> Iterator[tuple[str, str]]:
    """Of a training beside images without masks, whether the masks themselves were learnt; `dice` of the worst class."""
    what = f"A class of the masks themselves was fitted with a Dice of {dice:.2f} in the end"
    if not followed:
        yield (
            "No image without a mask was followed.",
            f"{what}, and who cannot say what they say has nothing that is worth following: it needs more steps.",
        )
    elif dice < BARELY:
        yield (
            "The masks themselves are barely learnt.",
            f"{what}. Following the other images takes looks from them: in so few steps masks alone may do better.",
        )


def hardly(passes: float, steps: int) -> str:
    """Of a training that is hardly one, how often it shows an image; empty: it is one, or nobody knows."""
    if passes and passes < HARDLY:
        return _often(passes)
    return f"{_often(passes)}, in {count(steps, 'step')}" if passes and 0 < steps < SHORT else ""


def _often(passes: float) -> str:
    return f"about {passes:.0f} times" if passes >= 1.5 else "about once" if passes >= 0.95 else "less than once"
