"""One way to spread work: `executor(on).map(function, items, key=..., setup=..., needs=...)`."""

from __future__ import annotations

from segue.executors.executor import Needs as Needs
from segue.executors.ledger import Ledger as Ledger
from segue.executors.local import LocalExecutor as LocalExecutor
from segue.executors.outcome import Outcome as Outcome
