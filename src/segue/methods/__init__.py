"""How a network learns from a batch. A method is a file here and a line in METHODS; one loop drives them all."""

from __future__ import annotations

from segue.methods.consistency import Consistency
from segue.methods.distil import Distil
from segue.methods.given import Given
from segue.methods.semi import Semi
from segue.methods.site import Site
from segue.methods.supervised import Supervised
from segue.methods.two_view import TwoView
from segue.step import Loss, Method

METHODS: dict[str, type[Supervised]] = {
    "supervised": Supervised,
    "two-view": TwoView,
    "consistency": Consistency,
    "semi": Semi,
    "site": Site,
    "distil": Distil,
}

__all__ = ["METHODS", "Given", "Loss", "Method"]
