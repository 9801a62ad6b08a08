"""Does the leak search find what is there, and is what it finds real? On the public datasets.

Recall: every image is hidden as a copy (flipped at random, cropped to 90 % at a random place, recompressed as JPEG at
quality 50) and searched for among its originals. False finds: pairs between datasets that share no image. Reported
pairs: how many a scan tells of, and, with --sheets, pictures of a sample of them to look at.

    python -m benchmarks.leak_recall [--sheets FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import segue
from benchmarks.common import save, shared_data
from segue.data.copies.alignment import Looks
from segue.data.copies.fingerprint import copies, thumbnail
from segue.data.copies.leaks import COPY, Pair, _devices, between, read_pairs
from segue.data.dataset import Dataset

SETS = ("kvasir-seg", "cvc-clinicdb", "polypgen", "isic2018", "ham10000-unlabelled")
_SAMPLE = 40


def hidden(picture: npt.NDArray[np.uint8], rng: random.Random) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    rows, columns = int(0.9 * height), int(0.9 * width)
    top, left = rng.randint(0, height - rows), rng.randint(0, width - columns)
    copy = cv2.flip(picture[top : top + rows, left : left + columns], rng.choice((-1, 0, 1)))
    data = cv2.imencode(".jpg", cv2.cvtColor(copy, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def recall(dataset: Dataset) -> float:
    rng = random.Random(0)
    copied = np.stack([thumbnail(hidden(np.asarray(dataset.image(case), np.uint8), rng)) for case in dataset.cases])
    originals = dataset.thumbnails()
    looks = Looks.of_thumbs(originals, _devices(dataset.cases))
    # As `segue data leaks A --against B`: asked from both sides, since either may be the crop.
    found = copies(copied, originals, looks=looks).above(COPY).pairs.tolist()
    found += [[j, i] for i, j in copies(originals, copied).above(COPY).pairs.tolist()]
    return len({i for i, j in found if i == j}) / len(copied)


def sheet(dataset: Dataset, pairs: list[Pair], path: Path) -> None:
    rows = []
    for pair in pairs:
        sides = [cv2.resize(dataset.image(dataset.by_name[name]), (150, 130)) for name in (pair.a, pair.b)]
        tile = cv2.cvtColor(np.hstack(sides), cv2.COLOR_RGB2BGR)
        cv2.putText(tile, f"{pair.score:.2f}", (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 255), 1)
        rows.append(cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_CONSTANT))
    rows += [np.zeros_like(rows[0])] * (-len(rows) % 5)
    cv2.imwrite(str(path), np.vstack([np.hstack(rows[start : start + 5]) for start in range(0, len(rows), 5)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheets", type=Path, help="where to put pictures of a sample of the pairs")
    options = parser.parse_args()
    data = shared_data()
    rows = {}
    with tempfile.TemporaryDirectory() as out:
        datasets = []
        for name in SETS:
            dataset = segue.scan(data / name, Path(out) / name).dataset
            assert dataset is not None
            datasets.append(dataset)
            pairs = read_pairs(dataset)
            count = {kind: sum(pair.kind == kind for pair in pairs) for kind in ("exact", "copy", "frame")}
            rows[name] = {"images": len(dataset.cases), "recall_of_hidden_copies": recall(dataset), **count}
            print(f"{name:20} {rows[name]}", flush=True)
            for kind in ("copy", "frame"):
                chosen = [pair for pair in pairs if pair.kind == kind]
                chosen = sorted(
                    random.Random(0).sample(chosen, min(_SAMPLE, len(chosen))), key=lambda pair: -pair.score
                )
                if options.sheets and chosen:
                    options.sheets.mkdir(parents=True, exist_ok=True)
                    sheet(dataset, chosen, options.sheets / f"{name}-{kind}.png")
        across = {f"{a.name} and {b.name}": len(between(a, b)) for a, b in itertools.combinations(datasets, 2)}
    print(f"between datasets: {across}")
    save("leak_recall", {"sets": rows, "pairs_between_datasets": across})


if __name__ == "__main__":
    main()
