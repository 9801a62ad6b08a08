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
    found: dict[Key, Any] = {}
    for key, value in given.items():
        for leaf, told in _leaves(tuple(str(key).split(".")), value):
            _demand_one(found, leaf, "the same bunch", "the same bunch")
            found[leaf] = told
    return found


def _leaves(key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _leaves((*key, str(name)), below)
    else:
        yield key, value


def laid(bunches: Iterable[tuple[str, Bunch]]) -> dict[Key, Any]:
    """All of them together; each has a name, by which a contradiction is told."""
    found: dict[Key, Any] = {}
    whose: dict[Key, str] = {}
    for name, given in bunches:
        for key, value in given.items():
            _demand_one(found, key, name, whose)
            found[key], whose[key] = value, name
    return found


def _demand_one(found: Bunch, key: Key, name: str, whose: Mapping[Key, str] | str) -> None:
    """A setting, and neither what it is a part of nor a part of it, may stand there twice."""
    for other in found if key in found else _kin(found, key):
        if other[: len(key)] == key or key[: len(other)] == other:
            first = whose if isinstance(whose, str) else whose[other]
            raise BadInput(f"{dotted(key)}: is set twice, by {first} and by {name}")


def _kin(found: Bunch, key: Key) -> Iterable[Key]:
    return [other for other in found if other[0] == key[0]]


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
