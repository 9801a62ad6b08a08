"""Weights from a file into a network's encoder, and into its decoder where that is the same.

Names differ from library to library by a prefix and by dots that became underscores. So the prefix is found under which
most of the encoder's tensors are there, by name and shape. Either at least 90 % of them are, or nothing is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segue.errors import BadInput
from segue.networks.adapters import ORIGINAL, merged
from segue.networks.matched import Matched
from segue.networks.network import SegmentationNetwork
from segue.networks.operators import timm
from segue.networks.sources import local

ENOUGH = 0.9  # of the encoder
ALIKE = 0.5  # of the decoder: below, what fits by name is chance
COLOURS = ("colour_mean", "colour_std")
_COUNTER = "num_batches_tracked"  # some libraries leave it out; it changes nothing


def load_weights(network: SegmentationNetwork, where: Path | str) -> Matched:
    """From a .safetensors file or a run: all or nothing."""
    path = local(where)
    raw, notes = read(path)
    tensors = {_here(name): tensor for name, tensor in merged(raw).items()}
    mine = dict(network.state_dict(keep_vars=True))
    plan: dict[str, Tensor] = {}
    used: set[str] = set()
    missing: list[str] = []
    for start, trunk in _trunks(network):
        fitting, found, lacking = _planned(start, trunk, tensors, mine)
        plan |= fitting
        used |= found
        missing += lacking
    total = len(missing) + sum(not name.endswith(_COUNTER) for name in plan)
    matched = total - len(missing)
    if matched < ENOUGH * total:
        raise BadInput(
            f"{path}: only {matched} of the {total} tensors of the encoder {network.settings.encoder} are in it; "
            f"missing are {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}",
            hint="It is of another encoder. The setting network.encoder must name the one that the file was made with.",
        )
    others = _others(network, mine)
    same = {name: tensors[name] for name in others if name in tensors and tensors[name].shape == mine[name].shape}
    if len(same) < ALIKE * len(others) and not _alike(notes, network):
        same = {}
    # Our own files bring the colours along that their weights were trained with.
    same |= {name: tensors[name] for name in COLOURS if name in tensors and tensors[name].shape == mine[name].shape}
    plan |= same
    used |= set(same)
    with torch.no_grad():
        for name, tensor in plan.items():
            mine[name].copy_(tensor)
    asked = [name for name in others if not name.endswith(_COUNTER)]
    return Matched(
        path,
        matched,
        total,
        (sum(name in plan for name in asked), len(asked)),
        tuple(name for name in mine if name not in plan and name not in COLOURS),
        tuple(name for name in tensors if name not in used and name not in COLOURS),
    )


def _alike(notes: Mapping[str, str], network: SegmentationNetwork) -> bool:
    """A file of ours of the same architecture: what is called alike in it is alike."""
    try:
        return bool(json.loads(notes["segue"])["settings"]["architecture"] == network.settings.architecture)
    except (KeyError, ValueError, TypeError):
        return False


def _planned(
    start: str, trunk: nn.Module, tensors: Mapping[str, Tensor], mine: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], set[str], list[str]]:
    """What goes where in an encoder, what of the file is used for it, and what is missing, in words."""
    prefix = _best_prefix(start, trunk, tensors)
    named = {_same(name[len(prefix) :]): name for name in tensors if name.startswith(prefix)}
    first = _first_layer(trunk)
    plan: dict[str, Tensor] = {}
    used: set[str] = set()
    missing: list[str] = []
    for name in _asked(trunk):
        here, there = mine[start + name], named.get(_same(name))
        fitting = None if there is None else _fitting(tensors[there], here, name, name == first)
        if fitting is not None and there is not None:
            plan[start + name] = fitting
            used.add(there)
        elif not name.endswith(_COUNTER):
            missing.append(_told(start + name, here, tensors[there] if there else None))
    return plan, used, missing


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes of a .safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{path}: is no .safetensors file, or only the beginning of one ({error})") from None


def _trunks(network: SegmentationNetwork) -> list[tuple[str, nn.Module]]:
    """Each with the start of its tensors' names."""
    names = {id(module): name for name, module in network.named_modules()}
    return [(names[id(trunk)] + ".", trunk) for trunk in network.body.trunks().values()]


def _asked(trunk: nn.Module) -> list[str]:
    """What a file must bring: not the adapters."""
    return [name for name in trunk.state_dict() if "parametrizations" not in name or name.endswith(ORIGINAL)]


def _others(network: SegmentationNetwork, mine: Mapping[str, Tensor]) -> list[str]:
    starts = tuple(start for start, _ in _trunks(network))
    return [name for name in mine if not name.startswith(starts) and name not in COLOURS]


def _here(name: str) -> str:
    """segmentation-models-pytorch's name of a tensor as ours."""
    start, dot, rest = name.partition(".")
    ours = {"encoder": "body.encoder", "decoder": "body.decoder", "segmentation_head": "body.head"}
    return ours[start] + dot + rest if start in ours else name


def _same(name: str) -> str:
    """One spelling for all: timm's maps-only networks write stages_0 where its classifiers write stages.0."""
    return name.replace(ORIGINAL, "weight").replace(".", "_")


def _best_prefix(start: str, trunk: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    wanted = {_same(name) for name in _asked(trunk)}
    counts = dict.fromkeys([start, ""], 0)
    for name in tensors:
        words = name.split(".")
        for taken in range(len(words)):
            if _same(".".join(words[taken:])) in wanted:
                prefix = "".join(f"{word}." for word in words[:taken])
                counts[prefix] = counts.get(prefix, 0) + 1
    # Of equals the first: where the network itself has these tensors, then the plain names.
    return max(counts, key=lambda prefix: counts[prefix])


def _first_layer(trunk: nn.Module) -> str | None:
    """The name of the weight that sees the image's channels."""
    for name, module in trunk.named_modules():
        if isinstance(module, nn.Conv2d):
            adapted = "parametrizations" in dict(module.named_modules())
            return f"{name}.{ORIGINAL if adapted else 'weight'}"
    return None


def _fitting(there: Tensor, here: Tensor, name: str, first: bool) -> Tensor | None:
    if there.shape == here.shape:
        return there
    if name.endswith("pos_embed") and there.ndim == here.ndim == 3 and there.shape[2] == here.shape[2]:
        return _positions(there, here)
    if first and there.ndim == 4 and there.shape[:1] + there.shape[2:] == here.shape[:1] + here.shape[2:]:
        return _channels(there, here.shape[1])
    return None


def _channels(weight: Tensor, count: int) -> Tensor:
    """For another number of channels. Summed over them it sees grey just as the original saw grey three times."""
    have = weight.shape[1]
    if count == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [index % have for index in range(count)]] * (have / count)


def _positions(there: Tensor, here: Tensor) -> Tensor | None:
    """Position embeddings of another image size."""
    grid, prefix = _square(here.shape[1])
    _, same = _square(there.shape[1])
    if grid is None or prefix != same:
        return None
    resample: Any = timm().layers.resample_abs_pos_embed
    return resample(there, new_size=[grid, grid], num_prefix_tokens=prefix)


def _square(tokens: int) -> tuple[int | None, int]:
    """The side of the grid, and the number of tokens before it."""
    for prefix in range(6):
        side = round((tokens - prefix) ** 0.5)
        if side > 1 and side * side == tokens - prefix:
            return side, prefix
    return None, 0


def _told(name: str, here: Tensor, there: Tensor | None) -> str:
    return name if there is None else f"{name} ({tuple(there.shape)} in the file, {tuple(here.shape)} here)"
