"""benchmarks/README.md from the results: `python -m benchmarks.table`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.adapt_table import adapting
from benchmarks.audit_table import audits
from benchmarks.common import RESULTS, UNITS
from benchmarks.few_labels_table import few_labels
from benchmarks.next_hospital_table import next_hospital

HEAD = """# Benchmarks

`python -m benchmarks` measures again and writes this page from `results/*.json`; each script says in its first lines what it
compares and how. Ratios are medians over turns in one run, because machines are shared and noisy; seconds are there for a
sense of size. Numbers that read `../shared/data` need the public research data there or at `$SEGUE_DATA`.
"""


IN_THE_WAY = (
    "What is in the way of 2: without half precision both run the same float32 convolutions, at more than half the "
    "processor's peak. Segue gains by memory layout (1.2), by enlarging and convolving in one (1.2) and by batches; "
    "this was measured before batch norms were taken into the convolutions, which gives about a tenth more. On "
    "two threads by the clock the ratios are 1.5 and 2.0. Rows of padding are not computed, which gains nothing here, "
    "where images are nearly square, and a third with images of 16:9.\n"
)


def read(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def with_and_without_units(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has other marks on a processor with units for bf16 is kept once for each kind."""
    for each in (name, name + UNITS):
        if found := read(each):
            yield each, found


def rows(head: list[str], cells: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in cells:
        yield f"| {' | '.join(row)} |"
    yield ""


def told(measured: float, mark: float, *, least: bool = False) -> str:
    reached = measured >= mark if least else measured <= mark
    return f"{measured:.2f} ({'reached' if reached else 'not reached'}: {'>=' if least else '<='} {mark:.3g})"


def marks() -> Iterator[str]:
    yield "## Against the marks\n"
    cells = []
    if found := read("startup"):
        cells.append(["`segue --help`, x a bare import of typer", told(found["ratio"], found["mark"]), "startup"])
    if found := read("scan_speed"):
        cells.append(["scan with leak check, the four sets, x decoding", told(found["ratio"], 2), "scan_speed"])
        large = told(found["sets"]["as published"]["ratio"], 2)
        cells.append(["scan with leak check, 1024 x 768, x decoding", large, "scan_speed"])
    if found := read("scan_memory"):
        last = found["rows"][-1]
        peak = last["peak_bytes"] / 2**30
        cells.append([f"peak memory of a scan of {last['images']:,} images, GiB", told(peak, 1), "scan_memory"])
    if found := read("study_overhead"):
        many, each, both = found["many"]["10000"], found["each"], found["side_by_side"]
        cells.append(["a study of 10,000 runs is planned, s", told(many["plan_s"], 5), "study_overhead"])
        cells.append(["its status is told, s", told(many["status_s"], 1), "study_overhead"])
        cells.append(
            [
                "a run's seconds beside its steps, judging apart",
                told(each["before_and_after_training_s"], 1),
                "study_overhead",
            ]
        )
        equal = "to equal tables" if both["equal"] else "to UNEQUAL tables"
        told_beside = f"{told(both['ratio'], 1.1, least=True)}, {equal}"
        cells.append(["two runs side by side, x one after the other", told_beside, "study_overhead"])
    if found := read("study_killed"):
        same = "equal" if found["equal"] else "NOT EQUAL"
        kills = f"{found['kills']} kills in {found['studies']} studies: {same} tables and weights"
        cells.append(["a study's driver, killed at random moments", kills, "study_killed"])
    if found := read("leak_scaling"):
        told_growth = f"n ** {found['exponent']:.2f} (n log n over this range would be n ** 1.11)"
        cells.append([f"leak search up to {found['rows'][-1]['images']:,} images", told_growth, "leak_scaling"])
    if found := read("prepare_speed"):
        cells.append(["prepare small copies, x decode and resize", told(found["ratio"], 1.5), "prepare_speed"])
        large = found["sets"]["as published"]
        cells.append(["prepare 1024 x 768, x decode and resize", told(large["ratio"], 1.5), "prepare_speed"])
        small = [row["reading_ratio"] for name, row in found["sets"].items() if name != "as published"]
        reading = told(statistics.median(small), 30, least=True)
        cells.append(["read a batch, small copies, x decoding", reading, "prepare_speed"])
        reading = told(large["reading_ratio"], 30, least=True)
        cells.append(["read a batch, 1024 x 768, x decoding", reading, "prepare_speed"])
    if found := read("phantom_speed"):
        speed = 2 * statistics.mean(row["memory"] for row in found["rows"] if row["phantom"] == "colon")
        cells.append(["colon phantoms, frames/s on two cores", told(speed, 200, least=True), "phantom_speed"])
    # Machines differ, and one page holds what several have measured.
    every = [[*row, f"`{name.removesuffix(UNITS)}`", processor_of(name)] for *row, name in [*cells, *learning()]]
    yield from rows(["what", "measured", "script", "processor"], every)


def processor_of(name: str) -> str:
    machine: dict[str, str] = (read(name) or {}).get("machine", {})
    return machine.get("cpu", "")


def learning() -> Iterator[list[str]]:
    """Of variations, training and judging."""
    if found := read("augmentation_speed"):
        plain, elastic = found["rows"]["without elastic"], found["rows"]["with elastic"]
        smooth = ("albumentations, elastic", "albumentations, approximate")  # its grid of quadrilaterals is not
        fastest = min(elastic["ratio to"][name] for name in smooth)
        script = "augmentation_speed"
        yield ["augmentation with elastic, x albumentations' fastest elastic", told(fastest, 5, least=True), script]
        yield ["augmentation with elastic, x kornia", told(elastic["ratio to"]["kornia"], 5, least=True), script]
        yield ["without elastic, x albumentations", told(plain["ratio to"]["albumentations"], 1, least=True), script]
        slower = min(plain["tensors to kornia"], elastic["tensors to kornia"])
        yield ["tensor executor, x kornia", told(slower, 3, least=True), script]
    if found := read("metrics_speed"):
        for name, row in found["rows"].items():
            yield [f"metrics, {name}, x MONAI, equal values", told(row["times"], 5, least=True), "metrics_speed"]
    for script, found in with_and_without_units("train_speed"):
        for name, row in found["rows"].items():
            mark = found["marks"][name]
            yield [
                f"training, {name}, x the script with defaults",
                told(row["steady_over_default"], mark, least=True),
                script,
            ]
            yield ["the same, whole epochs with validation", told(row["epoch_over_default"], mark, least=True), script]
            yield ["the same, x the script at its best", told(row["steady_over_best"], 1.1, least=True), script]
            yield ["the same, peak memory, x the script", told(row["peak_bytes_over_default"], 1.1), script]
    for script, found in with_and_without_units("predict_speed"):
        for name, value in found.get("ratios", {}).items():
            yield [
                f"prediction of a folder, {name}, x eager one by one",
                told(value, found["mark"], least=True),
                script,
            ]
    yield from against_volumes()
    if found := read("contrast_speed"):
        yield ["contrast at batch 144, x the loop", told(found["least"], found["mark"], least=True), "contrast_speed"]
    if found := read("pretrain_speed"):
        script = "pretrain_speed"
        yield ["pre-training, x lightly's SimCLR", told(found["over"]["default"], found["mark"], least=True), script]
    if found := read("consistency_speed"):
        for name, row in found["rows"].items():
            against = "that and its search" if "worst" in name else "a step of two views"
            yield [
                f"a step of consistency, {name}, x {against}",
                told(row["ratio"], found["mark"]),
                "consistency_speed",
            ]
    if found := read("audit/speed"):
        told_views = f"an audit, frames of {found['side']} px, x predicting once, for each of {found['views']} views"
        yield [told_views, told(found["times_views"], 1.2), "audit/speed"]
    for script, found in with_and_without_units("inpaint_speed"):
        yield [
            "painting, frames of 256 px a second on two cores",
            told(found["frames_per_second"], found["mark"], least=True),
            script,
        ]
    if found := read("semi_speed"):
        for name, row in found["rows"].items():
            yield [f"a step of semi, {name}, x its passes", told(row["ratio"], found["mark"]), "semi_speed"]
    if found := read("resume"):
        yield [
            f"{found['kills']} SIGKILLs, then finished",
            "the same bytes" if found["equal"] else "NOT the same",
            "resume",
        ]


def against_volumes() -> Iterator[list[str]]:
    """Of volumes, with the marks of the processor that measured."""
    for script, found in with_and_without_units("nnunet_speed"):
        step, prepare = (told(found[name]["ratio"], found["marks"][name], least=True) for name in ("step", "prepare"))
        yield ["3-D training step, voxels/s, x nnU-Net", step, script]
        sides = " x ".join(map(str, reversed(found["prepare"]["shape"])))
        yield [
            f"scan and prepare {found['prepare']['volumes']} volumes of {sides}, x nnU-Net",
            prepare,
            script,
        ]
    for script, found in with_and_without_units("window_speed"):
        sides = " x ".join(map(str, found["shape"]))
        yield [f"predict {sides}, x MONAI", told(found["ratio"], found["mark"], least=True), script]
        yield ["the same, peak memory, GiB", told(found["peak_gib"]["ours"], found["most"]), script]
    if bias := read("bias_speed"):
        apart = statistics.median(row["apart"] for row in bias["rows"])
        yield ["N4, x the reference call's speed", f"{bias['ratio']:.1f}", "bias_speed"]
        yield ["the same, how far apart the results lie", f"{apart:.2%}", "bias_speed"]


def details() -> Iterator[str]:
    if found := read("scan_speed"):
        yield f"## Scan\n\n{found['processes']} processes, the peer on as many.\n"
        yield from rows(
            ["dataset", "files", "scan, s", "decoding alone, s", "ratio"],
            [
                [name, str(row["files"]), f"{row['scan_s']:.2f}", f"{row['decode_s']:.2f}", f"{row['ratio']:.2f}"]
                for name, row in found["sets"].items()
            ],
        )
    if found := read("scan_memory"):
        yield from rows(
            ["images", "peak, MiB", "s"],
            [[f"{r['images']:,}", f"{r['peak_bytes'] / 2**20:.0f}", f"{r['seconds']:.1f}"] for r in found["rows"]],
        )
        yield f"{found['bytes_per_image'] / 1024:.1f} KiB for each further image, 4 of them the thumbnail.\n"
    if found := read("leak_scaling"):
        yield "## Leak search\n"
        yield from rows(
            ["images", "s", "us / (n log2 n)", "planted copies found", "others"],
            [
                [f"{r['images']:,}", f"{r['seconds']:.2f}", f"{r['us_per_n_log_n']:.1f}", f"{r['found']} of {r['planted']}",
                 str(r["others"])]
                for r in found["rows"]
            ],
        )  # fmt: skip
    if found := read("leak_recall"):
        yield from rows(
            ["dataset", "images", "hidden copies found", "exact", "copies", "frames"],
            [
                [
                    name,
                    str(r["images"]),
                    f"{r['recall_of_hidden_copies']:.1%}",
                    str(r["exact"]),
                    str(r["copy"]),
                    str(r["frame"]),
                ]
                for name, r in found["sets"].items()
            ],
        )
        yield "How many of them are real: [docs/leaks.md](../docs/leaks.md).\n"
    if found := read("prepare_speed"):
        yield "## Store\n"
        yield from rows(
            ["dataset", "images", "long side", "prepare, s", "decode and resize, s", "ratio", "reading, x decoding"],
            [
                [name, str(r["images"]), str(r["size"]), f"{r['prepare_s']:.2f}", f"{r['decode_and_resize_s']:.2f}",
                 f"{r['ratio']:.2f}", f"{r['reading_ratio']:.0f}"]
                for name, r in found["sets"].items()
            ],
        )  # fmt: skip
        yield (
            "`as published` are skin images enlarged again to 1024 x 768; the other copies are small (320 to 448 px), so that "
            "their decoding costs little and the fixed costs weigh most.\n"
        )


def speed() -> Iterator[str]:
    for _, found in with_and_without_units("train_speed"):
        yield (
            f"## Training, {found['machine']['cpu']}\n\nImages a second, medians; last, GFLOP/s of a bare step and of a large "
            "matrix product.\n"
        )
        yield from rows(
            ["network", "Segue", "script", "script at its best", "whole epochs", "script", "Segue ran", "step", "product"],
            [
                [name, *(f"{row['steady'][side]:.2f}" for side in ("ours", "default", "best")),
                 *(f"{row['epoch'][side]:.2f}" for side in ("ours", "default")), row["how"]["ours"],
                 f"{row['gflops']['step']:.0f}", f"{row['gflops']['product']:.0f}"]
                for name, row in found["rows"].items()
            ],
        )  # fmt: skip
        waits = max(row["peer_waits_for_its_loader"] for row in found["rows"].values())
        yield f"The script waits for its loader {waits:.1%} of the time at most: it is bound by the network.\n"
    for _, found in with_and_without_units("predict_speed"):
        yield (
            f"## Prediction, {found['machine']['cpu']}\n\nSeconds of the processor an image on one thread, a folder of JPEG "
            "files to PNG masks; `rest` is the share that is not the network.\n"
        )
        yield from rows(
            ["network", "Segue", "script", "ratio", "with flips", "rest"],
            [
                [name, *(f"{row['seconds'][side]:.3f}" for side in ("ours", "theirs")), f"{row['ratio']:.2f}",
                 f"{row['seconds']['views']:.3f}", f"{row['rest']:.0%}"]
                for name, row in found["rows"].items()
            ],
        )  # fmt: skip
        if not found["bf16"]:
            yield IN_THE_WAY


def quality() -> Iterator[str]:
    """Each run as it came, then what may be said of them."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((RESULTS / "quality").glob("*.json"))]
    if not found:
        return
    sets = list(found[0]["sets"])
    yield (
        "## Quality\n\n`quality`: kvasir-seg's training images, U-Net on resnet18 from nothing at 128 px, eight minutes each, "
        "and Segue for as many passes as the script had made. Mean Dice over patients of cases with a polyp, in the images' "
        "own sizes. Segue's trainings for equal clock were repeated to the byte and judged again after prediction had "
        "stopped to compute rows of padding, which changes nothing on validation and little elsewhere. The script squeezes "
        "images into the square, as whoever made these copies of kvasir-seg has squeezed them; Segue keeps their shape, "
        "so that images of other hospitals look less like those that it learnt from.\n"
    )
    yield from rows(
        ["for equal", "side", "seed", "passes", "minutes in all", *sets],
        [
            [row["kind"], row["side"], str(row["seed"]), f"{16 * row['steps']:,}", f"{row['seconds'] / 60:.1f}",
             *(f"{row['sets'][name]['means']['dice']:.3f}" for name in sets)]
            for row in found
        ],
    )  # fmt: skip
    for row in found:
        if row["kind"] == "long":
            dice = [epoch["dice"] for epoch in row["validation"]]
            shown = ", ".join(f"{one:.2f}" for one in dice[:: max(1, len(dice) // 12)])
            minutes, taken = row["length"]["minutes"], row["seconds"] / 60
            yield (
                "`long` is what this network, from nothing and at this size, reaches here in the steps that were reckoned to "
                f"take {minutes:g} minutes ({taken:.0f} beside other work): Dice on validation along the way {shown}, and "
                f"{max(dice):.3f} at its best.\n"
            )
    for kind, by_set in (read("quality") or {}).get("said", {}).items():
        yield f"For equal {kind}:\n"
        for name, said in by_set.items():
            yield f"* {name}: {said['sentence']}"
        yield ""


def volumes() -> Iterator[str]:
    found = {path.stem: json.loads(path.read_text()) for path in sorted((RESULTS / "volumes").glob("*.json"))}
    if not found:
        return
    yield (
        "## Volumes\n\n`volumes`: whole volumes of held-back patients (hippocampus: images, no patient is known), on their "
        "own grids. Mean Dice with the interval of its mean; minutes of training by the log's own speed.\n"
    )
    cells = []
    for name, row in found.items():
        scores = [
            f"{title} {one['means']['dice']:.3f} ({one['intervals']['dice'][0]:.3f} to {one['intervals']['dice'][1]:.3f})"
            for title, one in row["classes"].items()
        ]
        minutes = f"{row['curve'][-1]['minutes']:.0f}" if row["curve"] else "-"
        cells.append(
            [name, row["told"], f"{row['parameters'] / 1e6:.1f} M", minutes, str(row["cases"]), "<br>".join(scores)]
        )
    yield from rows(["row", "what", "parameters", "minutes", "test volumes", "Dice"], cells)
    if {"hippocampus-slices-fine", "acdc-scribbles-ce"} <= set(found):
        yield (
            "Two rows are tries that did not help. Finer pixels were to give a network whose stem halves the image "
            "finer features; slice by slice the hippocampus stays near .86 all the same. And cross-entropy, which counts "
            "every pixel of a stroke, was to learn the background better than Dice over strokes; it learns it worse. What "
            "helps scribbles: an image's own prediction, weakly varied, is followed strongly varied: `--method semi`.\n"
        )
    yield from speed_on_volumes()
    for name, row in found.items():
        along = ", ".join(f"{point['minutes']:.0f} min {point['dice']:.3f}" for point in row["curve"])
        yield f"`{name}`, validation Dice along the way: {along}.\n"


def speed_on_volumes() -> Iterator[str]:
    if found := read("nnunet_speed"):
        step, prepare = found["step"], found["prepare"]
        per_second = {side: f"{speed:,.0f}" for side, speed in step["voxels_per_second"].items()}
        peak = {side: size / 2**30 for side, size in step["peak_bytes"].items()}
        yield (
            f"Against nnU-Net 2.8: its own plan for the hippocampus ({' x '.join(map(str, step['patch']))} voxels, "
            f"{step['batch']} at once, {step['parameters'] / 1e6:.1f} M parameters) takes {per_second['theirs']} voxels a "
            f"second there and {per_second['ours']} here ({step['how']}), with {peak['theirs']:.2f} and {peak['ours']:.2f} "
            f"GiB at the peak; it waits for its patches {step['waited']:.1%} of the time. Preparing "
            f"{prepare['volumes']} volumes takes {prepare['seconds']['theirs']:.0f} s there; here "
            f"{prepare['seconds']['ours']:.0f} s with the scan, {prepare['preparing']:.0f} s without.\n"
        )
    if found := read("first_dice"):
        dice = " and ".join(f"{value:.3f} ({name})" for name, value in found["dice"].items())
        steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in found["seconds"].items())
        yield (
            f"From bare files to the first Dice of whole held-back volumes ({found['cases']} of the hippocampus, a network of "
            f"1.4 M parameters in {found['steps']} steps): {sum(found['seconds'].values()) / 60:.1f} minutes ({steps}), "
            f"{dice}. nnU-Net tells one when it has trained to its end.\n"
        )
    if found := read("window_speed"):
        seconds, peak = found["seconds"], found["peak_gib"]
        dice = ": the network has hardly learnt, and what it says depends on where its windows stand"
        if "dice" in found:
            dice = f" (Dice of two organs {_numbers(found['dice']['theirs'])} and {_numbers(found['dice']['ours'])})"
        yield (
            f"Against MONAI's sliding window, the same network and overlap, from file to file: {seconds['theirs']:.0f} s "
            f"there and {seconds['ours']:.0f} s here, {peak['theirs']:.2f} and {peak['ours']:.2f} GiB at the peak; the masks "
            f"differ in {found['differing']:.0%} of the voxels{dice}. The air around is left away here, which is "
            f"{found['left_away']:.0%} of the voxels.\n"
        )
    if found := read("bias_speed"):
        yield "N4 on a shrunk copy against the reference call on all voxels, one thread:\n"
        yield from rows(
            ["volume", "shape", "reference, s", "Segue, s", "it corrects", "apart", "unevenness before, reference, Segue"],
            [
                [row["name"], " x ".join(map(str, row["shape"])), f"{row['seconds']['theirs']:.1f}",
                 f"{row['seconds']['ours']:.1f}", f"{row['correction']:.1%}", f"{row['apart']:.2%}",
                 ", ".join(f"{value:.3f}" for value in row.get("unevenness", {}).values()) or "-"]
                for row in found["rows"]
            ],
        )  # fmt: skip
        first, then = found["stores"]["first"], found["stores"]["next"]
        yield f"A store with N4 took {first:.1f} s; another of another spacing after it {then:.1f} s: the field is kept.\n"


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def phantoms() -> Iterator[str]:
    if found := read("phantom_speed"):
        yield "## Phantoms\n\nCases a second, one process with one thread.\n"
        yield from rows(
            ["phantom", "site", "in memory", "onto disk"],
            [[r["phantom"], r["site"], f"{r['memory']:.0f}", f"{r['disk']:.0f}"] for r in found["rows"]],
        )
    for name in ("colon", "skin"):
        if found := read(f"phantom_hardness_{name}"):
            sites = list(found["rows"][0]["sites"])
            yield (
                f"Hardness of `{name}`: a U-Net of {found['parameters']:,} parameters, {found['steps']} steps at "
                f"{found['size'][1]} x {found['size'][0]}, trained on {found['source']}; Dice on frames with a lesion, and "
                "how often something is found where nothing is.\n"
            )
            cells = []
            for row in found["rows"]:
                cell = [f"{row['sites'][s]['dice']:.3f}, {_false(row['sites'][s])}" for s in sites]
                cells.append([str(row["labels"]), str(row["seed"]), *cell])
            yield from rows(["masks", "seed", *sites], cells)


def _false(site: dict[str, Any]) -> str:
    return f"{site['false']:.2f}" if site["without"] else "-"


def main() -> None:
    text = "\n".join(
        [
            HEAD,
            *marks(),
            *speed(),
            *quality(),
            *volumes(),
            *few_labels(),
            *next_hospital(),
            *audits(),
            *adapting(),
            *details(),
            *phantoms(),
        ]
    )
    path = Path(__file__).parent / "README.md"
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
