"""The conformance suite is tested on broken twins of sound losses: each must be caught, in the words that name its fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, softplus

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses import LOSSES, Pair, parse
from segue.testing import check_loss
from segue.testing.loss import Function, Hand

LESION = Target(("background", "lesion"))
TUMOUR = Target(("whole", "core"), exclusive=False)
HEART = Target(("background", "myocardium", "left ventricle", "right ventricle"))
Make = Callable[[Target], Function]


def only(target: Target, function: Function) -> Make:
    def make(given: Target) -> Function:
        if given != target:
            raise BadInput("for one form of labels")
        return function

    return make


def pairs(what: Callable[[Pair], Tensor], target: Target = LESION) -> Make:
    """A loss of its own, whose shapes, values and IGNORE are looked after."""
    return only(target, lambda logits, truth: what(Pair(logits, truth, target)))


def before(
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], text: str = "dice", target: Target = LESION
) -> Make:
    """A sound loss that is given something else."""
    loss = parse(text, target)
    return only(target, lambda logits, truth: loss(*change(logits, truth)))


def after(change: Callable[[Tensor, Tensor, Tensor], Tensor], text: str = "dice", target: Target = LESION) -> Make:
    """A sound loss of which something else is made: (loss, logits, truth)."""
    loss = parse(text, target)
    return only(target, lambda logits, truth: change(loss(logits, truth), logits, truth))


def dice(p: Tensor, t: Tensor, axes: tuple[int, ...] = (1, 2), above: float = 1.0, below: float = 1.0) -> Tensor:
    return 1 - (2 * (p * t).sum(axes) + above) / (p.sum(axes) + t.sum(axes) + below)


def errors(pair: Pair) -> Tensor:
    p, t = pair.channels()
    return (p - t).abs()


def straight(logits: Tensor) -> Tensor:
    """Nothing, with a gradient of 1."""
    clean = logits.nan_to_num(0.0, 0.0, 0.0)
    return clean - clean.detach()


def as_published(pair: Pair) -> Tensor:
    """Kervadec's boundary loss, in short: below 0 at the truth."""
    p, t = pair.channels()
    return pair.pixel_mean(p * (1 - 2 * t))


def worst_pixel(pair: Pair) -> Tensor:
    """The published Lovász loss of a class that is absent."""
    present = (pair.truth == 1).flatten(1).any(1)
    return torch.where(present, LOSSES["jaccard"]()(pair), pair.channels()[0].amax((1, 2)))


def hard_if_empty(pair: Pair) -> Tensor:
    p, t = pair.channels()
    present = (pair.truth == 1).flatten(1).any(1)
    return torch.where(present, dice(p, t), (p > 0.5).float().mean((1, 2)) + 1e-4 * p.mean((1, 2)))


def some_region(pair: Pair) -> Tensor:
    """A region that was never annotated is taken for one that is missed."""
    lost = (pair.truth == IGNORE).all(2)
    values = torch.stack([LOSSES["dice"]()(pair), lost.float().mean(1)]).sum(0)
    return torch.where(lost.all(1), 0.0 * values, values)


def all_masks(logits: Tensor, truth: Tensor) -> Tensor:
    """System 0's: (n, 1, h, w) beside (n, h, w) is (n, n, h, w), every image with the masks of all."""
    p, t = logits.float().sigmoid(), (truth == 1).float()
    both = p * t
    return 1 - both.sum((1, 2, 3)) / (p + t - both).sum((1, 2, 3))


def own_precision(logits: Tensor, truth: Tensor) -> Tensor:
    sound = parse("dice", LESION)(logits, truth)
    if logits.dtype == torch.float32:
        return sound
    p, t = logits.sigmoid().flatten(1), (truth == 1).to(logits.dtype).flatten(1)
    return dice(p, t, (1,)).float()


def matrix_product(pair: Pair) -> Tensor:
    """Products of matrices are what a precision context makes rough."""
    p, t = pair.channels()
    sound = LOSSES["dice"]()(pair)
    hits = torch.matmul(p, t.transpose(1, 2)).float().flatten()
    return sound + 1e-3 * (hits - (p * t).sum((1, 2))).abs()


def in_place(logits: Tensor, truth: Tensor) -> Tensor:
    loss = parse("dice", LESION)(logits, truth)
    with torch.no_grad():
        logits.mul_(0.5)
    return loss


def weighs_by_batch(loss: Tensor, logits: Tensor, truth: Tensor) -> Tensor:
    return loss * len(truth) / (truth != IGNORE).flatten(1).any(1).sum().clamp(min=1)


def zero_times(logits: Tensor, truth: Tensor) -> Tensor:
    """IGNORE weighed by zero, and NaN times zero is NaN."""
    counts = (truth != IGNORE).float().unsqueeze(1)
    pair = Pair(logits.nan_to_num(5.0, 5.0, 5.0), truth, LESION)
    return LOSSES["dice"]()(pair) + 0 * (logits * counts).sum((1, 2, 3))


def second_logit(logits: Tensor, truth: Tensor) -> Tensor:
    return parse("dice", LESION)(logits[:, -1:] if logits.shape[1] == 2 else logits, truth)


def one_logit_only(logits: Tensor, truth: Tensor) -> Tensor:
    if logits.shape[1] != 1:
        raise ValueError("one logit")
    return parse("dice", LESION)(logits, truth)


def first_class_only(pair: Pair) -> Tensor:
    p, t = pair.channels()
    return dice(p[:, :1], t[:, :1])


def shape_of_truth(logits: Tensor, truth: Tensor) -> Tensor:
    if truth.numel() == logits.numel():
        truth = truth.reshape(len(logits), *logits.shape[2:])
    return parse("dice", LESION)(logits, truth)


TWINS: dict[str, tuple[Make, str]] = {
    # probabilities and labels
    "double sigmoid": (
        before(lambda z, t: (z.float().sigmoid(), t)),
        r"a perfect prediction costs .*\(probabilities taken twice\?\)",
    ),
    "double softmax": (before(lambda z, t: (z.float().softmax(1), t), target=HEART), "a perfect prediction costs"),
    "no sigmoid": (
        pairs(
            lambda pair: pair.pixel_mean(binary_cross_entropy(pair.logits.clamp(0, 1), pair.positive, reduction="none"))
        ),
        "a right prediction that grows surer costs",
    ),
    "labels inverted": (before(lambda z, t: (-z, t)), "a perfect prediction costs 1, 1, 1"),
    "one logit for another class": (before(lambda z, t: (z.roll(1, 1), t), target=HEART), "a perfect prediction costs"),
    "the score, not the loss": (after(lambda loss, z, t: 1 - loss), "a perfect prediction costs 1, 1, 1"),
    "the first class only": (pairs(first_class_only, HEART), "a missed left ventricle costs"),
    "the second of two logits only": (only(LESION, second_logit), "and the two logits that say the same"),
    "one logit only": (only(LESION, one_logit_only), "two logits for two classes are refused"),
    # what comes out
    "mean over the batch": (after(lambda loss, z, t: loss.mean()), r"gives the shape \(\)"),
    "an axis kept": (after(lambda loss, z, t: loss.unsqueeze(1)), r"gives the shape \(3, 1\)"),
    "double precision": (after(lambda loss, z, t: loss.double()), "is torch.float64, not float32"),
    "below 0": (pairs(as_published), "a loss below 0"),
    "chance": (after(lambda loss, z, t: loss * torch.rand(())), "differs the second time"),
    "logits halved in place": (only(LESION, in_place), "changes what it is given"),
    # order of badness
    "areas alone": (
        pairs(lambda pair: (pair.channels()[0].sum(2) / pair.channels()[1].sum(2).clamp(min=1) - 1).abs().mean(1)),
        "perfect .* does not cost less than a pixel off",
    ),
    "misses do not matter": (
        pairs(lambda pair: pair.pixel_mean(errors(pair) * (1 - pair.positive))),
        "a missed lesion costs .* no more than a perfect prediction",
    ),
    "false positives do not matter": (
        pairs(lambda pair: pair.pixel_mean(errors(pair) * pair.positive)),
        "false positives beside an empty truth cost only 0, 0, 0",
    ),
    # a truth without the class
    "empty truths left out": (
        after(lambda loss, z, t: loss * (t == 1).flatten(1).any(1)),
        "false positives beside an empty truth cost only 0, 0, 0",
    ),
    "no smoothing above": (
        pairs(lambda pair: dice(*pair.channels(), above=0.0, below=1e-3)),
        "an empty truth and an empty prediction cost 1, 1, 1",
    ),
    "nothing by nothing": (
        pairs(lambda pair: dice((pair.channels()[0] - 1e-6).relu(), pair.channels()[1], above=0.0, below=0.0)),
        "an empty truth and an empty prediction cost nan, nan, nan",
    ),
    "root of nothing": (
        pairs(lambda pair: LOSSES["dice"]()(pair) + (0 * pair.channels()[0].sum((1, 2))).sqrt()),
        "an empty truth and an empty prediction: the gradient is not finite",
    ),
    "tiny smoothing": (
        pairs(lambda pair: dice(*pair.channels(), above=1e-2, below=1e-2)),
        "the gradient at false positives vanishes",
    ),
    "the worst pixel alone": (pairs(worst_pixel), "more false positives .* cost no more"),
    "decided pixels if empty": (pairs(hard_if_empty), "the gradient at false positives vanishes"),
    # gradients
    "decided masks": (
        pairs(lambda pair: dice((pair.channels()[0] > 0.5).float(), pair.positive)),
        "no gradient reaches",
    ),
    "uphill": (after(lambda loss, z, t: 2 * loss.detach() - loss), "following the gradient for long still costs"),
    # batches
    "pooled over the batch": (
        pairs(lambda pair: dice(*pair.channels(), axes=(0, 1, 2)).expand(len(pair.truth)).clone()),
        "a sample's loss depends on its batch",
    ),
    "each image with all masks": (
        only(LESION, all_masks),
        "a perfect prediction costs 0.55",
    ),
    "a gradient in the neighbour": (
        after(lambda loss, z, t: loss + 1e-9 * straight(z).flatten(1).sum(1).roll(1)),
        "has a gradient in its neighbour",
    ),
    # shapes and values
    "any shape of as many pixels": (only(LESION, shape_of_truth), r"height and width exchanged\) are not refused"),
    "one truth for all": (
        before(lambda z, t: (z, t.expand(len(z), *t.shape[1:]) if len(t) == 1 else t)),
        r"fewer truths than logits\) are not refused",
    ),
    "an axis of channels in the truth": (
        before(lambda z, t: (z, t.squeeze(1))),
        r"an axis of channels in the truth\) are not refused",
    ),
    "one region for all": (
        before(lambda z, t: (z, t.expand(-1, 2, -1, -1) if t.dim() == 4 and t.shape[1] == 1 else t), target=TUMOUR),
        r"one region of several\) are not refused",
    ),
    "regions broadcast": (
        before(lambda z, t: (z, t.expand_as(z) if t.dim() == 3 and len(t) == 2 else t), target=TUMOUR),
        r"regions without their axis\) are not refused",
    ),
    "two is a lesion": (before(lambda z, t: (z, t.masked_fill(t == 2, 1))), "the value 2 in the truth is not refused"),
    "254 is IGNORE": (before(lambda z, t: (z, t.masked_fill(t == 254, IGNORE))), "the value 254 in the truth"),
    "-1 is IGNORE": (before(lambda z, t: (z, t.to(torch.uint8))), "the value -1 in the truth"),
    "falls over a wrong shape": (before(lambda z, t: (z, t if t.dim() == 3 else t[[9]])), "ends in IndexError"),
    # numbers
    "log of a probability": (
        pairs(lambda pair: pair.pixel_mean(-(1 - errors(pair)).log())),
        r"logits of 1e4 \(wrong\): the loss is inf",
    ),
    "root at 0": (
        pairs(lambda pair: pair.pixel_mean(errors(pair).sqrt() * softplus(pair.logits * (1 - 2 * pair.positive)))),
        r"logits of 1e4 \(right\): the gradient is not finite",
    ),
    "the logits' own precision": (only(LESION, own_precision), "the loss of torch.bfloat16 is"),
    "rough under a precision context": (pairs(matrix_product), "the loss of torch.bfloat16 is"),
    # IGNORE
    "IGNORE is background": (before(lambda z, t: (z, t.masked_fill(t == IGNORE, 0))), "padding that is IGNORE changes"),
    "IGNORE is a lesion": (before(lambda z, t: (z, t.masked_fill(t == IGNORE, 1))), "padding that is IGNORE changes"),
    "mean over all pixels": (
        pairs(lambda pair: errors(pair).mean((1, 2))),
        "padding that is IGNORE changes",
    ),
    "IGNORE has a gradient": (
        after(lambda loss, z, t: loss + 1e-9 * (straight(z).squeeze(1) * (t == IGNORE)).sum((1, 2))),
        "the gradient under IGNORE is not exactly 0",
    ),
    "NaN under IGNORE": (only(LESION, zero_times), "a logit of nan under IGNORE changes"),
    "mean over nothing": (
        pairs(lambda pair: errors(pair).sum((1, 2)) / pair.counted.sum(1)),
        "a sample of which nothing counts costs nan",
    ),
    "nothing counts and costs": (
        after(lambda loss, z, t: loss + (t == IGNORE).flatten(1).all(1)),
        "a sample of which nothing counts costs 1",
    ),
    "weighs by what counts in the batch": (after(weighs_by_batch), "changes its neighbours"),
    "a region never annotated": (pairs(some_region, TUMOUR), "a region that was never annotated costs 0.5"),
}


def test_sound_twins_pass() -> None:
    """What the twins are made of is not at fault."""
    check_loss(before(lambda z, t: (z, t)))
    check_loss(after(lambda loss, z, t: 2 * loss, target=HEART))
    check_loss(pairs(lambda pair: pair.pixel_mean(errors(pair))))
    check_loss(pairs(lambda pair: LOSSES["dice"]()(pair), TUMOUR))


@pytest.mark.parametrize("name", TWINS)
def test_the_suite_catches(name: str) -> None:
    twin, sentence = TWINS[name]
    with pytest.raises(AssertionError, match=sentence):
        check_loss(twin)


def test_a_loss_that_refuses_everything_is_caught() -> None:
    with pytest.raises(AssertionError, match="refuses every form"):
        check_loss("ce(weights=(1, 2, 3, 4, 5, 6))")


def test_a_value_by_hand_is_compared() -> None:
    wrong = Hand(LESION, [[[[0.0, 0.0]]]], [[[0, 1]]], [0.25])
    with pytest.raises(AssertionError, match=r"by hand it is \[0.25\], the loss says \[0.5\]"):
        check_loss("dice", values=[wrong])
