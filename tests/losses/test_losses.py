"""Expressions of losses, what they refuse, and what is measured beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from segue.data.target import Target
from segue.errors import BadInput
from segue.losses import LOSSES, Loss, Part, counted, overlap, parse, probabilities

LESION = Target(("background", "lesion"))
HEART = Target(("background", "myocardium", "ventricle"))
TUMOUR = Target(("whole", "core"), exclusive=False)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("dice", "dice"),
        ("dice+.5*bce", "dice + 0.5*bce"),
        ("ce( weights = (.1,.9) ) + 2*dice(background=True)", "ce(weights=(0.1, 0.9)) + 2*dice(background=true)"),
        ("0*boundary + 0.3333333333*dice", "0*boundary + 0.3333333333*dice"),
    ],
)
def test_a_loss_says_what_it_is(text: str, written: str) -> None:
    loss = parse(text, LESION)
    assert str(loss) == written
    assert str(parse(str(loss), LESION)) == written
    assert isinstance(loss, nn.Module)
    assert not list(loss.parameters())


def test_a_sum_is_the_sum() -> None:
    logits, truth = torch.randn(2, 1, 6, 5), torch.randint(0, 2, (2, 6, 5))
    parts = {text: parse(text, LESION)(logits, truth) for text in ("dice", "ce")}
    torch.testing.assert_close(parse("dice + 0.25*ce", LESION)(logits, truth), parts["dice"] + 0.25 * parts["ce"])
    torch.testing.assert_close(parse("dice + dice", LESION)(logits, truth), 2 * parts["dice"])


@pytest.mark.parametrize(
    ("text", "target", "sentence"),
    [
        ("dize", LESION, r"unknown loss 'dize': did you mean dice\?"),
        ("dice + hinge", LESION, "unknown loss 'hinge': known: .*boundary.*tversky"),
        ("dice(backgrund=true)", LESION, r"loss 'dice': unknown key 'backgrund': did you mean background\?"),
        ("dice(background=3)", LESION, "loss 'dice': key 'background'"),
        ("dice(empty=0)", LESION, "key 'empty': input should be greater than 0"),
        ("focal(gamma=-1)", LESION, "key 'gamma': input should be greater than or equal to 0"),
        ("tversky(alpha=0)", LESION, "key 'alpha': input should be greater than 0"),
        ("ce(weights=0.5)", LESION, "key 'weights'"),
        ("ce(weights=(1, -1))", LESION, "key 'weights.1'"),
        ("ce(weights=(1, 2, 3))", LESION, r"one for each of background, lesion is needed, 3 are given"),
        ("focal(weights=(1,))", TUMOUR, r"one for each of whole, core is needed, 1 are given"),
        ("ce(weights=(0, 0))", LESION, "at least one must be more than 0"),
        ("bce", HEART, "bce is for two classes or for regions, not for background, myocardium, ventricle"),
        ("dice(background=true)", TUMOUR, "the regions whole, core have no background"),
        ("lovasz(background=true)", TUMOUR, "have no background"),
        ("dice + -0.5*ce", LESION, "the weight -0.5 of ce is not 0 or more"),
        ("0*dice + 0*ce", LESION, "all weights are 0"),
        ("dice +", LESION, "is not of the form"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, target: Target, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        parse(text, target)


def test_each_loss_says_what_it_is_about() -> None:
    for name, part in LOSSES.items():
        assert issubclass(part, Part)
        assert part.__doc__, name
        assert part.__doc__ != Part.__doc__, name


@pytest.mark.parametrize(
    ("value", "target", "sentence"),
    [
        (2, LESION, "the truth holds the value 2; it can hold 0 = background, 1 = lesion and 255"),
        (-1, LESION, "the value -1;"),
        (256, LESION, "the value 256;"),
        (511, LESION, "the value 511;"),
        (254, HEART, "the value 254; it can hold 0 = background, 1 = myocardium, 2 = ventricle and 255"),
        (3, HEART, "the value 3;"),
        (2, TUMOUR, "the value 2; it can hold 0, 1 and 255"),
    ],
)
def test_a_value_that_is_no_channel_is_named(value: int, target: Target, sentence: str) -> None:
    truth = torch.zeros((2, 4, 5) if target.exclusive else (2, 2, 4, 5), dtype=torch.int64)
    truth[1, ..., 0] = 255
    truth[1, ..., 3, 2] = value
    with pytest.raises(BadInput, match=sentence):
        parse("dice", target)(torch.zeros(2, target.logits, 4, 5), truth)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_whole_numbers_will_do(kind: torch.dtype) -> None:
    logits, truth = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    truth[0, 0] = 255
    loss = parse("dice + ce + focal", HEART)
    assert torch.equal(loss(logits, truth.to(kind)), loss(logits, truth))


@pytest.mark.parametrize("truth", [torch.zeros(2, 4, 5), torch.zeros(2, 4, 5, dtype=torch.bool)])
def test_probabilities_are_no_truth(truth: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="must be whole numbers"):
        parse("dice", LESION)(torch.zeros(2, 1, 4, 5), truth)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 4, 5), (2, 0, 4, 5), (1, 1, 2, 2, 2, 2)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"for background, lesion they must be \(n, 1 or 2, h, w\)"):
        probabilities(torch.zeros(shape), LESION)
    with pytest.raises(ValueError, match="logits of shape"):
        parse("dice", LESION)(torch.zeros(shape), torch.zeros(2, 4, 5, dtype=torch.uint8))


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="has no pixels"):
        parse("dice", LESION)(torch.zeros(2, 1, 0, 5), torch.zeros(2, 0, 5, dtype=torch.uint8))


def test_gradients_come_back_in_the_logits_precision() -> None:
    logits = torch.randn(2, 1, 8, 8).bfloat16().requires_grad_()
    parse("dice + bce + lovasz + boundary", LESION)(logits, torch.randint(0, 2, (2, 8, 8))).sum().backward()
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16
    assert logits.grad.any()


@pytest.mark.parametrize("text", LOSSES)
def test_a_logit_that_is_no_number_shows_in_its_sample_alone(text: str) -> None:
    logits, truth = torch.randn(3, 1, 6, 6), torch.randint(0, 2, (3, 6, 6))
    logits[1, 0, 2, 2] = torch.nan
    assert parse(text, LESION)(logits, truth).isnan().tolist() == [False, True, False]


def test_the_same_bytes_wherever_the_batch_lies_in_memory() -> None:
    """OpenCV's distances hang on the alignment of their memory in the last bit, if they are taken as they come."""
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 1, 64, 64, generator=random)
    truth = (torch.rand(2, 64, 64, generator=random) < 0.1).to(torch.uint8)
    loss, seen, kept = parse("boundary + lovasz", LESION), set(), []
    for size in range(40):
        kept.append(torch.empty(size * 13 + 1))
        given = logits.clone().requires_grad_()
        loss(given, truth).sum().backward()
        assert given.grad is not None
        seen.add(given.grad.numpy().tobytes())
    assert len(seen) == 1


def test_a_rare_class_weighs_the_same_in_every_image() -> None:
    """Weights are the pixels' own: an image without a lesion is no dearer because all its pixels have the small weight."""
    loss, plain = parse("ce(weights=(0.1, 0.9))", LESION), parse("ce", LESION)
    logits, nothing = torch.randn(1, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)
    torch.testing.assert_close(loss(logits, nothing), 0.1 * plain(logits, nothing))
    torch.testing.assert_close(loss(logits, nothing + 1), 0.9 * plain(logits, nothing + 1))


def test_a_false_positive_beside_an_empty_truth_costs_half_at_the_share_given() -> None:
    logits = torch.full((1, 1, 20, 50), -30.0)
    logits[0, 0, 0, :10] = 30.0
    empty = torch.zeros(1, 20, 50, dtype=torch.uint8)
    for name in ("dice", "jaccard", "tversky", "lovasz"):
        assert parse(name, LESION)(logits, empty).item() == pytest.approx(0.5, abs=1e-5), name
        assert parse(f"{name}(empty=0.09)", LESION)(logits, empty).item() == pytest.approx(0.1, abs=1e-5), name


def test_pixels_further_from_the_border_cost_more() -> None:
    truth = torch.zeros(2, 20, 20, dtype=torch.uint8)
    truth[:, 5:10, 5:10] = 1
    logits = 40.0 * truth.unsqueeze(1) - 20
    logits[0, 0, 7, 11], logits[1, 0, 7, 17] = 20.0, 20.0
    near, far = parse("boundary", LESION)(logits, truth).tolist()
    assert near == pytest.approx(1.5 / 20 / 400, rel=1e-4)
    assert far == pytest.approx(7.5 / 20 / 400, rel=1e-4)


def test_a_part_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from segue.losses import Pair
    from segue.testing import check_loss

    class Absolute(Part):
        """Mean absolute error of the probabilities."""

        power: float = 1.0

        def __call__(self, pair: Pair) -> torch.Tensor:
            predicted, true = pair.channels()
            return pair.pixel_mean((predicted - true).abs() ** self.power)

    class Products(Part):
        """Dice through products of matrices, which a precision context would make rough."""

        def __call__(self, pair: Pair) -> torch.Tensor:
            predicted, true = pair.channels()
            hits = (predicted @ true.mT).diagonal(dim1=1, dim2=2)
            spare = torch.where(true.sum(2) > 0, 0.0, (0.01 * pair.counted).clamp(min=1))
            return pair.channel_mean(1 - (2 * hits + spare) / (predicted.sum(2) + true.sum(2) + spare))

    monkeypatch.setitem(LOSSES, "absolute", Absolute)
    monkeypatch.setitem(LOSSES, "products", Products)
    assert isinstance(parse("absolute(power=2)", LESION), Loss)
    check_loss("absolute(power=2) + 0.1*dice")
    check_loss("products")


# Methods.md, system 0: (B, H, W) beside (B, 1, H, W) made the adaptive weight 0.33 for perfect predictions.


def _disks() -> torch.Tensor:
    """Eight disks of 15 % of the area, each elsewhere."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    centres = [(16 + 4 * i, 48 - 4 * i) if i % 2 else (48 - 4 * i, 20 + 2 * i) for i in range(8)]
    return torch.stack([((rows - y) ** 2 + (columns - x) ** 2 < 14**2) for y, x in centres]).to(torch.uint8)


def test_the_overlap_of_perfect_predictions_is_one_each() -> None:
    truth = _disks()
    logits = 8.0 * truth.unsqueeze(1) - 4
    assert overlap(logits, truth).tolist() == [1.0] * 8
    # What was computed then, to show that these disks would show it.
    both = (logits > 0) & (truth == 1)
    either = (logits > 0) | (truth == 1)
    assert both.shape == (8, 8, 64, 64)
    assert both.sum() / either.sum() < 0.5


def test_overlap_is_of_each_sample_alone() -> None:
    truth = _disks()[:3]
    logits = 8.0 * truth.unsqueeze(1) - 4
    logits[1] *= -1
    logits[2, :, :, 32:] = -4.0
    expected = (truth[2, :, :32].sum() / truth[2].sum()).item()
    assert overlap(logits, truth).tolist() == pytest.approx([1.0, 0.0, expected])
    assert overlap(logits[2:], truth[2:]).item() == pytest.approx(expected)
    assert overlap(torch.cat([torch.zeros_like(logits), logits], 1), truth).tolist() == pytest.approx(
        [1.0, 0.0, expected]
    )
    assert not overlap(logits.requires_grad_(), truth).requires_grad


def test_overlap_where_nothing_is_and_where_nothing_counts() -> None:
    empty, unknown = torch.zeros(1, 4, 4, dtype=torch.uint8), torch.full((1, 4, 4), 255, dtype=torch.uint8)
    nothing = torch.full((1, 1, 4, 4), -5.0)
    assert overlap(nothing, empty).item() == 1.0
    assert overlap(-nothing, empty).item() == 0.0
    assert overlap(-nothing, unknown).item() == 1.0


@pytest.mark.parametrize("shape", [(3, 1, 5, 4), (3, 4), (1, 5, 4), (3, 4, 5), (3, 3, 5, 4)])
def test_overlap_never_broadcasts(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        overlap(torch.zeros(3, 2, 5, 4), torch.zeros(shape, dtype=torch.uint8))


def test_the_share_that_counts() -> None:
    truth = torch.zeros(3, 4, 5, dtype=torch.uint8)
    truth[1, :2], truth[2] = 255, 255
    assert counted(truth).tolist() == [1.0, 0.5, 0.0]
    assert counted(truth.unsqueeze(1).repeat(1, 2, 1, 1)).tolist() == [1.0, 0.5, 0.0]
    assert counted(truth).dtype == torch.float32


def test_the_page_tells_every_loss_and_every_argument() -> None:
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == {f"`{name}`" for name in LOSSES}
    for name, part in LOSSES.items():
        cell = rows[f"`{name}`"].split("|")[3]
        assert set(re.findall(r"`(\w+)`", cell)) == set(part.model_fields), name
        for argument, default in re.findall(r"`(\w+)` ([\d.]+)", cell):
            assert part.model_fields[argument].default == float(default), (name, argument)
