"""Expressions that a person writes for a sum of named things: losses, variations.

    parse("dice + 0.5*focal(gamma=2)")
    # [Term(1.0, "dice", {}), Term(0.5, "focal", {"gamma": 2})]

Arguments are numbers, words, true or false, none, or tuples of these. Nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.errors import BadInput

Value = bool | int | float | str | None | tuple["Value", ...]

_WORDS: Mapping[str, Value] = {"true": True, "false": False, "none": None}
_LONGEST = 2000
_LARGEST = 1e300


@dataclass(frozen=True)
class Term:
    weight: float
    name: str
    arguments: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        told = ", ".join(f"{key}={_told(value)}" for key, value in self.arguments.items())
        weight = "" if self.weight == 1 else f"{self.weight!r}".removesuffix(".0") + "*"
        return weight + self.name + (f"({told})" if told else "")


def parse(text: str) -> list[Term]:
    """The terms of the sum, in the order in which they stand."""
    if len(text) > _LONGEST:
        raise BadInput(f"an expression of {len(text):,} letters is more than anybody writes")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadInput(f"{text!r} is not of the form name + 0.5*other(key=value)") from None
    terms: list[Term] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        terms.append(_term(tree.right, text))
        tree = tree.left
    return [_term(tree, text), *reversed(terms)]


def write(terms: list[Term]) -> str:
    """The expression that `parse` understands as these terms, to the last digit."""
    return " + ".join(map(str, terms))


def _term(node: ast.expr, text: str) -> Term:
    weight = 1.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        found = _value(node.left, text)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise BadInput(f"{text!r}: a weight is a number, as in 0.5*dice")
        weight, node = float(found), node.right
    if isinstance(node, ast.Name):
        return Term(weight, node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.args or any(word.arg is None for word in node.keywords):
            raise BadInput(f"{text!r}: arguments of {node.func.id} are given by name, as in {node.func.id}(key=value)")
        names = [word.arg for word in node.keywords]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f"{text!r}: argument {twice!r} of {node.func.id} stands twice")
        return Term(weight, node.func.id, {str(word.arg): _value(word.value, text) for word in node.keywords})
    raise BadInput(f"{text!r} is not of the form name + 0.5*other(key=value)")


def _value(node: ast.expr, text: str) -> Value:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        found = _value(node.operand, text)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return -found
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None):
        if isinstance(node.value, int | float) and abs(node.value) > _LARGEST:
            raise BadInput(f"{text[:40]!r}: a number is larger than numbers can be")
        return node.value
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id.lower(), node.id)
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(each, text) for each in node.elts)
    raise BadInput(f"{text!r}: a value is a number, a word, true, false, none, or several of these in brackets")


def _told(value: Value) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_told, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, str):
        # Quotes where without them it would be something else.
        word = value.isidentifier() and value.isascii() and not keyword.iskeyword(value) and value.lower() not in _WORDS
        return value if word else repr(value)
    if value is None or isinstance(value, bool):
        return next(word for word, meaning in _WORDS.items() if meaning is value)
    return str(value)
