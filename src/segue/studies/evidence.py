"""What a study's runs have brought, as tables: by arm and repeat, at home, at each other place, and at these together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from segue.errors import BadInput
from segue.evaluation.comparing.pairing import Paired, paired
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.table import Row, Table
from segue.studies.book import Fate
from segue.studies.plan import Entry, Plan

ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Done:
    """A run that was trained and judged."""

    entry: Entry
    fate: Fate
    folder: Path

    def table(self, name: str) -> Table:
        return Table.read(self.folder / "evaluation" / name / "cases.csv")


@dataclass(frozen=True)
class Evidence:
    plan: Plan
    done: tuple[Done, ...]
    failed: Mapping[str, Fate]  # by run
    waiting: int

    @classmethod
    def of(cls, plan: Plan, fates: Mapping[str, Fate], pool: Path) -> Evidence:
        well = {name: fate for name, fate in fates.items() if not fate.failed}
        done = tuple(Done(one, well[one.name], pool / one.name) for one in plan.entries if one.name in well)
        failed = {name: fates[name] for name in plan.names if name in fates and fates[name].failed}
        if not done:
            raise BadInput(
                "none of the study's runs is done, so there is nothing to say yet", hint="segue study run FILE"
            )
        return cls(plan, done, failed, len(plan.names) - len({one.entry.name for one in done}) - len(failed))

    @cached_property
    def home(self) -> str:
        return str(self.done[0].fate.told["home"])

    @cached_property
    def sets(self) -> list[str]:
        """On which all were judged, home first."""
        common = set.intersection(*(set(one.fate.told["sets"]) for one in self.done))
        return sorted(common, key=lambda name: (name != self.home, name))

    @cached_property
    def places(self) -> dict[str, list[str]]:
        """Names of sets by place: home, each other, and all others together where there are several."""
        others = [name for name in self.sets if name != self.home]
        together = {ELSEWHERE: others} if len(others) > 1 else {}
        return {
            **({self.home: [self.home]} if self.home in self.sets else {}),
            **together,
            **{one: [one] for one in others},
        }

    @property
    def main(self) -> str:
        """The place that the answer is about: elsewhere, where there is one."""
        names = list(self.places)
        return names[1] if len(names) > 1 else names[0]

    def where(self, place: str) -> str:
        if place == self.home:
            return f"At home ({place})"
        names = self.places[place]
        return f"Elsewhere ({', '.join(names)} together)" if len(names) > 1 else f"At {place}"

    @cached_property
    def arms(self) -> dict[str, list[Done]]:
        found: dict[str, list[Done]] = {}
        for one in self.done:
            found.setdefault(one.entry.arm, []).append(one)
        return found

    def first(self, arm: str) -> Done:
        """Of its repeats."""
        return min(self.arms[arm], key=lambda one: one.entry.repeat)

    def tables(self, several: Iterable[Done], place: str) -> list[Table]:
        return [self._table(one, place) for one in several]

    def fresh(self, several: Iterable[Done], place: str) -> list[Table]:
        """The same without cases that some run of the study has seen, so that every mean is of the cases that tests are of."""
        seen = self.seen(place)
        return [Table.of(row for row in table if row.case not in seen) for table in self.tables(several, place)]

    def seen(self, place: str) -> frozenset[str]:
        """Cases that do not count there: some run has looked at the image, or if that is true of all, has learnt from the
        mask."""
        if place not in self._seen:
            rows = [row for table in self.tables(self.done, place) for row in table]
            looked, learnt = (
                {row.case for row in rows if row.seen in how} for how in (("images", "masks"), ("masks",))
            )
            self._seen[place] = frozenset(looked if looked < {row.case for row in rows} else learnt)
        return self._seen[place]

    def values(self, place: str, metric: str) -> Paired:
        """By arm (runs, patients), of cases that no run has seen: what every mean on the page is of."""
        key = place, metric
        if key not in self._values:
            sides = {
                arm: tuple({(row.case, row.class_name): row for row in table} for table in self.fresh(runs, place))
                for arm, runs in self.arms.items()
            }
            found = paired(sides, next(iter(sides.values()))[0], METRICS[metric])
            if not found.patients:
                raise BadInput(
                    f"{place}: holds no case that {METRICS[metric].told} is for, and that no run has learnt from"
                )
            self._values[key] = found
        return self._values[key]

    def _table(self, one: Done, place: str) -> Table:
        key = one.entry.name, place
        if key not in self._read:
            names = self.places[place]
            each = [one.table(name) for name in names]
            self._read[key] = each[0] if len(names) == 1 else together(names, each)
        return self._read[key]

    @cached_property
    def _read(self) -> dict[tuple[str, str], Table]:
        return {}

    @cached_property
    def _seen(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _values(self) -> dict[tuple[str, str], Paired]:
        return {}


def together(names: Sequence[str], tables: Sequence[Table]) -> Table:
    """Cases and patients of one name at two places stay apart."""
    return Table.of(_renamed(row, name) for name, table in zip(names, tables, strict=True) for row in table)


def _renamed(row: Row, name: str) -> Row:
    def own(text: str) -> str:
        return f"{name}/{text}" if text else ""

    return replace(row, case=own(row.case), patient=own(row.patient), group=own(row.group))
