"""The cases that runs of a study were judged on, as they lie in their datasets."""

from __future__ import annotations

from segue.data.dataset import Dataset
from segue.errors import BadInput
from segue.evaluation.judging.subject import Subject, subjects
from segue.studies.evidence import Evidence
from segue.training.run import Run
from segue.words import some


def judged(evidence: Evidence, run: Run, name: str) -> list[Subject]:
    """Of a set, those that no run of the study has seen; with the classes of a run."""
    wanted = {row.case for row in evidence.done[0].table(name)}
    study = evidence.plan.study
    for folder in dict.fromkeys((*study.data, *study.elsewhere)):
        dataset = Dataset.open(folder)
        if name == dataset.name or name.startswith(f"{dataset.name}-"):
            there = [case.case for case in dataset.cases if case.case in wanted]
            if len(there) == len(wanted):
                names = [case for case in there if case not in evidence.seen(name)]
                return subjects(dataset, run.target, names=names, same=run.config["same"])
    raise BadInput(f"the images of {name} are no longer in {some([*study.data, *study.elsewhere])}")
