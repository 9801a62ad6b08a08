"""A cluster of two machines, which are two raylets of this one; the second can be lost."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Before Ray is imported. The second is its word for: 127.0.0.1 is meant as it is said.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

_SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200, "health_check_failure_threshold": 5}
_LITTLE = {"object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1", "include_dashboard": False}


class Machines:
    """Each with one core."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._second: Any = None

    @property
    def on(self) -> str:
        return f"ray:{self._cluster.address}"

    def second(self) -> str:
        """It joins. Returns its identity."""
        self._second = self._cluster.add_node(num_cpus=1, **_LITTLE)
        return str(self._second.node_id)

    def lose_it(self) -> None:
        self._cluster.remove_node(self._second, allow_graceful=False)


@contextmanager
def machines() -> Iterator[Machines]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = (
        "0"  # Ray's word for: 127.0.0.1 is itself, and no address of the network
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own imports
        from ray.cluster_utils import Cluster
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": _SOON, **_LITTLE})
    try:
        yield Machines(cluster)
    finally:
        cluster.shutdown()
