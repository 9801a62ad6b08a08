"""`segue embed`: how an encoder sees images, without a mask: a page with a map of them, and which it takes for alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue import networks, variations
from segue.config import validate
from segue.data.case import whom
from segue.data.dataset import Dataset
from segue.data.pixels import to_channels
from segue.errors import BadInput
from segue.evaluation.showing.embedding import (
    Known,
    alignment,
    effective_rank,
    neighbours,
    principal,
    probes,
    spread,
    uniformity,
)
from segue.executors.progress import Progress
from segue.experiment.load import load
from segue.experiment.pretraining.pool import Pool, gather
from segue.experiment.pretraining.represent import Floats, at_once, collapse, known, representations, sample
from segue.experiment.settings import PretrainSettings
from segue.files import atomic
from segue.networks import NetworkSettings, SegmentationNetwork
from segue.report.embedding_page import EmbeddingStory, Guess, Layout, Query, Shown, embedding_page, principal_layout
from segue.training.batches import Batches
from segue.training.machine import best_device
from segue.training.orders import InTurn
from segue.training.run import Run
from segue.variations.padding import CONSTANT

_IMAGES, _QUERIES, _NEAREST = 1200, 8, 5
PAGE = "embedding.html"


@dataclass(frozen=True)
class Embedding:
    page: Path
    images: int
    numbers: dict[str, float]
    guesses: tuple[Guess, ...]

    def as_json(self) -> dict[str, Any]:
        told = {f"{one.what}_told": one.accuracy for one in self.guesses}
        chance = {f"{one.what}_by_chance": one.chance for one in self.guesses}
        return {"page": str(self.page), "images": self.images, **self.numbers, **told, **chance}


def embed(
    run: Path | str,
    on: Sequence[Path | str] | Path | str,
    out: Path | str | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
    progress: bool = False,
) -> Embedding:
    """A page of how a run's encoder sees these datasets' images (of split ones, those for training)."""
    found = Run.open(run)
    network = encoder_of(found)
    folders = [on] if isinstance(on, str | Path) else list(on)
    pool = _pool(found, network, folders, say, progress)
    chosen = sample(pool, _IMAGES)
    examples, of = [pool.examples[number] for number in chosen], known(pool, chosen)
    size = tuple(found.config["size"])
    network.to(best_device())
    views = [variations.parse("pretext")] * 2
    with Progress("looking", 2 * at_once(len(examples)), shown=progress) as shown:
        (z,) = representations(network, examples, size, CONSTANT, tick=shown.advance)
        pair = representations(network, examples, size, CONSTANT, views=views, tick=shown.advance)
    pictures = _pictures(pool, chosen, size)
    over = whom(case for one in pool.several for case in one.images)
    story = _story(found, z, (pair[0], pair[1]), of, over, pictures)
    path = Path(out) if out is not None else found.folder / PAGE
    with atomic(path) as file:
        file.write(embedding_page(story).html())
    numbers = {
        "spread": story.spread, "effective_rank": story.effective_rank, "uniformity": story.uniformity,
        "alignment": story.alignment,
    }  # fmt: skip
    return Embedding(path, len(z), numbers, story.guesses)


def encoder_of(run: Run) -> SegmentationNetwork:
    """Of a training, or of a pre-training, which keeps nothing else."""
    if not run.pretraining:
        member = load(run.folder).members[0]
        assert isinstance(member, SegmentationNetwork)
        return member
    settings = validate(NetworkSettings, {**run.about["network"], "weights": "none"}, where=str(run.folder))
    target = run.target
    built = networks.build(settings, target, len(target.names))
    networks.load_weights(built, run.folder)
    return built


def _pool(
    run: Run, network: SegmentationNetwork, folders: Sequence[Path | str], say: Callable[[str], None], progress: bool
) -> Pool:
    if network.dims == 3:
        raise BadInput(f"{run.folder}: sees patches of volumes, and only slices and pictures are laid out")
    stores = {place["name"]: place["store"] for place in run.about["data"]}
    datasets = [Dataset.open(folder) for folder in folders]
    asked: dict[str, Any] = {
        "data": [str(folder) for folder in folders], "neighbours": run.config.get("neighbours", 0),
    }  # fmt: skip
    if all(dataset.name in stores for dataset in datasets):
        asked["stores"] = [stores[dataset.name] for dataset in datasets]
    pool = gather(validate(PretrainSettings, asked, where="segue.embed"), say=say, progress=progress)
    for one in pool.several:
        if pool.own_channels(one) not in (1, network.channels):
            raise BadInput(
                f"{one.dataset.name}: has {pool.own_channels(one)} channels, and the network sees {network.channels}"
            )
    return pool.with_channels(network.channels)


def _pictures(pool: Pool, chosen: Sequence[int], size: tuple[int, ...]) -> Callable[[int], npt.NDArray[np.uint8]]:
    """Of the chosen ones by their place, as the network sees them."""
    examples = [pool.examples[number] for number in chosen]
    batches = Batches(examples, InTurn(len(examples)), [variations.parse("none")], size=size, batch=1, padding=CONSTANT)

    def picture(place: int) -> npt.NDArray[np.uint8]:
        image = batches[place].stored[0].images[0]
        image = image[..., :1] if image.shape[2] not in (1, 3) else image  # the first of many channels
        eight = (image / np.iinfo(image.dtype).max * 255).round().astype(np.uint8)
        return np.asarray(to_channels(eight, 3, np.uint8))

    return picture


def _story(
    run: Run,
    z: Floats,
    pair: tuple[Floats, Floats],
    of: Known,
    over: str,
    picture: Callable[[int], npt.NDArray[np.uint8]],
) -> EmbeddingStory:
    flat = principal(z)
    layouts = [principal_layout(flat.places, flat.shares)]
    if (places := _umap(z)) is not None:
        layouts.append(Layout(name="UMAP", x="", y="", places=places))
    near = neighbours(z, of.units, _NEAREST)
    asked = np.linspace(0, len(z) - 1, min(_QUERIES, len(z))).round().astype(int)

    def shown(place: int) -> Shown:
        return Shown(
            picture=picture(place), dataset=of.datasets[place], case=of.cases[place], partition=of.partitions[place]
        )

    method = run.config.get("method", "")
    network = run.about["network"]
    return EmbeddingStory(
        title=f"How {run.name} sees images",
        encoder=f"{network['encoder']}, {method}, {run.about.get('steps', 0):,} steps",
        dimensions=z.shape[1], steps=int(run.about.get("steps", 0)),
        datasets=of.datasets, sites=of.sites, units=of.units, whom=over, partitions=of.partitions,
        volumes=of.volumes, spread=spread(z), effective_rank=effective_rank(z), uniformity=uniformity(z),
        alignment=alignment(*pair), collapsed=collapse(z, of), layouts=tuple(layouts),
        guesses=tuple(
            Guess(what=what, accuracy=probe.accuracy, chance=probe.chance, n=probe.n) for what, probe in probes(z, of).items()
        ),
        queries=tuple(
            Query(image=shown(int(place)), nearest=tuple(shown(int(other)) for other in near[place] if other >= 0))
            for place in asked
        ),
    )  # fmt: skip


def _umap(z: Floats) -> npt.NDArray[np.floating] | None:
    """Where umap-learn happens to be installed."""
    try:
        from umap import UMAP  # type: ignore[import-not-found]
    except ImportError:
        return None
    places: npt.NDArray[np.floating] = UMAP(random_state=0).fit_transform(z)
    return places
