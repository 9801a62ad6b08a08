"""Numbers and names in sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LONG = 48  # letters of a name


def count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"


def of_all(number: int, every: int, what: str) -> str:
    return f"all {count(every, what)}" if number == every > 1 else f"{number:,} of {count(every, what)}"


def some(names: Sequence[str]) -> str:
    """The first few of many names, long ones cut."""
    return ", ".join(map(short, names[:5])) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def percent(share: float) -> str:
    return "less than 0.1\N{NO-BREAK SPACE}%" if 0 < share < 0.001 else f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def plain(words: str) -> str:
    """As part of a file's name: itself, or a few letters that stand for it where it holds more than letters and digits."""
    return words if words.isalnum() else hashlib.blake2b(words.encode(), digest_size=3).hexdigest()


def short(name: str) -> str:
    return name if len(name) <= _LONG else f"…{name[1 - _LONG :]}"
