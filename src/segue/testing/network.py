"""Whether a network keeps to what training, prediction and saving rely on."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from segue import networks
from segue.data.target import Target
from segue.errors import BadInput
from segue.networks import NetworkSettings, Outputs, SegmentationNetwork
from segue.testing.demand import demand

Build = Callable[[NetworkSettings, Target, int], SegmentationNetwork]

TARGET = Target(("background", "lesion", "vessel"))
_ODD = {2: (97, 131), 3: (13, 18, 21)}
_EVEN = {2: (64, 64), 3: (16, 16, 24)}
_STIRS = (0.1, 1.0, 1.0, 2.0) * 4  # in units of what is stirred


def check_network(
    settings: NetworkSettings,
    *,
    part: str = "",
    channels: Sequence[int] = (3, 1, 4),
    target: Target = TARGET,
    build: Build = networks.build,
) -> None:
    """Whether the network of these settings keeps to what training, prediction and saving rely on.

    `part` is the name of a class that it must hold, so that no name builds something else; `build` makes networks, for a
    network that is not in the catalogue.
    """
    with torch.random.fork_rng(devices=[]):
        for count in channels:
            _check_sizes(_built(build, settings, target, count), target, count)
        network = _built(build, settings, target, channels[0])
        _check_seed(network, _built(build, settings, target, channels[0]))
        _check_part(network, part)
        _check_groups(network)
        _check_alone(network)
        _check_features(network)
        _check_padding(network)
        _check_logits(network)
        _check_copy(network)
        _check_gradients(network)
        _check_file(network)
        _check_tuning(network)


def _built(build: Build, settings: NetworkSettings, target: Target, channels: int) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build(settings, target, channels)


def _image(network: SegmentationNetwork, n: int = 2, *, odd: bool = False) -> Tensor:
    return torch.rand(n, network.channels, *(_ODD if odd else _EVEN)[network.dims])


@torch.no_grad()
def _logits(network: SegmentationNetwork, x: Tensor) -> Tensor:
    found: Outputs = network.eval()(x)
    return found.logits


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def _check_sizes(network: SegmentationNetwork, target: Target, channels: int) -> None:
    x = _image(network, 1, odd=True)
    before = x.clone()
    with torch.no_grad():
        found = network.eval()(x)
    demand(isinstance(found, Outputs), f"forward gives a {type(found).__name__}, not Outputs")
    wanted = (1, target.logits, *x.shape[2:])
    demand(found.logits.shape == wanted, f"logits of {tuple(x.shape)} are {tuple(found.logits.shape)}, not {wanted}")
    demand(torch.equal(x, before), "the image that went in is changed")
    for deep in found.deep:
        demand(deep.shape == wanted, f"deep logits are {tuple(deep.shape)}, not {wanted}")
    if found.reconstruction is not None:
        demand(found.reconstruction.shape == x.shape, "the reconstruction has another shape than the image")
    demand(len(network.mean) == channels, f"mean has {len(network.mean)} numbers for {channels} channels")
    demand(
        any(leaf is found.logits for leaf in tree_leaves(found)), "wrappers would not find the logits in the outputs"
    )
    try:
        alone = network.train()(_image(network, 1)).logits
    except (BadInput, ValueError) as error:
        raise AssertionError(f"it cannot learn from a batch of one: {error}") from None
    demand(alone.isfinite().all(), "in training, a batch of one gives logits that are no numbers")
    try:
        network(torch.cat([x, x[:, :1]], 1))
    except BadInput:
        pass
    else:
        raise AssertionError("images with a channel too many are not refused")


def _check_part(network: SegmentationNetwork, part: str) -> None:
    held = {type(module).__name__ for module in network.modules()}
    demand(not part or part in held, f"{network.settings.architecture} holds no {part}")


def _check_groups(network: SegmentationNetwork) -> None:
    groups = network.groups()
    demand(list(groups) == ["encoder", "decoder"], f"the groups are {list(groups)}")
    listed = [id(parameter) for group in groups.values() for parameter in group]
    demand(len(listed) == len(set(listed)), "a parameter stands twice in the groups")
    demand(set(listed) == {id(p) for p in network.parameters()}, "the groups are not all of the parameters")
    demand(all(groups.values()), "a group is empty")


def _check_alone(network: SegmentationNetwork) -> None:
    x = _image(network, 3)
    together, alone = _logits(network, x), torch.cat([_logits(network, each[None]) for each in x])
    demand(_close(together, alone), "an image's logits depend on its neighbours in the batch")


@torch.no_grad()
def _check_features(network: SegmentationNetwork) -> None:
    network.eval()
    x = _image(network)
    plain, told = network(x), network(x, features=True)
    demand(not plain.features, "features are told where nobody asked")
    demand(len(told.features) > 0, "features are not told where they were asked for")
    demand(torch.equal(plain.logits, told.logits), "asking for features changes the logits")
    again = network(x, features=told.features)
    demand(_close(again.logits, told.logits), "decoding the features again gives other logits")
    other = network(x, features=[2 * each + 1 for each in told.features])
    demand(not _close(other.logits, told.logits), "other features are decoded to the same logits")


def _check_padding(network: SegmentationNetwork) -> None:
    x = _image(network, 1, odd=True)
    sizes = x.shape[2:]
    divisors, smallest = (
        [each] * network.dims if isinstance(each, int) else each
        for each in (network.body.divisor, network.body.smallest)
    )
    missing = [
        max(-(-size // by) * by, least) - size for size, by, least in zip(sizes, divisors, smallest, strict=True)
    ]
    mean = torch.tensor(network.mean).view(1, -1, *[1] * network.dims)
    padded = F.pad(x - mean, [pad for more in reversed(missing) for pad in (0, more)]) + mean
    cropped = _logits(network, padded)[(slice(None), slice(None), *(slice(size) for size in sizes))]
    same = _close(_logits(network, x), cropped)
    demand(same, "an odd size is not padded by the mean colour at the far end of each axis, and cropped again")


def _check_logits(network: SegmentationNetwork) -> None:
    found = torch.cat([_logits(network, _image(network)) for _ in range(2)])
    demand(bool((found < 0).any() or (found > 1).any()), "logits lie between 0 and 1: is a sigmoid applied inside?")


def _check_copy(network: SegmentationNetwork) -> None:
    x = _image(network)
    demand(torch.equal(_logits(copy.deepcopy(network), x), _logits(network, x)), "a copy computes something else")


def _check_seed(network: SegmentationNetwork, again: SegmentationNetwork) -> None:
    one, other = network.state_dict(), again.state_dict()
    demand(one.keys() == other.keys(), "built twice, it has other tensors")
    for name, tensor in one.items():
        demand(torch.equal(tensor, other[name]), f"built twice from one seed, {name} differs")


def _check_gradients(network: SegmentationNetwork) -> None:
    """From some starting point, since any one may leave a part of it dark (behind a ReLU, behind a gate)."""
    dark = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    network.train()
    start = copy.deepcopy(network.state_dict())
    for scale in _STIRS:
        network.load_state_dict(start)
        _stir(network, scale)
        network.zero_grad(set_to_none=True)
        torch.autograd.backward(_score(network, _image(network)))
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                demand(parameter.grad is not None, f"{name} gets no gradient: no output depends on it")
                if parameter.grad is not None and parameter.grad.any():
                    dark.discard(name)
        if not dark:
            break
    demand(not dark, f"{min(dark, default='')} gets a gradient of zero, whatever the image")
    network.zero_grad(set_to_none=True)


def _score(network: SegmentationNetwork, x: Tensor) -> Tensor:
    """A number that every output has a part in, each pixel with a weight of its own."""
    found = network(x)
    outputs = [
        found.logits,
        *found.deep,
        *found.coarse,
        *([] if found.reconstruction is None else [found.reconstruction]),
    ]
    return torch.stack([(each * torch.randn_like(each)).mean() for each in outputs]).sum()


def _check_file(network: SegmentationNetwork) -> None:
    x = _image(network, 1, odd=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        networks.save(network, path)
        again = networks.restore(path)
    demand(torch.equal(_logits(again, x), _logits(network, x)), "saved and restored it gives other logits")
    demand(again.target == network.target and again.settings == network.settings, "it is restored as something else")


def _check_tuning(network: SegmentationNetwork) -> None:
    if network.settings.tune == "full":
        return
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    torch.autograd.backward(_score(network.train(), _image(network)))
    optimiser.step()
    starts = tuple(_start(network, trunk) for trunk in network.body.trunks().values())
    for name, tensor in network.state_dict().items():
        if name.startswith(starts) and not torch.equal(tensor, before[name]):
            adapter = network.settings.tune == "lora" and name in learning and "parametrizations" in name
            demand(adapter, f"{name} of the {network.settings.tune} encoder has changed")
    moved = [name for name in learning if name.startswith(starts)]
    demand(bool(moved) == (network.settings.tune == "lora"), f"of the encoder, {len(moved)} tensors learn")
    if network.settings.tune == "lora":
        x = _image(network)
        adapted = _logits(network, x)
        merged = networks.merge_adapters(copy.deepcopy(network))
        demand(_close(_logits(merged, x), adapted), "merged adapters compute something else")
        demand(not any("parametrizations" in name for name in merged.state_dict()), "adapters are left after merging")


def _start(network: SegmentationNetwork, module: nn.Module) -> str:
    """What the names of its tensors begin with."""
    names = {each: name for name, each in network.named_modules()}
    return f"{names[module]}."


@torch.no_grad()
def _stir(network: SegmentationNetwork, scale: float) -> None:
    """Away from where learning starts, since there adapters and some gates are zero; far away, signs change too."""
    for parameter in network.parameters():
        if parameter.requires_grad:
            sign = -1.0 if scale >= 1 and torch.rand(()) < 0.5 else 1.0
            parameter.mul_(sign).add_((0.02 + scale * parameter.abs().mean()) * torch.randn_like(parameter))
