"""What is misspelt in a study's values is told before anything runs: methods, variations, losses, networks."""

from __future__ import annotations

from segue.data.dataset import Dataset
from segue.errors import named
from segue.experiment import assemble
from segue.experiment.material import classes_of, target_of
from segue.studies.plan import Plan

_WORDS = {"method", "variation", "loss", "network", "semi", "site", "regions", "same"}


def demand_known(found: Plan, home: Dataset) -> None:
    """Of each way that they are put together once."""
    classes = classes_of(home)
    asked = set[str]()
    for entry in found.names.values():
        words = entry.settings.model_dump_json(include=_WORDS)
        if words not in asked:
            asked.add(words)
            with named(entry.arm):
                assemble.demand_known(entry.settings, target_of(entry.settings, classes))
