"""Whether a method keeps to what the loop takes for granted: it can be cut and stopped, and it says what it moves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.step import Batch, Loss, Method
from segue.testing.demand import demand
from segue.training.batches import Batches, on_device
from segue.training.orders import Order
from segue.variations import opencv
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.padding import CONSTANT, Padding
from segue.variations.variation import Variation

_IMAGES = 8  # of a batch: four volumes of two slices each, of four patients
_RATE = 0.01
_CPU = torch.device("cpu")
_LESION = Target(("background", "lesion"))
Masks = Literal["drawn", "nowhere", "wrong"]


def check_method(
    make: Callable[[], Method], *, target: Target = _LESION, size: tuple[int, int] = (64, 64), channels: int = 3
) -> None:
    """Whether a method keeps to what the loop takes for granted.

    `make` gives a fresh method, alike each time, of networks that say the same of an image whatever else is in its batch
    (with group norms, say). They are shown images of `size` and of so many `channels`, with masks of `target`.
    """
    trial = _Trial(make, target, size, channels)
    _check_parts(make())
    _check_losses(trial)
    _check_untouched(trial)
    _check_again(trial)
    _check_going_on(trial)
    _check_cut(trial)
    _check_unmarked(trial)
    _check_beside(trial)


# What is shown


@dataclass(frozen=True)
class _Image:
    """Smooth spots, no two images alike; its mask shows where it is bright, each class in a band of columns."""

    number: int
    target: Target
    size: tuple[int, int]
    channels: int
    masks: Masks

    dtype = "uint8"
    unknown = 0

    @property
    def case(self) -> str:
        return f"image {self.number}"

    def labels(self) -> npt.NDArray[np.uint8]:
        if self.masks == "nowhere":
            return np.full(self.size, IGNORE, np.uint8)
        inside = (self._spots() > 0.5) != (self.masks == "wrong")
        bands = np.arange(self.size[1]) * len(self.target.foreground) // self.size[1]
        codes = bands + 1 if self.target.exclusive else 1 << bands
        return np.where(inside, codes, 0).astype(np.uint8)

    def has_foreground(self) -> bool:
        return self.masks != "nowhere"

    def render(self, drawn: Drawn, index: int, size: tuple[int, int], padding: Padding, _: Address) -> opencv.Rendered:
        picture = np.repeat((255 * self._spots()).astype(np.uint8)[:, :, None], self.channels, 2)
        return opencv.render(drawn, index, [picture], self.labels(), size, padding)

    def _spots(self) -> npt.NDArray[np.float64]:
        random = np.random.default_rng(self.number)
        rows, columns = np.mgrid[: self.size[0], : self.size[1]] / np.array(self.size)[:, None, None]
        found = np.zeros(self.size)
        for row, column, width in random.uniform((0.2, 0.2, 0.05), (0.8, 0.8, 0.15), (3, 3)):
            found += np.exp(-(((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2)))
        return found.clip(0, 1)


@dataclass(frozen=True)
class _Trial:
    make: Callable[[], Method]
    target: Target
    size: tuple[int, int]
    channels: int

    def batches(
        self,
        method: Method,
        *,
        cuts: int = 1,
        masks: Masks = "drawn",
        beside: Masks | None = "nowhere",
        done: float = 1.0,
    ) -> list[Batch]:
        """The same images drawn alike, in one batch or in several; beside them others, or none."""
        rows = np.arange(_IMAGES)
        volume, part = np.divmod(rows, 2)
        known = np.stack([rows, volume, part, np.zeros_like(rows), volume], 1)
        others = self._of(method.beside, 1, cuts, beside) if method.beside and beside else None
        found = self._of(method.views, 0, cuts, masks, known=known, beside=others)
        return [on_device(found[cut], _CPU, done) for cut in range(cuts)]

    def _of(self, views: Sequence[Variation], seed: int, cuts: int, masks: Masks, **more: Any) -> Batches:
        numbers = range(seed * _IMAGES, (seed + 1) * _IMAGES)
        images = [_Image(number, self.target, self.size, self.channels, masks) for number in numbers]
        return Batches(
            images, Order(_IMAGES, seed), views, size=self.size, batch=_IMAGES // cuts, padding=CONSTANT,
            regions=0 if self.target.exclusive else len(self.target.names), **more,
        )  # fmt: skip

    def begun(self) -> Method:
        """A fresh method; what averages its network says what it said in the beginning."""
        method = self.make()
        name = method.predictor()
        if name is not None:
            method.average = copy.deepcopy(method.networks[name]).eval()
        return method


# What the loop does with it


@dataclass(frozen=True)
class _Said:
    per_sample: Tensor
    weight: Tensor

    @property
    def total(self) -> float:
        return float((self.per_sample * self.weight).sum())


def _step(method: Method, batch: Batch, number: int = 0) -> list[_Said]:
    """A step as the loop takes it: gradients of the network that a loss names, and of no other."""
    torch.manual_seed(number)
    for network in method.networks.values():
        network.train()
    said, stepped = [], None
    running = method.step(batch)
    while (loss := _next(running, stepped)) is not None:
        moved = [one for one in method.networks[loss.network].parameters() if one.requires_grad]
        summed = (loss.per_sample.float() * loss.weight).sum()
        slopes = torch.autograd.grad(summed, moved, allow_unused=True, materialize_grads=True)
        weight = float(loss.weight.sum())
        with torch.no_grad():
            for one, slope in zip(moved, slopes, strict=True):
                one.sub_(_RATE * slope / max(weight, 1e-8))
        said.append(_Said(loss.per_sample.detach(), loss.weight))
        stepped = weight > 0
    return said


def _next(running: Any, stepped: bool | None) -> Loss | None:
    try:
        loss: Loss = next(running) if stepped is None else running.send(stepped)
    except StopIteration:
        return None
    finally:
        inside = not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or torch.is_inference_mode_enabled()
        torch.set_grad_enabled(True)
        demand(
            not inside, "it yields inside a context manager (no_grad, autocast): that one then holds for the loop too"
        )
    return loss


# What is demanded


def _check_parts(method: Method) -> None:
    demand(method.networks, "it has no network")
    demand(method.views, "it has no view: a batch shows each image in at least one variation, such as `none`")
    name = method.predictor()
    demand(
        name is None or name in method.networks,
        f"its predictor is called {name!r}, its networks {', '.join(method.networks)}",
    )


def _check_losses(trial: _Trial) -> None:
    for done in (0.0, 1.0):
        method = trial.begun()
        (batch,) = trial.batches(method, done=done)
        torch.manual_seed(0)
        running = method.step(batch)
        stepped: bool | None = None
        count = 0
        while (loss := _next(running, stepped)) is not None:
            _check_loss(loss, method)
            count, stepped = count + 1, False  # as while gradients are still being gathered
        demand(count, f"a step gives no loss ({done:.0%} of the training done)")


def _check_loss(loss: Loss, method: Method) -> None:
    names = ", ".join(method.networks)
    demand(loss.network in method.networks, f"a loss is to move {loss.network!r}, the networks are called {names}")
    values, weight = loss.per_sample, loss.weight
    demand(values.ndim == 1, f"a loss has the shape {tuple(values.shape)}: it must be one value for each sample")
    demand(weight.shape == values.shape, f"{len(values)} losses have weights of the shape {tuple(weight.shape)}")
    demand(bool(values.isfinite().all() and weight.isfinite().all()), "a loss or a weight is not finite")
    demand(bool((weight >= 0).all()), f"a weight is {float(weight.min()):.3g}: below 0")
    demand(not weight.requires_grad, "a weight carries a gradient")
    demand(values.requires_grad, f"no gradient reaches {loss.network!r}")
    for name, part in loss.parts.items():
        demand(
            part.ndim == 1, f"the part {name!r} has the shape {tuple(part.shape)}: it must be one value for each sample"
        )
        demand(not part.requires_grad, f"the part {name!r} carries a gradient, and is for the curves only")
    if weight.sum() > 0:
        moved = [one for one in method.networks[loss.network].parameters() if one.requires_grad]
        slopes = torch.autograd.grad((values * weight).sum(), moved, allow_unused=True, retain_graph=True)
        reached = any(slope is not None and bool(slope.any()) for slope in slopes)
        demand(reached, f"the loss does not hang on the weights of {loss.network!r}, which it is to move")


def _check_untouched(trial: _Trial) -> None:
    method = trial.begun()
    (batch,) = trial.batches(method)
    (kept,) = trial.batches(method)
    _step(method, batch)
    pairs = list(zip(_views(batch), _views(kept), strict=True))
    for what in ("images", "target", "shown"):
        same = all(torch.equal(getattr(one, what), getattr(other, what)) for one, other in pairs)
        demand(same, f"it changes the {what} of the batch that it is given")


def _views(batch: Batch) -> list[Any]:
    return [*batch.views, *(batch.beside.views if batch.beside else ())]


def _check_again(trial: _Trial) -> None:
    one, other = (_step(method, trial.batches(method)[0]) for method in (trial.begun(), trial.begun()))
    demand(
        _alike(one, other), "the same step of a fresh method differs: it draws from something else than torch's numbers"
    )


def _alike(one: Sequence[_Said], other: Sequence[_Said]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.per_sample, b.per_sample) and torch.equal(a.weight, b.weight)
        for a, b in zip(one, other, strict=True)
    )


def _check_going_on(trial: _Trial) -> None:
    """What is saved is all that there is: its networks, and what it remembers."""
    method = trial.begun()
    (batch,) = trial.batches(method)
    held = dict(method.remembers)
    for number in range(3):
        _step(method, batch, number)
    same = held.keys() == method.remembers.keys() and all(method.remembers[name] is kept for name, kept in held.items())
    demand(same, "it puts other tensors into what it remembers: they must be changed in place, or a run loses them")
    weights = {name: copy.deepcopy(network.state_dict()) for name, network in method.networks.items()}
    remembered = {name: kept.clone() for name, kept in method.remembers.items()}
    one = _step(method, batch, 3)
    again = trial.begun()
    for name, network in again.networks.items():
        network.load_state_dict(weights[name])
    for name, kept in again.remembers.items():
        kept.copy_(remembered[name])
    demand(
        _alike(one, _step(again, batch, 3)),
        "a run that goes on takes another step than one that was never stopped: it keeps something that is neither in its "
        "networks nor in what it remembers",
    )


def _check_cut(trial: _Trial) -> None:
    """In halves as in one, where it says so; what a method draws itself differs, and its losses with it."""
    if not trial.begun().accumulates:
        return
    whole, otherwise = (_step(method, trial.batches(method)[0], seed) for seed, method in enumerate(_two(trial)))
    halves = [
        _step(method, batch) for cut, method in enumerate(_two(trial)) for batch in [trial.batches(method, cuts=2)[cut]]
    ]
    for number, one in enumerate(whole):
        weight, weights = float(one.weight.sum()), sum(float(half[number].weight.sum()) for half in halves)
        demand(
            abs(weight - weights) <= 1e-3 * max(weight, 1e-6),
            f"a batch weighs {weight:.4g}, its halves {weights:.4g}: either it compares images (accumulates = False), or its "
            "weights are not each sample's own",
        )
    if _alike(whole, otherwise):
        total, totals = whole[0].total, sum(half[0].total for half in halves)
        demand(
            abs(total - totals) <= 1e-3 * max(abs(total), 1e-6),
            f"the losses of a batch add up to {total:.5g}, those of its halves to {totals:.5g}: it compares images, and must "
            "say so (accumulates = False)",
        )


def _two(trial: _Trial) -> tuple[Method, Method]:
    return trial.begun(), trial.begun()


def _check_unmarked(trial: _Trial) -> None:
    """Where nothing was drawn, nothing is to be learnt as if it were."""
    drawn, nowhere = (
        _step(method, trial.batches(method, masks=masks, beside=None)[0])
        for method, masks in _with(trial, "drawn", "nowhere")
    )
    if _alike(drawn, nowhere):
        return  # it looks at no mask
    weight = sum(float(one.weight.sum()) for one in nowhere)
    demand(weight == 0, f"images of which no pixel counts have a weight of {weight:.3g}")


def _check_beside(trial: _Trial) -> None:
    if not trial.begun().beside:
        return
    nowhere, wrong = (
        _several(method, trial.batches(method, beside=masks)[0]) for method, masks in _with(trial, "nowhere", "wrong")
    )
    demand(_alike(nowhere, wrong), "it looks at the masks of images beside, which count as images without")


def _with(trial: _Trial, *masks: Masks) -> list[tuple[Method, Masks]]:
    return [(trial.begun(), each) for each in masks]


def _several(method: Method, batch: Batch) -> list[_Said]:
    return [one for number in range(3) for one in _step(method, batch, number)]
