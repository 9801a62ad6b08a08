"""Two processes of which one fails, and the other does not hear that it is to end: `python -m tests.training.deaf FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def main(folder: str) -> None:
    heard = Path(folder) / "deaf"
    if os.environ["RANK"] == "0":
        while not heard.exists():
            time.sleep(0.01)
        sys.exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    heard.write_text(str(os.getpid()))
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
