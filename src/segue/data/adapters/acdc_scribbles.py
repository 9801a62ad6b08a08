"""ACDC with a few strokes of a pen instead of masks: what was not stroked does not count (the value 4).

Layout as in the archive of https://vios-s.github.io/multiscale-adversarial-attention-gates/data: the folders of `acdc`, with
`patient001_frame01_scribble.nii.gz` as the mask. Beside full masks it is taken with `--layout acdc-scribbles`.
"""

from __future__ import annotations

from dataclasses import replace

from segue.data.adapters import acdc
from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.tree import Tree


def recognise(tree: Tree) -> str | None:
    masks = acdc.frames(tree, "_scribble")
    return f"files such as {masks[0].path}" if masks and acdc.frames(tree, "") else None


def read(tree: Tree) -> Reading:
    return acdc.read_with(tree, "_scribble")


ADAPTER: Adapter = replace(
    acdc.ADAPTER,
    name="acdc-scribbles",
    recognise=recognise,
    read=read,
    classes={**acdc.CLASSES, "ignore": 4},
    known=Known(
        about="the same hearts with scribbles instead of masks: training from strokes alone",
        home="https://vios-s.github.io/multiscale-adversarial-attention-gates/data",
        access="a form at its page (as remembered)",
        licence="CC BY-NC-SA 4.0, as ACDC's (as remembered; see its page)",
        citation="Valvano et al., Learning to segment from scribbles using multi-scale adversarial attention gates, "
        "IEEE Transactions on Medical Imaging 40, 2021",
        tree="""
        ACDC/
          training/patient001/patient001_frame01.nii.gz
          training/patient001/patient001_frame01_scribble.nii.gz
        """,
    ),
)
