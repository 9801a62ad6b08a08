"""The page of a variation at a site: every part, no more said than was found."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from segue.report.coverage_page import Beside, CoverageStory, Share, SiteStory, coverage_page
from segue.report.figures import jpeg
from segue.report.page import Estimate
from tests.report.test_page import HOSTILE

URI = jpeg(np.zeros((8, 8, 3), np.uint8))


def share(name: str, value: float, severity: float = math.nan) -> Share:
    return Share(
        name=name, estimate=Estimate(value, value - 0.1, value + 0.1), middle=0.9, farther=0.8, severity=severity
    )


def story(whole: float = 0.7, site: str = "south", held: int = 50) -> CoverageStory:
    one = SiteStory(
        name=site, images=4, every=4, units=2, whom="patient", told=f"natural covers 70 % of {site}.", reference=0.95,
        luck=(0.8, 1.0), plain=share("as it is", 0.4), control=share("flips", 0.45),
        severities=(share("severity 0.5", 0.5, 0.5), share("severity 1", whole, 1.0)), families=(share("focus", 0.61),),
        without=(0.5, 1.2, 3.0, 9.0), distances=(0.5, 0.8, 1.5, 9.0),
        outside=(Beside("far\nnearest: b, varied", ((URI, "a"), (URI, "b")), "9.00"),),
        inside=(Beside("near", ((URI, "c"),)),),
    )  # fmt: skip
    return CoverageStory(
        title="run: is natural enough?", variation="natural", encoder="resnet18", source=30, held=held, how="not learnt from",
        draws=3, site=one, commands=("segue evaluate run",),
    )  # fmt: skip


def test_it_has_its_parts() -> None:
    page = coverage_page(story()).html()
    for words in (
        "natural covers 70 % of south.",
        "severity 0.5",
        "focus",
        "flips",
        "2 of 4 images",
        "nearest: b, varied",
        "near",
    ):
        assert words in page, words
    assert page.count("<svg") == 2
    assert page.count("<img") == 3
    assert "covered less with the variation" not in page
    assert "are held back" not in page.split("How much is covered")[0]


def test_who_is_counted_as_one_is_told() -> None:
    patients = story()
    assert "images of one patient, and copies of each other, as one" in coverage_page(patients).html()
    scenes = coverage_page(replace(patients, site=replace(patients.site, whom="scene"))).html()
    images = coverage_page(replace(patients, site=replace(patients.site, whom="image"))).html()
    assert "images of one scene" in scenes
    assert "2 scenes" in scenes
    assert "counts copies of each other as one" in images
    assert "patient" not in scenes + images


def test_what_to_mind() -> None:
    page = coverage_page(story(whole=0.2, held=6)).html()
    assert "covered less with the variation than without it" in page
    assert "Only 6 images of the source are held back" in page
    seen = story()
    seen = replace(seen, site=replace(seen.site, seen="all 4 images were seen by the run"))
    assert "south: all 4 images were seen by the run." in coverage_page(seen).html()


def test_names_from_outside_are_escaped() -> None:
    assert HOSTILE not in coverage_page(story(site=HOSTILE)).html()
