"""Where weights come from: a file, a run, or the hub that publishes them. Only safetensors are ever read."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.errors import BadInput, in_words
from segue.networks.encoders import Encoder
from segue.networks.operators import smp, timm

Colours = tuple[tuple[float, ...], tuple[float, ...]]

_PATIENCE = 5.0  # seconds until a hub that does not answer is told; its own client tries for half a minute


@dataclass(frozen=True)
class Source:
    file: Path
    colours: Colours | None = None
    """What the publisher normalised images with, where that is told beside the weights."""


def source(weights: str | Path, encoder: Encoder) -> Source | None:
    if weights == "none":
        return None
    if weights == "imagenet":
        return _published(encoder)
    return Source(local(weights))


def local(weights: str | Path) -> Path:
    """A .safetensors file, or the best weights of a run."""
    path = Path(weights)
    if path.is_dir():
        for name in ("best", "last"):
            if (inside := path / "weights" / f"{name}.safetensors").is_file():
                return inside
        raise BadInput(f"{path}: is no run, it has no weights/best.safetensors")
    if not path.is_file():
        raise BadInput(
            f"weights: there is no file or run called {str(weights)!r}",
            hint="weights are none, imagenet, a .safetensors file, or the folder of a run.",
        )
    if path.suffix != ".safetensors":
        raise BadInput(
            f"{path}: only .safetensors files are read, since others may run code when they are opened",
            hint="If you trust it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW).",
        )
    return path


def _published(encoder: Encoder) -> Source:
    if encoder.kind == "smp":
        known = smp().encoders.encoders[encoder.key]["pretrained_settings"]
        if "imagenet" not in known:
            raise BadInput(f"weights: nobody has published imagenet weights of {encoder.name}")
        repository, revision = known["imagenet"]["repo_id"], known["imagenet"]["revision"]
        told = json.loads(_fetched(encoder, repository, "config.json", revision).read_text("utf-8"))
        colours = tuple(told["mean"]), tuple(told["std"])
        return Source(_fetched(encoder, repository, "model.safetensors", revision), colours)
    about = timm().models.get_pretrained_cfg(encoder.key)
    where = getattr(about, "hf_hub_id", None)
    if not where:
        raise BadInput(
            f"weights: timm publishes no weights of {encoder.name} on its hub",
            hint=f"Its variants: timm.list_pretrained('{encoder.key.partition('.')[0]}*').",
        )
    repository, _, revision = where.partition("@")
    return Source(_fetched(encoder, repository, about.hf_hub_filename or "model.safetensors", revision or None))


def _fetched(encoder: Encoder, repository: str, name: str, revision: str | None) -> Path:
    """From the hub's own folder on this machine, else over the network if there is one and it is wanted."""
    from huggingface_hub import hf_hub_download

    if not name.endswith((".safetensors", ".json")):
        raise BadInput(f"weights: {repository} has {name}, and only .safetensors files are read")

    def get(**how: Any) -> Path:
        return Path(hf_hub_download(repository, name, revision=revision, **how))

    try:
        return get(local_files_only=True)
    except Exception as error:  # the hub's client has many kinds
        why = in_words(error)
    if _offline():
        why = "HF_HUB_OFFLINE forbids to fetch them"
    elif (unreachable := _unreachable()) is not None:
        why = unreachable
    else:
        try:
            return get()
        except Exception as error:
            why = in_words(error).splitlines()[0]
    raise BadInput(
        f"weights: the imagenet weights of {encoder.name} ({repository}) are not on this machine, and {why}",
        hint="weights=none starts from scratch, weights=FILE.safetensors takes a file that you have, and HF_HOME=FOLDER "
        "takes the hub's folder from a machine that fetched them.",
    )


def _offline() -> bool:
    return any(
        os.environ.get(name, "").lower() in {"1", "on", "yes", "true"}
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def _unreachable() -> str | None:
    """Why the hub cannot be reached; None when it answers, or when only its own client can tell."""
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not address.startswith(("http://", "https://")):
        return f"HF_ENDPOINT={address} is no address"
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, OSError) and "CERTIFICATE" in str(reason):
            return None
        return f"{address} cannot be reached ({reason})"
    except Exception as error:  # a socket that tests or a sandbox have blocked
        return f"{address} cannot be reached ({in_words(error)})"
    return None
