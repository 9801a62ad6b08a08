"""What stands in a table: numbers, words, estimates; and how each is written, on a page and in a file alike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_TINY = 0.001  # a p below it is told as that


class Percent(float):
    """A share, shown in percent."""


class Signed(float):
    """A difference, shown with its sign."""


class Chance(float):
    """What luck would do."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour, red, green and blue from 0 to 255."""

    red: int
    green: int
    blue: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and from where to where it may as well lie."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of 1 with its interval, as numbers and as a bar."""

    share: Estimate
    note: str = ""
    percent: bool = False
    hue: int = 0  # place in the page's cycle


@dataclass(frozen=True, slots=True)
class Noted:
    """Words with smaller ones below."""

    words: str
    note: str
    number: bool = False  # set as one


Cell = str | int | float | Percent | Swatch | Bar | Noted | None


def is_number(cell: Cell) -> bool:
    return cell.number if isinstance(cell, Noted) else isinstance(cell, int | float | Bar | None)


def decimals_of(column: Iterable[Cell]) -> int:
    known = [value for value in column if isinstance(value, float) and math.isfinite(value)]
    sizes = [abs(value) * (100 if isinstance(value, Percent) else 1) for value in known]
    return 3 if max(sizes, default=0) <= 1 else 2 if max(sizes) < 10 else 1 if max(sizes) < 1000 else 0


def signed(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "–"


def chance(p: float) -> str:
    return f"<\N{NO-BREAK SPACE}{_TINY:g}" if p < _TINY else f"{p:.3f}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{signed(estimate.low, digits)} to {signed(estimate.high, digits)}"


def number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def text(value: Cell, decimals: int) -> str:
    """Of what has no picture to it."""
    if isinstance(value, Bar):
        value = Percent(value.share.value) if value.percent else value.share.value
    if isinstance(value, Noted):
        return value.words
    if isinstance(value, Swatch):
        return f"#{value.red:02x}{value.green:02x}{value.blue:02x}"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, Percent):
        return f"{100 * value:.{min(decimals, 2)}f}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, Signed):
        return signed(value, decimals)
    if isinstance(value, Chance):
        return chance(value)
    if isinstance(value, float):
        return number(value, decimals)
    return f"{value:,}" if isinstance(value, int) else value
