"""Whether a variation is enough for a site: sites of which it is known, and those that cannot be asked about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.case import read_table
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.experiment.covering.cover import cover
from segue.experiment.covering.covered import DRAWS, SiteCovered
from segue.experiment.covering.images import home_of
from segue.experiment.covering.look import Eye
from segue.experiment.pretraining.represent import in_turn
from segue.experiment.train import train
from segue.training.run import Run
from segue.variations.colour import colour
from segue.variations.drawn import Drawn
from tests.experiment.conftest import SMALL, working_in

SHORT: dict[str, Any] = {**SMALL, "loop": {"steps": 2, "epoch_steps": 1, "batch": 4}}
RUN = "runs/cover-home"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """datasets/home with a run, datasets/twin (other patients of the same hospital), datasets/cast (those in another hue)."""
    folder = tmp_path_factory.mktemp("cover")
    for name, patients in (("home", range(12)), ("twin", range(12, 18))):
        PHANTOMS["colon"].make(folder / name, patients=patients, sites=["north"])
    tint = colour(*(np.full(1, value) for value in (1.0, 1.0, 1.0, 2 * np.pi * 0.15)))
    for path in sorted((folder / "twin").rglob("images/*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        drawn = Drawn(1, (image.shape[0], image.shape[1]), {"colour": tint})
        other = folder / "cast" / path.name
        other.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(other), drawn.images(image[None, ..., ::-1])[0][..., ::-1])
    for name in ("home", "twin", "cast"):
        assert scan(folder / name, folder / "datasets" / name, name=name, workers=0).dataset is not None
    split(folder / "datasets/home", settings=SplitSettings(test=0.1, validation=0.4))
    with working_in(folder):
        train("datasets/home", RUN, **SHORT)
    return folder


@pytest.fixture
def here(sites: Path) -> Iterator[Path]:
    with working_in(sites):
        yield sites


def only(**given: Any) -> SiteCovered:
    (found,) = cover(RUN, **given).sites
    return found


def test_a_site_like_home_is_covered_and_one_in_another_hue_is_not(here: Path) -> None:
    done = cover(RUN, ["datasets/twin", "datasets/cast"], variation="hue(amount=0.2)")
    twin, cast = done.sites
    for one in twin.coverages:
        assert one.share > one.luck[0], one
    assert twin.plain.share > 0.8
    assert "that is enough" in twin.sentence
    assert cast.plain.share < 0.3
    assert cast.found["flips"].coverage.share < 0.3
    assert cast.covered.share > cast.plain.share + 0.4
    assert list(cast.found) == [
        "as it is", "flips", "severity 0.25", "severity 0.5", "severity 0.75", "severity 1", "colour and light",
    ]  # fmt: skip
    # What is the whole of a chain is also its only family.
    assert cast.found["colour and light"].distances.tolist() == cast.found["severity 1"].distances.tolist()


def test_flips_do_not_cover_another_hue(here: Path) -> None:
    found = only(on="datasets/cast", variation="flips + rot90")
    assert found.covered.share < 0.3
    assert re.search(r"\d+.% lie outside", found.sentence)


def test_what_is_written(here: Path) -> None:
    done = segue.cover(RUN, "datasets/cast", variation="natural + blur")
    (site,) = done.sites
    assert site.folder == Path(RUN) / "coverage/cast-af2b0c"
    rows = read_table(site.folder / "cases.csv")
    assert len(rows) == 30
    assert [row["covered"] for row in rows] == sorted(row["covered"] for row in rows)
    assert sum(row["covered"] == "1" for row in rows) == site.covered.covered
    assert {row["nearest_draw"] for row in rows} <= {"", *(str(draw + 1) for draw in range(DRAWS))}
    told = json.loads((site.folder / "summary.json").read_text())
    assert told["variation"] == "natural + blur"
    assert [one["bank"] for one in told["banks"]][-5:] == [
        "geometry",
        "colour and light",
        "focus",
        "noise",
        "compression",
    ]
    assert told["covered"] == site.covered.share
    page = site.page.read_text()
    for words in (
        "Coverage is not Dice",
        "at cast: is",
        "By severity and by what is varied",
        "Outside",
        "severity 0.25",
        "focus",
        "How it is measured",
    ):
        assert words in page, words
    assert page.count("<svg") == 2


def test_twice_is_the_same(here: Path) -> None:
    one, other = (only(on="datasets/twin", variation="natural").page.read_bytes() for _ in range(2))
    assert one == other


def test_each_site_and_each_variation_keeps_its_page(here: Path) -> None:
    twin = only(on="datasets/twin")
    first = twin.page.read_bytes()
    assert twin.page == Path(RUN) / "coverage/twin/coverage.html"
    cast, flipped = only(on="datasets/cast"), only(on="datasets/twin", variation="flips")
    assert (cast.page.parent.name, flipped.page.parent.name) == ("cast", "twin-flips")
    assert twin.page.read_bytes() == first
    assert "cast" not in first.decode()
    assert "flips covers" in flipped.page.read_text()


def test_a_picture_is_what_was_seen(here: Path) -> None:
    run = Run.open(RUN)
    eye = Eye.of(run)
    home = home_of(run, 3, most=40, held=40)
    examples = [image.example for image in home.source]
    views = [segue_variation()] * 2
    whole = in_turn(examples, eye.size, eye.padding, views=views, batch=32)
    step, place = divmod(33 % len(examples), 32)
    alone = in_turn(examples, eye.size, eye.padding, views=views, batch=1)[33 % len(examples)]
    assert np.array_equal(whole[step].stored[1].images[place], alone.stored[1].images[0])


def segue_variation() -> Any:
    from segue.variations import parse

    return parse("natural")


def test_home_itself_without_what_was_learnt(here: Path) -> None:
    said: list[str] = []
    found = only(on="datasets/home", say=said.append)
    names = {image.case.case for image in found.site.images}
    parts = {row["case"]: row["part"] for row in Run.open(RUN).cases()}
    assert {parts[name] for name in names} == {"test"}
    assert any("seen by the run; they are left out" in line for line in said)
    assert "seen by the run" in found.site.told


def test_without_a_validation_part_half_is_put_aside(here: Path) -> None:
    train("datasets/home", "runs/cover-few", labels="3", validation="none", **SHORT)
    run = Run.open("runs/cover-few")
    home = home_of(run, 3, most=100, held=100)
    assert not {image.unit for image in home.source} & {image.unit for image in home.held}
    parts = {row["case"]: row["part"] for row in run.cases()}
    assert {parts[image.case.case] for image in home.source} == {"train"}
    assert {parts[image.case.case] for image in home.held} == {"unused"}


def test_from_the_command_line(here: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["cover", RUN, "--on", "datasets/twin", "--variation", "flips", "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["sites"][0]["site"] == "twin"
    assert {one["bank"] for one in found["sites"][0]["banks"]} >= {"as it is", "flips", "severity 0.5", "geometry"}
    plain = runner.invoke(app, ["cover", RUN, "--on", "datasets/twin", "--variation", "flips"])
    assert "Written: runs/cover-home/coverage/twin-flips/coverage.html" in plain.stdout
    assert "Next: segue evaluate" in plain.stdout


def test_what_cannot_be_asked(here: Path, tmp_path: Path) -> None:
    for variation, words in (
        ("paint + natural", "'paint \\+ natural' asks for masks"), ("natural + cutmix", "puts two images into one"),
        ("none", "does nothing"), ("natrual", "no variation is called 'natrual'"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            cover(RUN, "datasets/twin", variation=variation)
    with pytest.raises(BadInput, match="two of the sites have the name 'twin'"):
        cover(RUN, ["datasets/twin", "datasets/twin"])
    with pytest.raises(BadInput, match="no site to look at"):
        cover(RUN, [])
    (tmp_path / "one").mkdir()
    cv2.imwrite(str(tmp_path / "one/a.png"), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    scan(tmp_path / "one", tmp_path / "datasets/one", name="one", workers=0)
    with pytest.raises(BadInput, match="one: has 1 image to lay beside the source, and a share takes 2"):
        cover(RUN, tmp_path / "datasets/one")
    train("datasets/home", "runs/cover-other", **{**SHORT, "loop": {**SHORT["loop"], "seed": 1}})
    segue.ensemble([RUN, "runs/cover-other"], "runs/cover-both")
    with pytest.raises(BadInput, match="runs/cover-both: is 2 networks, each with an encoder of its own"):
        cover("runs/cover-both", "datasets/twin")


def test_volumes_and_pictures_are_not_laid_beside_each_other(here: Path, images: Path) -> None:
    with pytest.raises(BadInput, match="heads: holds volumes, and cover-home has learnt from pictures"):
        cover(RUN, images / "datasets/heads")
