"""What the loop can be told; all of it resolved before the first step and written into the run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segue.config import Auto, Settings
from segue.training.schedule import Schedule

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class LoopSettings(Settings):
    steps: Count | Auto = "auto"  # of the optimiser, in all
    epoch_steps: Count | Auto = "auto"  # between two judgements; auto: a pass over the cases, at least 1/40 of all
    batch: Count | Auto = "auto"  # images of a step, on each device
    accumulate: Count = 1  # micro-batches that a step is cut into, to save memory
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    rate: Positive | Literal["find"] = 1e-3
    encoder_rate: Positive | Auto = "auto"  # auto: the same, or a tenth of it where the encoder was pre-trained
    # Of the rate, from each sixth of the encoder to the one before.
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # of sgd
    schedule: Schedule = "cosine"
    clip: Annotated[float, Field(ge=0)] = 1.0  # norm of a step's gradient; 0: never
    # Decay of the weights' moving average, which is then judged and kept; 0: none. auto: where a method learns from it, or
    # where nothing is validated, so that no moment can be chosen.
    average: Annotated[float, Field(ge=0, lt=1)] | Auto = "auto"
    patience: Annotated[int, Field(ge=0)] = 0  # judgements without a better one until it stops; 0: never
    save_minutes: Positive = 10.0
    seed: int = 0
