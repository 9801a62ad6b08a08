"""Synthetic images that ship as code: they carry the demo and the tests, and nothing in them is anyone's.

    from segue.data.phantoms import PHANTOMS, colon
    PHANTOMS["colon"].make("frames/", patients=20, seed=0, labelled={"north": 8, "south": 1.0})
    for frame in colon.frames(site="north", patients=20, seed=0): ...

Every case has an address (seed, phantom, site, patient, time) and is drawn from it alone: the same bytes whatever else
is made, on every run. The phantoms are frozen: they must not be tuned to any method's results.
"""

from segue.data.phantoms import brain, colon, heart, skin
from segue.data.phantoms.folder import Frame, Phantom, Volume

PHANTOMS = {
    "colon": Phantom("colon", colon.SITES, {1: "polyp"}, colon.FRAMES, True, colon.frames),
    "skin": Phantom("skin", skin.SITES, {1: "lesion"}, skin.FRAMES, True, skin.frames),
    "heart": Phantom(
        "heart", heart.SITES, {1: "right ventricle", 2: "myocardium", 3: "left ventricle"}, 2, False, heart.volumes
    ),
    "brain": Phantom("brain", brain.SITES, {1: "lesion"}, 1, False, brain.volumes),
}

__all__ = ["PHANTOMS", "Frame", "Phantom", "Volume", "brain", "colon", "heart", "skin"]
