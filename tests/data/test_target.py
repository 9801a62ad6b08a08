from __future__ import annotations

import numpy as np
import pytest

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput


def test_two_exclusive_classes_need_one_logit() -> None:
    lesion = Target(("background", "lesion"))
    assert (lesion.logits, lesion.foreground) == (1, ("lesion",))
    heart = Target(("background", "myocardium", "ventricle"))
    assert (heart.logits, heart.foreground) == (3, ("myocardium", "ventricle"))


def test_each_region_is_a_question_and_is_scored() -> None:
    whole = Target(("whole",), exclusive=False)
    assert (whole.logits, whole.foreground) == (1, ("whole",))
    tumour = Target(("whole", "core"), exclusive=False)
    assert (tumour.logits, tumour.foreground) == (2, ("whole", "core"))


@pytest.mark.parametrize(
    ("names", "exclusive"),
    [
        ((), True),
        (("background",), True),
        ((), False),
        (("background", "a", "a"), True),
        (("whole", "whole"), False),
        (tuple(map(str, range(256))), True),
    ],
)
def test_impossible_classes_are_refused(names: tuple[str, ...], exclusive: bool) -> None:
    with pytest.raises(BadInput, match="classes"):
        Target(names, exclusive)


def test_as_many_classes_as_a_mask_can_hold() -> None:
    names = tuple(map(str, range(255)))
    assert Target(names).table(dict(enumerate(names)), where="here")[254] == 254


def test_of_a_card_by_rising_id() -> None:
    assert Target.of({7: "polyp", 0: "background", 3: "tool"}).names == ("background", "tool", "polyp")


def test_the_table_follows_names_not_ids() -> None:
    target = Target(("background", "tool", "polyp"))
    table = target.table({0: "mucosa", 1: "polyp", 9: "tool"}, where="kvasir")
    assert table.dtype == np.uint8
    assert table.shape == (256,)
    assert [table[0], table[1], table[9], table[IGNORE]] == [0, 2, 1, IGNORE]
    unnamed = np.setdiff1d(np.arange(256), [0, 1, 9])
    assert (table[unnamed] == IGNORE).all()
    mask = np.array([[0, 1], [9, IGNORE]], np.uint8)
    assert table[mask].tolist() == [[0, 2], [1, IGNORE]]


def test_another_name_for_the_same() -> None:
    target = Target(("background", "lesion"))
    classes = {0: "background", 1: "polyp", 2: "naevus"}
    with pytest.raises(
        BadInput, match=r"clinic: its class 'polyp' is none that the model knows \(known: lesion\)"
    ) as caught:
        target.table(classes, where="clinic")
    assert caught.value.hint is not None
    assert "--same 'polyp'='lesion'" in caught.value.hint
    table = target.table(classes, where="clinic", same={"polyp": "lesion", "naevus": "lesion"})
    assert table[:4].tolist() == [0, 1, 1, IGNORE]


def test_a_near_name_is_named() -> None:
    with pytest.raises(BadInput, match=r"did you mean left ventricle\?"):
        Target(("background", "left ventricle")).table({0: "background", 1: "left_ventricle"}, where="acdc")


BRAIN = {0: "background", 1: "oedema", 2: "core", 3: "vessel"}
TUMOUR = {"whole": ("oedema", "core"), "core": ("core",), "vessels": ("vessel",)}


def test_a_mask_of_regions_says_by_bits_which_a_pixel_is_in() -> None:
    target = Target.of_regions(TUMOUR, BRAIN)
    assert (target.names, target.logits, target.exclusive) == (("whole", "core", "vessels"), 3, False)
    table = target.table(BRAIN, where="brain")
    assert [table[number] for number in (0, 1, 2, 3, IGNORE)] == [0b000, 0b001, 0b011, 0b100, IGNORE]
    assert target.annotated(table) == target.names
    assert Target.from_json(target.as_json()) == target


def test_a_region_is_not_known_where_a_class_of_it_was_not_drawn() -> None:
    target = Target.of_regions(TUMOUR, BRAIN)
    elsewhere = target.table({0: "background", 1: "core"}, where="elsewhere")
    assert elsewhere[1] == 0b010
    assert target.annotated(elsewhere) == ("core",)


def test_regions_of_unknown_classes_and_classes_of_no_region() -> None:
    with pytest.raises(BadInput, match=r"regions.whole: no class is called 'cor' \(did you mean core\?\)"):
        Target.of_regions({"whole": ("cor",)}, BRAIN)
    with pytest.raises(BadInput, match="the class 'vessel' is in none"):
        Target.of_regions({"whole": ("core", "oedema")}, BRAIN)
    with pytest.raises(BadInput, match="made of no class"):
        Target.of_regions({"whole": ()}, BRAIN)
    with pytest.raises(BadInput, match="a mask holds 7 at most"):
        Target.of_regions({str(n): ("core", "oedema", "vessel") for n in range(8)}, BRAIN)
    with pytest.raises(BadInput, match="its class 'cyst' is none that the model knows"):
        Target.of_regions(TUMOUR, BRAIN).table({0: "background", 4: "cyst"}, where="clinic")


def test_background_may_be_what_was_never_drawn() -> None:
    target = Target.of(BRAIN)
    whole = target.table(BRAIN, where="brain")
    assert target.to_learn(whole) is whole
    elsewhere = target.table({0: "background", 1: "core"}, where="elsewhere")
    learnt = target.to_learn(elsewhere)
    assert (elsewhere[0], learnt[0]) == (0, IGNORE)
    assert learnt[1] == elsewhere[1] == target.names.index("core")
    # Of regions each is known or not, whatever the others are.
    regions = Target.of_regions(TUMOUR, BRAIN)
    codes = regions.table({0: "background", 1: "core"}, where="elsewhere")
    assert regions.to_learn(codes) is codes
    assert regions.unknown(codes) == 0b101
    assert (regions.unknown(regions.table(BRAIN, where="brain")), target.unknown(elsewhere)) == (0, 0)
