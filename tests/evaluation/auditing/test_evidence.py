"""What is seen of a prediction without its mask: of predictors of which all is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.auditing.estimate import expected
from segue.evaluation.auditing.evidence import BINS, Evidence, Observed, observe
from segue.evaluation.auditing.fit import HOME, Lessons
from segue.evaluation.auditing.looks import Look, Looking, Usual, differences, strange, told
from segue.evaluation.auditing.trial import trial
from segue.evaluation.auditing.verdict import verdict
from segue.evaluation.judging.calibrate import Calibration
from segue.evaluation.judging.subject import images_alone
from segue.evaluation.predicting.frame import Frame
from segue.variations import parse
from tests.evaluation import fakes
from tests.evaluation.auditing.known import PLAIN, group, world
from tests.evaluation.fakes import POLYP, THREE, Array, across, red, shades, two
from tests.evaluation.test_stack import frame as frame_of_slices
from tests.evaluation.test_stack import stack

FRAME = Frame((64, 64), 160)
REGIONS = Target(("bright", "very bright"), exclusive=False)
AS_IS = Calibration({"polyp": 1.0}, 1)


def seen(predictor: Any, folder: Path, variation: str = "flips", **more: Any) -> dict[str, Observed]:
    dataset = fakes.dataset(folder)
    cases = images_alone(dataset, dataset.cases)
    given = {"frame": FRAME, "target": POLYP, "variation": parse(variation), "worth": AS_IS, **more}
    return {one.case: one for one in observe(predictor, cases, [one.case.case for one in cases], **given)}


def of(one: Observed) -> Evidence:
    assert one.evidence is not None
    return one.evidence["polyp"]


def test_masks_are_never_read(tmp_path: Path) -> None:
    dataset = fakes.dataset(tmp_path)
    for mask in (tmp_path / "raw" / "masks").iterdir():
        mask.unlink()
    cases = images_alone(dataset, dataset.cases)
    names = [one.case.case for one in cases]
    found = list(observe(red, cases, names, frame=FRAME, target=POLYP, variation=parse("none"), worth=AS_IS))
    assert [one.case for one in found] == names
    assert not any(one.error for one in found)


def test_who_follows_is_steady_and_who_sees_places_is_not(tmp_path: Path) -> None:
    for name, one in seen(red, tmp_path / "a").items():
        if of(one).found:
            assert of(one).steady > 0.97, name
    followed = [of(one).least for one in seen(across, tmp_path / "b", "flips(horizontal=1, vertical=0)").values()]
    assert max(followed) < 0.05


def test_what_probabilities_promise(tmp_path: Path) -> None:
    """Of a network that says .8 in a quarter and .1 elsewhere: 2 * .8 / (.8 + 3 * .1 + 1)."""

    def sure(images: Array) -> np.ndarray[Any, Any]:
        said = np.full(images.shape[:3], 0.1)
        said[:, :32, :32] = 0.8
        return two(said)

    found = of(seen(sure, tmp_path, "none")["c1"])  # a square image
    assert found.found == pytest.approx(0.25, abs=0.01)
    assert found.soft == pytest.approx(2 * 0.8 / (0.8 + 3 * 0.1 + 1), abs=0.01)
    assert found.confidence == pytest.approx(0.25 * 0.8 + 0.75 * 0.9, abs=0.01)
    assert found.promised == pytest.approx(found.soft)
    assert found.together == pytest.approx(found.soft)
    assert np.count_nonzero(found.sure) == np.count_nonzero(found.rest) == 1
    assert sum(found.sure) + sum(found.rest) == 64 * 64
    assert len(found.sure) == BINS
    assert found.certain == 0  # at .8 and .9 nobody is surer than .9


def test_who_is_certain(tmp_path: Path) -> None:
    """Found: 1,024 pixels, of which a quarter is not certain; of the others 512 are not."""

    def sure(images: Array) -> np.ndarray[Any, Any]:
        said = np.full(images.shape[:3], 0.01)
        said[:, :32, :32], said[:, :16, :16], said[:, 48:, :32] = 0.99, 0.7, 0.2
        return two(said)

    assert of(seen(sure, tmp_path, "none")["c1"]).certain == pytest.approx(2 * 768 / (2 * 768 + 256 + 512))


def test_a_temperature_changes_what_is_promised_and_nothing_else(tmp_path: Path) -> None:
    plain = of(seen(red, tmp_path / "a", "none")["c1"])
    cold = of(seen(red, tmp_path / "b", "none", worth=Calibration({"polyp": 0.5}, 1))["c1"])
    assert cold.promised > plain.promised
    assert (cold.soft, cold.found, cold.sure, cold.steady) == (plain.soft, plain.found, plain.sure, plain.steady)


def test_members_agree_or_not(tmp_path: Path) -> None:
    same = of(seen(red, tmp_path / "a", "none", members=[red, red])["c1"])
    assert same.members == 1.0
    apart = of(seen(red, tmp_path / "b", "none", members=[red, across, red])["c1"])
    assert apart.members < 0.8
    assert math.isnan(of(seen(red, tmp_path / "c", "none")["c1"]).members)


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    one = seen(red, tmp_path)["c0"]
    assert one.look is not None
    assert Evidence.from_json(of(one).as_json()).as_json() == of(one).as_json()
    assert Look.from_json(one.look.as_json()).as_json() == one.look.as_json()


def test_what_cannot_be_turned_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two images mixed"):
        seen(red, tmp_path, "cutmix(p=1)")


def test_an_image_that_cannot_be_read_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    dataset = fakes.dataset(tmp_path)
    (tmp_path / "raw" / "images" / "3.png").write_bytes(b"no picture")
    cases = images_alone(dataset, dataset.cases)
    found = list(
        observe(
            red,
            cases,
            [one.case.case for one in cases],
            frame=FRAME,
            target=POLYP,
            variation=parse("none"),
            worth=AS_IS,
        )
    )
    assert [one.case for one in found if one.error] == ["c3"]


class Given:
    """A subject of which only the image is asked."""

    def __init__(self, one: Any) -> None:
        self.one = one

    def picture(self, frame: Frame) -> Any:
        return self.one


def test_slices_of_a_volume_count_together_and_volumes_do_not_mix() -> None:
    """A small square in one slice of three, a large one in another volume: as if each had been asked alone."""
    small, large = np.zeros((2, 3, 32, 32, 1), np.uint16)
    small[1, 4:12, 4:12], large[:, 8:28, 8:28] = 65535, 65535
    how: dict[str, Any] = {"target": POLYP, "variation": parse("flips"), "worth": AS_IS}
    both = observe(red, [Given(stack(small)), Given(stack(large))], ["s", "l"], frame=frame_of_slices(), **how)  # type: ignore[list-item]
    found = {one.case: one for one in both}
    assert of(found["s"]).found == pytest.approx(64 / (3 * 32 * 32))
    assert of(found["l"]).found == pytest.approx(400 / (32 * 32))
    assert (of(found["s"]).soft, of(found["s"]).steady) == pytest.approx((1.0, 1.0))
    (alone,) = observe(red, [Given(stack(large))], ["l"], frame=frame_of_slices(), **how)  # type: ignore[list-item]
    assert of(alone) == of(found["l"])
    assert alone.look is not None
    assert alone.look.area == pytest.approx(np.log(400 / 1024))


@pytest.mark.parametrize("target", [THREE, REGIONS], ids=["classes", "regions"])
def test_each_class_for_itself(target: Target, tmp_path: Path) -> None:
    regions = lambda images: np.stack([images[..., 0] / 255, images[..., 0] / 400], axis=1).astype(np.float32)  # noqa: E731
    worth = Calibration(dict.fromkeys(target.foreground, 1.0), 1)
    found = seen(shades if target is THREE else regions, tmp_path, "flips", target=target, worth=worth)
    for one in found.values():
        assert one.evidence is not None
        assert set(one.evidence) == set(target.foreground)
        assert all(each.steady > 0.9 for each in one.evidence.values() if each.found)
    areas = np.array([[each.found for each in (one.evidence or {}).values()] for one in found.values()])
    assert (areas[:, 0] != areas[:, 1]).any()


# How a place looks


def looks(count: int = 30, *, shift: Any = (0, 0, 0), swapped: bool = False, dark: float = 1.0) -> list[Look]:
    numbers = np.random.default_rng(0)
    found = []
    for _ in range(count):
        base = np.array([190, 90, 70]) + 10 * numbers.normal(size=3) + np.array(shift)
        image = np.clip(dark * (base + 12 * numbers.normal(size=(48, 48, 3))), 0, 255).astype(np.uint8)
        one = Looking()
        mask = np.zeros((48, 48), np.bool_)
        mask[10:20, 10:20] = True
        one.add(image[:, :, ::-1] if swapped else image, np.ones((48, 48), np.bool_), mask)
        found.append(one.found())
    return found


def test_a_darker_bluer_place_is_told_so() -> None:
    usual = Usual.of(looks())
    found = differences(usual, looks(shift=(0, 0, 60)))
    assert "bluer" in told(found)
    assert "darker" in told(differences(usual, looks(dark=0.6)))
    assert told(differences(usual, looks())) == ""


def test_a_stranger_lies_far_from_all_that_is_known_and_not_only_from_home() -> None:
    """Dark images and bright ones are known: what is dark too is none, though it is as far from home as what is blue."""
    known = {HOME: looks(), "a": looks(dark=0.9), "b": looks(dark=0.8), "c": looks(dark=0.7), "d": looks(dark=0.6)}
    home = Usual.of(known[HOME])
    dark, blue = looks(10, dark=0.65), looks(10, shift=(-70, 10, 70))
    assert not strange(known, dark, home).any()
    assert strange(known, blue, home).all()
    assert not strange({HOME: looks()}, blue, home).any(), "of one kind alone nobody knows what is usual"


def test_where_things_are_found_is_told() -> None:
    usual = Usual.of(looks())
    down = [replace(one, down=one.down + 0.3, area=one.area + 2) for one in looks()]
    assert "finds larger ones" in told(differences(usual, down))
    assert "finds them further down" in told(differences(usual, down))


# Words


def spoken(here: list[Look], known: Any = None) -> Any:
    known = known or world(0.05)
    place = group("elsewhere", 0.5, 0.05, count=len(here))
    said = expected([(one.case, one.who, {"polyp": one.evidence}) for one in place], {"polyp": Lessons(known)})
    by_case = {one.case: look for one, look in zip(place, here, strict=True)}
    groups = {HOME: looks(60), "blur": looks(60, dark=0.85), "noise": looks(60, dark=1.1)}
    return verdict(said, groups, by_case, {"polyp": trial(Lessons(known))[0]})


def test_a_place_like_home_is_spoken_of() -> None:
    found = spoken(looks())
    assert found.known
    assert found.told[0].startswith("polyp: a Dice of 0.4")
    assert "in 9 of 10 places that differ as spoilt copies of home do" in found.told[0]
    assert "worse than at home (0.75)" in found.told[0]


def test_few_images_strangers_and_swapped_channels_are_not() -> None:
    assert "5 images are too few" in spoken(looks(5)).told[0]
    strange = spoken(looks(shift=(-60, 80, 60)))
    assert not strange.known
    assert strange.strangers > 0.9
    assert "look like none of which something is known" in strange.told[0]
    assert not any("swapped" in line for line in strange.told)
    swapped = spoken(looks(swapped=True))
    assert any("channels may be swapped" in line for line in swapped.told)


def test_that_images_have_no_colour_is_told() -> None:
    grey = [replace(one, green=one.red, blue=one.red) for one in looks()]
    assert "have no colour" in spoken(grey).notes[0]
    assert not any("have no colour" in note for note in spoken(looks()).notes)


def test_who_has_not_earned_it_does_not_speak() -> None:
    names = [HOME, "blur 1", "noise 1", "jpeg 1", "motion 1"]
    known = [
        one
        for name, by in zip(names, (0, 0.3, -0.3, 0.25, -0.25), strict=True)
        for one in group(name, 0.6, 0.05, off=by)
    ]
    found = spoken(looks(), known)
    assert not found.known
    assert "a constant was nearer to the truth" in found.told[0]


def test_of_one_who_finds_nothing_zero_is_expected() -> None:
    nothing = replace(PLAIN, found=0.0, promised=0.0, together=0.0, steady=0.0, least=0.0)
    said = expected([(f"c{n}", f"p{n}", {"polyp": nothing}) for n in range(8)], {"polyp": Lessons(world(0.05))})
    assert {(one.dice, one.low, one.high) for one in said.cases} == {(0.0, 0.0, 0.0)}
