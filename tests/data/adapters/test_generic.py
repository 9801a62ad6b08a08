"""What the layouts for anybody's folders do with what people do."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.data.adapters import ADAPTERS, Reading
from segue.data.adapters.cvc_clinicdb import STARTS, sequence
from segue.data.adapters.template import from_templates
from segue.data.tree import Tree
from segue.errors import BadInput
from segue.testing import check_adapter


def _tree(root: Path, *paths: str, **tables: str) -> Tree:
    """Empty files, and tables: manifest="..." is manifest.csv."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return Tree.read(root)


def _read(name: str, tree: Tree) -> Reading:
    assert ADAPTERS[name].recognise(tree)
    return ADAPTERS[name].read(tree)


def _recognised_by(tree: Tree) -> str:
    return next(adapter.name for adapter in ADAPTERS.values() if adapter.recognise(tree))


# manifest


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("/etc/passwd,,", "absolute"),
        ("C:\\images\\1.png,,", "absolute"),
        ("\\\\server\\1.png,,", "absolute"),
        ("../1.png,,", "leads out"),
        ("a/../../1.png,,", "leads out"),
        ("gone.png,,", "is not there"),
        ("2.png,gone.png,", "is not there"),
        ("2.png,../m.png,", "leads out"),
        (",m.png,", "names no image"),
        ("1.png,,", "image '1.png' stands in row 2 already"),
        ("./1.png,,", "image '1.png' stands in row 2 already"),
        ("2.png,m1.png,", "mask 'm1.png' stands in row 2 already"),
        ("2.png,1.png,", "mask '1.png' is an image as well"),
        ("2.png,,one", "case 'one' stands in row 2 already"),
        ('"[""2.png"", ""2.png""]",,', "names one image twice"),
    ],
)
def test_manifest_refuses_a_row_by_number(row: str, why: str, tmp_path: Path) -> None:
    tree = _tree(tmp_path, "1.png", "2.png", "m1.png", manifest=f"image,mask,case\n1.png,m1.png,one\n{row}\n")
    reading = _read("manifest", tree)
    assert [case.case for case in reading.cases] == ["one"]
    [(table, reason)] = reading.bad
    assert table == "manifest.csv"
    assert reason.startswith("row 3: ")
    assert why in reason


def test_manifest_refuses_an_unknown_part_rather_than_train_on_it(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "1.png", manifest="image,split\n1.png,tset\n")
    reading = _read("manifest", tree)
    assert not reading.cases
    assert reading.bad == [("manifest.csv", "row 2: 'tset' is none of train, validation, test")]


def test_manifest_without_images_says_which_columns_it_has(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "1.png", manifest="picture,mask\n1.png,\n")
    with pytest.raises(BadInput, match="no column 'image'; its columns are: picture, mask"):
        _read("manifest", tree)


def test_manifest_takes_a_name_that_looks_like_a_list(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "[a] 1.png", manifest="image\n[a] 1.png\n")
    assert [case.images for case in _read("manifest", tree).cases] == [("[a] 1.png",)]


def test_another_table_is_no_manifest_unless_it_names_images_that_are_there(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "images/1.png", "masks/1.png", split="image,split\n1.png,train\n", other="a,b\n1\n")
    assert _recognised_by(tree) == "folders"


def test_two_speaking_tables_are_not_chosen_between(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "1.png", one="image\n1.png\n", two="image\n1.png\n")
    assert _recognised_by(tree) == "unlabelled"


# suffixes


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("x.jpg", "x_mask.png"),
        ("x.jpg", "x-segmentation.png"),
        ("x.jpg", "x_seg.png"),
        ("x.jpg", "x_gt.tif"),
        ("x.jpg", "x_Label.png"),
        ("x.jpg", "mask_x.png"),
        ("x_image.jpg", "x_mask.png"),
        ("image_7.png", "mask_7.png"),
        ("image_7.png", "image_7_mask.png"),
        ("my_seg_by_me_1.png", "my_seg_by_me_1_mask.png"),
        ("scan.nii.gz", "scan_gt.nii.gz"),
        ("images/x.png", "masks/x_mask.png"),
        ("pictures/x.png", "drawn/x lesion.png"),
    ],
)
def test_suffixes_finds_the_rule_in_the_names(image: str, mask: str, tmp_path: Path) -> None:
    tree = _tree(tmp_path, image, mask)
    assert _recognised_by(tree) == "suffixes"
    reading = _read("suffixes", tree)
    assert [(case.images, case.mask) for case in reading.cases] == [((image,), mask)]
    assert not reading.bad


def test_suffixes_says_the_rule_in_words(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "1.png", "1_mask.png", "2.png", "2_mask.png", "2_seg.png")
    assert ADAPTERS["suffixes"].recognise(tree) == "2 images called NAME have masks called NAME_mask"


def test_suffixes_leaves_plain_names_to_folders(tmp_path: Path) -> None:
    assert _recognised_by(_tree(tmp_path, "images/1.png", "masks/1.png", "images/2.png")) == "folders"


# channels


def test_frames_of_a_video_are_no_channels(tmp_path: Path) -> None:
    tree = _tree(tmp_path, *(f"{folder}/v_000{n}.png" for folder in ("imagesTr", "labelsTr") for n in range(3)))
    assert _recognised_by(tree) == "folders"


def test_channels_lists_what_is_wrong(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path, "imagesTr/x_0000.png", "imagesTr/x_0001.png", "imagesTr/x_0001.jpg", "imagesTr/y_0001.png",
        "labelsTr/z.png",
    )  # fmt: skip
    reading = _read("channels", tree)
    assert not reading.cases
    assert reading.bad == [
        ("imagesTr/x_0000.png", "case 'x' has two files for _0001"),
        ("imagesTr/y_0001.png", "case 'y' lacks _0000"),
        ("labelsTr/z.png", "a mask without an image"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be understood"),
        ("[]", "cannot be understood"),
        ('{"channel_names": {"red": 0}}', "cannot be understood"),
        ('{"channel_names": {"0": "a", "1": "b", "2": "c"}}', "names 3 channels, but there are files for 2"),
    ],
)
def test_a_broken_dataset_json_is_told_and_the_images_are_read(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(text)
    reading = _read("channels", _tree(tmp_path, "imagesTr/x_0000.png", "imagesTr/x_0001.png", "labelsTr/x.png"))
    assert len(reading.cases) == 1
    [(path, reason)] = reading.bad
    assert path == "dataset.json"
    assert why in reason


def test_one_colour_file_has_three_names(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"channel_names": {"2": "B", "0": "R", "1": "G"}}')
    reading = _read("channels", _tree(tmp_path, "imagesTr/x_0000.png", "labelsTr/x.png"))
    assert reading.cases[0].channels == ("R", "G", "B")
    assert not reading.bad


# unlabelled


def test_what_looks_like_a_mask_is_never_an_unlabelled_image(tmp_path: Path) -> None:
    reading = _read("unlabelled", _tree(tmp_path, "pics/1.png", "Ground Truth/1.png", "other/9_mask.png"))
    assert [case.case for case in reading.cases] == ["pics/1"]
    assert {path for path, _ in reading.bad} == {"Ground Truth/1.png", "other/9_mask.png"}


# template


def test_template_fills_the_columns(tmp_path: Path) -> None:
    _tree(tmp_path, "north/p1/img/1_2020.jpg", "north/p1/gt/1_2020_seg.png", "north/p2/img/1_2021.jpg", "notes.txt")
    adapter = from_templates("{site}/{patient}/img/{case}_{time}.jpg", "{site}/{patient}/gt/{case}_{time}_seg.{any}")
    check_adapter(
        adapter,
        tmp_path,
        expected={
            "north/p1/1/2020": {"site": "north", "patient": "p1", "time": "2020", "mask": "north/p1/gt/1_2020_seg.png"},
            "north/p2/1/2021": {"patient": "p2", "mask": ""},
        },
    )


def test_template_prefers_the_plain_case_name(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "a/1.png", "a/1_seg.png", "b/2.png")
    reading = from_templates("{site}/{case}.png", "{any}/{case}_seg.png").read(tree)
    assert [(case.case, case.site, case.mask) for case in reading.cases] == [("1", "a", "a/1_seg.png"), ("2", "b", "")]


def test_template_without_masks_and_with_a_field_twice(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "p1/p1_a.png", "p1/p2_a.png", "p+1/p+1_b.png")
    cases = from_templates(".\\{patient}\\{patient}_{case}.png", None).read(tree).cases
    assert [(case.patient, case.case) for case in cases] == [("p+1", "b"), ("p1", "a")]


def test_template_does_not_let_one_mask_serve_two_images(tmp_path: Path) -> None:
    reading = from_templates("{patient}/{case}.png", "gt/{case}.tif").read(
        _tree(tmp_path, "a/1.png", "b/1.png", "gt/1.tif")
    )
    assert not reading.cases
    assert "two images of one name" in reading.bad[0][1]


@pytest.mark.parametrize(
    ("image", "mask", "why"),
    [
        ("{csae}.png", None, r"no field is called \{csae\}; did you mean case"),
        ("{}.png", None, r"no field is called \{\}"),
        ("{case.png", None, "expected '}'"),
        ("{case:03}.png", None, "stands without ':'"),
        ("{case!r}.png", None, "stands without ':'"),
        ("{site}{case}.png", None, "something must stand between"),
        ("images/*.png", None, "needs a field"),
        ("{any}.png", None, "needs a field"),
        ("{case}.png", "{case}.png", "stands for the images and for the masks"),
        ("{case}.png", "{patient}/{case}_m.png", r"\{patient\} does not stand in"),
    ],
)
def test_template_says_what_is_wrong_with_it(image: str, mask: str | None, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        from_templates(image, mask)


def test_template_that_fits_nothing_shows_a_file(tmp_path: Path) -> None:
    tree = _tree(tmp_path, "img/1.JPG")
    adapter = from_templates("img/{case}.jpg", None)
    assert adapter.recognise(tree) is None
    with pytest.raises(BadInput, match=r"no file is called like 'img/\{case\}.jpg', but for example 'img/1.JPG'"):
        adapter.read(tree)


# the numbers of CVC-ClinicDB


def test_sequences_of_cvc_clinicdb() -> None:
    assert len({sequence(str(number)) for number in range(1, 613)}) == len(STARTS) == 29
    assert [sequence(name) for name in ("1", "25", "26", "591", "592", "612")] == [
        "sequence-01", "sequence-01", "sequence-02", "sequence-28", "sequence-29", "sequence-29",
    ]  # fmt: skip
    assert not any(sequence(name) for name in ("0", "613", "p1", "1b", "", "²", "9" * 5000))


def test_original_beside_ground_truth_alone_is_not_cvc_clinicdb(tmp_path: Path) -> None:
    """Any student numbers frames so; patients made up from another dataset's ranges would be false."""
    assert _recognised_by(_tree(tmp_path, "Original/1.png", "Ground Truth/1.png")) == "folders"


def test_told_that_it_is_cvc_clinicdb_its_ranges_are_taken(tmp_path: Path) -> None:
    found = ADAPTERS["cvc-clinicdb"].read(_tree(tmp_path, "Original/26.png", "Ground Truth/26.png"))
    assert [case.patient for case in found.cases] == ["sequence-02"]


def test_all_of_its_numbers_under_another_name_are_told(tmp_path: Path) -> None:
    resembles = ADAPTERS["cvc-clinicdb"].resembles
    assert resembles
    names = [f"{folder}/{number}.png" for number in range(1, 613) for folder in ("Original", "Ground Truth")]
    assert resembles(_tree(tmp_path / "some", *names[:100])) is None
    tree = _tree(tmp_path / "all", *names)
    assert _recognised_by(tree) == "folders"
    assert "its 29 sequences are known" in str(resembles(tree))
