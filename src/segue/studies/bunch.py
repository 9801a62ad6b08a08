"""Settings as bunches that are laid over each other: what an axis gives, what a row gives, what is fixed.

A key may be written with points (`network.encoder: resnet18`) or as a tree. Inside they are paths, so that two bunches that
say two things about one setting are told, whichever way each was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from segue.errors import BadInput

Key = tuple[str, ...]
Bunch = Mapping[Key, Any]


def bunch(given: Mapping[str, Any]) -> dict[Key, Any]:
    """Only the outermost keys have points: below them stand names of other people's classes."""
    leaves = (dict(_leaves(tuple(str(key).split(".")), value)) for key, value in given.items())
    return laid(("the same bunch", each) for each in leaves)


def _leaves(key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _leaves((*key, str(name)), below)
    else:
        yield key, value


def laid(bunches: Iterable[tuple[str, Bunch]]) -> dict[Key, Any]:
    """All of them together; each has a name, by which a contradiction is told. A setting, and neither what it is a part of nor
    a part of it, may stand there twice."""
    found: dict[Key, Any] = {}
    whose: dict[Key, str] = {}
    for name, given in bunches:
        for key in given:
            for other in found:
                if other[: len(key)] == key or key[: len(other)] == other:
                    raise BadInput(
                        f"{dotted(key)}: is set twice, by {whose[other]} and by {name}",
                        hint="What is fixed is the same for all; what is not, each value of an axis says itself.",
                    )
        found |= given
        whose |= dict.fromkeys(given, name)
    return found


def nested(given: Bunch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        place = found
        for name in key[:-1]:
            place = place.setdefault(name, {})
        place[key[-1]] = value
    return found


def dotted(key: Key) -> str:
    return ".".join(key)


def below(given: Bunch, name: str) -> tuple[dict[Key, Any], dict[Key, Any]]:
    """What stands below a name, as a bunch of its own; and the rest."""
    inside = {key[1:]: value for key, value in given.items() if key[0] == name and len(key) > 1}
    return bunch(nested(inside)), {key: value for key, value in given.items() if key[0] != name}
