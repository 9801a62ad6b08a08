"""`segue --help` against a bare interpreter that imports typer. Mark: at most 2.5 times.

python -m benchmarks.startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.common import in_turns, ratio, save


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    seconds = in_turns(
        15,
        bare=lambda: run("-c", "import typer"),
        help=lambda: run("-m", "segue", "--help"),
        data_help=lambda: run("-m", "segue", "data", "--help"),
    )
    result = {
        "bare_typer_s": statistics.median(seconds["bare"]),
        "segue_help_s": statistics.median(seconds["help"]),
        "ratio": ratio(seconds["help"], seconds["bare"]),
        "ratio_data_help": ratio(seconds["data_help"], seconds["bare"]),
        "mark": 2.5,
    }
    print(f"segue --help takes {result['ratio']:.2f} x a bare import of typer (mark: 2.5)")
    save("startup", result)


if __name__ == "__main__":
    main()
