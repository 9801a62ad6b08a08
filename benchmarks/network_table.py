"""Which encoder goes with which architecture at which depth: each one built, run forward and backward on an odd size.

python -m benchmarks.network_table            writes results/network_table.json and the table in docs/networks.md
python -m benchmarks.network_table resnet50   tries these encoders and writes nothing

A mark per depth 3, 4, 5. Whatever stands there as working has given logits of the image's size, finite, with a gradient
for every tensor that learns; whatever does not was refused by a sentence of ours.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.common import RESULTS
from segue.data.target import Target
from segue.errors import BadInput
from segue.networks import NetworkSettings, build
from segue.networks.architectures import ARCHITECTURES

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
ENCODERS = (
    "resnet18",
    "mobilenet_v2",
    "efficientnet-b0",
    "vgg11_bn",
    "densenet121",
    "mobileone_s0",
    "mit_b0",
    "tu-resnet18",
    "mobilenetv3_small_050",
    "regnetx_002",
    "gernet_s",
    "convnext_atto",
    "pvt_v2_b0",
    "swin_tiny_patch4_window7_224",
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2",
    "vit_small_patch16_dinov3",
)
DEPTHS = (3, 4, 5)
_TARGET = Target(("background", "lesion", "vessel"))
_SIZE = (61, 83)


def tried(architecture: str, encoder: str, depth: int) -> str:
    """The word works, or the sentence that refuses it."""
    torch.manual_seed(0)
    try:
        network = build(NetworkSettings(architecture=architecture, encoder=encoder, depth=depth), _TARGET, 3)
    except BadInput as error:
        return error.message
    x = torch.rand(1, 3, *_SIZE)
    found = network.train()(x)
    wanted = (1, _TARGET.logits, *_SIZE)
    assert found.logits.shape == wanted, f"logits of {found.logits.shape}"
    assert found.logits.isfinite().all(), "logits that are no numbers"
    outputs = [found.logits, *found.deep, *([] if found.reconstruction is None else [found.reconstruction])]
    torch.autograd.backward(torch.stack([each.square().mean() for each in outputs]).sum())
    for name, parameter in network.named_parameters():
        assert not parameter.requires_grad or parameter.grad is not None, f"{name} has no gradient"
    return "works"


def lines(found: dict[str, dict[str, dict[str, str]]]) -> Iterator[str]:
    encoders = list(next(iter(found.values())))
    yield "| encoder | " + " | ".join(found) + " |"
    yield "|---|" + "---|" * len(found)
    reasons: list[str] = []
    for encoder in encoders:
        cells = []
        for by_encoder in found.values():
            said = by_encoder[encoder]
            why = [_reason(each) for each in said.values() if each != "works"]
            reasons += [each for each in dict.fromkeys(why) if each not in reasons]
            works = " ".join(depth for depth, each in said.items() if each == "works") or "–"
            cells.append(works + "".join(f" ({_letter(reasons, each)})" for each in dict.fromkeys(why)))
        yield f"| `{encoder}` | " + " | ".join(cells) + " |"
    yield ""
    for reason in reasons:
        yield f"({_letter(reasons, reason)}) {reason}  "


def _reason(said: str) -> str:
    return said.partition(": ")[2] if " does not work with " in said else "dpt is made for plain vision transformers"


def _letter(reasons: list[str], why: str) -> str:
    return "abcdefghijklmnop"[reasons.index(why)]


def main() -> None:
    torch.set_num_threads(1)
    encoders = sys.argv[1:] or ENCODERS
    found: dict[str, dict[str, dict[str, str]]] = {name: {} for name in ARCHITECTURES}
    for encoder in encoders:
        start = time.perf_counter()
        for name, by_encoder in found.items():
            by_encoder[encoder] = {str(depth): tried(name, encoder, depth) for depth in DEPTHS}
        refused = sum(said != "works" for each in found.values() for said in each[encoder].values())
        tries = len(found) * len(DEPTHS)
        print(f"{encoder}: {tries - refused} of {tries} work ({time.perf_counter() - start:.0f} s)", flush=True)
    table = "\n".join(lines(found))
    if sys.argv[1:]:
        print(table)
        return
    (RESULTS / "network_table.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    page = re.sub(
        r"(<!-- table -->\n).*?(<!-- end -->)", lambda mark: f"{mark[1]}{table}\n{mark[2]}", page, flags=re.DOTALL
    )
    PAGE.write_text(page, encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
