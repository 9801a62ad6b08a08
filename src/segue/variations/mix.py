"""A box of the partner is pasted over, image and labels alike.

The partner of a position is its neighbour in the epoch's global order, 0 with 1, 2 with 3 and so on: it follows from
the sample's own address, so a batch that holds whole pairs mixes the same however it is cut. A sample whose partner is
not in the batch it was drawn in is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class CutMix(One):
    size: float = 0.5  # of the canvas' sides, the largest box

    name: str = "cutmix"

    def check(self) -> None:
        between(self.name, size=self.size)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
        draws = scene.numbers.uniform("box", 4)
        own = np.array([address.position for address in scene.key], np.int64)
        partner = own ^ 1
        sides = half * self.size * np.sqrt(0.1 + 0.9 * draws[:, 2:4]) * severity[:, None]
        mixes = (severity > 0) & np.isin(partner, own)
        return {"mix": np.column_stack([(2 * draws[:, :2] - 1) * (half - sides), sides, mixes, own, partner])}
