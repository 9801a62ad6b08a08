"""Measure again what the tables say, then write the tables: `python -m benchmarks` (about ten minutes on two cores).

The phantoms' hardness needs torch and takes longer: `python -m benchmarks.phantom_hardness` says how.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import table

NEED_NOTHING = ("startup", "leak_scaling", "scan_memory")
NEED_DATA = ("scan_speed", "prepare_speed", "leak_recall")


def main() -> None:
    for name in (*NEED_NOTHING, *NEED_DATA):
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            print(f"{name} did not run through", file=sys.stderr)
    out = Path(__file__).parent / "results" / "phantom_speed.json"
    subprocess.run([sys.executable, "-m", "benchmarks.phantom_speed", "--out", str(out)], check=True)
    table.main()


if __name__ == "__main__":
    main()
