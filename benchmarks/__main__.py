"""Measure again what the tables say, then write the tables: `python -m benchmarks` (about an hour on two cores).

What takes longer is started by itself: `phantom_hardness`, `quality`, `network_table`, `statistics_honesty`,
`executor_scale`, `slurm_here`. The peers need more than Segue does: benchmarks/peers/README.md says what.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import table

NEED_NOTHING = ("startup", "leak_scaling", "scan_memory")
NEED_PEERS = ("augmentation_speed", "metrics_speed", "resume")
NEED_DATA = ("scan_speed", "prepare_speed", "leak_recall", "train_speed")


def main() -> None:
    for name in (*NEED_NOTHING, *NEED_PEERS, *NEED_DATA):
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            print(f"{name} did not run through", file=sys.stderr)
    out = Path(__file__).parent / "results" / "phantom_speed.json"
    subprocess.run([sys.executable, "-m", "benchmarks.phantom_speed", "--out", str(out)], check=True)
    table.main()


if __name__ == "__main__":
    main()
