"""What a study's file says of a search.

search:
  begin: row 16                  # a value of an axis: where it begins, and what it has where nothing is searched for
  called: searched               # the value that its best becomes, beside the others of that axis
  space: {loop.rate: {from: 1e-4, to: 1e-2, scale: log}, size: [96, 128]}
  trials: 30
  prune: median                  # or asha, or none: who is behind after a tenth, two tenths, ... of the steps is given up
  limits: {parameters: 10, memory: 4}          # millions; GB
  storage: postgresql://user@host/database     # where several machines share it
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from segue.config import Settings


class Limits(Settings):
    parameters: Annotated[float, Field(gt=0)] | None = None  # millions
    memory: Annotated[float, Field(gt=0)] | None = None  # GB, at its peak

    def over(self, parameters: int, peak: int) -> float:
        """By how much the limits are passed, as a share; 0: not."""
        found = ((self.parameters, parameters / 1e6), (self.memory, peak / 1e9))
        return max((value / limit - 1 for limit, value in found if limit is not None and value > limit), default=0.0)


class Search(Settings):
    begin: str
    called: str = "searched"
    space: dict[str, Any]
    trials: Annotated[int, Field(ge=2, le=100_000)] = 30
    prune: Literal["median", "asha", "none"] = "median"
    by: Literal["tpe", "random"] = "tpe"
    limits: Limits = Limits()
    storage: str = ""  # empty: a journal in the study's folder
