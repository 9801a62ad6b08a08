"""One way to spread work: `executor.map(function, items, key=..., setup=..., needs=...)`."""

from __future__ import annotations

from segue.executors.local import LocalExecutor as LocalExecutor
from segue.executors.local import Needs as Needs
from segue.executors.local import Outcome as Outcome
