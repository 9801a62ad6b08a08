"""nnU-Net 2.8 as its own documentation has one use it, timed. Run by a Python that has it (`pip install nnunetv2==2.8.1`),
which need not be the one that has Segue: nothing of either side is imported here by the other.

    PYTHON nnunet.py prepare BASE NUMBER --processes 2    from the raw folder to patches that could be drawn
    PYTHON nnunet.py plan BASE NUMBER                     what it has planned
    PYTHON nnunet.py train BASE NUMBER --steps 12         seconds of each iteration, its augmenting processes beside it

BASE holds nnUNet_raw; the other two folders are made beside that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import time
from pathlib import Path

CONFIGURATION = "3d_fullres"


def prepare(number: int, processes: int, preprocessed: Path) -> dict[str, float]:
    """`nnUNetv2_plan_and_preprocess -c 3d_fullres`, as its functions."""
    shutil.rmtree(preprocessed, ignore_errors=True)
    preprocessed.mkdir()
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    start = time.perf_counter()
    api.extract_fingerprints([number], num_processes=processes, show_progress_bar=False, verbose=False)
    api.plan_experiments([number])
    planned = time.perf_counter()
    api.preprocess([number], configurations=(CONFIGURATION,), num_processes=(processes,), verbose=False)
    end = time.perf_counter()
    return {"seconds": end - start, "preprocessing": end - planned}


def plan(preprocessed: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((preprocessed / "nnUNetPlans.json").read_text())
    return found


def train(plans: dict[str, object], preprocessed: Path, steps: int) -> dict[str, object]:
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    data = json.loads((preprocessed / "dataset.json").read_text())
    trainer = nnUNetTrainer({**plans, "continue_training": False}, CONFIGURATION, 0, data, device=torch.device("cpu"))
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    ends, waited = [time.perf_counter()], 0.0
    for _ in range(steps):
        start = time.perf_counter()
        batch = next(trainer.dataloader_train)
        waited += time.perf_counter() - start
        trainer.train_step(batch)
        ends.append(time.perf_counter())
    found = {
        "seconds": [after - before for before, after in itertools.pairwise(ends)],
        "waited": waited / (ends[-1] - ends[0]),
        "voxels": int(torch.tensor(batch["data"].shape).prod()),
        "parameters": sum(each.numel() for each in trainer.network.parameters()),
        "threads": torch.get_num_threads(),
        "peak_bytes": peak(),
    }  # fmt: skip
    trainer.dataloader_train._finish()
    trainer.dataloader_val._finish()
    return found


def peak() -> int:
    """Bytes of this process alone: what getrusage tells begins with the size of whoever started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "plan", "train"])
    parser.add_argument("base", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    for folder in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (given.base / folder).mkdir(exist_ok=True)
        os.environ[folder] = str(given.base / folder)
    (raw,) = (given.base / "nnUNet_raw").glob(f"Dataset{given.number:03d}_*")
    preprocessed = given.base / "nnUNet_preprocessed" / raw.name
    if given.what == "prepare":
        found: dict[str, object] = dict(prepare(given.number, given.processes, preprocessed))
    elif given.what == "plan":
        found = plan(preprocessed)
    else:
        found = train(plan(preprocessed), preprocessed, given.steps)
    print("RESULT" + json.dumps(found))


if __name__ == "__main__":
    main()
