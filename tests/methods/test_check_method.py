"""All methods keep to the conformance suite; and it is tested on broken twins, each of which it must catch by its fault."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor

from segue import losses
from segue.data.case import IGNORE
from segue.data.target import Target
from segue.losses import probabilities
from segue.methods import METHODS, Given
from segue.methods.contrast import Contrast, Local
from segue.methods.masked import Masked
from segue.methods.settings import ConsistencySettings, ContrastSettings, MaskedSettings, SemiSettings, SiteSettings
from segue.methods.supervised import Supervised
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.pretext import Pretext
from segue.step import Batch, Loss, Method
from segue.testing import check_method
from segue.variations import parse

SMALL = NetworkSettings(encoder="tu-mobilenetv3_small_050", depth=3, decoder_channels=(16, 8, 8), norm="group")
LESION = Target(("background", "lesion"))
HEART = Target(("background", "myocardium", "left ventricle", "right ventricle"))
COLOURS = Target(("r", "g", "b"), exclusive=False)
TUMOUR = Target(("whole", "core"), exclusive=False)
SIZE = (32, 32)
VARIATION = "flips + affine(rotate=10) + noise"


@cache
def built(target: Target) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build(SMALL, target, 3)


def given(
    target: Target = LESION,
    *,
    shares: tuple[float, ...] | None = None,
    consistency: ConsistencySettings | None = None,
    site: dict[str, Any] | None = None,
    **told: Any,
) -> Given:
    follow = {"strong": "affine + noise + cutmix(p=0.5)", "confidence": 0.5}
    semi = SemiSettings(**{**follow, "fitted": 0, **told})
    return Given(
        copy.deepcopy(built(target)),
        losses.parse("dice + bce" if target.logits == 1 else "dice", target),
        parse(VARIATION),
        target,
        semi,
        consistency or ConsistencySettings(),
        SiteSettings(**{**follow, **(site or {})}),
        shares=shares,
        teachers=partial(teacher, target),
    )


def teacher(target: Target, images: Tensor) -> Tensor:
    """Another network, which never learns."""
    network = built(target).eval()
    return probabilities(network(images.flip(1)).logits, target)


@pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
@pytest.mark.parametrize("name", METHODS)
def test_methods_that_learn_from_masks(name: str, target: Target) -> None:
    check_method(lambda: METHODS[name](given(target)), target=target, size=SIZE)


@pytest.mark.parametrize(
    "told",
    [
        {"teacher": False}, {"dropout": 0.0, "views": 1}, {"views": 0}, {"fitted": 0.5, "warm": 0.0},
        {"shares": (0.9, 0.1)},
    ],
    ids=str,
)  # fmt: skip
def test_semi_in_all_its_forms(told: dict[str, Any]) -> None:
    check_method(lambda: METHODS["semi"](given(**told)), size=SIZE)


@pytest.mark.parametrize("told", [{"follow": "start"}, {"dropout": 0.0, "views": 1}, {"views": 0}], ids=str)
def test_a_site_alone_in_all_its_forms(told: dict[str, Any]) -> None:
    check_method(lambda: METHODS["site"](given(site=told)), size=SIZE)


@pytest.mark.parametrize(
    "told",
    [
        {"places": "published"}, {"mix": "fixed"}, {"mix": "strict"}, {"mix": "added"}, {"interleaved": 1},
        {"draws": 3}, {"draws": 2, "half": True, "places": "published"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("target", [LESION, HEART], ids=["one logit", "classes"])
def test_consistency_in_all_its_forms(told: dict[str, Any], target: Target) -> None:
    settings = ConsistencySettings(**told)
    check_method(lambda: METHODS["consistency"](given(target, consistency=settings)), target=target, size=SIZE)


def pretext(kind: type[Contrast] | type[Local], **told: Any) -> Callable[[], Method]:
    def make() -> Method:
        torch.manual_seed(0)
        settings = ContrastSettings(**{"width": 16, "partitions": 2, **told})
        network = copy.deepcopy(built(COLOURS))
        levels = settings.levels if kind is Local else 0
        head = Pretext(network, width=16, levels=levels, demean=settings.demean, datasets=1, memory=settings.memory)
        return kind(head, settings, parse(VARIATION))

    return make


@pytest.mark.parametrize(
    "told",
    [
        {}, {"positives": "images"}, {"positives": "across"}, {"memory": 16}, {"representation": 0.5}, {"plain": True},
        {"demean": "representation"}, {"own": 0.5}, {"elsewhere": "negative", "negatives": "dataset"},
    ],
    ids=str,
)  # fmt: skip
def test_contrast(told: dict[str, Any]) -> None:
    check_method(pretext(Contrast, **told), size=SIZE)


@pytest.mark.parametrize("told", [{"levels": 1}, {"levels": 2, "across": True}], ids=str)
def test_local_contrast(told: dict[str, Any]) -> None:
    check_method(pretext(Local, regions=9, neighbours=2, **told))


def test_masked() -> None:
    def make() -> Method:
        torch.manual_seed(0)
        network = copy.deepcopy(built(COLOURS))
        return Masked(network, MaskedSettings(side=8), parse(VARIATION))

    check_method(make)


# Broken twins


class Twin(Supervised):
    """A sound method of which something else is made."""

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return loss

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        for loss in super().step(batch):
            yield self.changed(loss, batch)


class Misnamed(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, network="generator")


class Averaged(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, per_sample=loss.per_sample.mean())


class Short(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, weight=loss.weight[:1])


class Negative(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, weight=loss.weight - 2)


class Boundless(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, per_sample=loss.per_sample / 0)


class Detached(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, per_sample=loss.per_sample.detach())


class Elsewhere(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, per_sample=torch.ones_like(loss.per_sample, requires_grad=True) * 2)


class Curved(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, parts={"loss": loss.per_sample})


class Whole(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, parts={"loss": loss.per_sample.detach().mean()})


class Silent(Twin):
    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        if batch.done < 0.5:
            yield from super().step(batch)


class Withheld(Twin):
    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (loss,) = super().step(batch)
        with torch.no_grad():
            yield loss


class Cast(Twin):
    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (loss,) = super().step(batch)
        with torch.autocast("cpu", torch.bfloat16):
            yield loss


class Marking(Twin):
    def changed(self, loss: Loss, batch: Batch) -> Loss:
        batch.views[0].target[:] = IGNORE
        return loss


class Bleaching(Twin):
    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        batch.views[0].images.mul_(0.5)
        yield from super().step(batch)


class Rolling(Twin):
    """It draws numbers that nobody has set."""

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, weight=loss.weight * random.SystemRandom().random())


class Counting(Twin):
    """It counts its steps, and tells nobody."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.steps = 0

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        self.steps += 1
        return replace(loss, per_sample=loss.per_sample * self.steps)


class Forgetful(Twin):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.remembers["steps"] = torch.zeros(1)

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        self.remembers["steps"] = self.remembers["steps"] + 1
        return replace(loss, per_sample=loss.per_sample * self.remembers["steps"])


class Comparing(Twin):
    """Each image's loss hangs on the others of its batch."""

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, per_sample=loss.per_sample * loss.per_sample.detach().max())


class Dividing(Twin):
    """A batch weighs 1, however many images are in it."""

    def changed(self, loss: Loss, batch: Batch) -> Loss:
        return replace(loss, weight=loss.weight / len(loss.weight))


class Believing(Twin):
    """What nobody drew is background."""

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (view,) = batch.views
        target = torch.where(view.target == IGNORE, 0, view.target)
        yield from super().step(replace(batch, views=(replace(view, target=target),)))


class Peeping(Twin):
    """It learns from masks of images beside."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.beside = self.views

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        yield from super().step(batch)
        if batch.beside is not None:
            yield from super().step(batch.beside)


class Blindfold(Twin):
    views: Any = ()

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.views = ()


class Nobody(Twin):
    def predictor(self) -> str:
        return "student"


class Empty(Twin):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.networks = {}


FAULTS: dict[type[Twin], str] = {
    Misnamed: "is to move 'generator'", Averaged: "one value for each sample", Short: "have weights of the shape",
    Negative: "below 0", Boundless: "not finite", Detached: "no gradient reaches 'segmenter'",
    Elsewhere: "does not hang on the weights", Curved: "for the curves only", Whole: "the part 'loss' has the shape",
    Silent: "gives no loss", Withheld: "inside a context manager", Cast: "inside a context manager",
    Marking: "changes the target", Bleaching: "changes the images", Rolling: "something else than torch's numbers",
    Counting: "neither in its networks nor in what it remembers", Forgetful: "other tensors into what it remembers",
    Comparing: "it compares images", Dividing: "its halves", Believing: "no pixel counts", Peeping: "masks of images beside",
    Blindfold: "has no view", Nobody: "predictor is called 'student'", Empty: "has no network",
}  # fmt: skip


@pytest.mark.parametrize("twin", FAULTS, ids=lambda twin: twin.__name__)
def test_twins_are_caught(twin: type[Twin]) -> None:
    with pytest.raises(AssertionError, match=FAULTS[twin]):
        check_method(lambda: twin(given()), size=SIZE)


def test_the_sound_twin_is_not() -> None:
    check_method(lambda: Twin(given()), size=SIZE)


def test_what_compares_and_says_so_is_not_cut() -> None:
    class Honest(Comparing):
        accumulates = False

    check_method(lambda: Honest(given()), size=SIZE)
