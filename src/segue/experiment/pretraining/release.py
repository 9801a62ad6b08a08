"""`segue release`: a pre-trained encoder as a folder that can be handed on.

model.safetensors  the encoder, as `--init` and `--set network.weights=` take it
config.json        what it is: encoder, channels, colours, how it was trained
seen.csv           digests of the images that it has looked at, so that a test among them is refused wherever it goes
README.md          the card: data with licences and citations, compute, results with intervals, limits

No image, no file's name and no patient is in it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.data.case import write_rows
from segue.data.dataset import CARD, Dataset
from segue.errors import BadInput
from segue.files import atomic, read_json, write_json
from segue.networks import sources
from segue.training.run import SEEN, Run
from segue.words import count

WEIGHTS, CONFIG, README = "model.safetensors", "config.json", "README.md"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Released:
    folder: Path
    digest: str

    def as_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "sha256": self.digest}


def release(run: Path | str, out: Path | str, *, results: Sequence[Path | str] = (), licence: str = "") -> Released:
    """Package a pre-training. `results`: runs that began from it and were evaluated; `licence`: of the weights."""
    found = Run.open(run)
    if not found.pretraining or not found.finished:
        what = "is not finished" if found.pretraining else "is no pre-training"
        raise BadInput(f"{found.folder}: {what}, so there is no encoder to hand on", hint="segue pretrain makes one.")
    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder}: is there already", hint="Give another --out.")
    judged = [_judged(Run.open(one), found) for one in results]
    weights = sources.local(found.folder)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / WEIGHTS, "wb") as file, weights.open("rb") as source:
        shutil.copyfileobj(source, file)
    network = {key: found.about["network"][key] for key in ("encoder", "depth", "norm", "architecture")}
    write_json(
        folder / CONFIG,
        {
            **network, "channels": len(found.target.names), "method": found.config["method"], "size": found.config["size"],
            "steps": found.about["steps"], "batch": found.config["loop"]["batch"], "sha256": digest,
        },
    )  # fmt: skip
    with atomic(folder / SEEN) as file:
        seen = [row for row in found.seen() if row["digest"]]
        rows = sorted({(row["dataset"], row["what"], row["digest"]) for row in seen})
        write_rows(file, [("dataset", "folder", "case", "what", "digest"), *((a, "", "", b, c) for a, b, c in rows)])
    with atomic(folder / README) as file:
        file.write(_card(found, digest, judged, licence))
    return Released(folder, digest)


def _judged(run: Run, encoder: Run) -> list[str]:
    """Lines of a table: what a run reached that began from this encoder."""
    init = run.config.get("init") or run.config.get("network", {}).get("weights", "")
    if not init or encoder.folder.resolve() not in (Path(init).resolve(), *Path(init).resolve().parents):
        raise BadInput(f"{run.folder}: did not begin from {encoder.folder}, so its results say nothing of it")
    summaries = sorted((run.folder / "evaluation").glob(f"*/{SUMMARY}"))
    if not summaries:
        raise BadInput(f"{run.folder}: was never evaluated", hint=f"segue evaluate {run.folder} --on DATASET")
    lines = []
    for path in summaries:
        about = read_json(path)
        for one in about["summaries"]:
            low, high = one["intervals"]["dice"]
            if one["means"]["dice"] is None:
                continue
            sure = "too few for an interval" if low is None else f"{low:.3f} to {high:.3f}"
            seen = f" ({one['seen']} seen)" if one["seen"] else ""
            lines.append(
                f"| {about['set']}{seen} | {run.config['labels']} | {run.config['method']} | {one['class_name']} | "
                f"{one['means']['dice']:.3f} ({sure}) | {one['present_patients']} |"
            )
    return lines


def _card(run: Run, digest: str, judged: Sequence[Sequence[str]], licence: str) -> str:
    about, config, environment = run.about, run.config, read_json(run.folder / "environment.json")
    network = about["network"]
    lines = [
        f"# {network['encoder']}, pre-trained without masks", "",
        f"An encoder trained by Segue {environment['segue']} (`segue pretrain --method {config['method']}`) on images alone.",
        "", "```sh", f"segue train --data DATASET --encoder {network['encoder']} --init {WEIGHTS}", "```", "",
        f"* **Licence of the weights**: {licence or 'not stated; the terms of the data below apply at least'}",
        f"* **SHA-256 of {WEIGHTS}**: `{digest}`",
        f"* **Training**: {about['steps']:,} steps of {config['loop']['batch']} images, {_sizes(config)}, seed "
        f"{config['loop']['seed']}; {_compute(run, environment)}", "", "## Data", "",
        "Only what each dataset's split has for training was looked at; masks never.", "",
        "| dataset | images | patients | licence | citation |", "|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [_data(place, run) for place in about["data"]]
    lines += ["", "## Watched without labels, at the end", ""]
    lines += [f"* {name}: {value:.2f}" for name, value in about["watched"].items() if name != "collapsed"]
    lines += ["", "## Results", ""]
    if judged:
        lines += [
            "Of networks that began from it; Dice over patients that have the structure, with its 95 % interval.", "",
            "| set | patients with masks | method | class | Dice | test patients |", "|---|---|---|---|---|---|",
            *(line for one in judged for line in one),
        ]  # fmt: skip
    else:
        lines += ["None were given: whether it helps is not shown here."]
    lines += [
        "", "## Limits", "",
        "For research, not a medical device. It has seen these anatomies, scanners and sites only. Whether it is better than "
        "an encoder from nothing depends on the data and on how many masks there are: compare, with several seeds.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _sizes(config: Mapping[str, Any]) -> str:
    height, width = config["size"]
    return f"{height} x {width} pixels"


def _compute(run: Run, environment: Mapping[str, Any]) -> str:
    images, seconds = run.about["steps"] * run.config["loop"]["batch"], 0.0
    before = 0
    for line in run.metrics():
        if "images_per_second" in line:
            seconds += (line["step"] - before) * run.config["loop"]["batch"] / line["images_per_second"]
        before = line["step"]
    return f"{images:,} images, {seconds / 60:.0f} minutes on {environment['accelerator'] or environment['processor']}"


def _data(place: Mapping[str, str], run: Run) -> str:
    inside = [row for row in run.cases() if row["dataset"] == place["name"] and row["part"] == "images"]
    patients = {(row["site"], row["patient"]) for row in inside if row["patient"]}
    known = (Path(place["folder"]) / CARD).is_file()
    card = Dataset.open(place["folder"]).card if known else None
    told = (card.licence, card.citation) if card is not None else ("", "")
    return (
        f"| {place['name']} | {count(len(inside), 'case')} | {len(patients) or 'not known'} | "
        f"{' | '.join(' '.join(text.replace('|', '/').split()) or 'not stated' for text in told)} |"
    )
