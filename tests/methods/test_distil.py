"""One network learns what several say together: of what, against what, and how much it counts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segue import losses
from segue.data.target import Target
from segue.losses import probabilities
from segue.losses.divergence import divergence
from segue.methods import Given
from segue.methods.distil import Distil
from segue.methods.settings import DistilSettings
from segue.networks.outputs import Outputs
from segue.step import Batch, View
from segue.variations import parse
from tests.methods.test_semi import GEOMETRY, Bright, blobs, view
from tests.training import small

TUMOUR = Target(("whole", "core"), exclusive=False, made_of=(("a", "b"), ("b",)))
HEART = Target(("background", "a", "b"))


class Student(nn.Module):
    """A logit or more of each pixel's colours."""

    def __init__(self, channels: int = 1, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer = nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor) -> Outputs:
        return Outputs(self.layer(x))


class Teachers:
    """The mean of some, who are asked without knowing that anybody learns from it."""

    def __init__(self, target: Target, *several: nn.Module) -> None:
        self.target, self.several, self.seen = target, several, list[Tensor]()

    def __call__(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        with torch.inference_mode():
            return torch.stack([probabilities(each(images).logits, self.target) for each in self.several]).mean(0)


def made(
    network: nn.Module, teachers: Teachers, target: Target = small.TARGET, variation: str = "none", **told: Any
) -> Distil:
    loss = losses.parse("dice", target)
    return Distil(Given(network, loss, parse(variation), target, distil=DistilSettings(**told), teachers=teachers))


def masked(target: Target = small.TARGET, n: int = 2) -> View:
    one = view(blobs(n), "none", 0)
    drawn = (one.images.mean(1) > 0.5).to(torch.uint8)
    return View(one.images, drawn if target.exclusive else torch.stack([drawn, drawn], 1), one.drawn, one.shown)


def batch(text: str, target: Target = small.TARGET) -> Batch:
    images = blobs(4)
    return Batch(
        (masked(target),), ("a", "b"), beside=Batch((view(images, "none", 0), view(images, text, 1)), tuple("abcd"))
    )


def bright(scale: float = 60.0) -> Bright:
    found = Bright()
    found.scale.data.fill_(scale)
    return found


@pytest.mark.parametrize("geometry", GEOMETRY)
def test_what_teachers_say_lies_over_the_varied_image(geometry: str) -> None:
    """A network that commutes with geometry says of the varied image what it said of the clean one."""
    teacher = bright(20.0)
    method = made(teacher, Teachers(small.TARGET, teacher))
    clean, varied = view(blobs(4), "none", 0), view(blobs(4), geometry, 1)
    said, known = method.said(clean, varied)
    own = probabilities(teacher(varied.images).logits, small.TARGET).detach()
    assert known.float().mean() > 0.4
    assert not (known & ~varied.shown).any()
    assert (said - own).abs().amax(1)[known].mean() < 0.02
    aside = probabilities(teacher(clean.images).logits, small.TARGET).detach()
    both = known & clean.shown
    assert (aside - own).abs().amax(1)[both].mean() > 3 * (said - own).abs().amax(1)[both].mean()


@pytest.mark.parametrize("target", [small.TARGET, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
def test_the_loss_is_masks_and_the_distance_from_the_mean(target: Target) -> None:
    """Beside a plain reference: the gradient is that of both, each image counting alike."""
    several = [Student(target.logits, seed) for seed in (1, 2)]
    student, weight = Student(target.logits), 0.25
    teachers = Teachers(target, *several)
    one = batch("flips(p=1)", target)
    assert one.beside is not None
    clean, varied = one.beside.views
    method = made(student, teachers, target, weight=weight)
    (loss,) = method.step(one)
    total = (loss.per_sample * loss.weight).sum() / loss.weight.sum()
    (found,) = torch.autograd.grad(total, [student.layer.weight])

    with torch.no_grad():
        mean = torch.stack([probabilities(each(clean.images).logits, target) for each in several]).mean(0)
    carried, known = varied.drawn.carry(mean, valid=clean.shown)
    learnt = losses.parse("dice", target)(student(one.views[0].images).logits, one.views[0].target)
    apart = divergence(student(varied.images).logits, carried, known & varied.shown, target)
    plain = (learnt.mean() + weight * apart.mean()) / (1 + weight)
    (expected,) = torch.autograd.grad(plain, [student.layer.weight])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert torch.equal(teachers.seen[0], clean.images)
    torch.testing.assert_close(loss.parts["taught"], apart.detach())


def test_images_without_masks_change_the_gradient_and_so_does_who_teaches() -> None:
    student = Student()
    found = {}
    for name, one, teachers in (
        ("masks alone", Batch((masked(),), ("a", "b")), [Student(seed=1)]),
        ("one teacher", batch("flips(p=1)"), [Student(seed=1)]),
        ("another", batch("flips(p=1)"), [Student(seed=2)]),
        ("both", batch("flips(p=1)"), [Student(seed=1), Student(seed=2)]),
    ):
        (loss,) = made(student, Teachers(small.TARGET, *teachers)).step(one)
        total = (loss.per_sample * loss.weight).sum() / loss.weight.sum()
        found[name] = float(torch.autograd.grad(total, list(student.parameters()))[1])
    assert len({round(value, 7) for value in found.values()}) == len(found), found


def test_teachers_never_learn() -> None:
    teacher = Student(seed=1)
    method = made(Student(), Teachers(small.TARGET, teacher))
    before = copy.deepcopy(teacher.state_dict())
    (loss,) = method.step(batch("none"))
    (loss.per_sample * loss.weight).sum().backward()
    assert teacher.layer.weight.grad is None
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert list(method.networks) == ["segmenter"]


def test_what_was_invented_does_not_count() -> None:
    student, teacher = Student(), Student(seed=1)
    images = blobs(2)
    clean, varied = view(images, "none", 0), view(images, "affine(rotate=0, scale=0, shift=0.4)", 1)
    painted = varied.images.clone()
    painted[(~varied.shown)[:, None].expand_as(painted)] = 1.0
    taught = []
    for shown in (varied.images, painted):
        beside = Batch((clean, View(shown, varied.target, varied.drawn, varied.shown)), ("a", "b"))
        (loss,) = made(student, Teachers(small.TARGET, teacher)).step(Batch((masked(),), ("a", "b"), beside=beside))
        taught.append(loss.parts["taught"])
        assert (loss.weight[2:] < 0.95).all()
    assert torch.equal(*taught)


def test_two_teachers_are_learnt_as_their_mean() -> None:
    """Steps with them come nearer to what they say together than the same steps of masks alone."""
    first, second = Student(seed=1), Student(seed=2)
    teachers = Teachers(small.TARGET, first, second)
    away = {}
    for name in ("with", "without"):
        student = Student()
        method = made(student, teachers, weight=4.0)
        optimiser = torch.optim.Adam(student.parameters(), 0.05)
        for _ in range(60):
            one = batch("flips(p=1)") if name == "with" else Batch((masked(),), ("a", "b"))
            (loss,) = method.step(one)
            optimiser.zero_grad()
            (loss.per_sample * loss.weight).sum().div(loss.weight.sum()).backward()
            optimiser.step()
        images = blobs(4)
        said = probabilities(student(images).logits, small.TARGET).detach()
        away[name] = float((said - teachers(images)).abs().mean())
    assert away["with"] < 0.5 * away["without"], away


def test_what_is_in_memory_at_once() -> None:
    assert [made(Student(), Teachers(small.TARGET), batch=share).at_once for share in (0.5, 1, 3)] == [2, 2, 4]
