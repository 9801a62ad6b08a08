"""Home and elsewhere: what is lost on the way, what foretells it, and whether size does."""

from __future__ import annotations

from segue.report import figures, spreads
from segue.report.page import Bar, Estimate, Figure, Section
from segue.report.study import sheets
from segue.report.study.story import StudyStory
from segue.words import count, short

_ROWS = 24
_ARMS = 6  # in the figure of sizes


def gaps(section: Section, story: StudyStory) -> None:
    if len(story.places) < 2:
        return
    lost = {one.name: {"": _percent(one.lost)} for one in story.arms[:_ROWS] if one.lost}
    if lost:
        cut = f" The best {_ROWS} of {len(story.arms)} arms." if len(story.arms) > _ROWS else ""
        words = (
            f"{story.metric} there against home, in percent of home: 0 is as good as at home. Intervals of 95 % over the "
            f"patients and runs of both; patients are others, so nothing is paired.{cut}"
        )
        section.figures([Figure(spreads.intervals(lost, x=f"change of {story.metric}, %"), words, words)])
    told = sheets.places(story)
    section.table(told.columns, told.rows, told.caption)
    section.text(
        "A deviation is how far runs of one arm lie apart, as a share of their mean: alike at home and apart elsewhere, and "
        "training has not settled what counts there."
    )


def _percent(one: Estimate) -> Estimate:
    if one.low is None or one.high is None:
        return Estimate(100 * one.value)
    return Estimate(100 * one.value, 100 * max(-1.0, one.low), 100 * one.high)  # nothing loses more than all


def foretelling(section: Section, story: StudyStory) -> None:
    found = story.foretold
    if found is None:
        return
    section.text(
        "What can be known without leaving home, and how well it orders the runs of this study elsewhere: Spearman's rank "
        "correlation over runs, with its interval of 95 %. Steadiness is 1 less the inconsistency (SIS) that `vary` measures. "
        "Runs of one arm are alike, so there is less to it than the number of points says."
    )
    drawn = []
    for what, points in found.points.items():
        words = f"{what} and {story.metric} elsewhere; a point is a run: {_rank(found.ranks.get(what))}."
        drawn.append(
            Figure(figures.scatter([(x, y, 1) for x, y in points], x=what, y=f"{story.metric} elsewhere"), words, words)
        )
    section.figures(drawn)
    section.table(
        ("known at home", "runs", "rank correlation with elsewhere"),
        [[what, len(points), _rank(found.ranks.get(what))] for what, points in found.points.items()],
    )


def _rank(found: Estimate | None) -> str:
    if found is None:
        return "too few runs to tell"
    around = "" if found.low is None else f" ({found.low:+.2f} to {found.high:+.2f})"
    return f"{found.value:+.2f}{around}".replace("-", "\N{MINUS SIGN}")


def sizes(section: Section, story: StudyStory) -> None:
    for name, strata in story.sizes.items():
        if len(strata) < 2:
            continue
        if not section.blocks:
            section.text(
                f"{story.where}: {story.metric} by the size of the structure, as a share of the image. The bounds part the "
                "cases into thirds, the same for every arm. Means over patients and runs; intervals of 95 % over patients "
                "(where every one has 0, or 1: what so few cannot rule out)."
            )
        if len(story.sizes) > 1:
            section.heading(short(name))
        arms = [one.name for one in story.arms]
        shown = {
            stratum.told: {arm: stratum.results[arm][0] for arm in arms[:_ARMS] if arm in stratum.results}
            for stratum in strata
        }
        limits = (-0.02, 1.02) if story.overlap else None
        cut = f"The best {_ARMS} of {count(len(arms), 'arm')}; all are in the table." if len(arms) > _ARMS else ""
        words = f"{story.metric} of {name} by size. {cut}".rstrip()
        section.figures([Figure(spreads.intervals(shown, x=story.metric, limits=limits), words, words)])
        section.table(
            ("arm", *(stratum.told for stratum in strata)),
            [
                [
                    short(arm),
                    *(_bar(stratum.results.get(arm)) for stratum in strata),
                ]
                for arm in arms
            ],
        )  # fmt: skip


def _bar(found: tuple[Estimate, int] | None) -> Bar | None:
    return None if found is None else Bar(found[0], count(found[1], "case"))
