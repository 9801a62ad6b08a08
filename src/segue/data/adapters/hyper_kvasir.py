"""HyperKvasir: 110,079 endoscopy images, of which 1,000 have polyp masks and 99,417 have nothing.

Layout as in the paper (https://doi.org/10.1038/s41597-020-00622-y) and the archives at
https://datasets.simula.no/hyper-kvasir/, each of which may be there or not:
    segmented-images/{images,masks}/ID.jpg and bounding-boxes.json
    labeled-images/{lower,upper}-gi-tract/GROUP/FINDING/ID.jpg, classified but without masks
    unlabeled-images/images/ID.jpg
The segmented frames were drawn from the finding "polyps", so the same picture may be there twice under two names.
"""

from __future__ import annotations

from collections.abc import Iterator

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import called, join, pair, pictures, side_by_side, trail
from segue.data.case import Case
from segue.data.tree import File, Tree

SEGMENTED, LABELED, UNLABELED = "segmented-images", "labeled-images", "unlabeled-images"
TRACTS = {"lower-gi-tract": "colonoscopy", "upper-gi-tract": "gastroscopy"}


def _segmented(tree: Tree) -> Iterator[tuple[str, str]]:
    for above, images, masks in side_by_side(tree, ["images"], ["masks"]):
        if masks and trail(tree, above)[-1] == SEGMENTED:
            yield images, masks


def _below(tree: Tree, name: str) -> list[File]:
    folders = [folder for folder in tree.by_folder if name in trail(tree, folder)]
    return [file for folder in folders for file in pictures(tree, folder)]


def recognise(tree: Tree) -> str | None:
    parts = []
    if any(_segmented(tree)):
        parts.append(SEGMENTED)
    if any(tract in trail(tree, file.folder) for file in _below(tree, LABELED) for tract in TRACTS):
        parts.append(LABELED)
    if _below(tree, UNLABELED) and (parts or called(tree, "", "kvasir")):
        parts.append(UNLABELED)
    return f"its {', '.join(parts)}" if parts else None


def read(tree: Tree) -> Reading:
    parts = [(SEGMENTED, pair(pictures(tree, images), pictures(tree, masks))) for images, masks in _segmented(tree)]
    labeled = pair(_below(tree, LABELED))
    parts.append((LABELED, Reading([_with_finding(tree, case) for case in labeled.cases], labeled.bad)))
    parts.append((UNLABELED, pair(_below(tree, UNLABELED))))
    return join(parts)


def _with_finding(tree: Tree, case: Case) -> Case:
    folders = trail(tree, case.images[0].rpartition("/")[0])
    modality = next((TRACTS[name] for name in folders if name in TRACTS), "")
    return case.with_(modality=modality, extra={"finding": folders[-1]})


ADAPTER = Adapter(
    name="hyper-kvasir",
    recognise=recognise,
    read=read,
    modality="endoscopy",
    anatomy="gastrointestinal tract",
    channels=("red", "green", "blue"),
    foreground="polyp",
    known=Known(
        about="110,079 endoscopy images, 1,000 with polyp masks, 10,662 with a finding (HyperKvasir, Simula)",
        home="https://datasets.simula.no/hyper-kvasir/",
        access="open download",
        licence="CC BY 4.0",
        citation="Borgli et al., HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal "
        "endoscopy, Scientific Data 7, 2020",
        tree="""
        hyper-kvasir/
          segmented-images/images/ID.jpg
          segmented-images/masks/ID.jpg
          labeled-images/lower-gi-tract/pathological-findings/polyps/ID.jpg
          unlabeled-images/images/ID.jpg
        """,
    ),
)
