"""The layouts that can be read, the particular before the general: the first that recognises a folder takes it."""

from __future__ import annotations

from segue.data.adapters import folders, kvasir_seg
from segue.data.adapters.adapter import Adapter as Adapter
from segue.data.adapters.adapter import Known as Known
from segue.data.adapters.adapter import Reading as Reading

ADAPTERS: dict[str, Adapter] = {
    module.ADAPTER.name: module.ADAPTER
    for module in (
        # published
        kvasir_seg,
        # generic
        folders,
    )
}
