"""Variations: they change an image and know how its mask must follow.

variation = parse("flips + affine(rotate=15) + colour(brightness=0.2)")
drawn = variation.draw((256, 256), addresses)  # the numbers of a batch, nothing else
drawn.images(x)                                # what the network sees
drawn.carry(masks)                             # what the masks must become
drawn.undo(maps)                               # the geometry reversed, where it can be
"""

from segue.variations.address import Address, Numbers
from segue.variations.drawn import Drawn
from segue.variations.known import PRESETS, VARIATIONS, parse
from segue.variations.padding import Padding
from segue.variations.variation import Chain, OneOf, Variation

__all__ = ["PRESETS", "VARIATIONS", "Address", "Chain", "Drawn", "Numbers", "OneOf", "Padding", "Variation", "parse"]
