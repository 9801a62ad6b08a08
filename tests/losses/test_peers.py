"""Where definitions agree, the losses of other libraries give the same numbers and the same gradients."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segue.data.target import Target
from segue.losses import parse

LESION = Target(("background", "lesion"))
HEART = Target(("background", "a", "b", "c"))
TUMOUR = Target(("whole", "core"), exclusive=False)


def batch(target: Target) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(3)
    size = (3, 17, 23) if target.exclusive else (3, 2, 17, 23)
    truth = torch.randint(0, len(target.names) if target.exclusive else 2, size, generator=random)
    return 3 * torch.randn(3, target.logits, 17, 23, generator=random), truth


def same(text: str, target: Target, peer: Any, shape_truth: Any = lambda truth: truth, ignore: bool = False) -> None:
    """Of each sample alone, since the peers take the mean over a batch."""
    logits, truth = batch(target)
    if ignore:
        truth[..., 4:9, :] = 255
    for sample in range(len(truth)):
        one, beside = logits[sample : sample + 1].clone().requires_grad_(), truth[sample : sample + 1]
        other = one.detach().clone().requires_grad_()
        ours, theirs = parse(text, target)(one, beside).sum(), peer(other, shape_truth(beside)).mean()
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        ours.backward()
        theirs.backward()
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-7)


def test_torch() -> None:
    same("ce", HEART, nn.CrossEntropyLoss())
    same("ce", HEART, nn.CrossEntropyLoss(ignore_index=255), ignore=True)
    same("bce", LESION, nn.BCEWithLogitsLoss(), lambda truth: truth.unsqueeze(1).float())
    same("ce", TUMOUR, nn.BCEWithLogitsLoss(), Tensor.float)
    weights = (0.1, 0.2, 0.3, 0.4)
    weighted = nn.CrossEntropyLoss(weight=torch.tensor(weights), reduction="none")
    same(f"ce(weights={weights})", HEART, weighted)


@pytest.fixture(scope="module")
def monai() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("monai.losses", exc_type=ImportError)


def test_monai(monai: Any) -> None:
    smooth = {"smooth_nr": 1e-7, "smooth_dr": 1e-7}
    several = {"softmax": True, "to_onehot_y": True}

    def with_channel(truth: Tensor) -> Tensor:
        return truth.unsqueeze(1)

    same("dice", HEART, monai.DiceLoss(include_background=False, **several, **smooth), with_channel)
    same("dice(background=true)", HEART, monai.DiceLoss(**several, **smooth), with_channel)
    same("jaccard", HEART, monai.DiceLoss(jaccard=True, include_background=False, **several, **smooth), with_channel)
    same("dice", LESION, monai.DiceLoss(sigmoid=True, **smooth), with_channel)
    same("dice", TUMOUR, monai.DiceLoss(sigmoid=True, **smooth))
    same("tversky(alpha=0.2, beta=0.6)", TUMOUR, monai.TverskyLoss(sigmoid=True, alpha=0.2, beta=0.6, **smooth))
    same("focal(gamma=1.5)", LESION, monai.FocalLoss(gamma=1.5), with_channel)
    same("focal", TUMOUR, monai.FocalLoss(gamma=2.0))

    # Its mean is over pixels and classes, of which all but the true one give 0.
    chosen = monai.FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True)
    same("focal", HEART, lambda logits, truth: 4 * chosen(logits, truth), with_channel)


@pytest.fixture(scope="module")
def smp() -> Any:
    operators = pytest.importorskip("segue.networks.operators")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return operators.smp().losses


def test_segmentation_models_pytorch(smp: Any) -> None:
    with_background = {"mode": "multiclass"}
    same("dice(background=true)", HEART, smp.DiceLoss(**with_background))
    same("dice", HEART, smp.DiceLoss(**with_background, classes=[1, 2, 3]))
    same("dice", LESION, smp.DiceLoss("binary"))
    same("dice", TUMOUR, smp.DiceLoss("multilabel"))
    same("dice(background=true)", HEART, smp.DiceLoss(**with_background, ignore_index=255), ignore=True)
    same("jaccard(background=true)", HEART, smp.JaccardLoss(**with_background))
    same("jaccard", LESION, smp.JaccardLoss("binary"))
    same("tversky(alpha=0.2, beta=0.8)", LESION, smp.TverskyLoss("binary", alpha=0.2, beta=0.8))
    same("focal", LESION, smp.FocalLoss("binary", gamma=2.0))
    same("lovasz(background=true)", HEART, smp.LovaszLoss("multiclass", per_image=True))
    same("lovasz(background=true)", HEART, smp.LovaszLoss("multiclass", per_image=True, ignore_index=255), ignore=True)
