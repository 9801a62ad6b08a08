"""Chains with a name. Each takes a severity, of which 0 is exactly the identity, and a ramp: epochs until it is reached."""

from __future__ import annotations

from segue.variations.affine import Affine, Crop, Perspective
from segue.variations.colour import Colour, brightness, contrast
from segue.variations.curves import Equalise, Gamma, Tone
from segue.variations.elastic import Elastic
from segue.variations.erase import Erase
from segue.variations.flips import Flips, QuarterTurns
from segue.variations.focus import Blur, MotionBlur, Sharpen
from segue.variations.grain import Jpeg, Noise
from segue.variations.light import Bias
from segue.variations.optical import Optical
from segue.variations.scanner import Coarse, Ghost
from segue.variations.variation import Chain, OneOf, Variation


def none() -> Chain:
    """Nothing but the letterbox."""
    return Chain(name="none")


def weak(severity: float = 1.0, ramp: int = 0) -> Chain:
    """What changes nothing about a case: the view whose prediction others follow."""
    members = (Flips(), Affine(rotate=10, scale=0.1, shift=0.05))
    return Chain(members=members, name="weak", severity=severity, ramp=ramp)


def strong(severity: float = 1.0, ramp: int = 0) -> Chain:
    """As much as a person would still recognise. Mixing is added by hand: `strong + cutmix(p=0.5)`."""
    members = (
        Flips(),
        Affine(rotate=30, scale=0.3, shear=8, shift=0.08),
        Elastic(strength=0.7, p=0.5),
        Colour(brightness=0.4, contrast=0.5, saturation=0.5, hue=0.06, p=0.8),
        Gamma(amount=0.5, p=0.5),
        Blur(sigma=0.008, p=0.5),
        Noise(strength=0.06, p=0.4),
        Jpeg(loss=70, p=0.3),
        Erase(count=2, size=0.3, fill="random", p=0.3),
    )
    return Chain(members=members, name="strong", severity=severity, ramp=ramp)


def pretext(severity: float = 1.0, ramp: int = 0) -> Chain:
    """Two views of an image for contrast: much of it in another place and another light, and still the same image."""
    members = (
        Flips(),
        Crop(smallest=0.5),
        Affine(rotate=15, scale=0.1, shift=0),
        Colour(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05, p=0.9),
        Gamma(amount=0.4, p=0.5),
        Tone(strength=1.0, p=0.5),
        Bias(strength=0.7, p=0.5),
        Blur(sigma=0.008, p=0.4),
        Noise(strength=0.05, p=0.3),
    )
    return Chain(members=members, name="pretext", severity=severity, ramp=ramp)


def natural(severity: float = 1.0, ramp: int = 0) -> Chain:
    """The polyp system's model of natural variation: magnitudes and probabilities grow together with one severity."""
    return Chain(members=_natural(), name="natural", severity=severity, ramp=ramp, rarer=True)


def everyday(severity: float = 1.0, ramp: int = 0) -> Chain:
    """What differs from one image to the next at any place, and no lens: geometry is a matrix, so that predictions are turned
    back at once. For asking how a network follows, not for training it."""
    members = (
        Flips(),
        QuarterTurns(),
        Affine(rotate=15, scale=0.15, shift=0.03),
        Colour(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
        Noise(strength=0.06),
        Jpeg(loss=80, least=50),
    )
    return Chain(members=members, name="everyday", severity=severity, ramp=ramp)


def apart(severity: float = 1.0, ramp: int = 0) -> Chain:
    """What the chains for training have nothing of. A network that was taught to follow a variation follows it whatever is
    true, and is asked by another."""
    members = (
        Perspective(strength=0.15),
        Bias(strength=0.5),
        Equalise(amount=0.5, p=0.5),
        OneOf(members=(Sharpen(amount=0.7), MotionBlur(length=0.012)), name="one_of_sharpness"),
    )
    return Chain(members=members, name="apart", severity=severity, ramp=ramp)


def vanilla(severity: float = 1.0, ramp: int = 0, p: float = 0.5) -> Chain:
    """The polyp system's plain augmentation: the chain of `natural`, on half of the samples."""
    return Chain(members=_natural(), name="vanilla", p=p, severity=severity, ramp=ramp, rarer=True)


def _natural() -> tuple[Variation, ...]:
    return (
        QuarterTurns(),
        Flips(horizontal=0.5, vertical=0.5),
        Optical(limit=1.0),
        Colour(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
        Noise(strength=0.1),
        Jpeg(loss=90, least=80),
    )


def dermoscopy(severity: float = 1.0, ramp: int = 0) -> Chain:
    """The skin-lesion system's chain."""
    tones = (Equalise(amount=1.0), brightness(0.2), Gamma(amount=0.25))
    sharpness = (Sharpen(amount=0.7), Blur(sigma=0.003), MotionBlur(length=0.006))
    colours = (contrast(0.2), Colour(brightness=0.2, contrast=0, saturation=0.3, hue=0.05))
    members = (
        Flips(),
        Affine(rotate=0, scale=0.5, shift=0.1),
        Perspective(strength=0.1, p=0.5),
        OneOf(members=tones, name="one_of_tones", p=0.9),
        OneOf(members=sharpness, name="one_of_sharpness", p=0.9),
        OneOf(members=colours, name="one_of_colours", p=0.9),
        Noise(strength=0.028, p=0.2),
    )
    return Chain(members=members, name="dermoscopy", severity=severity, ramp=ramp)


def mr(severity: float = 1.0, ramp: int = 0) -> Chain:
    """Slices of magnetic resonance: no colour, but a coil's bias field and scanners of other contrast."""
    members = (
        Flips(p=0.5),
        Affine(rotate=30, scale=0.25, shift=0.05),
        Elastic(strength=0.6, p=0.5),
        Colour(brightness=0.3, contrast=0.5, saturation=0, hue=0),
        Gamma(amount=0.5, p=0.5),
        Tone(strength=1.0, p=0.8),
        Bias(strength=0.7, p=0.5),
        Blur(sigma=0.006, p=0.3),
        Ghost(strength=0.3, p=0.1),
        Coarse(factor=2.5, p=0.2),
        Noise(strength=0.05, p=0.3),
    )
    return Chain(members=members, name="mr", severity=severity, ramp=ramp)
