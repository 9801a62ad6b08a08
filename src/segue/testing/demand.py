"""How a check says what is wrong."""

from __future__ import annotations


def demand(condition: object, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)
