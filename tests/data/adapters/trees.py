"""Made trees, one or more for each layout, with the oddities of the real ones. Files are empty: names count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from segue.data.adapters import ADAPTERS, Adapter

Expected = Mapping[str, Mapping[str, object]]

# What lies about in every real folder and is none of the data.
RUBBISH = (".DS_Store", "Thumbs.db", "notes.txt", "stray.json", "README.md", "__MACOSX/1.jpg")
STRAY_TABLE = "stray.csv"


@dataclass(frozen=True)
class Made:
    adapter: str
    folder: str  # what the root is called
    files: tuple[str, ...]
    expected: Expected
    bad: tuple[str, ...] = ()  # files that must be named as bad
    tables: tuple[tuple[str, str], ...] = ()  # (path, text)

    @property
    def of(self) -> Adapter:
        return ADAPTERS[self.adapter]

    def build(self, above: Path) -> Path:
        root = above / self.folder
        folders = {path.rpartition("/")[0] for path in self.files}
        for path in (*self.files, *RUBBISH, *(f"{folder}/.DS_Store" for folder in folders if folder)):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        for path, text in ((STRAY_TABLE, "name,value\nx,1\n"), *self.tables):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return root

    def wrapped(self) -> Made:
        """The same with a folder around it, as archives unpack; the root then has a name that says nothing."""
        expected = {}
        for name, fields in self.expected.items():
            moved = dict(fields)
            if fields.get("mask"):
                moved["mask"] = f"{self.folder}/{fields['mask']}"
            if "images" in fields:
                moved["images"] = tuple(f"{self.folder}/{path}" for path in fields["images"])  # type: ignore[attr-defined]
            expected[name] = moved
        return replace(
            self,
            folder="archive (1)",
            files=tuple(f"{self.folder}/{path}" for path in self.files),
            tables=tuple((f"{self.folder}/{path}", text) for path, text in self.tables),
            bad=tuple(f"{self.folder}/{path}" for path in self.bad),
            expected=expected,
        )


def has(image: str, mask: str = "", **fields: object) -> Mapping[str, object]:
    return {"images": (image,), "mask": mask, **fields}


POLYP_ID, OTHER_ID, THIRD_ID = "0a5f3601ad4f13ccf1f4b331a412fc44", "1B" * 16, "2c" * 16
CJU = "cju0qkwl35piu0993l0dewei2"

PUBLISHED = (
    Made(
        "kvasir-seg",
        "Kvasir-SEG",
        (f"images/{CJU}.jpg", f"masks/{CJU}.jpg", "images/cjx.JPG", "masks/cjx.jpeg", "images/without.jpg"),
        {
            CJU: has(f"images/{CJU}.jpg", f"masks/{CJU}.jpg", part="train"),
            "cjx": has("images/cjx.JPG", "masks/cjx.jpeg", part="validation"),
            "without": has("images/without.jpg", part=""),
        },
        tables=(("split.csv", f"image,split\n{CJU}.jpg,train\ncjx,val\nelsewhere.jpg,train\n"),),
    ),
    Made(
        "kvasir-seg",
        "renamed",
        (f"Images/{CJU}.jpg", f"Masks/{CJU}.jpg", "kavsir_bboxes.json"),
        {CJU: has(f"Images/{CJU}.jpg", f"Masks/{CJU}.jpg")},
    ),
    Made(
        "hyper-kvasir",
        "hyper-kvasir",
        (
            f"segmented-images/images/{CJU}.jpg",
            f"segmented-images/masks/{CJU}.jpg",
            "segmented-images/bounding-boxes.json",
            "labeled-images/lower-gi-tract/pathological-findings/polyps/aa-1.jpg",
            "labeled-images/upper-gi-tract/anatomical-landmarks/z-line/bb-2.jpg",
            "unlabeled-images/images/cc-3.jpg",
        ),
        {
            f"segmented-images/{CJU}": has(
                f"segmented-images/images/{CJU}.jpg", f"segmented-images/masks/{CJU}.jpg", extra={}
            ),
            "labeled-images/aa-1": has(
                "labeled-images/lower-gi-tract/pathological-findings/polyps/aa-1.jpg",
                modality="colonoscopy",
                extra={"finding": "polyps"},
            ),
            "labeled-images/bb-2": has(
                "labeled-images/upper-gi-tract/anatomical-landmarks/z-line/bb-2.jpg",
                modality="gastroscopy",
                extra={"finding": "z-line"},
            ),
            "unlabeled-images/cc-3": has("unlabeled-images/images/cc-3.jpg"),
        },
        tables=(
            ("labeled-images/image-labels.csv", "Video file,Organ,Finding,Classification\naa-1,Lower GI,polyps,p\n"),
        ),
    ),
    Made(
        "hyper-kvasir",
        "segmented-images",  # one archive alone
        (f"images/{CJU}.jpg", f"masks/{CJU}.jpg", "bounding-boxes.json"),
        {f"segmented-images/{CJU}": has(f"images/{CJU}.jpg", f"masks/{CJU}.jpg")},
    ),
    Made(
        "pranet",
        "polyps",
        (
            f"TrainDataset/image/{CJU}.png",
            f"TrainDataset/mask/{CJU}.png",
            "TrainDataset/image/26.png",
            "TrainDataset/mask/26.png",
            "TestDataset/CVC-ClinicDB/images/612.png",
            "TestDataset/CVC-ClinicDB/masks/612.png",
            "TestDataset/CVC-300/images/150.png",
            "TestDataset/CVC-300/masks/150.png",
            "TestDataset/CVC-ColonDB/images/1.png",
            "TestDataset/ETIS-LaribPolypDB/images/1.png",
            "TestDataset/ETIS-LaribPolypDB/masks/1.png",
            "TestDataset/Kvasir/images/cju1.png",
            "TestDataset/Kvasir/masks/cju1.png",
        ),
        {
            f"train/{CJU}": has(
                f"TrainDataset/image/{CJU}.png", f"TrainDataset/mask/{CJU}.png", part="train", site="Kvasir", patient=""
            ),
            "train/26": has(
                "TrainDataset/image/26.png",
                "TrainDataset/mask/26.png",
                part="train",
                site="CVC-ClinicDB",
                patient="CVC-ClinicDB/sequence-02",
            ),
            "test/CVC-ClinicDB/612": {"part": "test", "site": "CVC-ClinicDB", "patient": "CVC-ClinicDB/sequence-29"},
            "test/CVC-300/150": {"part": "test", "site": "CVC-300", "patient": ""},
            "test/CVC-ColonDB/1": has("TestDataset/CVC-ColonDB/images/1.png", site="CVC-ColonDB"),
            "test/ETIS-LaribPolypDB/1": {"site": "ETIS-LaribPolypDB"},
            "test/Kvasir/cju1": {"site": "Kvasir", "part": "test"},
        },
    ),
    Made(
        "cvc-clinicdb",
        "CVC-ClinicDB",
        ("Original/1.tif", "Ground Truth/1.tif", "Original/25.TIF", "Ground Truth/25.png", "Original/26.tif"),
        {
            "1": has("Original/1.tif", "Ground Truth/1.tif", patient="sequence-01"),
            "25": has("Original/25.TIF", "Ground Truth/25.png", patient="sequence-01"),
            "26": has("Original/26.tif", patient="sequence-02"),
        },
    ),
    Made(
        "cvc-clinicdb",
        "clinic",
        tuple(
            f"{kind}/{folder}/592.{kind.lower()}" for kind in ("PNG", "TIF") for folder in ("Original", "Ground Truth")
        ),
        {"592": has("PNG/Original/592.png", "PNG/Ground Truth/592.png", patient="sequence-29")},
        tables=(("metadata.csv", "frame_id,sequence_id,png_image_path\n592,29,PNG/Original/592.png\n"),),
    ),
    Made(
        "cvc-colondb",
        "CVC-ColonDB",
        ("images/1.png", "masks/1.png", "images/380.PNG", "masks/380.png"),
        {"1": has("images/1.png", "masks/1.png"), "380": has("images/380.PNG", "masks/380.png")},
    ),
    Made(
        "etis-larib",
        "ETIS",
        ("ETIS-LaribPolypDB/1.tif", "Ground Truth/p1.tif", "ETIS-LaribPolypDB/2.JPG", "Ground Truth/p3.tif"),
        {"1": has("ETIS-LaribPolypDB/1.tif", "Ground Truth/p1.tif"), "2": has("ETIS-LaribPolypDB/2.JPG")},
        bad=("Ground Truth/p3.tif",),
    ),
    Made(
        "etis-larib",
        "ETIS-LaribPolypDB",  # the masks inside
        ("1.jpg", "2.jpg", "GroundTruth/P1.jpg", "GroundTruth/p2.jpg"),
        {"1": has("1.jpg", "GroundTruth/P1.jpg"), "2": has("2.jpg", "GroundTruth/p2.jpg")},
    ),
    Made(
        "endocv2020",
        "EndoCV2020",
        (
            "originalImages/EDD2020_ACB0001.jpg",
            "originalImages/EDD2020_ACB0002.jpg",
            "masksPerClass/polyp/EDD2020_ACB0001_polyp.tif",
            "masksPerClass/BE/EDD2020_ACB0002_BE.tif",
            "bbox/EDD2020_ACB0001.txt",
        ),
        {
            "EDD2020_ACB0001": has(
                "originalImages/EDD2020_ACB0001.jpg", "masksPerClass/polyp/EDD2020_ACB0001_polyp.tif"
            ),
            "EDD2020_ACB0002": has("originalImages/EDD2020_ACB0002.jpg"),
        },
    ),
    Made(
        "endocv2020",
        "EDD2020_release-I_2020-01-15",
        ("originalImages/a.jpg", "masks/a_polyp.tif", "masks/a_HGD.tif", "originalImages/b.jpg", "masks/b_BE.tif"),
        {"a": has("originalImages/a.jpg", "masks/a_polyp.tif"), "b": has("originalImages/b.jpg")},
    ),
    Made(
        "polypgen",
        "PolypGen2021_MultiCenterData_v3",
        (
            "data_C1/images_C1/276OLCV1_100H0006.jpg",
            "data_C1/masks_C1/276OLCV1_100H0006_mask.jpg",
            "data_C1/images_C1/100S0003.jpg",
            "data_C1/masks_C1/100S0003_mask.jpg",
            "data_C1/bbox_C1/276OLCV1_100H0006_mask.txt",
            "data_C1/bbox_image_C1/276OLCV1_100H0006_mask_bbox.jpg",
            "data_C3/images_C3/C3_EndoCV2021_00489_.jpg",
            "data_C3/masks_C3/C3_EndoCV2021_00489_mask.jpg",
            "data_C6/images_C6/EndoCV_C6_0001.JPG",
            "data_C6/masks_C6/EndoCV_C6_0001_mask.jpg",
            "sequenceData/positive/seq2/images_seq2/C2_1.jpg",
            "sequenceData/positive/seq2/masks_seq2/C2_1_mask.jpg",
            "sequenceData/positive/seq2/masks_seq2/C2_1_mask.txt",
            "sequenceData/negativeOnly/seq2_neg/9.jpg",
            "imagesAll_positive/276OLCV1_100H0006.jpg",
        ),
        {
            "C1/276OLCV1_100H0006": has(
                "data_C1/images_C1/276OLCV1_100H0006.jpg",
                "data_C1/masks_C1/276OLCV1_100H0006_mask.jpg",
                site="C1",
                patient="C1-276",
            ),
            "C1/100S0003": {"site": "C1", "patient": "", "mask": "data_C1/masks_C1/100S0003_mask.jpg"},
            "C3/C3_EndoCV2021_00489": has(
                "data_C3/images_C3/C3_EndoCV2021_00489_.jpg", "data_C3/masks_C3/C3_EndoCV2021_00489_mask.jpg", site="C3"
            ),
            "C6/EndoCV_C6_0001": {"site": "C6", "patient": "", "mask": "data_C6/masks_C6/EndoCV_C6_0001_mask.jpg"},
            "seq2/C2_1": {"site": "", "patient": "seq2"},
            "seq2_neg/9": has("sequenceData/negativeOnly/seq2_neg/9.jpg", patient="seq2_neg"),
        },
    ),
    Made(
        "bkai-neopolyp",
        "bkai-igh-neopolyp",
        (
            f"train/train/{POLYP_ID}.jpeg",
            f"train_gt/train_gt/{POLYP_ID}.jpeg",
            f"train/train/{OTHER_ID}.jpeg",
            f"test/test/{THIRD_ID}.jpeg",
            "sample_submission.csv",
        ),
        {
            f"train/{POLYP_ID}": has(
                f"train/train/{POLYP_ID}.jpeg", f"train_gt/train_gt/{POLYP_ID}.jpeg", part="train"
            ),
            f"train/{OTHER_ID}": has(f"train/train/{OTHER_ID}.jpeg", part="train"),
            f"test/{THIRD_ID}": has(f"test/test/{THIRD_ID}.jpeg", part="test"),
        },
    ),
    Made(
        "isic2018-task1",
        "isic",
        (
            "ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg",
            "ISIC2018_Task1-2_Training_Input/ISIC_0000001.JPG",
            "ISIC2018_Task1-2_Training_Input/LICENSE.txt",
            "ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png",
            "ISIC2018_Task1_Training_GroundTruth/ISIC_0000001_segmentation.png",
            "ISIC2018_Task1-2_Validation_Input/ISIC_0012255.jpg",
            "ISIC2018_Task1_Validation_GroundTruth/ISIC_0012255_segmentation.png",
            "ISIC2018_Task1-2_Test_Input/ISIC_0012169.jpg",
        ),
        {
            "ISIC_0000000": has(
                "ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg",
                "ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png",
                part="train",
            ),
            "ISIC_0000001": {"part": "validation"},  # as the table says
            "ISIC_0012255": {
                "part": "validation",
                "mask": "ISIC2018_Task1_Validation_GroundTruth/ISIC_0012255_segmentation.png",
            },
            "ISIC_0012169": has("ISIC2018_Task1-2_Test_Input/ISIC_0012169.jpg", part="test"),
        },
        tables=(("split.csv", "image,split\nISIC_0000001,validation\n"),),
    ),
    Made(
        "ham10000",
        "skin",
        (
            "HAM10000_images_part_1/ISIC_0024306.jpg",
            "ham10000_images_part_1/ISIC_0024306.jpg",  # the copy at Kaggle holds them twice
            "HAM10000_images_part_2/ISIC_0029306.jpg",
            "HAM10000_images_part_2/ISIC_0029999.jpg",
            "HAM10000_segmentations_lesion_tschandl/ISIC_0024306_segmentation.png",
        ),
        {
            "ISIC_0024306": {
                "images": ("ham10000_images_part_1/ISIC_0024306.jpg",),
                "mask": "HAM10000_segmentations_lesion_tschandl/ISIC_0024306_segmentation.png",
                "patient": "HAM_0000550",
                "extra": {"dx": "nv", "age": "45.0", "sex": "male", "localization": "back"},
            },
            "ISIC_0029306": {"mask": "", "patient": "HAM_0000550", "extra": {"dx": "=nv"}},
            "ISIC_0029999": {"patient": "", "extra": {}},  # in no row
        },
        tables=(
            (
                "HAM10000_metadata.csv",
                "lesion_id,image_id,dx,age,sex,localization\n"
                "HAM_0000550,ISIC_0024306,nv,45.0,male,back\n"
                "HAM_0000550,ISIC_0029306,=nv,,,\n"
                "HAM_0000001,ISIC_0099999,mel,,,\n",
            ),
        ),
    ),
    Made(
        "ham10000",
        "ham10000-unlabelled",
        ("images/ISIC_0024312.jpg",),
        {"ISIC_0024312": has("images/ISIC_0024312.jpg", patient="HAM_0001359")},
        tables=(("HAM10000_metadata.csv", "image_id,lesion_id,dx\nISIC_0024312,HAM_0001359,bkl\n"),),
    ),
    Made(
        "ph2",
        "PH2Dataset",
        (
            "PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp",
            "PH2 Dataset images/IMD003/IMD003_lesion/IMD003_lesion.bmp",
            "PH2 Dataset images/IMD003/IMD003_roi/IMD003_R1_Label4.bmp",
            "PH2 Dataset images/IMD009/IMD009_Dermoscopic_Image/IMD009.BMP",
            "PH2_dataset.txt",
            "PH2_dataset.xlsx",
        ),
        {
            "IMD003": has(
                "PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp",
                "PH2 Dataset images/IMD003/IMD003_lesion/IMD003_lesion.bmp",
            ),
            "IMD009": has("PH2 Dataset images/IMD009/IMD009_Dermoscopic_Image/IMD009.BMP"),
        },
    ),
    Made(
        "acdc",
        "ACDC",
        (
            "training/patient001/patient001_4d.nii.gz",
            "training/patient001/patient001_frame01.nii.gz",
            "training/patient001/patient001_frame01_gt.nii.gz",
            "training/patient001/patient001_frame01_scribble.nii.gz",
            "training/patient001/patient001_frame12.nii.gz",
            "training/patient001/patient001_frame12_gt.nii.gz",
            "training/patient002/patient002_frame03.nii",
            "testing/patient101/patient101_frame01.nii.gz",
            "testing/patient101/patient101_frame01_gt.nii.gz",
            "testing/patient101/patient101_frame14_gt.nii.gz",
            "training/MANDATORY_CITATION.md",
        ),
        {
            "patient001_frame01": has(
                "training/patient001/patient001_frame01.nii.gz",
                "training/patient001/patient001_frame01_gt.nii.gz",
                patient="patient001",
                time="ED",
                part="train",
                extra={
                    "group of disease": "DCM",
                    "height (cm)": "184.0",
                    "weight (kg)": "95.0",
                    "first slice": "base",
                },
            ),
            "patient001_frame12": {"time": "ES", "patient": "patient001"},
            "patient002_frame03": has(
                "training/patient002/patient002_frame03.nii",
                patient="patient002",
                time="",
                extra={"first slice": "base"},
            ),
            "patient101_frame01": {"part": "test", "time": "", "extra": {"first slice": "base"}},
        },
        bad=("testing/patient101/patient101_frame14_gt.nii.gz",),
        tables=(
            ("training/patient001/Info.cfg", "ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"),
            ("testing/patient101/Info.cfg", "what is this\nED: one\n"),
        ),
    ),
    Made(
        "acdc-scribbles",
        "ACDC",
        (
            "training/patient001/patient001_frame01.nii.gz",
            "training/patient001/patient001_frame01_scribble.nii.gz",
            "training/patient002/patient002_frame01.nii.gz",
        ),
        {
            "patient001_frame01": has(
                "training/patient001/patient001_frame01.nii.gz",
                "training/patient001/patient001_frame01_scribble.nii.gz",
                patient="patient001",
                part="",
            ),
            "patient002_frame01": {"mask": "", "patient": "patient002"},
        },
    ),
    Made(
        "mmwhs",
        "MM-WHS",
        (
            "ct_train/ct_train_1001_image.nii.gz",
            "ct_train/ct_train_1001_label.nii.gz",
            "mr_train/mr_train_1001_image.nii.gz",
            "mr_train/mr_train_1001_label.nii.gz",
            "mr_train/mr_train_1002_label.nii.gz",
            "mr_test/mr_test_2001_image.nii.gz",
        ),
        {
            "ct_train_1001": has(
                "ct_train/ct_train_1001_image.nii.gz",
                "ct_train/ct_train_1001_label.nii.gz",
                modality="CT",
                part="train",
                patient="ct_train_1001",
            ),
            "mr_train_1001": {"modality": "MR", "patient": "mr_train_1001"},  # another person than the CT's 1001
            "mr_test_2001": has("mr_test/mr_test_2001_image.nii.gz", part="test"),
        },
        bad=("mr_train/mr_train_1002_label.nii.gz",),
    ),
    Made(
        "mscmrseg",
        "mscmrseg19",
        (
            "c0t2lge/patient1_C0.nii.gz",
            "c0t2lge/patient1_LGE.nii.gz",
            "c0t2lge/patient1_T2.nii.gz",
            "c0gt/patient1_C0_manual.nii.gz",
            "lgegt/patient2_LGE_manual.nii.gz",
            "c0t2lge/patient2_LGE.nii.gz",
        ),
        {
            "patient1_c0": has(
                "c0t2lge/patient1_C0.nii.gz",
                "c0gt/patient1_C0_manual.nii.gz",
                patient="patient1",
                extra={"sequence": "bSSFP"},
            ),
            "patient1_t2": has("c0t2lge/patient1_T2.nii.gz", patient="patient1"),
            "patient1_lge": has("c0t2lge/patient1_LGE.nii.gz"),
            "patient2_lge": {"patient": "patient2", "mask": "lgegt/patient2_LGE_manual.nii.gz"},
        },
    ),
    Made(
        "chaos-mr",
        "CHAOS",
        (
            "Train_Sets/MR/1/T1DUAL/DICOM_anon/InPhase/IMG-0004-00002.dcm",
            "Train_Sets/MR/1/T1DUAL/DICOM_anon/InPhase/IMG-0004-00004.dcm",
            "Train_Sets/MR/1/T1DUAL/DICOM_anon/OutPhase/IMG-0004-00001.dcm",
            "Train_Sets/MR/1/T1DUAL/Ground/IMG-0004-00002.png",
            "Train_Sets/MR/1/T2SPIR/DICOM_anon/IMG-0002-00001.dcm",
            "Train_Sets/MR/1/T2SPIR/Ground/IMG-0002-00001.png",
            "Test_Sets/MR/3/T2SPIR/DICOM_anon/IMG-0002-00001.dcm",
            "Train_Sets/CT/1/DICOM_anon/i0000,0000b.dcm",
        ),
        {
            "MR 1 T1 in phase": has(
                "Train_Sets/MR/1/T1DUAL/DICOM_anon/InPhase",
                "Train_Sets/MR/1/T1DUAL/Ground",
                patient="MR 1",
                modality="MR",
                part="train",
                extra={"sequence": "T1 in phase"},
            ),
            "MR 1 T1 out of phase": {"mask": "Train_Sets/MR/1/T1DUAL/Ground"},
            "MR 1 T2": has("Train_Sets/MR/1/T2SPIR/DICOM_anon", "Train_Sets/MR/1/T2SPIR/Ground"),
            "MR 3 T2": has("Test_Sets/MR/3/T2SPIR/DICOM_anon", part="test"),
        },
    ),
    Made(
        "chaos-ct",
        "CHAOS",
        (
            "Train_Sets/CT/1/DICOM_anon/i0000,0000b.dcm",
            "Train_Sets/CT/1/Ground/liver_GT_000.png",
            "Train_Sets/CT/2/DICOM_anon/i0000,0000b.dcm",
        ),
        {
            "CT 1": has(
                "Train_Sets/CT/1/DICOM_anon",
                "Train_Sets/CT/1/Ground",
                patient="CT 1",
                modality="CT",
                part="",
                extra={},
            ),
            "CT 2": has("Train_Sets/CT/2/DICOM_anon"),
        },
    ),
    Made(
        "freesurfer",
        "abide",
        (
            "Caltech_0051456/mri/orig.mgz",
            "Caltech_0051456/mri/brain.mgz",
            "Caltech_0051456/mri/aseg.mgz",
            "Caltech_0051456/surf/lh.white",
            "UCLA_1_0051201/mri/brain.mgz",
            "100307/T1w/T1w_acpc_dc_restore.nii.gz",
            "100307/T1w/aparc+aseg.nii.gz",
        ),
        {
            "Caltech_0051456": has(
                "Caltech_0051456/mri/orig.mgz",
                "Caltech_0051456/mri/aseg.mgz",
                patient="Caltech_0051456",
                site="Caltech",
            ),
            "UCLA_1_0051201": has("UCLA_1_0051201/mri/brain.mgz", site="UCLA_1"),
            "100307": has(
                "100307/T1w/T1w_acpc_dc_restore.nii.gz",
                "100307/T1w/aparc+aseg.nii.gz",
                patient="100307",
                site="",
            ),
        },
    ),
    Made(
        "decathlon",
        "Task05_Prostate",
        (
            "imagesTr/prostate_00.nii.gz",
            "imagesTr/._prostate_00.nii.gz",  # as the archives have them
            "imagesTr/prostate_01.nii.gz",
            "labelsTr/prostate_00.nii.gz",
            "labelsTr/._prostate_00.nii.gz",
            "labelsTr/prostate_07.nii.gz",
            "imagesTs/prostate_03.nii.gz",
        ),
        {
            "prostate_00": has(
                "imagesTr/prostate_00.nii.gz",
                "labelsTr/prostate_00.nii.gz",
                channels=("T2", "ADC"),
                modality="MR",
                patient="",
                part="",
            ),
            "prostate_01": has("imagesTr/prostate_01.nii.gz"),
            "prostate_03": has("imagesTs/prostate_03.nii.gz", channels=("T2", "ADC")),
        },
        bad=("labelsTr/prostate_07.nii.gz",),
        tables=(
            (
                "dataset.json",
                '{"modality": {"0": "T2", "1": "ADC"}, "labels": {"0": "background", "1": "PZ", "2": "TZ"}, "training": []}',
            ),
        ),
    ),
)

GENERIC = (
    Made(
        "manifest",
        "clinic",
        ("img/1.png", "img/2.png", "img/a,b.png", "gt/1.png"),
        {
            "1": has("img/1.png", "gt/1.png", patient="P 1", site="north", part="validation", extra={"Scanner": "GE"}),
            "2": has("img/2.png", time="7", extra={"Scanner": "=1+1"}),
            "mine": has("img/a,b.png", extra={"group (given)": "g"}),
        },
        tables=(
            (
                "manifest.csv",
                "Image;MASK;patient;site;time;Split;case;Scanner;group\n"
                "img/1.png;gt\\1.png;P 1;north;;val;;GE;\n"
                "./img/2.png;;;;7;;;=1+1;\n"
                "img/a,b.png;;;;;;mine;;g\n",
            ),
        ),
    ),
    Made(
        "manifest",
        "by the table's columns",  # stems collide; several channels; a table of another name
        ("a/1_red.png", "a/1_blue.png", "b/1_red.png", "b/1_blue.png"),
        {
            "a/1_red": {"images": ("a/1_red.png", "a/1_blue.png")},
            "b/1_red": {"images": ("b/1_red.png", "b/1_blue.png")},
        },
        tables=(
            (
                "list.csv",
                'images,sex\n"[""a/1_red.png"", ""a/1_blue.png""]",f\n"[""b/1_red.png"", ""b/1_blue.png""]",m\n',
            ),
        ),
    ),
    Made(
        "channels",
        "Dataset001_Brain",
        (
            "imagesTr/x_0000.png",
            "imagesTr/x_0001.png",
            "imagesTr/y_0000.png",
            "labelsTr/x.png",
            "imagesTs/z_0000.PNG",
            "imagesTs/z_0001.PNG",
        ),
        {
            "train/x": {
                "images": ("imagesTr/x_0000.png", "imagesTr/x_0001.png"),
                "mask": "labelsTr/x.png",
                "channels": ("T1", "FLAIR"),
                "part": "train",
            },
            "test/z": {"images": ("imagesTs/z_0000.PNG", "imagesTs/z_0001.PNG"), "mask": "", "part": "test"},
        },
        bad=("imagesTr/y_0000.png",),
        tables=(("dataset.json", '{"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": {"background": 0}}'),),
    ),
    Made(
        "suffixes",
        "one folder",
        ("x.jpg", "x_mask.png", "y.JPG", "y_MASK.png", "z.jpg", "z_seg.png"),
        {"x": has("x.jpg", "x_mask.png"), "y": has("y.JPG", "y_MASK.png"), "z": has("z.jpg")},
        bad=("z_seg.png",),
    ),
    Made(
        "suffixes",
        "two folders",
        ("train/images/x.jpg", "train/masks/x_segmentation.png", "test/images/x.jpg", "test/masks/x_segmentation.png"),
        {
            "train/x": has("train/images/x.jpg", "train/masks/x_segmentation.png", part="train"),
            "test/x": has("test/images/x.jpg", "test/masks/x_segmentation.png", part="test"),
        },
    ),
    Made(
        "suffixes",
        "both are marked",
        ("north/x_image.png", "north/x_mask.png", "south/x_image.png", "south/x_mask.png"),
        {
            "north/x": has("north/x_image.png", "north/x_mask.png", site="north"),
            "south/x": has("south/x_image.png", "south/x_mask.png", site="south"),
        },
    ),
    Made(
        "suffixes",
        "before the name",
        (
            "pics-a/1.png",
            "truth-a/mask_1.png",
            "pics-b/2.png",
            "truth-b/mask_2.png",
            "more/9.png",
            "truth-b/mask_3.png",
        ),
        {
            "pics-a/1": has("pics-a/1.png", "truth-a/mask_1.png"),
            "pics-b/2": has("pics-b/2.png", "truth-b/mask_2.png"),
            "more/9": has("more/9.png"),
        },
        bad=("truth-b/mask_3.png",),
    ),
    Made(
        "suffixes",
        "two readers",  # of two sets of masks as good as each other, always the same one
        ("pics/1.png", "reader-a/1_mask.png", "reader-b/1_mask.png"),
        {"1": has("pics/1.png", "reader-a/1_mask.png")},
        bad=("reader-b/1_mask.png",),
    ),
    Made(
        "folders",
        "plain",
        ("a/images/1.JPG", "a/masks/1.png", "b/Images/1.jpg", "b/Ground Truth/1.png", "b/Images/2.jpg"),
        {
            "a/1": has("a/images/1.JPG", "a/masks/1.png", site="a"),
            "b/1": has("b/Images/1.jpg", "b/Ground Truth/1.png", site="b"),
            "b/2": has("b/Images/2.jpg", site="b"),
        },
    ),
    Made(
        "folders",
        "an archive's own folder",
        (
            "All Data/north/train/images/1.png",
            "All Data/north/train/masks/1.png",
            "All Data/south/images/1.png",
            "All Data/south/masks/1.png",
        ),
        {
            "All Data/north/train/1": has(
                "All Data/north/train/images/1.png", "All Data/north/train/masks/1.png", site="north", part="train"
            ),
            "All Data/south/1": has("All Data/south/images/1.png", "All Data/south/masks/1.png", site="south"),
        },
    ),
    Made(
        "folders",
        "one folder around it",
        ("v1.2/images/1.png", "v1.2/masks/1.png"),
        {"v1.2/1": has("v1.2/images/1.png", "v1.2/masks/1.png", site="")},
    ),
    Made(
        "suffixes",
        "one folder around all",
        ("set/x_image.png", "set/x_mask.png"),
        {"set/x": has("set/x_image.png", "set/x_mask.png", site="")},
    ),
    Made(
        "unlabelled",
        "video",
        ("monday/1.png", "tuesday/1.png", "tuesday/2.PNG", "tuesday/2.jpg", "labels/1.png"),
        {"monday/1": has("monday/1.png"), "tuesday/1": has("tuesday/1.png")},
        bad=("tuesday/2.PNG", "labels/1.png"),
    ),
)

ALL = (*PUBLISHED, *(made.wrapped() for made in PUBLISHED), *GENERIC)


def name(made: Made) -> str:
    return f"{made.adapter}-{made.folder}".replace(" ", "_")
