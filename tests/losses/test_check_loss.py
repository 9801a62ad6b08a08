"""All losses keep to the conformance suite, and say what was worked out by hand."""

from __future__ import annotations

from math import log

import pytest

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.losses import LOSSES, parse
from segue.testing import check_loss
from segue.testing.loss import Hand

LESION = Target(("background", "lesion"))


def _hand(*values: float) -> list[Hand]:
    """One image of a row: logits whose probabilities are 0.9, 0.5, 0.2 and 0.1, and one under IGNORE.

    First with the lesion in the pixels 1 and 3, then without a lesion.
    """
    row = [[[log(9), 0.0, log(1 / 4), log(1 / 9), 3.0]]]
    return [Hand(LESION, [row, row], [[[1, 0, 1, 0, IGNORE]], [[0, 0, 0, 0, IGNORE]]], values)]


# hits 1.1, predicted 1.7, true 2; without a lesion, false positives of 1.7 beside a spare pixel
CE = -(log(0.9) + log(0.5) + log(0.2) + log(0.9)) / 4, -(log(0.1) + log(0.5) + log(0.8) + log(0.9)) / 4
HAND = {
    "dice": (1 - 2.2 / 3.7, 1.7 / 2.7),
    "jaccard": (1 - 1.1 / 2.6, 1.7 / 2.7),
    "tversky": (1 - 1.1 / (1.1 + 0.3 * 0.6 + 0.7 * 0.9), 1.7 / 2.7),
    "ce": CE,
    "bce": CE,
    "focal": (
        -(0.01 * log(0.9) + 0.25 * log(0.5) + 0.64 * log(0.2) + 0.01 * log(0.9)) / 4,
        -(0.81 * log(0.1) + 0.25 * log(0.5) + 0.04 * log(0.8) + 0.01 * log(0.9)) / 4,
    ),
    # errors falling: 0.8 a miss (loss 1/2), 0.5 an extra (then 2/3), 0.1 an extra and 0.1 a miss (then 3/4, 1, in any order)
    "lovasz": (
        0.8 * 1 / 2 + 0.5 * (2 / 3 - 1 / 2) + 0.1 * (1 - 2 / 3),
        0.9 * 1 / 2 + 0.5 * (2 / 3 - 1 / 2) + 0.2 * (3 / 4 - 2 / 3) + 0.1 * (4 / 5 - 3 / 4),
    ),
    # half a pixel from a border everywhere; four pixels count, so a unit is two pixels; without a border the unit itself
    "boundary": ((0.1 + 0.5 + 0.8 + 0.1) * 0.25 / 4, 1.7 / 4),
    "ce(weights=(0.1, 0.9))": (-(0.9 * log(0.9) + 0.1 * log(0.5) + 0.9 * log(0.2) + 0.1 * log(0.9)) / 4, 0.1 * CE[1]),
    "dice(background=true)": ((1 - 2.2 / 3.7 + 1 - 2.8 / 4.3) / 2, (1.7 / 2.7 + 1 - 4.6 / 6.3) / 2),
    "dice + 0.5*bce": (1 - 2.2 / 3.7 + 0.5 * CE[0], 1.7 / 2.7 + 0.5 * CE[1]),
}
MORE = [
    "lovasz(background=true)",
    "jaccard(background=true) + ce",
    "focal(gamma=0.5, weights=(1, 2, 3, 4))",
    "tversky(alpha=0.7, beta=0.3) + 0.2*focal(gamma=0)",
    "ce(weights=(2, 1))",
    "0.01*boundary + dice",
]


def test_each_loss_was_worked_out_by_hand() -> None:
    assert set(LOSSES) <= set(HAND)


@pytest.mark.parametrize("text", [*HAND, *MORE])
def test_conforms(text: str) -> None:
    check_loss(text, values=_hand(*HAND[text]) if text in HAND else ())


def test_a_loss_for_one_target_is_checked_with_that_target() -> None:
    check_loss(parse("dice + ce(weights=(1, 2, 3))", Target(("background", "a", "b"))))
    check_loss(parse("dice + bce", Target(("whole", "core", "enhancing"), exclusive=False)))
