"""Losses by expression, per sample, on logits.

    loss = parse("dice + 0.5*bce", target)
    loss(logits, truth)                       # (n,) float32

A file an idea; a name in LOSSES. Probabilities are made in one place, `probabilities`, and nowhere else.
"""

from segue.losses.loss import LOSSES as LOSSES
from segue.losses.loss import Loss as Loss
from segue.losses.loss import parse as parse
from segue.losses.measure import counted as counted
from segue.losses.measure import overlap as overlap
from segue.losses.pair import Pair as Pair
from segue.losses.part import Part as Part
from segue.losses.probabilities import probabilities as probabilities
