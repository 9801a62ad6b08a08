"""The judge as training uses it: the validation cases, in their own geometry, scored after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from segue.evaluation.judging.judge import Judge
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import chosen_by, summarise
from segue.evaluation.predicting.frame import Frame
from segue.experiment import assemble
from segue.experiment.material import Material
from segue.experiment.predictor import Predictor
from segue.experiment.settings import TrainSettings
from segue.networks import SegmentationNetwork
from segue.training.loop import Judged


@dataclass(frozen=True)
class Judges:
    frame: Frame
    material: Material
    settings: TrainSettings
    judge: Judge

    @classmethod
    def of(cls, settings: TrainSettings, material: Material, frame: Frame) -> Judges:
        judge = Judge(validation(material), frame=frame, target=material.target, quick=True)
        return cls(frame, material, settings, judge)

    def quick(self, network: nn.Module, tick: Callable[[], None]) -> Judged:
        table = self.judge(self._predictor(network), tick=tick).table
        numbers = {"dice": chosen_by(table, "dice"), "iou": chosen_by(table, "iou")}
        if len(self.material.target.foreground) > 1:
            numbers |= {f"dice of {one.class_name}": one.means["dice"] for one in summarise(table)}
        return Judged(numbers[self.settings.select], numbers)

    def seconds(self, network: nn.Module, few: int) -> float:
        """Of judging the first few cases."""
        some = Judge(validation(self.material)[:few], frame=self.frame, target=self.material.target, quick=True)
        network.eval()
        start = time.perf_counter()
        some(self._predictor(network))
        return time.perf_counter() - start

    def _predictor(self, network: nn.Module) -> Predictor:
        machine = self.settings.machine
        device = next(network.parameters()).device
        return Predictor(network, self.material.target, torch.device(device), str(machine.precision))


def frame_of(settings: TrainSettings, material: Material, network: SegmentationNetwork) -> Frame:
    assert isinstance(settings.size, tuple)
    return Frame(
        size=(settings.size[-2], settings.size[-1]), long_side=material.long_side,
        channels=material.channels, dtype=material.dtype,
        padding=assemble.padding(settings, network), tight=not network.knows_places, volumes=material.seen(settings.size),
    )  # fmt: skip


def validation(material: Material) -> list[Subject]:
    return [
        subject
        for source in material.sources
        if source.validation
        for subject in subjects(
            source.dataset, material.target, names=[case.case for case in source.validation],
            split=source.split, store=source.store, same=material.same,
        )
    ]  # fmt: skip
