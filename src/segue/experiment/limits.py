"""What no training of a run's kind can pass: the loss of a prediction that is right everywhere, and what is left of the masks
themselves once they have been on the network's canvas."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segue import losses
from segue.data.case import IGNORE
from segue.data.dataset import Dataset
from segue.data.geometry import Fit
from segue.data.target import Target
from segue.evaluation.judging.judge import scored
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import patient_mean, rows_for
from segue.evaluation.judging.table import Row
from segue.evaluation.predicting.decision import PLAIN, decide, true_masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import predict_array
from segue.training.run import Run
from segue.variations.drawn import Drawn
from segue.variations.opencv import render
from segue.variations.padding import CONSTANT

_SURE = 30.0  # a logit whose probability is 1 to 13 digits
_PLAIN = ("supervised", "two-view")  # methods whose loss is that of masks and nothing else


def least_loss(run: Run) -> float:
    """Of a prediction that is right everywhere: on the masks that the run learnt from, on its canvas, by its own loss. Of
    volumes, and of methods that learn from more than masks, what is known of every loss here: it is not below 0."""
    frame, target = Frame.from_json(run.about["frame"]), run.target
    if frame.volumes is not None or run.config["method"] not in _PLAIN:
        return 0.0
    loss = losses.parse(str(run.config["loss"]), target)
    found = []
    with torch.inference_mode():
        for subject in learnt_from(run):
            truth = _truth(_on_canvas(subject.truth(), frame), target)
            found.append(float(loss(_right(truth, target), truth)))
    return math.fsum(found) / len(found)


def learnt_from(run: Run) -> list[Subject]:
    """Cases whose masks it has learnt from."""
    rows, found = run.cases(), list[Subject]()
    for place in run.about["data"]:
        dataset = Dataset.open(place["folder"])
        names = [row["case"] for row in rows if row["dataset"] == dataset.name and row["part"] == "train"]
        if names:
            found += subjects(dataset, run.target, names=names, same=run.config["same"])
    return found


def _on_canvas(labels: npt.NDArray[np.uint8], frame: Frame) -> npt.NDArray[np.uint8]:
    height, width = labels.shape
    stored = Fit.capped(height, width, frame.long_side).labels(labels)
    done = render(Drawn.identity(1, frame.size), 0, [stored[..., None]], stored, frame.size, frame.padding)
    assert done.labels is not None
    return np.asarray(done.labels, np.uint8)


def _truth(labels: npt.NDArray[np.uint8], target: Target) -> Tensor:
    """As a loss takes it."""
    if target.exclusive:
        return torch.from_numpy(labels)[None]
    regions = [np.where(labels == IGNORE, IGNORE, labels >> bit & 1) for bit in range(len(target.names))]
    return torch.from_numpy(np.stack(regions).astype(np.uint8))[None]


def _right(truth: Tensor, target: Target) -> Tensor:
    if target.exclusive and target.logits > 1:
        classes = torch.arange(target.logits).view(1, -1, 1, 1)
        yes = truth[:, None] == classes
    else:
        yes = (truth == 1).view(1, -1, *truth.shape[-2:])
    return torch.where(yes, _SURE, -_SURE)


def best_metric(run: Run, cases: Iterable[Subject], metric: str) -> float:
    """Of the masks themselves, brought to the canvas as images are and back to their own grids. Not a number of volumes."""
    frame, target = Frame.from_json(run.about["frame"]), run.target
    if frame.volumes is not None:
        return math.nan
    frame = replace(frame, channels=len(target.names), dtype="uint8", padding=CONSTANT, views=())
    rows: list[Row] = []
    for subject in cases:
        truth = subject.truth()
        maps = predict_array(_itself, _as_image(truth, target), frame=frame, target=target)
        every = scored(decide(maps, target, PLAIN), truth, subject.case, target)
        rows += [Row.of(subject.case, name, every[name]) for name in subject.annotated(target)]
    return patient_mean(rows_for(rows, metric), lambda row: row.value(metric))


def _as_image(truth: npt.NDArray[np.uint8], target: Target) -> npt.NDArray[np.uint8]:
    """A channel for each class, white where it is."""
    shown = true_masks(truth, target)
    planes = [shown[name] if name in shown else ~np.any(list(shown.values()), axis=0) for name in target.names]
    return np.stack(planes, axis=-1).astype(np.uint8) * np.uint8(255)


def _itself(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(np.moveaxis(images, -1, 1) / np.float32(255), np.float32)
