"""Each loss against its definition, computed slowly, on random logits and truths with holes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from segue import expression
from segue.data.target import Target
from segue.losses import LOSSES, counted, overlap, parse, probabilities

from . import reference

LESION = Target(("background", "lesion"))
HEART = Target(("background", "a", "b", "c"))
TUMOUR = Target(("whole", "core"), exclusive=False)
FORMS = {"one logit": LESION, "two logits": LESION, "four classes": HEART, "regions": TUMOUR}
TRUTHS = ["all counts", "with holes", "without the class", "without the class, with holes", "all of the class"]


def batch(form: str, truths: str, shape: tuple[int, ...] = (5, 7)) -> tuple[Tensor, Tensor]:
    """Three samples; logits of all sizes from doubt to certainty."""
    random = torch.Generator().manual_seed(len(form) * 100 + len(truths))
    target = FORMS[form]
    size = (3, *shape) if target.exclusive else (3, 2, *shape)
    classes = len(target.names) if target.exclusive else 2
    truth = torch.randint(0, classes, size, generator=random).to(torch.uint8)
    if truths.startswith("without"):
        truth[truth == 1] = 0
    if truths.startswith("all of"):
        truth[:] = 1
    if truths.endswith("holes"):
        truth[torch.rand(size, generator=random) < 0.3] = 255
        truth[1, ..., 0, :] = 255
        if not target.exclusive:
            truth[2, 0] = 255
    channels = 2 if form == "two logits" else target.logits
    sizes = torch.tensor([1.0, 3.0, 8.0]).view(3, *[1] * (len(shape) + 1))
    return torch.randn(3, channels, *shape, generator=random) * sizes, truth


EXPRESSIONS = [
    *LOSSES,
    "dice(background=true)",
    "jaccard(background=true, empty=0.2)",
    "tversky(alpha=0.9, beta=0.2, background=true)",
    "lovasz(background=true, empty=0.3)",
    "focal(gamma=0.5)",
    "focal(gamma=0)",
    "ce(weights=(0.1, 0.9))",
    "ce(weights=(1, 2, 0, 0.5))",
    "focal(weights=(0.1, 0.9), gamma=1)",
    "0.5*dice + 2*ce + 0*boundary",
]


def _fits(text: str, form: str) -> bool:
    target = FORMS[form]
    for term in expression.parse(text):
        weights = term.arguments.get("weights")
        if isinstance(weights, tuple) and len(weights) != len(target.names):
            return False
        if term.arguments.get("background") and not target.exclusive:
            return False
        if term.name == "bce" and form == "four classes":
            return False
    return True


@pytest.mark.parametrize("truths", TRUTHS)
@pytest.mark.parametrize(
    ("text", "form"), [(text, form) for text in EXPRESSIONS for form in FORMS if _fits(text, form)]
)
def test_a_loss_is_what_its_definition_says(text: str, form: str, truths: str) -> None:
    target = FORMS[form]
    logits, truth = batch(form, truths)
    wanted = np.zeros(3)
    for term in expression.parse(text):
        slow = reference.REFERENCE[term.name]
        for sample in range(3):
            value = slow(logits[sample].numpy(), truth[sample].numpy(), target.exclusive, **term.arguments)
            wanted[sample] += term.weight * value
    found = parse(text, target)(logits, truth)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("text", [text for text in LOSSES if text != "bce"])
@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_is_the_slope_of_the_definition(text: str, form: str) -> None:
    target = FORMS[form]
    logits, truth = batch(form, "with holes", (4, 5))
    logits = logits[:1].requires_grad_()
    parse(text, target)(logits, truth[:1]).sum().backward()
    assert logits.grad is not None
    slow, step = reference.REFERENCE[text], 1e-5
    for at in np.ndindex(*logits.shape[1:]):
        sides = []
        for sign in (1, -1):
            moved = logits[0].detach().double().numpy().copy()
            moved[at] += sign * step
            sides.append(slow(moved, truth[0].numpy(), target.exclusive))
        slope = (sides[0] - sides[1]) / (2 * step)
        assert float(logits.grad[(0, *at)]) == pytest.approx(slope, rel=1e-3, abs=1e-6), at


@pytest.mark.parametrize("text", LOSSES)
def test_volumes_too(text: str) -> None:
    logits, truth = batch("one logit", "with holes", (3, 4, 5))
    found = parse(text, LESION)(logits, truth)
    slow = reference.REFERENCE[text]
    wanted = [slow(logits[sample].numpy(), truth[sample].numpy(), True) for sample in range(3)]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("form", FORMS)
def test_probabilities(form: str) -> None:
    target = FORMS[form]
    logits, _ = batch(form, "all counts")
    found = probabilities(logits, target)
    assert found.dtype == torch.float32
    assert found.shape == (3, len(target.names), 5, 7)
    for sample in range(3):
        wanted = reference.probabilities(logits[sample].double().numpy(), target.exclusive)
        np.testing.assert_allclose(found[sample].numpy(), wanted, rtol=1e-5, atol=1e-7)
    rough = probabilities(logits.bfloat16(), target)
    assert torch.equal(rough, probabilities(logits.bfloat16().float(), target))


def test_a_probability_far_down_keeps_its_digits() -> None:
    found = probabilities(torch.tensor([30.0, -30.0]).view(2, 1, 1, 1), LESION)
    assert found[0, 0].item() == pytest.approx(np.exp(-30), rel=1e-5, abs=0)
    assert found[1, 1].item() == pytest.approx(np.exp(-30), rel=1e-5, abs=0)


@pytest.mark.parametrize("truths", TRUTHS)
@pytest.mark.parametrize("form", FORMS)
def test_overlap_and_share_of_what_counts(form: str, truths: str) -> None:
    target = FORMS[form]
    logits, truth = batch(form, truths)
    wanted = [reference.overlap(logits[i].numpy(), truth[i].numpy(), target.exclusive) for i in range(3)]
    np.testing.assert_allclose(overlap(logits, truth).numpy(), wanted, rtol=1e-6)
    share = [(truth[i].numpy() != 255).mean() for i in range(3)]
    np.testing.assert_allclose(counted(truth).numpy(), share, rtol=1e-6)
