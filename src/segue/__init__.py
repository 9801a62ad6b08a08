"""Segue: medical image segmentation with many images, few masks, and a next hospital that looks different.

Every verb of the command line is a function here, of the same name and arguments:

    import segue
    dataset = segue.scan("images/").dataset
    segue.split(dataset)
    run = segue.train(dataset.folder, minutes=10).run
    segue.evaluate(run.folder, on=["datasets/elsewhere"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from segue.version import __version__

if TYPE_CHECKING:
    from segue.experiment.inpainting.apply import apply
    from segue.experiment.inpainting.fit import fit
    from segue.experiment.inpainting.look import look
    from segue.studies import report as _report
    from segue.studies.running import run
    from segue.studies.standing import status

    inpaint_apply, inpaint_fit, inpaint_look = apply, fit, look
    study_report, study_run, study_status = _report.report, run, status
    from segue.checkup import doctor as doctor
    from segue.data.copies.leaks import leaks as leaks
    from segue.data.dataset import Dataset as Dataset
    from segue.data.exploring.explore import explore as explore
    from segue.data.export import export as export
    from segue.data.preparing.prepare import prepare as prepare
    from segue.data.scanning.scan import scan as scan
    from segue.data.scanning.unpack import unpack as unpack
    from segue.data.splitting.split import split as split
    from segue.data.stores.store import Store as Store
    from segue.demonstration import demo as demo
    from segue.experiment.adapting.adapt import adapt as adapt
    from segue.experiment.advising.advise import advise as advise
    from segue.experiment.auditing.audit import audit as audit
    from segue.experiment.compare import compare as compare
    from segue.experiment.covering.cover import cover as cover
    from segue.experiment.evaluate import evaluate as evaluate
    from segue.experiment.judge import judge as judge
    from segue.experiment.load import load as load
    from segue.experiment.members import ensemble as ensemble
    from segue.experiment.predict import predict as predict
    from segue.experiment.pretraining.embed import embed as embed
    from segue.experiment.pretraining.pretrain import pretrain as pretrain
    from segue.experiment.pretraining.release import release as release
    from segue.experiment.report import report as report
    from segue.experiment.train import train as train

# Loaded on first use: `import segue` and `segue --help` stay fast.
_HOME = {
    "Dataset": "segue.data.dataset",
    "Store": "segue.data.stores.store",
    "adapt": "segue.experiment.adapting.adapt",
    "advise": "segue.experiment.advising.advise",
    "audit": "segue.experiment.auditing.audit",
    "compare": "segue.experiment.compare",
    "cover": "segue.experiment.covering.cover",
    "demo": "segue.demonstration",
    "doctor": "segue.checkup",
    "embed": "segue.experiment.pretraining.embed",
    "evaluate": "segue.experiment.evaluate",
    "explore": "segue.data.exploring.explore",
    "export": "segue.data.export",
    "judge": "segue.experiment.judge",
    "ensemble": "segue.experiment.members",
    "inpaint_apply": "segue.experiment.inpainting.apply:apply",
    "inpaint_fit": "segue.experiment.inpainting.fit:fit",
    "inpaint_look": "segue.experiment.inpainting.look:look",
    "leaks": "segue.data.copies.leaks",
    "load": "segue.experiment.load",
    "predict": "segue.experiment.predict",
    "prepare": "segue.data.preparing.prepare",
    "pretrain": "segue.experiment.pretraining.pretrain",
    "release": "segue.experiment.pretraining.release",
    "report": "segue.experiment.report",
    "scan": "segue.data.scanning.scan",
    "split": "segue.data.splitting.split",
    "study_report": "segue.studies.report:report",
    "study_run": "segue.studies.running:run",
    "study_status": "segue.studies.standing:status",
    "train": "segue.experiment.train",
    "unpack": "segue.data.scanning.unpack",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module, _, called = _HOME[name].partition(":")
        value = getattr(importlib.import_module(module), called or name)
        globals()[name] = value  # importing a module of the same name must not shadow the function
        return value
    raise AttributeError(f"module 'segue' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
