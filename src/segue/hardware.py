"""What kind of machine this is, in a line."""

from __future__ import annotations

import platform
import re
from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # what decides how fast a network is


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = [flag for flag in _FLAGS if flags and flag in flags.group(1).split()]
    return (name.group(1).strip() if name else platform.machine()) + (f" ({', '.join(known)})" if known else "")
