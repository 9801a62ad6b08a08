from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.errors import BadInput
from segue.expression import Term, Value, parse, write


def test_terms_stand_in_order_with_weights_and_arguments() -> None:
    assert parse("dice + 0.5*focal(gamma=2) + 2*ce(weights=(0.1, .9), same=true)") == [
        Term(1.0, "dice"),
        Term(0.5, "focal", {"gamma": 2}),
        Term(2.0, "ce", {"weights": (0.1, 0.9), "same": True}),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("-2.5", -2.5),
        ("1e-7", 1e-7),
        ("reflect", "reflect"),
        ("'two words'", "two words"),
        ("True", True),
        ("false", False),
        ("none", None),
        ("'none'", "none"),
        ("(1,)", (1,)),
        ("[1, (a, -2), none]", (1, ("a", -2), None)),
        ("()", ()),
    ],
)
def test_a_value_is_read_and_written_back(text: str, value: Value) -> None:
    (term,) = parse(f"name(key={text})")
    assert term.arguments["key"] == value
    assert type(term.arguments["key"]) is type(value)
    assert parse(str(term)) == [term]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("dice + 0.5*bce", "dice+.5*bce"),
        ("2*dice", "2.0 * dice"),
        ("dice", "1*(dice)"),
        ("-0.25*dice", "-0.25*dice"),
        ("a(b=true, c=none, d=(1,), e='x y')", "a(b=True,c=None,d=(1,),e='x y')"),
    ],
)
def test_writing_is_plain(written: str, text: str) -> None:
    assert write(parse(text)) == written


slow_machine = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
words = st.text(max_size=8) | st.sampled_from(["true", "None", "if", "a b", "it's", "\\d", "2", "ﬁ"])
numbers = st.integers(-(10**30), 10**30) | st.floats(
    allow_nan=False, allow_infinity=False, min_value=-1e299, max_value=1e299
)
values = st.recursive(
    st.none() | st.booleans() | numbers | words, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5
)
names = st.sampled_from(["dice", "ce", "a1", "_b", "größe"])
weights = st.floats(-1e6, 1e6).map(lambda weight: weight + 0.0)  # of two zeros, the plain one
terms = st.builds(Term, weights, names, st.dictionaries(names, values, max_size=3))


@slow_machine
@given(st.lists(terms, min_size=1, max_size=3))
def test_what_is_written_is_read_as_the_same_terms(some: list[Term]) -> None:
    text = write(some)
    if len(text) <= 2000:
        assert parse(text) == some
        assert write(parse(text)) == text


@slow_machine
@given(st.text(max_size=60) | st.text("ab0.5*+-()=, '\"[]#\\", max_size=60))
def test_any_text_is_terms_or_one_sentence(text: str) -> None:
    try:
        found = parse(text)
    except BadInput:
        return
    assert found
    assert all(isinstance(term, Term) for term in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not of the form"),
        ("dice -", "is not of the form"),
        ("dice - bce", "is not of the form"),
        ("dice bce", "is not of the form"),
        ("a + (b + c)", "is not of the form"),
        ("-dice", "is not of the form"),
        ("a.b(c=1)", "is not of the form"),
        ("\0", "is not of the form"),
        ("(" * 500 + "a" + ")" * 500, "is not of the form"),
        ("dice*0.5", "a weight is a number, as in 0.5"),
        ("True*dice", "a weight is a number"),
        ("dice(2)", "arguments of dice are given by name"),
        ("dice(**more)", "arguments of dice are given by name"),
        ("focal(gamma=1, gamma=2)", "argument 'gamma' of focal stands twice"),
        ("a(b=1+1)", "a value is a number, a word"),
        ("a(b=c())", "a value is a number, a word"),
        ("a(b={1: 2})", "a value is a number, a word"),
        ("a(b=-true)", "a value is a number, a word"),
        ("a(b=1j)", "a value is a number, a word"),
        ("a(b=" + "-" * 900 + "1)", "a value is a number, a word"),
        ("9" * 400 + "*dice", "larger than numbers can be"),
        ("a(b=-1e999)", "larger than numbers can be"),
        ("+".join("a" * 1001), "an expression of 2,001 letters"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        parse(text)


def test_nothing_is_evaluated() -> None:
    with pytest.raises(BadInput):
        parse("a(b=__import__('os').getcwd())")
