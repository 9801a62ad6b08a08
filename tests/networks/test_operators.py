"""torchvision's operators are stood in for only where they are missing. Each case in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CASE = """
import sys
sys.path.insert(0, sys.argv[1])
from segue.networks import operators
try:
    print(operators.make_importable(), len(operators._declared), operators.make_importable())
    import torchvision
    print(torchvision.works)
except Exception as error:
    print(type(error).__name__, error, len(operators._declared))
"""
_BROKEN = """
import torch
if not hasattr(torch.ops.torchvision, "nms"):
    import torchvision.part
    raise RuntimeError("operator torchvision::nms does not exist")
torch.library.register_fake("torchvision::nms")(lambda dets, scores, threshold: dets)
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, threshold: dets)
works = True
"""


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("works = True", "False 0 False\nTrue"),
        (_BROKEN, "True 1 False\nTrue"),
        ("raise RuntimeError('another trouble')", "RuntimeError another trouble 0"),
        ("raise ImportError('no such thing')", "ImportError no such thing 0"),
    ],
    ids=["sound", "operators missing", "another trouble", "not importable"],
)
def test_only_missing_operators_are_declared(package: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(package)
    (tmp_path / "torchvision" / "part.py").write_text("")
    done = subprocess.run([sys.executable, "-c", _CASE, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
