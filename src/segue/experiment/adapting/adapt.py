"""`segue adapt`: a finished run goes on with images of another hospital, whose masks nobody looks at. Asked again in the same
words, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segue import networks
from segue.config import validate
from segue.errors import BadInput
from segue.experiment import assemble, seen
from segue.experiment import train as training
from segue.experiment.adapting.demands import demand_run, demand_site, demand_source
from segue.experiment.adapting.request import SITE, SOURCE, STATISTICS, form, wanted
from segue.experiment.adapting.site import of_site
from segue.experiment.adapting.statistics import remember_site
from segue.experiment.folder import Ended, demand_unchanged, to_its_end
from segue.experiment.length import looks_before
from segue.experiment.material import Material
from segue.experiment.settings import AdaptSettings, TrainSettings
from segue.experiment.telling import Say, silent
from segue.networks.norms import has_batch_norm
from segue.training.machine import best_device
from segue.training.run import Run
from segue.words import count

_TOLD = {
    SOURCE: "learning on from its masks, and following {images}",
    SITE: "following {images} alone; nothing that it has learnt from is opened",
    STATISTICS: "batch norms learn what {images} look like; no step is taken",
}


class Adapted(Ended):
    """A run as any other; `adapted` says from what, to what and how."""

    @property
    def adapted(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run.about["adapted"]
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "run": str(self.run.folder), "already": self.already, "seconds": round(self.seconds, 1),
            "steps": self.run.about["steps"], "adapted": self.adapted,
        }  # fmt: skip


def adapt(
    run: str | Path = "",
    to: str | Path | Sequence[str | Path] = (),
    out: Path | str | None = None,
    *,
    source_free: bool = False,
    only_statistics: bool = False,
    settings: AdaptSettings | None = None,
    fresh: bool = False,
    track: Sequence[str] = (),
    progress: bool = False,
    say: Say = silent,
    **more: Any,
) -> Adapted:
    """Go on with a finished run at another hospital; `more` are settings of the training: looks=3000, loop={"rate": 1e-4}.

    Args:
        run: what is adapted.
        to: a dataset of the other hospital, or several. Masks that it may have are not looked at.
        out: the new run's folder; by default a name made of both, in `runs/`.
        source_free: without opening what the run has learnt from.
        only_statistics: no training: batch norms learn what images look like there.
        settings: all of this at once.
        fresh: replace a run that lies there.
        track: names of trackers to write to as well, such as "tensorboard".
        progress: show a line that moves.
        say: is told in sentences what goes on.
    """
    several = [to] if isinstance(to, str | Path) else list(to)
    given = {
        "run": str(run), "to": [str(one) for one in several], "source_free": source_free,
        "only_statistics": only_statistics, "more": more,
    }  # fmt: skip
    asked = settings or validate(AdaptSettings, given, where="segue.adapt")
    still = asked.only_statistics
    ended = to_its_end(
        asked, out, "adapted", prepared=lambda folder: _prepared(folder, asked, say, progress),
        carry_on=partial(_carry_on_still, asked) if still else training.carry_on, module="segue.experiment.train",
        fresh=fresh, track=track, progress=progress, say=say,
    )  # fmt: skip
    return Adapted(ended.run, ended.seconds, ended.already)


# Before the first step


def _prepared(folder: Path, asked: AdaptSettings, say: Say, progress: bool) -> Run:
    run = demand_run(asked.run)
    datasets = demand_site(run, asked.to)
    settings = wanted(asked, run)
    images = " and ".join([f"images of {datasets[0].name}", *(one.name for one in datasets[1:])])
    say(f"adapting {run.folder}: {_TOLD[form(asked)].format(images=images)}")
    names = [dataset.name for dataset in datasets]
    if form(asked) == STATISTICS:
        return _prepared_still(folder, asked, settings, names, say, progress)
    if form(asked) == SOURCE:
        demand_source(run, settings)
    if settings.looks is not None and "looks" not in asked.more:
        say(
            f"{count(settings.looks, 'look')}, since nobody has said how long: a third of the run's own; --looks says it"
        )
    more = partial(_told, asked, run, names)
    return training.prepared(folder, settings, say, progress, more=more)


def _told(
    asked: AdaptSettings, run: Run, names: Sequence[str], settings: TrainSettings, material: Material
) -> dict[str, Any]:
    """What the folder of an adapted run says beside what that of any run does."""
    how = {SOURCE: settings.semi, SITE: settings.site}.get(form(asked))
    adapted = {
        "from": str(run.folder), "how": form(asked),
        "to": [
            {"name": one.dataset.name, "folder": str(one.dataset.folder), "images": len(one.images)}
            for one in material.beside if one.dataset.name in names
        ],
        # A network that was taught to follow a variation follows it, whether or not it is right: it cannot be audited by it.
        "weak": how.weak if how else "", "strong": how.strong if how else "",
        "variation": settings.variation if form(asked) == SOURCE else "",
    }  # fmt: skip
    return {"asked": json.loads(asked.model_dump_json()), "adapted": adapted}


# No step at all


def _prepared_still(
    folder: Path, asked: AdaptSettings, settings: TrainSettings, names: Sequence[str], say: Say, progress: bool
) -> Run:
    run = Run.open(asked.run)
    material = of_site(settings, say=say, progress=progress)
    built, told = assemble.network(settings, material.target, material.channels)
    if not has_batch_norm(built):
        raise BadInput(
            f"{run.folder}: its network has no batch norms, so that there are no statistics to learn",
            hint="Without --only-statistics its weights are adapted.",
        )
    config = json.loads(settings.model_dump_json())
    config |= {"method": STATISTICS, "loop": {**config["loop"], "steps": 0, "epoch_steps": 0}, "looks": None}
    config["machine"] = run.config["machine"] | {"devices": 1}
    about = {
        **{key: run.about[key] for key in ("target", "frame", "network", "parameters", "data")},
        "beside": material.about_beside(), "train": 0, "images": len(material.images), "validation_cases": 0,
        "weights_from": told, "looks_before": looks_before(settings.init),
        **_told(asked, run, names, settings, material),
    }  # fmt: skip
    return Run.create(
        folder, config=config, about=about, cases=material.table(),
        seen=[*seen.inherited(settings.init), *material.looked_at()],
    )  # fmt: skip


def _carry_on_still(
    asked: AdaptSettings, run: Run, *, track: Sequence[str] = (), progress: bool = False, say: Say = silent
) -> None:
    settings = wanted(asked, Run.open(asked.run))
    material = of_site(settings)
    demand_unchanged(run, material.about(), material.about_beside())
    built, _ = assemble.network(settings, material.target, material.channels)
    names = [place["name"] for place in run.about["adapted"]["to"]]
    looks = remember_site(built.to(best_device()), settings, material, names)
    say(f"statistics of {count(looks, 'image')}")
    networks.save(built, run.weights / "last.safetensors")
    run.finish(steps=0, looks=looks, best_epoch=0, validation={})
