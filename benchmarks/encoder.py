"""The encoder that is handed on: one for four anatomies, pre-trained without a mask, with what began from it on its card.

    python -m benchmarks.encoder OUT [--before 150000] [--passes 10000] [--folder F]

It is the encoder of the arm `several` of the study of few labels, and its results are that study's rows (of so many passes,
after the pre-training's own). With the same --folder it goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import segue
from benchmarks import few_labels
from benchmarks.few_labels import ENCODERS, Asked

ARM = "several"
FROM_IT = {"acdc": "3", "hippocampus": "10%", "isic2018": "40", "kvasir-seg": "40"}  # masks that are learnt from
LICENCE = "CC BY-NC-SA 4.0, for research and education: the narrowest terms of its data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--before", type=int, default=150_000)
    parser.add_argument("--passes", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        results = []
        for data, budget in FROM_IT.items():
            asked = Asked(data, ENCODERS[0], 0, given.passes, "test", folder, given.before)
            run = folder / "runs" / asked.row(ARM, budget)
            few_labels.row(ARM, budget, asked)
            if not (run / "evaluation").exists():  # the row is known, but its run is not here
                few_labels.measured(ARM, budget, asked)
            results.append(run)
        encoder = few_labels.pretrained(ARM, asked, asked.pretrained(ARM))
        print(segue.release(encoder, given.out, results=results, licence=LICENCE).folder / "README.md")


if __name__ == "__main__":
    main()
