"""The page is one file, says what it was given and nothing else, and cannot be made to run or fetch anything."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from segue.report import figures
from segue.report.page import Bar, Estimate, Figure, Noted, Page, Percent, Swatch, Tile

HOSTILE = '<script>alert("x")</script>\'&`<img src=http://evil.example/x>'
NBSP, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
PIXEL = "data:image/png;base64,AAAA"


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, headings, and cells of tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def fetched(page: str) -> list[str]:
    """Every address that a browser would load by itself or follow."""
    reader = Reader(page)
    found = [
        value or ""
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href")
    ]
    styles = "".join(re.findall(r"<style>.*?</style>", page, re.DOTALL)) + "".join(
        attributes.get("style") or "" for _, attributes in reader.tags
    )
    return found + re.findall(r"url\(([^)]*)\)", styles) + re.findall(r"@import[^;]*", styles)


def outside(page: str) -> list[str]:
    return [address for address in fetched(page) if not address.startswith(("#", "data:image/"))]


@pytest.fixture
def page() -> str:
    made = Page(HOSTILE, HOSTILE)
    section = made.section(HOSTILE, HOSTILE).text(HOSTILE).heading(HOSTILE, HOSTILE).warnings([(HOSTILE, HOSTILE)])
    section.facts([(HOSTILE, HOSTILE), ("colour", Swatch(1, 2, 3))]).table([HOSTILE], [[HOSTILE]], HOSTILE)
    section.table([HOSTILE], [[Noted(HOSTILE, HOSTILE)], [Bar(Estimate(0.5), HOSTILE)]])
    section.legend([(Swatch(1, 2, 3), HOSTILE)]).listing([HOSTILE])
    section.pictures([Tile(((PIXEL, HOSTILE),), HOSTILE, HOSTILE)]).commands(HOSTILE)
    drawn = figures.groups({HOSTILE: [1.0, 2.0], "$\\frac{1}{$": [3.0]}, x=HOSTILE)
    section.figures([Figure(drawn, HOSTILE, HOSTILE), Figure(drawn, "again", "again")])
    return made.html()


def test_hostile_text_stays_text(page: str) -> None:
    reader = Reader(page)
    assert not reader.named("script")
    assert [image["src"] for image in reader.named("img")] == [PIXEL]
    assert sum(HOSTILE.replace("`", "") in text.replace("`", "") for text in reader.text) >= 12
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)


def test_nothing_is_fetched(page: str) -> None:
    assert fetched(page), "the page has pictures and links; if none is seen, this test sees nothing"
    assert outside(page) == []
    assert outside('<img src="http://evil.example/x">') == ["http://evil.example/x"]  # the check itself can fail
    policy = next(tag["content"] or "" for tag in Reader(page).named("meta") if "http-equiv" in tag)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_every_picture_and_drawing_says_what_it_shows(page: str) -> None:
    reader = Reader(page)
    assert all(image.get("alt") for image in reader.named("img"))
    drawings = reader.named("svg")
    assert [drawing["aria-label"] for drawing in drawings] == [HOSTILE, "again"]
    assert all(drawing["role"] == "img" for drawing in drawings)


def test_parts_of_drawings_have_names_of_their_own(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Reader(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert any(name.startswith("f1-") for name in used)
    assert used <= set(ids)


def test_headings_go_down_one_step_at_a_time_and_contents_lead_to_sections() -> None:
    page = Page("title", "lead")
    page.section("one", "3 pairs").text("x").heading("part")
    page.section("empty")
    page.section("two").table(["a"], [])  # nothing in it: as empty as the one before
    page.section("three").text("y")
    made = page.html()
    levels = [int(tag[1]) for tag, _ in Reader(made).tags if re.fullmatch(r"h\d", tag)]
    assert levels == [1, 2, 3, 2]
    assert re.findall(r'<a href="#(s\d)">(\w+)', made) == [("s1", "one"), ("s2", "three")]
    assert [section["id"] for section in Reader(made).named("section")] == ["s1", "s2"]
    assert '<html lang="en">' in made


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    page = Page("t", "l")
    page.section("s").table(
        ["name", "count", "share", "mixed", "value"],
        [["a", 12345, Percent(0.5), 1, 0.91234], ["b", None, Percent(0.001), "x", 0.5]],
    )
    reader = Reader(page.html())
    assert reader.rows[1:] == [
        ["a", "12,345", "50.0\N{NO-BREAK SPACE}%", "1", "0.912"],
        ["b", "–", "0.1\N{NO-BREAK SPACE}%", "x", "0.500"],
    ]
    assert [cell.get("class") for cell in reader.named("th")] == ["words", "number", "number", None, "number"]


def test_backticks_are_code_and_still_escaped() -> None:
    page = Page("t", "l")
    page.section("s").text("run `segue <b>` now")
    assert "<p>run <code>segue &lt;b&gt;</code> now</p>" in page.html()


def test_both_grounds_define_every_colour_that_drawings_name() -> None:
    made = Page("t", "l").html()
    light, dark = (set(re.findall(r"(--c\d):", part)) for part in made.split("prefers-color-scheme:dark", 1))
    assert light == dark
    drawn = figures.histogram([0, 1], {str(number): [1] for number in range(12)}, x="x", y="y")
    assert set(re.findall(r"var\((--c\d)\)", drawn)) == light


def test_bars_say_their_number_and_interval_and_reach_no_further_than_the_cell() -> None:
    page = Page("t", "l")
    page.section("s").table(
        ["a", "b"],
        [
            [Bar(Estimate(0.5, 0.25, 0.75), "3 cases"), Bar(Estimate(0.051, -0.2, 1.7), percent=True, hue=1)],
            [Bar(Estimate(math.nan)), Bar(Estimate(0.2), percent=True)],
        ],
    )
    made = page.html()
    reader = Reader(made)
    assert reader.rows[1:] == [
        ["0.5000.250 to 0.7503 cases", f"5.1{NBSP}%{MINUS}20.0 to 170.0{NBSP}%"],
        ["–", f"20.0{NBSP}%"],
    ]
    assert "--v:50.0%;--l:25.0%;--h:75.0%;--hue:var(--c0)" in made
    assert "--v:5.1%;--l:0.0%;--h:100.0%;--hue:var(--c1)" in made
    assert [cell["class"] for cell in reader.named("th")] == ["number", "number"]


def test_what_is_not_a_number_is_a_dash_and_spoils_no_decimals() -> None:
    page = Page("t", "l")
    page.section("s").table(["a"], [[math.nan], [math.inf], [-0.5], [0.25]])
    assert [cells[0] for cells in Reader(page.html()).rows[1:]] == ["–", "–", f"{MINUS}0.500", "0.250"]


def test_noted_numbers_stand_to_the_right_and_noted_words_to_the_left() -> None:
    page = Page("t", "l")
    page.section("s").table(["a", "b"], [[Noted("x", "below"), Noted("1.5", "1 to 2", number=True)]])
    reader = Reader(page.html())
    assert [cell["class"] for cell in reader.named("th")] == ["words", "number"]
    assert "x<small>below</small>" in page.html()
