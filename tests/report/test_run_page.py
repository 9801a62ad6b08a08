"""A run's page: says the numbers it was given, warns of what makes them worth less, and is silent about what is not there."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from segue.report.page import Estimate
from segue.report.run_page import lead, run_page
from segue.report.run_warnings import warnings
from segue.report.story import (
    Dataset,
    Evaluated,
    Member,
    Miss,
    Overlay,
    Part,
    RunStory,
    Setting,
    Spoilt,
    Steady,
    Subgroup,
)
from tests.report.made import NONE, epochs, evaluated, picture, plain, result, story
from tests.report.test_page import HOSTILE, Reader, outside

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def page() -> str:
    return run_page(story()).html()


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)(?: <span|</h2>)", page)


def rows(page: str, start: str) -> list[list[str]]:
    """Of all tables, those whose cells begin so."""
    return [cells for cells in Reader(page).rows if cells and cells[0].startswith(start)]


def told(story: RunStory) -> str:
    return " ".join(" ".join(pair) for pair in warnings(story))


def test_the_lead_says_what_was_learnt_from_what_and_how_good_it_is() -> None:
    assert lead(story()) == (
        "Trained for 1,600 steps on 715 images of north to find polyp: U-Net on resnet18. "
        "At home, on test images of its own dataset (north-test): Dice 0.800 (0.769 to 0.827), from 30 patients. "
        "Elsewhere, on images that it never saw: south: Dice 0.610 (0.579 to 0.637), from 36 images. "
        f"(In brackets: 95{NBSP}% intervals.)"
    )


def test_numbers_of_seen_images_are_neither_in_the_lead_nor_beside_others(page: str) -> None:
    assert "harbour" not in lead(story())
    shown = [cells[0] for cells in Reader(page).rows]
    first = shown.index("north-testhome, test")
    assert shown[first + 1] == "southelsewhere"
    assert shown[first + 2] == "set", "a table ends before the images that were seen"
    assert "harbourelsewhere, images seen" in shown[first + 3 :]
    assert page.index("Images seen in training") < page.index("harbour<small>elsewhere, images seen")


def test_groups_of_images_without_patients_count_none() -> None:
    group = Subgroup(
        value="old", name="polyp", patients=7, patients_known=False, present=9, dice=Estimate(0.5), failures=NONE,
        false_positives=NONE,
    )  # fmt: skip
    for known, shown in ((False, "–"), (True, "7")):
        groups = {"age": (replace(group, patients_known=known), replace(group, value="young", patients_known=known))}
        html = run_page(story(sets=(evaluated("v", result(), subgroups=groups),))).html()
        assert rows(html, "old")[0][-2:] == [shown, "9"]


def test_the_matrix_says_the_numbers_with_their_intervals_and_bars(page: str) -> None:
    home, other = rows(page, "north-testhome")[0], rows(page, "southelsewhere")[0]
    assert home[1] == "0.8000.769 to 0.827"
    assert home[3] == f"5.2{NBSP}%1.1 to 10.2{NBSP}%"
    assert home[4] == f"25.0{NBSP}%0.0 to 75.0{NBSP}%"
    assert home[5:] == ["30", "56", "4"]
    assert other[5:] == ["–", "36", "4"], "patients that are not known are not counted"
    assert "--v:80.0%;--l:76.9%;--h:82.7%;--hue:var(--c0)" in page
    assert "--v:5.2%;--l:1.1%;--h:10.2%;--hue:var(--c1)" in page


def test_every_part_of_the_story_has_its_section(page: str) -> None:
    assert titles(page) == [
        "At a glance", "What to mind", "At home and elsewhere", "Case by case", "By size", "Subgroups",
        "Best, median and worst", "Lowest Dice", "Training", "Chosen by trial", "Data", "Settings", "Made with",
        "How to do it again",
    ]  # fmt: skip


def test_what_is_not_there_is_not_spoken_of() -> None:
    assert titles(run_page(RunStory(name="nothing")).html()) == ["What to mind"]
    shown = titles(run_page(story(sets=(), strata={}, thresholds=None, finder=(), epochs=(), settings=())).html())
    assert shown == ["At a glance", "What to mind", "Data", "Made with", "How to do it again"]


def test_quarters_and_failures_are_those_of_the_cases(page: str) -> None:
    values = sorted(story().home[0].results[0].per_case)
    cells = next(cells for cells in rows(page, "north-test") if len(cells) == 6 and cells[0] == "north-test")
    assert cells[1] == str(len(values))
    assert float(cells[3]) == pytest.approx((values[27] + values[28]) / 2, abs=5e-4)
    assert float(cells[2]) == pytest.approx(values[13] + 0.75 * (values[14] - values[13]), abs=5e-4)
    assert float(cells[4]) == pytest.approx(values[41] + 0.25 * (values[42] - values[41]), abs=5e-4)
    assert cells[5] == str(sum(dice < 0.5 for dice in values))


def test_strata_and_subgroups_say_their_numbers(page: str) -> None:
    assert [
        "north-test",
        "0.7000.600 to 0.75020 cases",
        "0.8000.700 to 0.85020 cases",
        "0.9000.800 to 0.95020 cases",
    ] in (Reader(page).rows)
    assert rows(page, "f")[0] == ["f", "0.8130.713 to 0.903", f"10.0{NBSP}%0.0 to 20.0{NBSP}%", "15", "28"]
    assert rows(page, "not told")[0][1] == "0.7910.691 to 0.881"
    assert "north-test by sex" in page


def test_overlays_stand_from_best_to_worst_with_a_legend(page: str) -> None:
    marks = re.findall(r'<span class="mark">(\w+)</span>', page)
    assert marks == ["best", "median", "worst"]
    pictures = [image["src"] for image in Reader(page).named("img")]
    assert pictures == [picture(1), picture(2), picture(0)]
    assert "as annotated" in page
    assert "background:#00beff" in page


def test_columns_of_the_worst_cases_that_say_nothing_are_left_out() -> None:
    misses = (
        Miss(case="a", name="polyp", dice=0.1, numbers={"IoU": 0.05, "remark": "", "seen": ""}),
        Miss(case="b", name="polyp", dice=0.2, numbers={"IoU": 0.11, "remark": "nothing predicted", "seen": ""}),
    )
    made = run_page(plain(sets=(evaluated("x", result(per_case=()), worst=misses),))).html()
    assert rows(made, "case")[-1] == ["case", "Dice", "IoU", "remark"]
    assert rows(made, "b")[0] == ["b", "0.200", "0.110", "nothing predicted"]


def test_curves_name_the_best_epoch_and_its_score(page: str) -> None:
    best = story().epochs[31]
    assert f"The best Dice is {best.scores['Dice']:.3f}, after epoch 32." in page
    assert f"loss from {story().epochs[0].losses['loss']:.3f} to {story().epochs[-1].losses['loss']:.3f}" in page
    one = run_page(plain(epochs=epochs(1), best=1, sets=())).html()
    assert f"loss {epochs(1)[0].losses['loss']:.3f}." in one
    assert "1 of 1" in one


def test_what_was_followed_has_a_figure_of_its_own() -> None:
    """A shift of 6 beside a loss of .3 would make a straight line of the loss."""
    warm, *others = (replace(one, fitted=0.3 + 0.1 * n) for n, one in enumerate(epochs(4)))
    learnt = (warm, *(
        replace(one, sure=0.5 + 0.1 * n, shift=6.0 - n, losses={**one.losses, "followed": 0.5 - 0.1 * n})
        for n, one in enumerate(others)
    ))  # fmt: skip
    html = run_page(story(epochs=learnt)).html()
    assert "followed from 0.500 to 0.300" in html
    assert "fitted worst had a Dice of 0.60, and 70% of the pixels" in html
    assert "shifted by up to 4.0" in html
    alone = run_page(story(epochs=tuple(replace(one, shift=None) for one in learnt))).html()
    assert "70% of the pixels without one" in alone
    assert "shifted by" not in alone
    assert "Images without masks: in the end" not in run_page(story(epochs=epochs(4))).html()


def test_how_near_the_masks_a_consistent_prediction_is() -> None:
    html = run_page(
        story(epochs=tuple(replace(one, agreement=0.1 + 0.2 * n) for n, one in enumerate(epochs(4))))
    ).html()
    assert "overlaps their masks to an IoU of 0.70 in the end" in html


def test_masks_that_are_barely_learnt_are_told() -> None:
    for fitted, told in ((0.6, True), (0.8, False)):
        html = run_page(story(epochs=tuple(replace(one, fitted=fitted, sure=0.5) for one in epochs(4)))).html()
        assert ("The masks themselves are barely learnt." in html) == told
        assert "No image without a mask was followed." not in html


def test_nothing_followed_is_told() -> None:
    html = run_page(story(epochs=tuple(replace(one, fitted=0.2) for one in epochs(4)))).html()
    assert "fitted worst had a Dice of 0.20, and nothing was followed" in html
    assert "No image without a mask was followed." in html
    assert "No image without a mask was followed." not in run_page(story(epochs=epochs(4))).html()


def test_two_classes_are_told_apart() -> None:
    both = (result("neoplastic", dice=0.7), result("other kind", dice=0.4, seed=5))
    made = plain(sets=(evaluated("x", *both, home=True, part="test"),), classes=("neoplastic", "other kind"))
    page = run_page(made).html()
    assert "Dice of neoplastic 0.700 (0.669 to 0.727), Dice of other kind 0.400 (0.369 to 0.427)" in lead(made)
    assert [cells[1] for cells in rows(page, "xhome, test")] == ["neoplastic", "other kind"] * 2
    assert "Dice of other kind of each case" in page


def test_only_cases_with_the_structure_have_a_dice() -> None:
    bare = result("polyp", present=0, absent=9, per_case=())
    page = run_page(plain(sets=(evaluated("x", replace(bare, dice=NONE, iou=NONE, failures=NONE)),))).html()
    assert rows(page, "xelsewhere")[0][1:4] == ["–", "–", "–"]
    assert "nan" not in page
    assert "Case by case" not in titles(page)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"finished": False}, "This run is not finished."),
        ({"sets": ()}, "It has not been evaluated."),
        ({"epochs": epochs(5, validated=False)}, "There was no validation."),
        ({"best": 40}, "The last epoch was the best."),
        ({"best": 1}, "The first epoch was the best."),
        ({"sets": (evaluated("v", result(missed=56)),)}, "Nothing at all was found in v."),
        ({"sets": (evaluated("v", result("wall", dice=0.02)),)}, "wall: hardly found at all at v."),
        ({"sets": (evaluated("v", result(), home=True, part="validation"),)}, "There is no test part from home."),
        ({"sets": (evaluated("v", result(), home=True, part="test"),)}, "not judged on strange images from elsewhere"),
        ({"sets": (evaluated("v", result(patients=7)),)}, "Fewer than 20 patients in v."),
        (
            {"sets": (evaluated("v", result(patients=7, patients_known=False)),)},
            "Fewer than 20 patients, scenes or images in v.",
        ),
        ({"sets": (evaluated("v", result(patients_known=False)),)}, "Patients are not known in v."),
        ({"sets": (evaluated("v", result(seen="masks")),)}, "Training has seen images of v"),
        ({"sets": (evaluated("v", result(), left_out=2),)}, "2 cases could not be read and are in no number."),
        ({"sets": (evaluated("v", result(uncounted=1)),)}, "1 case had no pixel that counts."),
        (
            {"parts": (Part(dataset="d", part="train", images=9, patients=0, unknown=9, learnt=True),)},
            "The patient of 9 training images is not known: d.",
        ),
    ],
)  # fmt: skip
def test_what_makes_numbers_worth_less_is_said(changed: dict[str, Any], said: str) -> None:
    sound = story(sets=(
        evaluated("home", result(), home=True, part="test"), evaluated("away", result(dice=0.75), part="all"),
    ))  # fmt: skip
    assert told(sound) == ""
    assert said in told(replace(sound, **changed))


def test_a_fall_is_said_only_if_it_is_more_than_chance() -> None:
    home = evaluated("home", result(dice=0.8), home=True, part="test")
    far = result(dice=0.6)
    vague, near = replace(far, dice=Estimate(0.6, 0.4, 0.8)), replace(far, dice=Estimate(0.75, 0.749, 0.751))
    assert "clearly worse at away" in told(story(sets=(home, evaluated("away", far))))
    assert "clearly worse" not in told(story(sets=(home, evaluated("away", vague))))
    assert "clearly worse" not in told(story(sets=(home, evaluated("away", near)))), "sure, but hardly worse"
    assert "clearly worse" not in told(story(sets=(home, evaluated("away", replace(far, seen="images")))))


def test_an_unfinished_run_says_how_far_it_is() -> None:
    unfinished = story(finished=False, sets=(), epochs=epochs(12), best=10)
    assert lead(unfinished).startswith(
        "Being trained on 715 images of north to find polyp: U-Net on resnet18; 480 of 1,600 steps are done so far. "
        "Best Dice of validation so far: "
    )
    assert "0 of 1,600 steps" in lead(story(finished=False, sets=(), epochs=(), best=None))


def test_settings_of_ones_own_have_a_table_and_all_have_a_list(page: str) -> None:
    assert [cells for cells in Reader(page).rows if cells[0] == "data" or cells[0].startswith("loop.")] == [
        ["data", "datasets/north", "asked for"],
        ["loop.steps", "1600", "found out"],
    ]
    assert re.findall(r"<li>((?:data|loop).*?)</li>", page) == [
        "data: datasets/north",
        "loop.steps: 1600",
        "loop.clip: 1.0",
    ]
    assert "2 not by default" in page


def test_networks_that_predict_together_are_shown_side_by_side() -> None:
    members = tuple(Member(name=f"fold-{number}", epochs=epochs(20 + number), best=3) for number in range(3))
    made = plain(members=members, best=None, sets=())
    page = run_page(made).html()
    assert lead(made).startswith(
        "3 networks that predict together, each trained for 880 steps on 715 images of north in"
    )
    assert rows(page, "fold-1")[0] == ["fold-1", "21", "3", f"{members[1].epochs[2].scores['Dice']:.3f}"]
    assert "Networks that predict together" in page


def hostile(text: str) -> RunStory:
    """Every text that comes from outside."""
    one = result(text)
    subgroup = Subgroup(
        value=text, name=text, patients=1, present=1, dice=Estimate(0.5), failures=NONE, false_positives=NONE
    )  # fmt: skip
    bad = Evaluated(
        name=text, dataset=text, part=text, decision=text, unit=text, results=(replace(one, others={text: 1.0}),),
        subgroups={text: (subgroup,)}, worst=(Miss(case=text, name=text, dice=0.1, numbers={text: text}),),
        overlays=(Overlay(picture=picture(0), case=text, mark=text, told=text),),
    )  # fmt: skip
    told = {text: text}
    return plain(
        name=text, method=text, network=text, started_from=text, classes=(text,), sets=(bad,), strata={}, select=text,
        datasets=(Dataset(name=text, folder=text, split=text, how=text, hash=text),),
        parts=(Part(dataset=text, part=text, images=1, patients=1, unknown=0, learnt=True),),
        settings=(Setting(key=text, value=text, origin=text),), environment=told, commands=(text,), next=(text,),
        epochs=tuple(replace(epoch, losses={text: 1.0}, scores={text: 0.5}) for epoch in epochs(3)), best=2,
        outlines=(((1, 2, 3), text),), members=(Member(name=text, epochs=epochs(2)),),
    )  # fmt: skip


def test_hostile_names_stay_text_and_nothing_is_fetched(page: str) -> None:
    made = run_page(hostile(HOSTILE)).html()
    reader = Reader(made)
    assert not reader.named("script")
    assert [image["src"] for image in reader.named("img")] == [picture(0)]
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    assert outside(made) == []
    assert outside(page) == []
    assert sum("alert(" in text for text in reader.text) >= 25, "the names are on the page"


def test_the_same_story_is_the_same_page(page: str) -> None:
    assert run_page(story()).html() == page
    assert run_page(plain(name="other")).html() != run_page(plain()).html()


def test_nothing_on_the_page_is_not_a_number(page: str) -> None:
    assert math.isnan(story().home[0].subgroups["sex"][0].false_positives.value), "the story has one"
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"base64,[^\"]*", "", page))


def test_steadiness_and_spoilt_images_have_sections_of_their_own() -> None:
    one = evaluated(
        "x", result("polyp", dice=0.8), home=True, part="test",
        steady=(Steady("polyp", "natural", 40, 0.25, 0.375, -0.5), Steady("none", "natural", 0, None, None, None)),
        spoilt=(Spoilt("polyp", "blur", {0: 0.8, 1: 0.75, 2: 0.5}), Spoilt("polyp", "noise", {0: 0.8, 1: 0.7, 2: math.nan})),
    )  # fmt: skip
    page = run_page(plain(sets=(one,))).html()
    assert "How steady predictions are" in page
    assert "0.375" in page
    assert "When images are spoilt" in page
    assert "Dice of polyp under 2 corruptions" in page
    other = run_page(plain(sets=(evaluated("x", result("polyp", dice=0.8), home=True, part="test"),))).html()
    assert "How steady" not in other
    assert "spoilt" not in other
