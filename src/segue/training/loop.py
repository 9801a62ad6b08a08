"""The one loop. It drives any method: draws nothing, judges nothing, knows no loss.

A step is a function of the weights and of its number: torch is seeded anew before each, batches have addresses, and
learning rates follow from the step. So a run that was interrupted anywhere goes on from its last saved state to the
very bytes that it would have reached undisturbed.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from segue.errors import Failed
from segue.files import atomic
from segue.step import Loss, Method
from segue.training import checkpoint
from segue.training.averaging import Average
from segue.training.batches import Batches, Parcel, on_device
from segue.training.interrupt import Interrupt
from segue.training.run import Run
from segue.training.schedule import factor
from segue.training.settings import LoopSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_LAYERS = 6  # that an encoder has for its rates


@dataclass(frozen=True)
class Judged:
    """How good the predictor is: the number that is chosen by (larger is better; None: nothing is chosen), and all others."""

    score: float | None
    numbers: dict[str, float] = field(default_factory=dict)


Judge = Callable[[nn.Module, Callable[[], None]], Judged]  # the second argument is to be called now and then


class Watcher(Protocol):
    """Who is told how it goes: the progress line, trackers."""

    def step(self, step: int, steps: int, loss: float) -> None: ...
    def epoch(self, line: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


@dataclass
class Sums:
    """Weighted sums of what is logged, over an epoch."""

    totals: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float, weight: float) -> None:
        total = self.totals.setdefault(name, [0.0, 0.0])
        total[0] += value
        total[1] += weight

    def means(self) -> dict[str, float]:
        return {name: value / weight for name, (value, weight) in self.totals.items() if weight}


class Loop:
    """`judge` scores the predictor after each epoch, `keep` writes its weights to a file."""

    def __init__(
        self,
        method: Method,
        batches: Batches,
        settings: LoopSettings,
        *,
        fabric: Fabric,
        run: Run,
        judge: Judge | None,
        keep: Callable[[nn.Module, Path], None],
        watchers: Sequence[Watcher] = (),
        warn: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.method, self.batches, self.settings = method, batches, settings
        self.fabric, self.run, self.judge, self.keep = fabric, run, judge, keep
        self.watchers, self.warn = watchers, warn
        self.steps, self.epoch_steps = int(settings.steps), int(settings.epoch_steps)
        self.plain = dict(method.networks)  # as they are saved and judged
        self.optimisers: dict[str, Optimizer] = {}
        for name, network in method.networks.items():
            wrapped, optimiser = fabric.setup(network, optimiser_of(network, settings))
            method.networks[name], self.optimisers[name] = wrapped, optimiser
        predictor = method.predictor()
        self.moved = self.plain[predictor] if predictor else None
        self.average = Average(self.moved, float(settings.average)) if self.moved and settings.average else None
        self.judged = self.average.network if self.average else self.moved
        method.average = self._followed if self.average else None
        self.step, self.best, self.scores, self.sums = 0, -math.inf, list[float](), Sums()
        self.lines: list[dict[str, Any]] = []

    def _followed(self, *given: Any, **how: Any) -> Any:
        """What the average says, in the precision in which all networks run: it is not wrapped, since it never learns."""
        assert self.average is not None
        with self.fabric.autocast():
            return self.average.network(*given, **how)

    # -- the loop ------------------------------------------------------------------------------------------------

    def fit(self, *, workers: int) -> None:
        """From the last saved state to the end."""
        self._restore()
        with Interrupt() as interrupt:
            self._interrupt = interrupt
            saved = began = time.monotonic()
            first = self.step
            self._judge_if_due()
            cuts = self.settings.accumulate
            parcels = self.batches.loader(range(self.step * cuts, self.steps * cuts), workers)
            while self.step < self.steps and not self._waited_long_enough():
                loss = self.one_step([next(parcels) for _ in range(cuts)])
                self.step += 1
                for watcher in self.watchers:
                    watcher.step(self.step, self.steps, loss)
                if self._epoch_ends():
                    # Saved before it is judged: whatever happens meanwhile, the judgement can be made again.
                    self._save()
                    saved = time.monotonic()
                    self._judge_if_due(speed=(self.step - first) / (saved - began))
                    first, began = self.step, time.monotonic()
                elif interrupt.asked or time.monotonic() - saved > 60 * self.settings.save_minutes:
                    self._save()
                    saved = time.monotonic()
                interrupt.check()
            self._write_weights("last.safetensors")
        for watcher in self.watchers:
            watcher.close()

    @property
    def looks(self) -> int:
        """At images so far, each view one."""
        return self.batches.looks(self.step * self.settings.accumulate)

    def one_step(self, parcels: Sequence[Parcel]) -> float:
        """One step of every optimiser; micro-batches and processes together count as one batch."""
        torch.manual_seed(_seed(self.settings.seed, self.step, self.fabric.global_rank))
        self._set_rates()
        for network in self.method.networks.values():
            network.train()
        done = self.step / self.steps
        running = [self.method.step(on_device(parcel, self.fabric.device, done, self.step)) for parcel in parcels]
        stepped: bool | None = None
        first_loss = math.nan
        while True:
            total = torch.zeros(2, device=self.fabric.device)  # sum of weighted losses, sum of weights
            name = ""
            for index, (generator, parcel) in enumerate(zip(running, parcels, strict=True)):
                with self._synchronised(index == len(running) - 1):
                    loss = _advance(generator, stepped)
                    if loss is None:
                        return first_loss
                    name = loss.network
                    summed = (loss.per_sample.float() * loss.weight).sum()
                    self._demand_finite(loss, parcel)
                    parameters = [p for p in self.plain[name].parameters() if p.requires_grad]
                    self.fabric.backward(summed, inputs=parameters)
                total += torch.stack([summed.detach(), loss.weight.sum()])
                self._log(loss)
            total = self.fabric.all_reduce(total, reduce_op="sum")
            value, weight = total.tolist()
            stepped = self._apply(name, weight)
            first_loss = value / weight if weight and math.isnan(first_loss) else first_loss

    def _apply(self, name: str, weight: float) -> bool:
        """Gradients so far are sums over samples (a mean over processes): make them the mean, clip, step."""
        network, optimiser = self.plain[name], self.optimisers[name]
        if weight > 0:
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            torch._foreach_mul_(gradients, self.fabric.world_size / weight)
            if self.settings.clip:
                torch.nn.utils.clip_grad_norm_(network.parameters(), self.settings.clip, foreach=True)
            optimiser.step()
        optimiser.zero_grad()
        if weight > 0 and self.average is not None and network is self.moved:
            self.average.update(network)
        return weight > 0

    @contextmanager
    def _synchronised(self, last: bool) -> Iterator[None]:
        """Processes exchange gradients once a step: with its last micro-batch."""
        with ExitStack() as stack:
            if self.fabric.world_size > 1 and not last:
                for network in self.method.networks.values():
                    stack.enter_context(self.fabric.no_backward_sync(network))
            yield

    def _set_rates(self) -> None:
        share = factor(self.settings.schedule, self.step, self.steps, self.scores)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["full_rate"] * share

    def _log(self, loss: Loss) -> None:
        weight = float(loss.weight.sum())
        parts = {"loss": loss.per_sample.detach(), **loss.parts}
        for name, values in parts.items():
            if len(values) == len(loss.weight):
                self.sums.add(name, float((values * loss.weight).sum()), weight)
            else:  # a part of the batch
                self.sums.add(name, float(values.mean()), 1.0)

    def _demand_finite(self, loss: Loss, parcel: Parcel) -> None:
        if bool(torch.isfinite(loss.per_sample).all()):
            return
        path = self.run.folder / "not-a-number.npz"
        with atomic(path, "wb") as file:
            np.savez_compressed(file, cases=np.array(parcel.cases), **{  # type: ignore[arg-type]  # its stubs know only arrays
                f"{kind}_{view}": array
                for view, one in enumerate(parcel.stored)
                for kind, array in (("images", one.images), ("target", one.target))
            })  # fmt: skip
        named = ", ".join(dict.fromkeys(parcel.cases))
        raise Failed(
            f"step {self.step + 1}: the loss is not a number; the batch held {named}",
            hint=f"It is kept in {path}. A lower rate or --set machine.precision=32-true often helps.",
        )

    # -- epochs --------------------------------------------------------------------------------------------------

    def _epoch_ends(self) -> bool:
        return self.step % self.epoch_steps == 0 or self.step == self.steps

    def _epochs_done(self) -> int:
        return -(-self.step // self.epoch_steps) if self.step == self.steps else self.step // self.epoch_steps

    def _waited_long_enough(self) -> bool:
        patience = self.settings.patience
        if not patience or len(self.scores) <= patience:
            return False
        return max(self.scores[-patience:]) <= max(self.scores[:-patience])

    def _judge_if_due(self, speed: float = math.nan) -> None:
        """After each epoch; also when a run goes on that was stopped before its judgement was in."""
        if len(self.lines) >= self._epochs_done():
            return
        line: dict[str, Any] = {"epoch": self._epochs_done(), "step": self.step, **self.sums.means()}
        line["rate"] = max(g["lr"] for o in self.optimisers.values() for g in o.param_groups)
        if math.isfinite(speed):
            line["images_per_second"] = round(
                speed * self.batches.batch * self.settings.accumulate * self.fabric.world_size, 2
            )
        if self.judge is not None and self.judged is not None:
            began = time.monotonic()
            judged = self._judged()
            line["validation"] = judged.numbers
            line["validation_seconds"] = round(time.monotonic() - began, 2)
            if judged.score is not None:
                self.scores.append(judged.score)
                if judged.score > self.best:
                    self.best = judged.score
                    self._write_weights("best.safetensors")
        self.lines.append(line)
        self.sums = Sums()
        if self.fabric.is_global_zero:
            self.run.write_metrics(self.lines)
        for watcher in self.watchers:
            watcher.epoch(line)

    def _judged(self) -> Judged:
        """Rank 0 judges; the others are told."""
        assert self.judge is not None
        assert self.judged is not None
        found = Judged(0.0)
        if self.fabric.is_global_zero:
            self.judged.eval()
            with torch.no_grad():
                found = self.judge(self.judged, self._interrupt.check)
        score: float | None = self.fabric.broadcast(found.score)
        return Judged(score, found.numbers)

    # -- the disk ------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        state = {
            "step": self.step,
            "best": self.best,
            "scores": self.scores,
            "sums": self.sums.totals,
            "lines": self.lines,
            "networks": {name: network.state_dict() for name, network in self.plain.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "average": self.average.state() if self.average else None,
            "remembers": self.method.remembers,
        }
        checkpoint.save(self.run.weights, state)

    def _restore(self) -> None:
        state = checkpoint.load(self.run.weights, warn=self.warn)
        if state is None:
            return
        self.step, self.best, self.scores = state["step"], state["best"], list(state["scores"])
        self.sums, self.lines = Sums(state["sums"]), list(state["lines"])
        for name, network in self.plain.items():
            network.load_state_dict(state["networks"][name])
            self.optimisers[name].load_state_dict(state["optimisers"][name])
        if self.average is not None:
            self.average.load(**state["average"])
        for name, kept in self.method.remembers.items():
            kept.copy_(state["remembers"][name])

    def _write_weights(self, name: str) -> None:
        if not self.fabric.is_global_zero or self.judged is None:
            return
        self.keep(self.judged, self.run.weights / name)


def optimiser_of(network: nn.Module, settings: LoopSettings) -> Optimizer:
    """Encoder and decoder at their own rates; no decay on what is no matrix (biases, normalisation)."""
    roles: dict[str, list[nn.Parameter]] = network.groups()  # type: ignore[operator]  # every network of ours has them
    groups = []
    for role, parameters in roles.items():
        rate = settings.encoder_rate if role == "encoder" and settings.encoder_rate != "auto" else settings.rate
        layers = _layers(parameters) if role == "encoder" and settings.layer_decay < 1 else [parameters]
        for above, layer in enumerate(reversed(layers)):
            share = float(rate) * settings.layer_decay**above
            moved = [p for p in layer if p.requires_grad]
            for matrices, decay in ((True, settings.weight_decay), (False, 0.0)):
                chosen = [p for p in moved if (p.ndim > 1) == matrices]
                if chosen:
                    groups.append({"params": chosen, "full_rate": share, "weight_decay": decay})
    if settings.optimiser == "sgd":
        return SGD(groups, lr=1.0, momentum=settings.momentum, nesterov=settings.momentum > 0, fused=True)
    kind = AdamW if settings.optimiser == "adamw" else Adam
    return kind(groups, lr=1.0, fused=True)  # a third of the time of one tensor after the other


def _layers(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Some steps from what sees the image to what is asked first, alike in number for all encoders."""
    edges = [round(step * len(parameters) / _LAYERS) for step in range(_LAYERS + 1)]
    return [parameters[start:stop] for start, stop in itertools.pairwise(edges)]


def _advance(generator: Generator[Loss, bool, None], stepped: bool | None) -> Loss | None:
    try:
        return next(generator) if stepped is None else generator.send(stepped)
    except StopIteration:
        return None


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.blake2b(f"{seed}\tstep\t{step}\t{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
