"""Whether a loss rewards the truth, and only that, whatever the form of labels, the batch or the size of the logits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses import Loss, parse
from segue.testing.answers import FORMS, HEIGHT, UPPER, WIDTH, answer, channel_of, noise, phantom
from segue.testing.demand import demand

Function = Callable[[Tensor, Tensor], Tensor]

_SURE = 20.0  # a logit whose probability is 1 or 0 to the eye
_NOTHING = 1e-3


@dataclass(frozen=True)
class Hand:
    """A loss worked out by hand: logits (n, L, h, w) and truth as lists, one value per sample."""

    target: Target
    logits: Sequence[object]
    truth: Sequence[object]
    values: Sequence[float]


def check_loss(loss: str | Loss | Callable[[Target], Function], *, values: Iterable[Hand] = ()) -> None:
    """Whether a loss rewards the truth, and only that, whatever the form of labels, the batch or the size of the logits.

    `loss` is an expression, or something that makes a function of (logits, truth) for a Target: all forms of labels are
    tried but those that it refuses with BadInput. A `Loss` is tried with its own target alone.
    """
    make = (lambda target: parse(loss, target)) if isinstance(loss, str) else loss
    forms = 0
    for target in (loss.target,) if isinstance(loss, Loss) else FORMS:
        try:
            function = loss if isinstance(loss, Loss) else make(target)
        except BadInput:
            continue
        forms += 1
        _check_form(function, target)
    demand(forms, "the loss refuses every form of labels")
    for hand in values:
        function = loss if isinstance(loss, Loss) else make(hand.target)
        found = function(torch.tensor(hand.logits, dtype=torch.float32), torch.tensor(hand.truth))
        wanted = torch.tensor(hand.values)
        same = found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)
        demand(same, f"by hand it is {hand.values}, the loss says {found.tolist()}")


def _check_form(loss: Function, target: Target) -> None:
    torch.manual_seed(0)  # of the noise below
    truth = phantom(target)
    _check_result(loss, target, truth)
    _check_perfect(loss, target, truth)
    _check_classes(loss, target, truth)
    _check_order(loss, target, truth)
    _check_empty(loss, target, truth)
    _check_learns(loss, target, truth)
    _check_samples(loss, target, truth)
    _check_strict(loss, target, truth)
    _check_numbers(loss, target, truth)
    _check_ignore(loss, target, truth)
    if target.logits == 1 and target.exclusive:
        _check_two_logits(loss, target, truth)


def _gradient(loss: Function, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, truth)
    demand(value.requires_grad, "no gradient reaches the logits")
    (gradient,) = torch.autograd.grad(value.sum(), logits, materialize_grads=True)
    return value.detach(), gradient


def _told(value: Tensor) -> str:
    return ", ".join(f"{number:.4g}" for number in value.tolist())


def _check_result(loss: Function, target: Target, truth: Tensor) -> None:
    logits, kept = noise(target, truth), truth.clone()
    given = logits.clone()
    value = loss(logits, truth)
    demand(value.shape == (len(truth),), f"a batch of {len(truth)} gives the shape {tuple(value.shape)}")
    demand(value.dtype == torch.float32, f"the loss is {value.dtype}, not float32")
    demand(torch.equal(given, logits) and torch.equal(kept, truth), "the loss changes what it is given")
    demand(torch.equal(value, loss(logits, truth)), "the loss of the same batch differs the second time")
    _gradient(loss, logits, truth)
    demand((value >= -1e-6).all(), f"a loss below 0: {_told(value)}")


def _check_perfect(loss: Function, target: Target, truth: Tensor) -> None:
    for strength in (_SURE, 1e4):
        value = loss(answer(target, truth, strength), truth)
        demand((value >= -1e-6).all(), f"a loss below 0: {_told(value)}")
        demand((value < _NOTHING).all(), f"a perfect prediction costs {_told(value)} (probabilities taken twice?)")


def _check_classes(loss: Function, target: Target, truth: Tensor) -> None:
    found = loss(answer(target, truth, 4.0), truth)
    for name in target.foreground:
        channel = target.names.index(name)
        there = channel_of(target, truth, channel)
        others = [target.names.index(other) for other in target.foreground if other != name and target.exclusive]
        for instead in (0, *others[:1]):
            missed = loss(answer(target, truth.masked_fill(there, instead), 4.0), truth)
            told = f"a missed {name} costs {_told(missed)}, no more than a perfect prediction ({_told(found)})"
            demand(((missed > found) | ~there.flatten(1).any(1)).all(), told)


def _check_order(loss: Function, target: Target, truth: Tensor) -> None:
    half = truth.clone()
    half[..., UPPER:, :] = 0
    inverted = (truth == 0).to(torch.uint8)
    steps = {"perfect": truth, "a pixel off": truth.roll(1, -2), "half missed": half, "inverted": inverted}
    values = {name: loss(answer(target, given, 4.0), truth) for name, given in steps.items()}
    values["mirrored"] = loss(answer(target, truth.flip(-1), 4.0), truth)
    order = [*pairwise(steps), ("a pixel off", "mirrored")]
    for better, worse in order:
        told = f"{better} ({_told(values[better])}) does not cost less than {worse} ({_told(values[worse])})"
        demand((values[better] < values[worse]).all(), told)
    for name, given in {"right": truth, "wrong": inverted}.items():
        surer = [loss(answer(target, given, strength), truth) for strength in (1.0, 2.0, 4.0)]
        rising = all((less < more if name == "wrong" else less > more).all() for less, more in pairwise(surer))
        demand(rising, f"a {name} prediction that grows surer costs {'; '.join(map(_told, surer))}")


def _check_empty(loss: Function, target: Target, truth: Tensor) -> None:
    empty = torch.zeros_like(truth)
    value, gradient = _gradient(loss, answer(target, empty, _SURE), empty)
    demand((value.abs() < _NOTHING).all(), f"an empty truth and an empty prediction cost {_told(value)}")
    demand(gradient.isfinite().all(), "an empty truth and an empty prediction: the gradient is not finite")
    small = truth.clone()
    small[..., UPPER:, :] = 0
    few, gradient = _gradient(loss, answer(target, small, 1.0), empty)
    more = loss(answer(target, truth, 1.0), empty)
    demand((few > _NOTHING).all(), f"false positives beside an empty truth cost only {_told(few)}")
    demand(
        (few < more).all(), f"beside an empty truth, more false positives ({_told(more)}) cost no more ({_told(few)})"
    )
    wrong = small if not target.exclusive else (small > 0).unsqueeze(1)
    slope = (gradient.abs() * wrong).sum((1, 2, 3)) / wrong.sum((1, 2, 3)) * HEIGHT * WIDTH
    demand(
        (slope > _NOTHING).all(), f"beside an empty truth, the gradient at false positives vanishes ({_told(slope)})"
    )


def _check_learns(loss: Function, target: Target, truth: Tensor) -> None:
    """Going downhill by the sign of the gradient must end at the truth: the least loss is 0 and can be reached."""
    truth = torch.cat([truth, torch.zeros_like(truth[:1])])
    logits = torch.zeros(len(truth), target.logits, HEIGHT, WIDTH)
    for _ in range(25):
        _, gradient = _gradient(loss, logits, truth)
        logits = logits - gradient.sign()
    value = loss(logits, truth)
    demand((value < 0.01).all(), f"following the gradient for long still costs {_told(value)}")


def _check_samples(loss: Function, target: Target, truth: Tensor) -> None:
    logits = noise(target, truth)
    together = loss(logits, truth)
    alone = torch.cat([loss(logits[i : i + 1], truth[i : i + 1]) for i in range(len(truth))])
    told = f"a sample's loss depends on its batch: together {_told(together)}, alone {_told(alone)}"
    demand(torch.allclose(together, alone, rtol=1e-5, atol=1e-6), told)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, truth)[0], logits)
    demand(not gradient[1:].any(), "a sample's loss has a gradient in its neighbour")


def _check_strict(loss: Function, target: Target, truth: Tensor) -> None:
    logits = noise(target, truth)
    wrong = {
        "fewer truths than logits": (logits, truth[:1]),
        "fewer logits than truths": (logits[:1], truth),
        "height and width exchanged": (logits, truth.transpose(-1, -2)),
        "no axis of channels in the logits": (logits[:, 0], truth),
        "a channel of logits too many": (torch.cat([logits, logits, logits[:, :1]], 1), truth),
        "half the height": (logits[:, :, ::2], truth),
    }
    if target.exclusive:
        wrong["an axis of channels in the truth"] = (logits, truth.unsqueeze(1))
        wrong["a truth without a batch"] = (logits, truth[0])
    else:
        k = len(target.names)
        wrong["regions without their axis"] = (logits[:k], truth[:k, 0])
        wrong["one region of several"] = (logits, truth[:, :1])
    for name, (given, beside) in wrong.items():
        told = f"shapes {tuple(given.shape)} and {tuple(beside.shape)} ({name})"
        demand(_refuses(loss, given, beside), f"{told} are not refused")
    highest = len(target.names) - 1 if target.exclusive else 1
    for value in (highest + 1, 254, -1):
        beside = truth.to(torch.int64)
        beside[..., 0, 0] = value
        demand(_refuses(loss, logits, beside), f"the value {value} in the truth is not refused")


def _refuses(loss: Function, logits: Tensor, truth: Tensor) -> bool:
    try:
        loss(logits, truth)
    except (ValueError, TypeError, BadInput):
        return True
    except Exception as error:
        raise AssertionError(f"a wrong truth ends in {type(error).__name__}, not in ValueError or BadInput") from error
    return False


def _check_numbers(loss: Function, target: Target, truth: Tensor) -> None:
    some = noise(target, truth)
    extremes = {
        "right": answer(target, truth, 1e4),
        "wrong": answer(target, (truth == 0).to(torch.uint8), 1e4),
        "any": 1e4 * some.sign(),
        "0": torch.zeros_like(some),
    }
    for name, logits in extremes.items():
        value, gradient = _gradient(loss, logits, truth)
        demand(value.isfinite().all(), f"logits of 1e4 ({name}): the loss is {_told(value)}")
        demand(gradient.isfinite().all(), f"logits of 1e4 ({name}): the gradient is not finite")
    for kind in (torch.bfloat16, torch.float16):
        rough = some.to(kind)
        wanted, found = loss(rough.float(), truth), loss(rough, truth)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = loss(rough, truth)
        demand(found.dtype == cast.dtype == torch.float32, f"the loss of {kind} is not computed in float32")
        for value in (found, cast):
            told = f"the loss of {kind} is {_told(value)}, of the same numbers in float32 {_told(wanted)}"
            demand(torch.allclose(value, wanted, rtol=1e-4, atol=1e-5), told)


def _check_ignore(loss: Function, target: Target, truth: Tensor) -> None:
    logits = noise(target, truth)
    grown = torch.full((*truth.shape[:-2], HEIGHT + 5, WIDTH + 3), IGNORE, dtype=torch.uint8)
    grown[..., 2:-3, :-3] = truth
    around = 5 * torch.randn(len(truth), target.logits, HEIGHT + 5, WIDTH + 3)
    around[..., 2:-3, :-3] = logits
    bare, padded = loss(logits, truth), loss(around, grown)
    told = f"padding that is IGNORE changes the loss from {_told(bare)} to {_told(padded)}"
    demand(torch.allclose(bare, padded, rtol=1e-4, atol=1e-6), told)

    holes = torch.rand(truth.shape) < 0.4
    marked = truth.masked_fill(holes, IGNORE)
    under = holes.unsqueeze(1).expand_as(logits) if target.exclusive else holes
    value, gradient = _gradient(loss, logits, marked)
    demand(not gradient[under].any(), "the gradient under IGNORE is not exactly 0")
    for other in (0.0, -1e4, torch.nan, torch.inf):
        changed, slope = _gradient(loss, logits.masked_fill(under, other), marked)
        demand(torch.equal(changed, value), f"a logit of {other} under IGNORE changes the loss")
        demand(torch.equal(slope, gradient), f"a logit of {other} under IGNORE changes the gradient")

    marked = truth.clone()
    marked[0] = IGNORE
    value, gradient = _gradient(loss, logits, marked)
    demand(value[0] == 0, f"a sample of which nothing counts costs {value[0].item():.4g}")
    demand(not gradient[0].any() and gradient.isfinite().all(), "a sample of which nothing counts has a gradient")
    demand(torch.allclose(value[1:], bare[1:], rtol=1e-5), "a sample of which nothing counts changes its neighbours")
    if not target.exclusive and len(target.names) > 1:
        marked = truth.clone()
        marked[:, 0] = IGNORE
        rest = answer(target, truth, _SURE)
        rest[:, 0] *= -1
        value, gradient = _gradient(loss, rest, marked)
        demand((value.abs() < _NOTHING).all(), f"a region that was never annotated costs {_told(value)}")


def _check_two_logits(loss: Function, target: Target, truth: Tensor) -> None:
    one = noise(target, truth)
    other = torch.randn_like(one)
    wanted = loss(one, truth)
    try:
        given = loss(torch.cat([other, other + one], 1), truth)
    except (ValueError, TypeError, BadInput) as error:
        raise AssertionError(f"two logits for two classes are refused: {error}") from None
    told = f"one logit ({_told(wanted)}) and the two logits that say the same ({_told(given)}) cost differently"
    demand(torch.allclose(given, wanted, rtol=1e-4, atol=1e-5), told)
