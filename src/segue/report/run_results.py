"""The part of a run's page that says how good it is: matrix, distributions, sizes, subgroups, pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segue.report import figures, spreads
from segue.report.page import Bar, Cell, Estimate, Figure, Noted, Page, Section, Swatch, Tile
from segue.report.run_stress import stress
from segue.report.story import Evaluated, Miss, Result, RunStory, Subgroup
from segue.words import count, short

_ROWS = 24  # groups in one figure
_SETS = 6  # in the figure of strata
_BAD = 1  # the hue of what should be small
_SCALE = (-0.02, 1.02)  # points at 0 and 1 are whole
_ORDER = {"best": 0, "median": 1, "worst": 2}

Pair = tuple[Evaluated, Result]


def sections(page: Page, story: RunStory) -> None:
    _matrix(page, story)
    _distribution(page, story)
    _amounts(page, story)
    stress(page, story)
    _strata(page, story)
    _subgroups(page, story)
    _pictures(page, story)
    _worst(page, story)


def _pairs(story: RunStory, *, seen: bool) -> list[Pair]:
    """Home first; within a set, class by class."""
    return [(one, result) for one in story.ordered for result in one.results if bool(result.seen) == seen]


def _where(one: Evaluated) -> str:
    part = {"all": "", "": ""}.get(one.part, one.part)
    return ", ".join(filter(None, ("home" if one.home else "elsewhere", part)))


def _matrix(page: Page, story: RunStory) -> None:
    unseen, seen = _pairs(story, seen=False), _pairs(story, seen=True)
    section = page.section("At home and elsewhere", count(len(story.sets), "set"))
    if not unseen and not seen:
        return
    section.text(
        "Each row is a set of cases; numbers are means over patients, with the interval in which 95\N{NO-BREAK SPACE}% of "
        "resampled patients put them (where every patient has 0, or every one 1: what so many cannot rule out). Dice, IoU "
        "and failures are of cases that have the structure; false positives are the share of cases without it in which "
        "something was found. A failure is a case with a Dice "
        f"below {story.failure:g}."
    )
    if unseen:
        _tables(section, story, unseen)
    if seen:
        section.heading("Images seen in training", count(len({one.name for one, _ in seen}), "set"))
        section.text(
            "Some stage of the run saw these images or copies of them, be it without their masks. They do not say how a "
            "strange image fares, and are not to be compared with other numbers."
        )
        _tables(section, story, seen)
    decided = [(short(one.name), one.decision) for one in story.ordered if one.decision]
    if len({how for _, how in decided}) == 1:
        section.text(f"From probabilities to masks, everywhere: {decided[0][1]}.")
    else:
        section.table(("set", "from probabilities to masks"), decided)


def _named(one: Evaluated, result: Result) -> Noted:
    seen = f"{result.seen} seen" if result.seen else ""
    return Noted(short(one.name), ", ".join(filter(None, (_where(one), seen))))


def _tables(section: Section, story: RunStory, pairs: Sequence[Pair]) -> None:
    several, absent = len(story.scored) > 1, any(result.absent for _, result in pairs)
    columns = [
        "set", *["class"] * several, "Dice", "IoU", "failures", *["false positives"] * absent,
        "patients", "cases with it", *["without"] * absent,
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            _named(one, result), *[short(result.name)] * several,
            Bar(result.dice), Bar(result.iou), Bar(result.failures, percent=True, hue=_BAD),
            *[Bar(result.false_positives, percent=True, hue=_BAD)] * absent,
            result.patients if result.patients_known else None,
            result.present, *[result.absent] * absent,
        ]
        for one, result in pairs
    ]  # fmt: skip
    section.table(columns, rows)
    if any(not result.patients_known for _, result in pairs):
        section.text("Where patients are not known (–), each image, or scene of several, counts as one.")
    _measures(section, pairs, several=several)


def _measures(section: Section, pairs: Sequence[Pair], *, several: bool) -> None:
    """Everything else that was measured, without intervals."""
    names = list(dict.fromkeys(name for _, result in pairs for name in result.others))
    rows: list[list[Cell]] = [
        [_named(one, result), *[short(result.name)] * several, *(result.others.get(name) for name in names)]
        for one, result in pairs
        if result.others
    ]
    units = sorted({one.unit for one, _ in pairs if one.unit})
    told = f" Distances are in {' or '.join(units)}." if units else ""
    if any(result.missed for _, result in pairs):
        told += (
            " Where a structure was missed altogether, they are the whole diagonal: a few such cases make a mean large."
        )
    if rows:
        section.text(f"Further measures, means over patients.{told}")
        section.table(["set", *["class"] * several, *names], rows)


def _amounts(page: Page, story: RunStory) -> None:
    """Of volumes."""
    rows: list[list[Cell]] = [
        [
            short(one.name), short(amount.name), f"{amount.what}, {amount.unit}",
            *(
                [None] * 3 if math.isnan(amount.bias)
                else [f"{amount.truth:.1f}", f"{amount.bias:+.1f}", f"{amount.low:+.1f} to {amount.high:+.1f}"]
            ),
            amount.number, amount.lost,
        ]
        for one in story.ordered
        for amount in one.amounts
    ]  # fmt: skip
    if rows:
        page.section("How large it is said to be").text(
            "Predicted less true, after Bland and Altman: between the limits lie 95\N{NO-BREAK SPACE}% of differences, if "
            "they are spread normally. Volumes go by case, ejection fractions by patient."
        ).table(["set", "class", "what", "truth, mean", "bias", "limits of agreement", "number", "not found"], rows)


def _distribution(page: Page, story: RunStory) -> None:
    names, drawn = story.scored, list[Figure]()
    several, rows = len(names) > 1, list[list[Cell]]()
    pairs = [*_pairs(story, seen=False), *_pairs(story, seen=True)]
    for name in names:
        groups = {
            f"{one.name} (seen)" if result.seen else one.name: result.per_case
            for one, result in pairs
            if result.name == name and result.per_case
        }
        if not groups:
            continue
        shown = dict(list(groups.items())[:_ROWS])
        axis = f"Dice of {short(name)}" if several else "Dice"
        svg = figures.groups(shown, x=axis, cuts=[story.failure], limits=_SCALE)
        cut = f" The first {_ROWS} of {len(groups)} sets." if len(groups) > _ROWS else ""
        told = f"{axis} of each case, by set."
        drawn.append(Figure(svg, f"{told} Quarters are in the table below.", told + cut))
        for group, values in groups.items():
            failures = sum(dice < story.failure for dice in values)
            rows.append([short(group), *[short(name)] * several, len(values), *_quarters(values), failures])
    if drawn:
        page.section("Case by case").text(
            "Each point is a case that has the structure; a box reaches from quarter to quarter, with the median in it. "
            "Left of the dotted line is what counts as a failure. Of many cases evenly chosen ones are drawn."
        ).figures(drawn).table(
            ["set", *["class"] * several, "cases", "lower quarter", "median", "upper quarter", "failures"], rows
        )


def _quarters(values: Sequence[float]) -> tuple[float, ...]:
    ordered = sorted(values)
    found = []
    for share in (0.25, 0.5, 0.75):
        place = share * (len(ordered) - 1)
        below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
        found.append(below + (place % 1) * (above - below))
    return tuple(found)


def _strata(page: Page, story: RunStory) -> None:
    section = page.section("By size")
    for name, strata in story.strata.items():
        sets = list(dict.fromkeys(one for stratum in strata for one in stratum.results))
        if len(strata) < 2 or not sets:
            continue
        if not section.blocks:
            section.text(
                f"How Dice depends on the size of the structure, as a share of the {story.what}. The bounds part the cases "
                "of all sets into thirds, so they are the same everywhere: a set that is worse in every row is worse for "
                "another reason than size."
            )
        if len(story.strata) > 1:
            section.heading(short(name))
        shown = {
            stratum.told: {one: stratum.results[one][0] for one in sets[:_SETS] if one in stratum.results}
            for stratum in strata
        }
        svg = spreads.intervals(shown, x="Dice", limits=_SCALE)
        cut = f" The first {_SETS} of {len(sets)} sets." if len(sets) > _SETS else ""
        told = f"Mean over patients, with its 95\N{NO-BREAK SPACE}% interval.{cut}"
        section.figures([Figure(svg, f"Dice of {name} by size and set; numbers are in the table below.", told)])
        rows: list[list[Cell]] = [
            [short(one), *(_in_stratum(stratum.results.get(one)) for stratum in strata)] for one in sets
        ]
        section.table(["set", *(stratum.told for stratum in strata)], rows)


def _in_stratum(found: tuple[Estimate, int] | None) -> Bar | None:
    return Bar(found[0], count(found[1], "case")) if found is not None else None


def _subgroups(page: Page, story: RunStory) -> None:
    tables = [
        (one, column, groups) for one in story.ordered for column, groups in one.subgroups.items() if groups
    ]  # fmt: skip
    if not tables:
        return
    section = page.section("Subgroups").text(
        "Groups of cases by what the table of cases says of them. Of many groups one looks bad by chance; groups whose "
        "intervals overlap may not differ at all."
    )
    for one, column, groups in tables:
        section.heading(f"{short(one.name)} by {short(column)}")
        section.table(*_of_groups(column, groups))


def _of_groups(column: str, groups: Sequence[Subgroup]) -> tuple[list[str], list[list[Cell]]]:
    several, seen = len({group.name for group in groups}) > 1, any(group.seen for group in groups)
    absent = any(group.absent for group in groups)
    columns = [
        short(column), *["class"] * several, *["seen"] * seen, "Dice", "failures", *["false positives"] * absent,
        "patients", "cases with it", *["without"] * absent,
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            short(group.value) or "not told", *[short(group.name)] * several, *[group.seen] * seen, Bar(group.dice),
            Bar(group.failures, percent=True, hue=_BAD),
            *[Bar(group.false_positives, percent=True, hue=_BAD)] * absent,
            group.patients if group.patients_known else None, group.present, *[group.absent] * absent,
        ]
        for group in groups
    ]  # fmt: skip
    return columns, rows


def _pictures(page: Page, story: RunStory) -> None:
    section = page.section("Best, median and worst")
    for one in story.ordered:
        if not one.overlays:
            continue
        if not section.blocks:
            section.legend([(Swatch(*colour), words) for colour, words in story.outlines])
        section.heading(short(one.name), _where(one))
        tiles = []
        for overlay in sorted(one.overlays, key=lambda overlay: _ORDER.get(overlay.mark, len(_ORDER))):
            told = ", ".join(filter(None, (overlay.mark, overlay.told)))
            caption = "\n".join(filter(None, (short(overlay.case), overlay.told)))
            alt = f"{overlay.case}{f': {told}' if told else ''}, with outlines"
            tiles.append(Tile(((overlay.picture, alt),), caption, overlay.mark))
        section.pictures(tiles, large=True)


def _worst(page: Page, story: RunStory) -> None:
    section = page.section("Lowest Dice")
    for one in story.ordered:
        if one.worst:
            section.heading(short(one.name), _where(one))
            section.table(*_of_misses(one.worst, several=len(story.scored) > 1))


def _of_misses(misses: Sequence[Miss], *, several: bool) -> tuple[list[str], list[list[Cell]]]:
    told = list(dict.fromkeys(name for miss in misses for name in miss.numbers))
    names = [name for name in told if any(miss.numbers.get(name, "") != "" for miss in misses)]
    rows: list[list[Cell]] = [
        [short(miss.case), *[short(miss.name)] * several, miss.dice, *(miss.numbers.get(name) for name in names)]
        for miss in misses
    ]
    return ["case", *["class"] * several, "Dice", *names], rows
