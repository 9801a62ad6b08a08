"""What a painter's page says, and when it says that nothing can be said."""

from __future__ import annotations

import dataclasses

from segue.report.painter_page import Far, Filled, PainterStory, in_words, painter_page, warnings

FAR = Far(
    encoder="runs/looked", real=0.031, fills=(0.812, 0.456, 0.123), deviation=0.011, way=0.118, times=20, directions=15,
    taught=False, seen=0,
)  # fmt: skip
STORY = PainterStory(
    title="a painter", what="polyp", made="80 images, 100 steps",
    fills=(
        Filled("a mean colour", 0.157, 0.15, 0.16, 0.40, 0.999), Filled("what is around", 0.12, 0.12, 0.12, 0.50, 0.90),
        Filled("the painter", 0.10, 0.10, 0.10, 0.55, 0.70),
    ),
    variety=0.05, windows=300, far=FAR, holes=(), edits=(),
)  # fmt: skip


def told(**changes: object) -> str:
    return painter_page(dataclasses.replace(STORY, **changes)).html()  # type: ignore[arg-type]


def test_distances_stand_beside_what_real_ones_are_from_real_ones() -> None:
    page = told()
    for words in ("Fréchet", "0.812", "0.456", "0.123", "other real ones", "0.031", "15 directions", "20 halvings"):
        assert words in page
    assert "12% of the way to a mean colour" in in_words(FAR)
    assert "0.092 (± 0.011) beyond real ones" in in_words(FAR)
    assert not warnings(STORY)


def test_without_an_encoder_it_says_that_and_how() -> None:
    page = told(far=None)
    assert "The Fréchet distance was not measured" in page
    assert "--encoder RUN" in page
    assert "other real ones" not in page


def test_who_does_not_see_through_a_mean_colour_has_no_word() -> None:
    blind = (dataclasses.replace(STORY.fills[0], told=0.94), *STORY.fills[1:])
    assert "hardly told from real ones" in told()
    page = told(fills=blind)
    assert "hardly told from real ones" not in page
    assert "How real it looks cannot be said" in page
    assert "does not see through a mean colour (0.94)" in page


def test_an_encoder_that_is_partial_is_told() -> None:
    assert "told by the encoder that the painter learnt from" in told(far=dataclasses.replace(FAR, taught=True))
    assert "has looked at 3 held-back images" in told(far=dataclasses.replace(FAR, seen=3))
