"""The page of an encoder: every number, point and picture that it was given, in words that do not promise too much."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segue.report.embedding_page import (
    EmbeddingStory,
    Guess,
    Layout,
    Query,
    Shown,
    embedding_page,
    principal_layout,
)  # fmt: skip
from segue.report.figures import Bytes
from tests.report.test_page import HOSTILE, Reader, outside
from tests.report.test_run_page import titles

NBSP = "\N{NO-BREAK SPACE}"


def picture(seed: int, height: int = 30, width: int = 40) -> Bytes:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def shown(seed: int, dataset: str = "north", case: str = "", partition: int = -1) -> Shown:
    return Shown(picture=picture(seed), dataset=dataset, case=case or f"case-{seed}", partition=partition)


def places(n: int) -> Any:
    return np.random.default_rng(n).normal(size=(n, 2))


def story(n: int = 60, **more: Any) -> EmbeddingStory:
    """Slices of a dataset with two sites, and pictures of one that has none."""
    given: dict[str, Any] = {
        "title": "two-view", "encoder": "resnet18 after 100 steps", "dimensions": 512,
        "datasets": ["north" if i % 3 else "harbour" for i in range(n)],
        "sites": [f"site {i % 2}" if i % 3 else "" for i in range(n)],
        "units": [f"patient {i // 6} {i % 3 > 0}" for i in range(n)],
        "partitions": [i % 4 if i % 3 else -1 for i in range(n)],
        "volumes": [f"volume {i // 6}" if i % 3 else "" for i in range(n)],
        "spread": 0.8123, "effective_rank": 33.33, "uniformity": -2.345, "alignment": 0.1234,
        "layouts": (principal_layout(places(n), (0.405, 0.21)),),
        "guesses": (
            Guess(what="partition", accuracy=0.91, chance=0.26, n=40), Guess(what="dataset", accuracy=0.99, chance=0.67, n=60),
            Guess(what="site", accuracy=0.62, chance=0.51, n=40),
        ),
        "queries": (
            Query(image=shown(1, partition=2), nearest=tuple(shown(i, partition=i % 4) for i in range(2, 7))),
            Query(image=shown(7, "harbour"), nearest=(shown(8),)),
        ),
    }  # fmt: skip
    return EmbeddingStory(**{**given, **more})


def drawings(page: str) -> list[str]:
    return re.findall(r"<svg .*?</svg>", page, re.DOTALL)


def points(drawing: str) -> int:
    """But for those of the legend and of the axes' ticks."""
    return len(re.findall(r"<use [^>]*fill-opacity: 0.6", drawing))


@pytest.fixture(scope="module")
def page() -> str:
    return embedding_page(story()).html()


def test_what_was_embedded_and_how_well_is_said_first(page: str) -> None:
    lead = "resnet18 after 100 steps sees 60 images of harbour, north as 512 numbers each. Nothing has collapsed."
    assert f"<header><h1>two-view</h1>\n<p>{lead}</p></header>" in page
    assert titles(page) == [
        "What was embedded", "Measures", "Principal components", "Guessed from neighbours", "Nearest images",
    ]  # fmt: skip
    assert Reader(page).rows[:3] == [
        ["dataset", "images", "patients", "volumes", "sites"],
        ["harbour", "20", "10", "0", "0"],
        ["north", "40", "10", "10", "2"],
    ]


def test_every_measure_is_explained(page: str) -> None:
    rows = {row[0]: row for row in Reader(page).rows}
    assert [rows[name][1] for name in ("spread", "effective rank", "uniformity", "alignment")] == [
        "0.812", "33.3", "\N{MINUS SIGN}2.35", "0.123",
    ]  # fmt: skip
    assert "of 59 that there are" in rows["effective rank"][2], "60 images have no more"
    for name in ("spread", "effective rank", "uniformity", "alignment"):
        assert "is better" in rows[name][2]
    without = embedding_page(story(alignment=float("nan"))).html()
    assert "alignment" not in {row[0] for row in Reader(without).rows}


def test_maps_are_coloured_by_what_has_several_values(page: str) -> None:
    by_dataset, by_partition, by_site = drawings(page)
    assert [points(one) for one in (by_dataset, by_partition, by_site)] == [60, 60, 60]
    assert f"first component (40.5{NBSP}% of the variance)" in by_dataset
    assert f"second component (21{NBSP}% of the variance)" in by_dataset
    for name in ("north", "harbour"):
        assert f">{name}</text>" in by_dataset
    for name in ("partition 0", "partition 3", "none"):
        assert f">{name}</text>" in by_partition
    for name in ("site 0", "site 1", "not told"):
        assert f">{name}</text>" in by_site
    assert by_site.count("var(--c7)") > 20, "what is not told is grey"
    assert "#0072b2" not in page[page.index("<svg") :], "a colour of the page, so that it is another on dark ground"


def test_one_dataset_without_sites_and_axes_has_a_map_and_nothing_empty() -> None:
    n = 30
    one = story(
        n, datasets=["north"] * n, sites=["south"] * n, partitions=[-1] * n, volumes=[""] * n, guesses=(), queries=()
    )  # fmt: skip
    page = embedding_page(one).html()
    assert titles(page) == ["What was embedded", "Measures", "Principal components"]
    assert Reader(page).rows[:2] == [["dataset", "images", "patients", "sites"], ["north", "30", "10", "1"]]
    assert Reader(embedding_page(replace(one, whom="scene")).html()).rows[0] == ["dataset", "images", "scenes", "sites"]
    assert Reader(embedding_page(replace(one, whom="image")).html()).rows[0] == ["dataset", "images", "sites"]
    (drawn,) = drawings(page)
    assert points(drawn) == 30
    assert "legend" not in drawn
    assert "<figcaption>All images.</figcaption>" in page
    unguessed = (Guess(what="site", accuracy=float("nan"), chance=float("nan"), n=0),)
    assert "Guessed" not in embedding_page(replace(one, guesses=unguessed)).html()


def test_of_many_values_twelve_have_a_colour_and_all_are_in_the_legend() -> None:
    n = 600
    sites = [f"_site {min(i % 20, i % 15)}" for i in range(n)]
    made = story(n, sites=sites, partitions=[i % 12 for i in range(n)])
    _, by_partition, by_site = drawings(embedding_page(made).html())
    named = re.findall(r">\s*_site (\d+)</text>", by_site)
    assert len(named) == 12
    assert ">3 others</text>" in by_site
    assert "14" not in named, "the rarest"
    assert points(by_site) == n
    partitions = re.findall(r">partition (\d+)</text>", by_partition)
    assert partitions == [f"{i}" for i in range(12)], "as they lie, 10 after 9"
    looks = re.findall(r'href="#([\w-]+)"[^>]*fill: (var\(--c\d\)); fill-opacity: 0.6', by_partition)
    assert len(set(looks)) == 12, "two shapes of seven colours"
    assert len({hue for _, hue in looks}) == 7


def test_of_very_many_images_some_are_drawn_and_no_value_is_lost() -> None:
    n = 9000
    rare = ["rare" if i < 20 else "common" for i in range(n)]
    page = embedding_page(story(n, datasets=rare)).html()
    drawn = drawings(page)[0]
    assert 1900 < points(drawn) < 2100
    told = re.search(r"Coloured by dataset\. ([\d,]+) of 9,000 images are drawn\.", page)
    assert told is not None
    assert int(told[1].replace(",", "")) == points(drawn)
    assert drawn.count("var(--c1)") >= 15


def test_other_layouts_are_drawn_as_they_are_given() -> None:
    second = Layout(name="UMAP", x="one way", y="another way", places=places(60))
    page = embedding_page(story(layouts=(*story().layouts, second))).html()
    assert titles(page)[2:4] == ["Principal components", "UMAP"]
    assert len(drawings(page)) == 6
    assert ">another way</text>" in page


def test_guesses_stand_beside_chance_and_a_site_is_no_virtue(page: str) -> None:
    rows = [row for row in Reader(page).rows if row[0] in ("label", "partition", "dataset", "site")][1:]
    assert rows == [
        ["label", "guessed right", "by chance", "images"],
        ["partition", f"91.0{NBSP}%", f"26.0{NBSP}%", "40"],
        ["dataset", f"99.0{NBSP}%", f"67.0{NBSP}%", "60"],
        ["site", f"62.0{NBSP}%", f"51.0{NBSP}%", "40"],
    ]
    assert "Recognising the site is not a virtue" in page
    assert "not a virtue" not in embedding_page(story(guesses=story().guesses[:2])).html()


def test_every_picture_is_embedded_with_its_name(page: str) -> None:
    images = Reader(page).named("img")
    assert [image["alt"] for image in images] == [
        *(f"case-{i} of north" for i in range(1, 7)), "case-7 of harbour", "case-8 of north",
    ]  # fmt: skip
    assert len({image["src"] for image in images}) == 8
    assert re.findall(r'<span class="mark">(.*?)</span>', page) == [
        "asked for", "1", "2", "3", "4", "5", "asked for", "1",
    ]  # fmt: skip
    assert "<figcaption>north\ncase-1\npartition 2</figcaption>" in page
    assert "<figcaption>harbour\ncase-7</figcaption>" in page, "a picture has no partition"
    large = Query(image=replace(shown(1), picture=picture(1, 2000, 1500)), nearest=())
    assert len(embedding_page(story(queries=(large,))).html()) < len(page) + 100_000, "shrunk to what is seen of it"


def test_a_collapse_is_told_at_once() -> None:
    why = "all images have nearly the same representation (spread 0.003)"
    page = embedding_page(story(collapsed=why, uniformity=-0.0001)).html()
    assert f"It has collapsed: {why}.</p></header>" in page
    assert titles(page)[0] == "What to mind"
    assert "<strong>All images have nearly the same representation (spread 0.003).</strong>" in page
    assert "scaled to what little difference there is" in page
    assert ["uniformity", "0.00"] in [row[:2] for row in Reader(page).rows]


def test_representations_that_are_no_numbers_have_a_page_too() -> None:
    nothing = float("nan")
    page = embedding_page(
        story(
            collapsed="the representations of all 60 images are not finite numbers", spread=nothing, effective_rank=nothing,
            uniformity=nothing, alignment=nothing, layouts=(), guesses=(), queries=(),
        )
    ).html()  # fmt: skip
    assert titles(page) == ["What to mind", "What was embedded"]


def test_no_images_are_no_page_of_numbers() -> None:
    nothing: dict[str, Any] = {name: [] for name in ("datasets", "sites", "units", "partitions", "volumes")}
    page = embedding_page(story(0, **nothing, layouts=(), guesses=(), queries=())).html()
    assert "was shown no images" in page
    assert "What was embedded" not in titles(page)


def test_hostile_names_stay_text_and_nothing_is_fetched(page: str) -> None:
    evil = Shown(picture=picture(0), dataset=HOSTILE, case=HOSTILE)
    told = story(
        title=HOSTILE, encoder=HOSTILE, collapsed=HOSTILE, datasets=[HOSTILE, "b"] * 30, sites=[HOSTILE + "2", "b"] * 30,
        layouts=(Layout(name=HOSTILE, x=HOSTILE, y=HOSTILE, places=places(60)),),
        guesses=(Guess(what=HOSTILE, accuracy=0.5, chance=0.5, n=2),), queries=(Query(image=evil, nearest=(evil,)),),
    )  # fmt: skip
    made = embedding_page(told).html()
    assert not Reader(made).named("script")
    assert len(Reader(made).named("img")) == 2
    assert outside(made) == []
    assert outside(page) == []
    assert sum("alert(" in text for text in Reader(made).text) >= 15


def test_the_same_story_is_the_same_page(page: str) -> None:
    assert embedding_page(story()).html() == page
