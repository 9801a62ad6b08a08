"""The page of a comparison: one sentence first, then what it rests on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby

from segue.report import curves, spreads
from segue.report.cells import chance, interval, signed
from segue.report.comparison_story import ComparisonStory, Group, Lost, Pair, Side
from segue.report.page import Cell, Figure, Noted, Page, Section, Swatch, Tile
from segue.words import count, short

_SAID = 3  # sets that the lead speaks of
_PLOTS = 12  # pairs whose patients are drawn


def comparison_page(story: ComparisonStory) -> Page:
    page = Page(story.title, _lead(story))
    page.section("What to mind", count(len(story.notes), "note")).warnings((note, "") for note in story.notes)
    if story.settings:
        sides = list(next(iter(story.settings.values())))
        section = page.section("What differs", count(len(story.settings), "setting"))
        section.table(("setting", *map(short, sides)), [(key, *by.values()) for key, by in story.settings.items()])
    strange = [group for group in story.groups if not group.seen_by]
    seen = [group for group in story.groups if group.seen_by]
    _differences(page.section("Differences", _of_whom(strange)), story, strange)
    if seen:
        section = page.section("Images seen in training", _of_whom(seen)).text(
            "Some stage of a model saw these images, be it without their masks: what it gains there it may not gain "
            "elsewhere."
        )
        _differences(section, story, seen)
    _by_masks(page.section("By masks"), story, strange)
    _one_by_one(page.section(f"{_whom(story).capitalize()} by {_whom(story)}"), story, strange)
    _losses(page.section("Where each loses most"), story, strange)
    _sides(page.section("All measures"), story, [*strange, *seen])
    _how(page, story)
    return page


def _several(story: ComparisonStory) -> bool:
    return len({group.set for group in story.groups}) > 1


def _lead(story: ComparisonStory) -> str:
    """The first comparison of each set."""
    groups = [group for group in story.groups if group.pairs]
    groups = [group for group in groups if not group.seen_by] or groups
    told = [_sentence(story, group, group.pairs[0]) for group in groups[:_SAID]]
    more = sum(len(group.pairs) for group in story.groups) - len(told)
    return " ".join([*told, *[f"{count(more, 'more comparison')} below."] * (more > 0)]) or "Nothing was compared."


def _sentence(story: ComparisonStory, group: Group, pair: Pair) -> str:
    return f"{short(group.set)}: {pair.sentence}" if _several(story) else pair.sentence


def _of_whom(groups: Sequence[Group]) -> str:
    if len(groups) != 1:
        return count(len(groups), "set")
    return f"{count(groups[0].patients, groups[0].whom)}, {count(groups[0].cases, 'case')}"


def _whom(story: ComparisonStory) -> str:
    """What one value is of: patients, where any are known."""
    whom = dict.fromkeys(group.whom for group in story.groups)
    return "patient" if "patient" in whom or not whom else next(iter(whom))


def _what(story: ComparisonStory, group: Group) -> str:
    return story.metric + (f", {group.unit}" if group.unit else "")


def _digits(group: Group) -> int:
    return 2 if group.unit else 3


def _differences(section: Section, story: ComparisonStory, groups: Sequence[Group]) -> None:
    if not any(group.pairs for group in groups):
        return
    better = "more" if story.higher_is_better else "less"
    units = sorted({group.unit for group in groups if group.unit})
    section.text(
        f"A difference is a model's {story.metric} less its reference's, mean over {_whom(story)}s; {better} than 0 is "
        f"better. The band around 0 is the margin of {story.margin:g}{f' {units[0]}' if len(units) == 1 else ''}, within "
        "which two models match."
    )
    section.figures(_plots(story, groups))
    section.table(
        [*["set"] * _several(story), "model", "verdict", story.metric, "difference", "p after Holm", "rank-biserial"],
        [
            [*[Noted(short(group.set), _of_whom([group]))] * _several(story), *_row(pair, group)]
            for group in groups
            for pair in group.pairs
        ],
    )
    told = [_sentence(story, group, pair) for group in groups for pair in group.pairs]
    if len(told) > 1 or groups[0].seen_by:
        section.heading("In words").text(*told)


def _plots(story: ComparisonStory, groups: Sequence[Group]) -> Iterator[Figure]:
    """One for each reference and unit, so that whatever stands on one axis may be compared."""
    kinds = dict.fromkeys((pair.reference, group.unit) for group in groups for pair in group.pairs)
    for reference, unit in kinds:
        inside = [group for group in groups if group.unit == unit]
        rows = {
            group.set: {pair.side: pair.difference for pair in group.pairs if pair.reference == reference}
            for group in inside
        }
        rows = {name: found for name, found in rows.items() if found}
        if not _several(story):  # models make better rows than the one set that there is
            (only,) = rows.values()
            rows = {side: {"": estimate} for side, estimate in only.items()}
        told = "; ".join(
            f"{short(pair.side)} at {short(group.set)}: {signed(pair.difference.value, _digits(group))} "
            f"{interval(pair.difference, _digits(group))}"
            for group in inside
            for pair in group.pairs
            if pair.reference == reference
        )
        words = f"Mean difference from {short(reference)}, with its 95\N{NO-BREAK SPACE}% interval."
        svg = spreads.intervals(rows, x=f"difference in {_what(story, inside[0])}", margin=story.margin)
        yield Figure(svg, f"{words} {told}.", words)


def _by_masks(section: Section, story: ComparisonStory, groups: Sequence[Group]) -> None:
    """What more masks brought, where sides learnt from more or fewer."""
    if len({one.masks for one in story.learnt.values()}) < 2:
        return
    unit = "patients" if all(one.patients for one in story.learnt.values()) else "images"
    drawn = []
    for group in groups:
        sides: dict[str, dict[int, list[Side]]] = {}
        for side in group.sides:
            if (of := story.learnt.get(side.name)) is not None:
                sides.setdefault(of.way, {}).setdefault(of.masks, []).append(side)
        lines = {way: {count: _point(alike) for count, alike in by.items()} for way, by in sides.items()}
        digits = _digits(group)
        told = "; ".join(
            (f"{short(way)}: " if way else "")
            + ", ".join(f"{points[count][0]:.{digits}f} from {count:,}" for count in sorted(points))
            for way, points in lines.items()
        )
        words = f"{short(group.set)}, by {unit} with masks that were learnt from: {told}."
        drawn.append(Figure(curves.by_masks(lines, x=f"{unit} with masks", y=_what(story, group)), words, words))
    section.text(
        f"Mean {story.metric} of those that judge; where a model has several runs, a bar is the spread of their means. Lines "
        "join what was trained alike but for its masks. Whether a step is more than luck is said under Differences."
    ).figures(drawn)


def _point(sides: Sequence[Side]) -> tuple[float, float]:
    """A mean and the spread of runs; sides that were trained alike from as many masks are one."""
    if len(sides) == 1:
        return sides[0].mean, sides[0].deviation if sides[0].runs > 1 else 0.0
    means = [side.mean for side in sides]
    return statistics.fmean(means), statistics.stdev(means)


def _row(pair: Pair, group: Group) -> list[Cell]:
    means, digits = {side.name: side.mean for side in group.sides}, _digits(group)
    own, other = (means.get(name, math.nan) for name in (pair.side, pair.reference))
    unit = f"\N{NO-BREAK SPACE}{group.unit}" if group.unit else ""
    before = f"before {chance(pair.p)}, Wilcoxon {chance(pair.p_wilcoxon)}"
    return [
        Noted(short(pair.side), f"against {short(pair.reference)}"),
        pair.verdict,
        Noted(f"{own:.{digits}f}{unit}", f"against {other:.{digits}f}", number=True),
        Noted(signed(pair.difference.value, digits), interval(pair.difference, digits), number=True),
        Noted(chance(pair.p_adjusted), before, number=True),
        Noted(signed(pair.rank_biserial, 2), f"standardised {signed(pair.standardised, 2)}", number=True),
    ]


def _one_by_one(section: Section, story: ComparisonStory, groups: Sequence[Group]) -> None:
    pairs = [(group, pair) for group in groups for pair in group.pairs]
    for name, inside in groupby(pairs[:_PLOTS], key=lambda both: both[0].set):
        shown = list(inside)
        every = [value for _, pair in shown for value in pair.differences]
        low, high = min([*every, -story.margin]), max([*every, story.margin])
        drawn = []
        for group, pair in shown:
            words = _gains(story, group, pair)
            svg = spreads.differences(
                pair.differences, y=f"difference in {_what(story, group)}", whom=group.whom, margin=story.margin,
                higher_is_better=story.higher_is_better, limits=(low - 0.05 * (high - low), high + 0.05 * (high - low)),
            )  # fmt: skip
            drawn.append(Figure(svg, words, words))
        if _several(story):
            section.heading(short(name))
        section.figures(drawn)
    if len(pairs) > _PLOTS:
        section.text(f"The first {_PLOTS} of {len(pairs)} comparisons.")


def _gains(story: ComparisonStory, group: Group, pair: Pair) -> str:
    up, down = sum(value > 0 for value in pair.differences), sum(value < 0 for value in pair.differences)
    gained, lost = (up, down) if story.higher_is_better else (down, up)
    same = len(pair.differences) - up - down
    return (
        f"{short(pair.side)} beside {short(pair.reference)}: better in {count(gained, group.whom)}, worse in {lost:,}"
        f"{f', equal in {same:,}' if same else ''}."
    )


def _losses(section: Section, story: ComparisonStory, groups: Sequence[Group]) -> None:
    for group in groups:
        for pair in group.pairs:
            _behind(section, story, group, pair.side, pair.reference, pair.side_loses)
            _behind(section, story, group, pair.reference, pair.side, pair.reference_loses)


def _behind(
    section: Section, story: ComparisonStory, group: Group, loser: str, winner: str, losses: Sequence[Lost]
) -> None:
    if not losses:
        return
    section.heading(f"{short(loser)} behind {short(winner)}", short(group.set) if _several(story) else "")
    # Once, in however many classes it is behind.
    pictures = {lost.case: lost.picture for lost in losses if lost.picture}
    tiles = [
        Tile(((picture, f"{case}, with outlines"),), f"{short(case)}\nas {short(loser)} has it")
        for case, picture in pictures.items()
    ]
    if tiles:
        section.legend([(Swatch(*colour), words) for colour, words in story.outlines]).pictures(tiles, large=True)
    several = len({lost.name for lost in losses}) > 1
    columns = ["case", *["class"] * several, f"{_what(story, group)}: {short(loser)}", short(winner), "difference"]
    section.table(
        columns,
        [
            (short(lost.case), *[short(lost.name)] * several, lost.value, lost.other, lost.value - lost.other)
            for lost in losses
        ],
    )


def _sides(section: Section, story: ComparisonStory, groups: Sequence[Group]) -> None:
    names = list(dict.fromkeys(name for group in groups for side in group.sides for name in side.others))
    runs = any(side.runs > 1 for group in groups for side in group.sides)
    rows: list[list[Cell]] = []
    for group in groups:
        seen = f"images seen by {group.seen_by}" if group.seen_by else ""
        where = ", ".join(filter(None, (short(group.set) if _several(story) else "", seen)))
        rows += [
            [
                Noted(short(side.name), where), *[side.runs] * runs, side.mean, *[_spread(side)] * runs,
                *(side.others.get(name) for name in names),
            ]
            for side in group.sides
        ]  # fmt: skip
    if rows:
        units = " and ".join(sorted({group.unit for group in groups if group.unit}))
        section.text(
            f"Means over {_whom(story)}s, then over runs. Only {story.metric} was tested."
            + (f" It is in {units}." if units else "")
        )
        section.table(["model", *["runs"] * runs, story.metric, *["spread of runs"] * runs, *names], rows)


def _spread(side: Side) -> Cell:
    """Of its runs, and as a share of their mean: larger elsewhere than at home, where training has not settled what counts."""
    if side.runs < 2 or not side.mean:
        return None
    return Noted(f"{side.deviation:.3f}", f"{side.deviation / side.mean:.1%} of the mean", number=True)


def _of_runs(story: ComparisonStory) -> str:
    if all(side.runs == 1 for group in story.groups for side in group.sides):
        return ""
    over = f"over {_whom(story)}s"
    return (
        f" {over}, or where a model has several runs that of Student's t {over} and runs, whichever is larger "
        "(other runs must allow it too)"
    )


def _how(page: Page, story: ComparisonStory) -> None:
    test = "a Wilcoxon test" if story.test == "wilcoxon" else "a permutation test"
    first = "" if _whom(story) == "image" else f": a {_whom(story)}'s cases are averaged first"
    section = page.section("How this was done").text(
        f"{_whom(story).capitalize()}s are what is resampled{first}. The interval is a paired bootstrap; p is "
        f"that of {test}{_of_runs(story)}, adjusted for the number of comparisons of a set (Holm). "
        "The rank-biserial correlation, from −1 to 1, and the mean difference in units of its own spread (standardised) "
        "say how large an effect is. Models were compared on the very same cases only. This page names no patients, but "
        "cases by their files' names."
    )
    if story.commands:
        section.commands(*story.commands)
