"""The contract of an adapter: from the listing of a folder to cases. It looks at names, not at pixels.

An adapter is one file that defines an `Adapter`, and one line in `adapters/__init__.py`; for a published dataset the
file's docstring says where the layout is described. `segue.testing.check_adapter` proves it on a made tree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from segue.data.case import Case
from segue.data.tree import Tree


@dataclass(frozen=True)
class Reading:
    """What an adapter found: cases, and (file, reason) for what it could not place."""

    cases: list[Case]
    bad: list[tuple[str, str]]
    classes: Mapping[str, int | str] = field(default_factory=dict)  # where a file of the dataset names them
    beside: Collection[str] = ()  # images that are known and no part of a case


@dataclass(frozen=True, kw_only=True)
class Known:
    """What to tell of a public dataset (`segue data known`)."""

    about: str  # one line: what, how much, whose
    home: str
    access: str  # open download, registration, request...
    licence: str
    citation: str
    tree: str  # the folder as it is expected


@dataclass(frozen=True, kw_only=True)
class Adapter:
    name: str
    recognise: Callable[[Tree], str | None]  # why it is this layout, in words; None: it is not
    read: Callable[[Tree], Reading]
    # Why it may be this layout though its folder does not bear the name; told, and taken only when asked for.
    resembles: Callable[[Tree], str | None] | None = None
    modality: str = ""
    anatomy: str = ""
    channels: tuple[str, ...] = ()
    # Class name -> the raw value (0..65535), or several, or the colour ("#ff0000") that stands for it; empty: taken from
    # the masks.
    classes: Mapping[str, int | str | tuple[int, ...]] = field(default_factory=dict)
    foreground: str = ""  # what to call the one class of a plain 0/255 mask: "polyp"
    patients_from: str = ""  # how patients are known, in words; empty: they are not
    sites_from: str = ""
    known: Known | None = None  # None: a generic layout
