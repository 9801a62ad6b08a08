"""How the arms' trainings went: their curves, and whether they had come to an end."""

from __future__ import annotations

from segue.report import curves
from segue.report.page import Figure, Section
from segue.report.study import sheets
from segue.report.study.story import StudyStory
from segue.words import count

_LINES = 8  # arms that are drawn


def courses(section: Section, story: StudyStory) -> None:
    if not story.courses:
        return
    shown = story.courses[:_LINES]
    cut = f" The best {_LINES} of {count(len(story.courses), 'arm')}." if len(story.courses) > _LINES else ""
    words = (
        f"Loss on training images, the mean of each epoch; the line is the mean over an arm's runs, the band goes from the "
        f"least to the most.{cut} Where arms are taught by different losses, their numbers cannot be compared."
    )
    losses = {one.name: (one.looks, one.loss) for one in shown}
    drawn = [Figure(curves.bands(losses, x="images looked at", y="loss"), words, words)]
    scores = {one.name: (one.looks, one.scores) if one.scores is not None else None for one in shown}
    if any(scores.values()):
        words = f"{story.select} of validation after each epoch, likewise."
        drawn.append(Figure(curves.bands(scores, x="images looked at", y=f"validation {story.select}"), words, words))
    told = sheets.training(story)
    section.figures(drawn).table(told.columns, told.rows, told.caption)
    section.text(
        "A run was not at its plateau where the last fifth of its epochs was better than the fifth before: by the margin in "
        "validation, or where there was none, by a twentieth of its loss, and by more than epochs differ by luck. Its loss "
        "rose again where it ended a tenth above its least. Arms that were still getting better may stand in another order "
        "after longer trainings.",
        "On training images the first repeat of the best arms was judged, on up to a dozen; the gap is that less its best "
        "of validation, and where it is wide, masks were learnt by heart.",
    )
