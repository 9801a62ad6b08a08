"""What loading weights has found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Matched:
    """What was found: `matched` of `total` tensors of the encoder, by name and shape."""

    file: Path
    matched: int
    total: int
    decoder: tuple[int, int]
    """Found, and in all."""
    new: tuple[str, ...]
    """The network's tensors that stay as they were."""
    left_over: tuple[str, ...]
    """The file's tensors that have no place."""

    def __str__(self) -> str:
        found, total = self.decoder
        decoder = "new" if not found else "too" if found == total else f"{found}/{total}"
        left = f"; {len(self.left_over)} of the file left over" if self.left_over else ""
        return f"matched {self.matched}/{self.total} tensors of the encoder; decoder {decoder}{left}"
