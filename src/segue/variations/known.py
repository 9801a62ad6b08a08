"""All variations and presets by name, and how a person's expression becomes one.

parse("flips + affine(rotate=15) + 0.5*elastic")   # half the severity of elastic
parse("natural(severity=0.5)")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from segue import expression
from segue.errors import BadInput, nearest
from segue.variations import presets
from segue.variations.affine import Affine, Crop, Perspective
from segue.variations.colour import Colour, brightness, contrast, hue, saturation
from segue.variations.curves import Equalise, Gamma, Invert, Tone
from segue.variations.elastic import Elastic
from segue.variations.erase import Erase
from segue.variations.flips import Flips, QuarterTurns
from segue.variations.focus import Blur, MotionBlur, Sharpen
from segue.variations.grain import Jpeg, Noise
from segue.variations.light import Bias, Highlights, Shadow
from segue.variations.mix import CutMix
from segue.variations.optical import Optical
from segue.variations.paint import Paint
from segue.variations.scanner import Coarse, Ghost
from segue.variations.tilt import Tilt
from segue.variations.variation import Chain, Variation

# A new variation is one file and one line here.
VARIATIONS: dict[str, Callable[..., Variation]] = {
    "flips": Flips,
    "rot90": QuarterTurns,
    "affine": Affine,
    "crop": Crop,
    "perspective": Perspective,
    "optical": Optical,
    "elastic": Elastic,
    "colour": Colour,
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
    "equalise": Equalise,
    "gamma": Gamma,
    "tone": Tone,
    "invert": Invert,
    "bias": Bias,
    "shadow": Shadow,
    "highlights": Highlights,
    "blur": Blur,
    "motion_blur": MotionBlur,
    "sharpen": Sharpen,
    "ghost": Ghost,
    "coarse": Coarse,
    "noise": Noise,
    "jpeg": Jpeg,
    "erase": Erase,
    "cutmix": CutMix,
    "paint": Paint,
    "tilt": Tilt,
}

PRESETS: dict[str, Callable[..., Variation]] = {
    "none": presets.none,
    "weak": presets.weak,
    "strong": presets.strong,
    "pretext": presets.pretext,
    "natural": presets.natural,
    "everyday": presets.everyday,
    "apart": presets.apart,
    "vanilla": presets.vanilla,
    "dermoscopy": presets.dermoscopy,
    "mr": presets.mr,
}


def parse(text: str) -> Variation:
    """A variation from an expression. A factor scales the severity of what it stands before."""
    members = [_made(term) for term in expression.parse(text)]
    return members[0] if len(members) == 1 else Chain(members=tuple(members))


def _made(term: expression.Term) -> Variation:
    known = {**VARIATIONS, **PRESETS}
    if term.name not in known:
        raise BadInput(f"no variation is called {term.name!r}: {nearest(term.name, known)}")
    maker = known[term.name]
    defaults = {word: each.default for word, each in inspect.signature(maker).parameters.items() if word != "name"}
    for word, value in term.arguments.items():
        if word not in defaults:
            raise BadInput(f"{term.name} takes no {word!r}: {nearest(word, defaults)}")
        _check(term.name, word, value, defaults[word])
    if not 0 <= term.weight <= 1:
        raise BadInput(
            f"{term}: a factor is part of a severity, between 0 and 1", hint="Raise its arguments to go beyond."
        )
    variation = maker(**term.arguments)
    return variation if term.weight == 1 else variation.scaled(term.weight)


def _check(name: str, word: str, value: Any, default: Any) -> None:
    if isinstance(default, str):
        fits, wanted = isinstance(value, str), "a word"
    elif isinstance(default, int) and not isinstance(default, bool):
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    if not fits:
        raise BadInput(f"{name}: {word}={value!r} is not {wanted}")
