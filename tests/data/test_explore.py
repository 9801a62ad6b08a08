"""`segue data explore`: the numbers on the page are the dataset's, and a page comes out of whatever a scan can read."""

from __future__ import annotations

import base64
import csv
import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import segue
from segue.data.dataset import Dataset
from segue.data.exploring import measure
from segue.data.exploring.explore import explore
from segue.data.exploring.measure import Colour, evenly, spread
from segue.errors import BadInput
from tests.data.made import blob_mask, scene
from tests.report.test_page import Reader, outside

NBSP = "\N{NO-BREAK SPACE}"
Change = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.integer[Any]]]


def made(
    root: Path, sites: Sequence[str], *, masks: Sequence[bool] | None = None, change: Change = lambda image: image,
    name: Callable[[int], str] = "case {}".format,
) -> Dataset:  # fmt: skip
    """A scanned dataset of one small picture for each entry of `sites`."""
    (root / "i").mkdir(parents=True)
    (root / "m").mkdir()
    rows = []
    for number, site in enumerate(sites):
        assert cv2.imwrite(str(root / f"i/{number}.png"), change(scene(number, 48, 64)))
        mask = f"m/{number}.png" if masks is None or masks[number] else ""
        if mask:
            assert cv2.imwrite(str(root / mask), blob_mask(number, 48, 64))
        rows.append([f"i/{number}.png", mask, name(number), f"SECRET{number // 2}", site])
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image", "mask", "case", "patient", "site"], *rows])
    found = segue.scan(root, root.parent / f"{root.name}-dataset", workers=0).dataset
    assert found is not None
    return found


def test_what_the_scan_has_left_out_is_told(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    made(root, ["", "", ""])
    (root / "i/1.png").write_bytes(b"not a picture")
    found = segue.scan(root, tmp_path / "raw-dataset", workers=0, skip_bad=True).dataset
    assert found is not None
    page = page_of(found)
    assert "Left out by the scan" in titles(page)
    assert "i/1.png" in page
    assert "Left out by the scan" not in titles(page_of(made(tmp_path / "good", ["", ""])))


def test_the_command_that_made_it_is_the_one_that_was_given(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    made(root, ["", "", ""])
    found = segue.scan(
        root, tmp_path / "told", image="i/{case}.png", mask="m/{case}.png", labels="0=background,255=polyp",
        skip_bad=True, workers=0,
    ).dataset  # fmt: skip
    assert found is not None
    assert html.escape(
        f"segue data scan {root} --image 'i/{{case}}.png' --mask 'm/{{case}}.png' "
        f"--labels 0=background,255=polyp --skip-bad --out {tmp_path / 'told'}",
        quote=False,
    ) in page_of(found).replace("&#x27;", "'").replace("&#39;", "'")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([f"{who}OLCV1_{n}" for who in (100, 101, 102, 103) for n in "abc"],
         "3 names begin with 100OLCV1: if that is the patient, scan with --image 'i/{patient}_{case}.png'"),
        ([f"train_{n:03d}" for n in range(12)], ""),
        ([f"ISIC_{n:03d}" for n in range(12)], ""),
        ([f"p{n}_{n}" for n in range(12)], ""),
        ([f"C3_{n}" for n in range(12)], ""),
        ([f"{n}" for n in range(12)], ""),
    ],
)  # fmt: skip
def test_patients_that_show_in_names_are_hinted_at(names: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "raw/i").mkdir(parents=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(tmp_path / f"raw/i/{name}.png"), scene(number, 48, 64))
    found = segue.scan(tmp_path / "raw", tmp_path / "d", workers=0)
    (warning,) = (one for one in found.warnings if one.startswith("No patient is known"))
    assert warning.endswith(f"{told}.") if told else warning.endswith("as its own patient.")


def page_of(dataset: Dataset) -> str:
    return explore(dataset, workers=0).read_text(encoding="utf-8")


def facts(page: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)(?: <span|</h2>)", page)


def row(page: str, start: str) -> list[str]:
    """The row of any table whose cells begin so."""
    return next(cells for cells in Reader(page).rows if " ".join(cells).startswith(start))


def test_the_page_says_what_the_table_says(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["north"] * 7 + ["south"] * 5, masks=[number != 3 for number in range(12)])
    page = page_of(dataset)
    told = facts(page)
    assert (told["Images"], told["With a mask"], told["Unlabelled"]) == ("12", "11", "1")
    assert (told["Known patients"], told["Sites"]) == (str(len({case.who for case in dataset.cases})), "2")
    sizes = {
        site: [c.foreground for c in dataset.cases if c.site == site and c.foreground] for site in ("north", "south")
    }
    north = row(page, "north 6")
    assert sum(map(int, north[2:6])) == 6
    assert float(north[6].removesuffix(f"{NBSP}%")) == pytest.approx(100 * np.median(sizes["north"]), abs=0.01)
    share = sum(sum(inside) for inside in sizes.values()) / 11
    assert row(page, "1 foreground")[3:5] == ["11", f"{100 * share:.1f}{NBSP}%"]
    compared = [cells for cells in Reader(page).rows if cells[:1] == ["south"]][-1]
    assert compared[3:6] == ["5", "5", "3"]
    assert page.count("<figure><div><img") == 12 + 6 + 5  # the contact sheet, and a row a site


def test_same_dataset_same_bytes_in_any_number_of_processes(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a", "b"] * 3)
    first = explore(dataset, tmp_path / "one.html", workers=0)
    second = explore(dataset.folder, tmp_path / "two.html", workers=2)
    assert first.read_bytes() == second.read_bytes()


def test_patients_stay_out_hostile_names_stay_text_and_nothing_is_fetched(tmp_path: Path) -> None:
    hostile = '<script>alert("{}")</script>'
    page = page_of(made(tmp_path / "d", [hostile.format("site"), "b"] * 3, name=hostile.format))
    assert "SECRET" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(&quot;0&quot;)" in page
    assert outside(page) == []
    reader = Reader(page)
    assert all(image.get("alt") for image in reader.named("img"))
    assert all(drawing.get("aria-label") for drawing in reader.named("svg"))


def test_without_masks_nothing_about_masks(tmp_path: Path) -> None:
    page = page_of(made(tmp_path / "d", ["a"] * 4, masks=[False] * 4))
    assert "Nothing is labelled." in page
    assert {"Labels", "Size of the foreground", "Sites compared", "Could not be read"}.isdisjoint(titles(page))
    assert {"At a glance", "Pictures", "Sizes", "Intensity and colour", "How this was made"} <= set(titles(page))
    assert not re.search(r"</h2>\s*</section>", page), "a section is empty"


def test_one_image_is_a_dataset(tmp_path: Path) -> None:
    page = page_of(made(tmp_path / "d", [""]))
    assert "1 image, all with a mask" in page
    assert "No patient is known" not in page
    assert titles(page).count("Sites compared") == 0


def test_no_known_patient_is_said_loudly(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a"] * 3)
    bare = Dataset(dataset.folder, dataset.card, tuple(case.with_(patient="") for case in dataset.cases))
    page = page_of(bare)
    assert "<strong>No patient is known: each image counts as its own patient.</strong>" in page
    assert "No patient is known; 1 site." in page


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda image: image[..., 0], "Grey"),
        (lambda image: image[..., 0].astype(np.uint16) * 16, "from 0 to 4095"),
        (lambda image: image.astype(np.uint16) * 257, "from 0 to 65535"),
        (lambda image: np.zeros_like(image) + np.arange(64, dtype=np.uint8)[:, None] // 9, "8 bits"),
    ],
    ids=["grey", "grey of 12 bits in 16", "colour of 16 bits", "nearly black"],
)
def test_grey_deep_and_dark_images(tmp_path: Path, change: Change, told: str) -> None:
    page = page_of(made(tmp_path / "d", ["a", "b"] * 2, change=change))
    assert told in page
    assert page.count("<img") >= 4


def test_a_file_that_is_gone_is_named_without_its_path(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a", "b"] * 3)
    (dataset.root / "i/2.png").unlink()
    (dataset.root / "m/3.png").write_bytes(b"no picture")
    page = page_of(dataset)
    gone = [cells for cells in Reader(page).rows if cells[0] in ("case 2", "case 3") and len(cells) == 2]
    assert [cells[0] for cells in gone] == ["case 2", "case 3"]
    assert "the image" in gone[0][1]
    assert "the mask" in gone[1][1]
    assert str(dataset.root) not in "".join(cells[1] for cells in gone)
    assert "2 cases could not be read." in page


def test_a_dataset_whose_images_are_gone_is_one_sentence(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a"] * 2)
    dataset.root.rename(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="are not there any more"):
        explore(dataset.folder, workers=0)
    assert not (dataset.folder / "explore.html").exists()


def test_copies_are_shown_in_pairs(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a"] * 3)
    pictures = dataset.root / "i"
    (pictures / "1.png").write_bytes((pictures / "0.png").read_bytes())
    again = segue.scan(dataset.root, dataset.folder, workers=0).dataset
    assert again is not None
    page = page_of(again)
    assert row(page, "exact")[1] == "1"
    assert len(re.findall(r'<figure class="several"><div><img [^>]*><img ', page)) == 1
    assert "No image was found twice" not in page


def test_many_sites_are_capped_and_that_is_said(tmp_path: Path) -> None:
    dataset = made(tmp_path / "d", ["a"])
    cases = tuple(dataset.cases[0].with_(case=f"c{number}", site=f"site {number}", group="") for number in range(1500))
    page = explore(Dataset(dataset.folder, dataset.card, cases), workers=0, sample=300).read_text(encoding="utf-8")
    assert "40 largest of 1,500 sites" in page
    assert len(page) < 4_000_000


def test_a_darker_site_is_far_and_like_sites_are_near() -> None:
    rng = np.random.default_rng(0)

    def images(level: float) -> list[Colour]:
        counts = np.ones((3, measure.LEVELS), np.uint32)
        return [
            Colour(False, 255, np.full(3, level) + rng.normal(0, 5), 20 + float(rng.normal()), 0.1, counts)
            for _ in range(50)
        ]

    looks = measure.looks({"a": images(150), "b": images(150), "dark": images(60)}, 255)
    assert looks["dark"].distance is not None
    assert looks["dark"].distance > 2
    assert looks["dark"].words == "darker"
    like = measure.looks({"a": images(150), "b": images(150)}, 255)
    assert all(look.distance is not None and look.distance < 0.5 and not look.words for look in like.values())
    assert looks["dark"].mean[0] == pytest.approx(60, abs=3)


def test_a_black_border_does_not_change_the_colour() -> None:
    inside = np.full((60, 60, 3), (180, 90, 60), np.uint8)
    framed = np.zeros((60, 120, 3), np.uint8)
    framed[:, 30:90] = inside
    plain, black = measure._colour(inside), measure._colour(framed)
    assert black.black == pytest.approx(0.5)
    assert plain.black == 0
    assert black.mean.tolist() == plain.mean.tolist() == [180, 90, 60]


def test_the_histogram_puts_12_of_16_bits_where_8_bits_would_be() -> None:
    grey = np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32, 1)
    deep = (grey.astype(np.uint16) * 16) + 8
    full = measure.full_scale([measure._colour(deep)])
    assert full == 4095
    narrow = measure.shares([measure._colour(grey)], 1, 255)
    wide = measure.shares([measure._colour(deep)], 1, full)
    assert narrow.sum() == pytest.approx(1)
    assert np.abs(narrow - wide).max() < 0.005


def test_specks_are_no_pieces() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[50:90, 50:90] = 1
    mask[200:260, 200:260] = 2
    mask[300, 300] = 1
    mask[10:20, 10:20] = 255  # does not count
    assert measure._components(mask) == (2, 1)


def test_samples_are_spread_over_groups_and_reach_their_ends() -> None:
    groups = {"large": list(range(100)), "small": [200, 201], "other": list(range(300, 350))}
    chosen = spread(groups, 20)
    assert len(chosen) == 20
    assert {200, 201, 0, 99, 300, 349} <= set(chosen)
    assert len([item for item in chosen if item < 100]) == 9
    assert spread(groups, 1000) == [item for items in groups.values() for item in items]
    assert evenly([1, 2, 3], 5) == [1, 2, 3]
    assert len(spread({str(number): [number] for number in range(50)}, 7)) == 7


def test_pictures_show_the_outline(tmp_path: Path) -> None:
    page = page_of(made(tmp_path / "d", ["a"], change=lambda image: np.full_like(image, 90)))
    data = re.search(r'<img src="data:image/jpeg;base64,([^"]+)"', page)
    assert data is not None
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(data[1]), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown is not None
    mask = cv2.resize(blob_mask(0, 48, 64), shown.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    bright = (shown.max(axis=2).astype(int) - shown.min(axis=2)) > 100  # the line is a pure colour, all else is grey
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
    assert bright.sum() > 20
    assert edge[bright].mean() > 0.98
