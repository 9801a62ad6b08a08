"""What the values of a mask mean: found from the masks, or told by the user, written on the card, applied in one place.

Masks come as 0/255, as class ids, as colours, anti-aliased, or as JPEG with noise around every edge. Each mask is
summarised by itself (`summarise`), a rule is found for all of them (`infer`), and a mask that does not fit the rule is
refused with the values that it holds. In doubt nothing is guessed: the refusal shows how to say it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.errors import BadInput

_FEW = 32  # values that are listed one by one
_LARGEST_ID = 63  # a small whole number is a class id, not a shade
_EDGE = 32  # grey levels from black or white that JPEG noise reaches
_FLAT_SHARE = 0.002  # of the pixels may be even grey inside, before grey is taken for a class of its own
_AROUND = np.ones((3, 3), np.uint8)
_LEVELS = 8  # so few values are no noise: not one grey pixel may be even inside
_SOLID = 5  # pixels a side: noise around an edge is thinner

Classes = dict[int, str]


@dataclass(frozen=True)
class Labels:
    """From raw values to class ids. A plain dataclass: workers read masks by it, and start faster without pydantic."""

    how: Literal["threshold", "values", "colours"]
    threshold: int = 127  # above it is foreground
    told: bool = False  # the threshold was told by the user, and cuts whatever greys there are
    values: dict[int, int] = field(default_factory=dict)  # raw value -> class id, or 255: does not count
    colours: dict[str, int] = field(default_factory=dict)  # "#rrggbb" -> class id; the nearest colour counts

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  of the card that holds it

    def __post_init__(self) -> None:
        if (self.how == "values" and not self.values) or (self.how == "colours" and not self.colours):
            raise ValueError(f"{self.how} are missing")
        wrong = [number for number in (*self.values.values(), *self.colours.values()) if not 0 <= number <= IGNORE]
        if wrong:
            raise ValueError(f"class ids go from 0 to {IGNORE}, not to {wrong[0]}")
        for colour in self.colours:
            if not re.fullmatch("#[0-9a-f]{6}", colour):
                raise ValueError(f"{colour!r} is not a colour of the form #rrggbb")


def apply(labels: Labels, raw: npt.NDArray[Any], *, checked: bool = False) -> npt.NDArray[np.uint8]:
    """Class ids of one mask; IGNORE where the rule says so. Raises with the values and their pixels if one is not known.

    `checked`: it is known already that the rule fits.
    """
    if labels.how == "colours":
        if raw.dtype != np.uint8:
            raise BadInput(f"holds {raw.dtype} numbers, where the colours {_meaning(labels)} were expected")
        return _nearest_colour(labels.colours, raw)
    if raw.ndim == 3:
        raise BadInput(f"holds colours ({_told(summarise(raw))}), where {_meaning(labels)} was expected")
    if labels.how == "threshold":
        if not checked and not (labels.told and np.isfinite(raw).all()) and not _fits(labels, summarise(raw)):
            raise BadInput(f"holds values that are neither black nor white: {_told(summarise(raw))}")
        return np.asarray(raw > labels.threshold, np.uint8)
    known = np.array(sorted(labels.values))
    places = np.searchsorted(known, raw).clip(0, len(known) - 1)
    if not np.array_equal(known[places], raw):
        raise BadInput(f"holds values that stand for no class: {_told(summarise(raw))}; known are {_meaning(labels)}")
    return np.asarray(np.array([labels.values[int(value)] for value in known], np.uint8)[places], np.uint8)


def _nearest_colour(colours: Mapping[str, int], raw: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    pixels = raw if raw.ndim == 3 else np.repeat(raw[..., None], 3, axis=2)
    distances = np.stack([np.abs(pixels.astype(np.int16) - _rgb(colour)).sum(axis=2) for colour in colours])
    nearest = distances.argmin(axis=0)
    far = (distances.min(axis=0) > 3 * 64).astype(np.uint8)
    if far.mean() > 0.02 or cv2.erode(far, np.ones((_SOLID, _SOLID), np.uint8)).any():
        raise BadInput(f"{int(far.sum()):,} of its pixels are far from every known colour: {_told(summarise(raw))}")
    return np.asarray(np.array(list(colours.values()), np.uint8)[nearest], np.uint8)


def _rgb(colour: str) -> npt.NDArray[np.int16]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.int16)


def summarise(raw: npt.NDArray[Any]) -> dict[str, Any]:
    """Of one mask, JSON-able and small: the values and their pixels when they are few, else what shades there are."""
    size = int(raw.shape[0] * raw.shape[1])
    if raw.ndim == 3:
        packed = raw[..., 0].astype(np.uint32) << 16 | raw[..., 1].astype(np.uint32) << 8 | raw[..., 2]
        values, counts = np.unique(packed, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:_FEW]
        named = [[f"#{int(values[i]):06x}", int(counts[i])] for i in most]
        return {"kind": "colour", "size": size, "distinct": len(values), "values": named}
    if raw.dtype == np.uint8:
        histogram = cv2.calcHist([raw], [0], None, [256], [0, 256]).ravel().astype(np.int64)
        values = np.flatnonzero(histogram)
        counts = histogram[values]
    else:
        values, counts = np.unique(raw, return_counts=True)
    whole = raw.dtype.kind in "iub" or bool((np.isfinite(values) & (values == np.rint(values))).all())
    kind = "grey" if whole else "fraction"
    most = np.argsort(-counts, kind="stable")[:_FEW]
    named = sorted([int(values[i]) if whole else float(values[i]), int(counts[i])] for i in most)
    summary: dict[str, Any] = {"kind": kind, "size": size, "distinct": len(values), "values": named}
    if len(values) > 2 and kind == "grey":
        summary["most"] = int(values[-1])
        summary["high"] = int(counts[values > 127].sum())
        summary["low"] = int(counts[values < _EDGE].sum())
        summary["bright"] = int(counts[values > 255 - _EDGE].sum())
        summary["flat"] = _flat(raw)
    return summary


def measured(labels: Labels | None, raw: npt.NDArray[Any]) -> dict[str, Any]:
    """What a scan keeps of one mask: how much of which class, or where no rule is known yet, its summary."""
    if labels is None:
        return {"mask": summarise(raw)}
    ids, counts = np.unique(apply(labels, raw), return_counts=True)
    return {
        "classes": [[int(number), int(count)] for number, count in zip(ids, counts, strict=True)],
        "foreground": float(counts[(ids != 0) & (ids != IGNORE)].sum() / (raw.shape[0] * raw.shape[1])),
    }


def _flat(raw: npt.NDArray[Any]) -> int:
    """Pixels of a middle grey whose whole neighbourhood has the same grey: edges and noise have none, a class has many."""
    middle = ((raw >= _EDGE) & (raw <= 255 - _EDGE)).astype(np.uint8)
    if not middle.any():
        return 0
    shades = raw if raw.dtype == np.uint8 else raw.astype(np.float32)
    even = cv2.dilate(shades, _AROUND) == cv2.erode(shades, _AROUND)
    return int((even & (middle > 0)).sum())


def _exact(summary: Mapping[str, Any]) -> set[float]:
    return {value for value, _ in summary["values"]}


def _noisy(summary: Mapping[str, Any]) -> bool:
    """Black and white with the greys of JPEG or of smoothed edges between."""
    if summary["distinct"] <= _FEW and _exact(summary) - {255} <= set(range(_LARGEST_ID + 1)):
        return False  # class ids, and 255 for what does not count: noise lies on both sides
    noise_floor = summary["low"] + summary["bright"] >= 0.8 * summary["size"]
    flat = _FLAT_SHARE * summary["size"] if summary["distinct"] > _LEVELS else 0
    return bool(noise_floor and summary["flat"] <= flat)


def _kind(summary: Mapping[str, Any]) -> str:
    if summary["kind"] == "colour":
        return "colours"
    if summary["kind"] == "fraction":
        return "fractions"
    exact, many = _exact(summary), summary["distinct"] > _FEW
    if exact == {0}:
        return "empty"
    if not many and exact <= {0, 255}:
        return "black and white"
    if not many and max(exact) <= _LARGEST_ID and min(exact) >= 0:
        return "ids"
    if summary["distinct"] <= 2 and min(exact) == 0:
        return f"0 and {int(max(exact))}"
    if summary["distinct"] > 2 and summary["most"] <= 255 and _noisy(summary):
        return "noisy black and white"
    return "unclear"


def infer(summaries: Mapping[str, Mapping[str, Any]], *, foreground: str = "") -> tuple[Labels | None, Classes, str]:
    """The rule that most masks follow, the classes' names, and the rule in words; None when nothing is labelled or clear.

    `summaries` are by file; which of them do not fit shows `refused`.
    """
    kinds = Counter(_kind(summary) for summary in summaries.values())
    noisy = kinds["noisy black and white"]
    speaking = Counter({kind: count for kind, count in kinds.items() if kind != "empty"})
    if noisy:  # noise and plain are one rule
        speaking["black and white"] += speaking.pop("noisy black and white")
    name = foreground or "foreground"
    if not speaking:
        if not summaries:
            return None, {}, "no masks"
        return Labels(how="threshold"), {0: "background", 1: name}, "all masks are empty: 0 is background"
    kind = min(speaking, key=lambda kind: (-speaking[kind], kind))  # of equally many, the same every time
    if kind == "black and white":
        told = f"0 and 255: background and {name}"
        if noisy:
            told += f"; grey from JPEG or smoothed edges in {noisy:,} masks, cut at 127"
        return Labels(how="threshold"), {0: "background", 1: name}, told
    if kind == "ids":
        ids = sorted(
            {
                int(value)
                for summary in summaries.values()
                if _kind(summary) in ("ids", "empty")
                for value in _exact(summary)
            }
            | {0}
        )
        if ids == [0, 1]:
            return (
                Labels(how="values", values={0: 0, 1: 1}),
                {0: "background", 1: name},
                f"0 and 1: background and {name}",
            )
        classes = {0: "background"} | {value: f"class {value}" for value in ids if value}
        return (
            Labels(how="values", values={value: value for value in ids}),
            classes,
            f"class ids {', '.join(map(str, ids))}",
        )
    if kind.startswith("0 and "):
        value = int(kind.removeprefix("0 and "))
        rule = Labels(how="values", values={0: 0, value: 1})
        return rule, {0: "background", 1: name}, f"0 and {value}: background and {name}"
    return None, {}, f"{kind}, in {speaking[kind]:,} masks"


def refused(labels: Labels | None, summaries: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """(file, reason) of masks that the rule does not explain."""
    for file, summary in summaries.items():
        if labels is None or not _fits(labels, summary):
            yield file, f"its values are not understood: {_told(summary)}" + _how_to_say(labels, summary)


def _fits(labels: Labels, summary: Mapping[str, Any]) -> bool:
    kind = _kind(summary)
    if labels.how == "threshold":
        return kind in ("empty", "black and white", "noisy black and white")
    listed = summary["kind"] == "grey" and summary["distinct"] == len(summary["values"])
    return labels.how == "values" and listed and _exact(summary) <= set(labels.values)


def foreground_share(labels: Labels, summary: Mapping[str, Any]) -> float:
    if labels.how == "threshold":
        if "high" in summary:
            return float(summary["high"] / summary["size"])
        return float(sum(count for value, count in summary["values"] if value > 127) / summary["size"])
    counted = sum(count for value, count in summary["values"] if labels.values[int(value)] not in (0, IGNORE))
    return float(counted / summary["size"])


def classes_in(labels: Labels, summary: Mapping[str, Any]) -> set[int]:
    if labels.how == "threshold":
        share = foreground_share(labels, summary)
        return {number for number, present in ((0, share < 1), (1, share > 0)) if present}
    return {labels.values[int(value)] for value, _ in summary["values"]}


def _told(summary: Mapping[str, Any]) -> str:
    shown = sorted(summary["values"], key=lambda pair: -pair[1])[:6]
    named = [(f"{value:g}" if isinstance(value, float) else value, count) for value, count in shown]
    text = ", ".join(f"{value}: {count:,} px" for value, count in named)
    more = summary["distinct"] - len(shown)
    return text + (f", and {more} more values" if more > 0 else "")


def _how_to_say(labels: Labels | None, summary: Mapping[str, Any]) -> str:
    if labels is not None or summary["distinct"] > _FEW or summary["kind"] == "fraction":
        return ""
    example = ",".join(
        f"{value}={'background' if i == 0 else f'class{i}'}" for i, (value, _) in enumerate(summary["values"][:4])
    )
    return f" (say what they mean: --labels {example})"


def _meaning(labels: Labels) -> str:
    if labels.how == "threshold":
        return "black and white"
    return ", ".join(map(str, labels.values or labels.colours))


def parse(words: str) -> tuple[Labels, Classes]:
    """`0=background,127=stroma,255=tumour`, `#000000=background,#ff0000=polyp`, `255=ignore`, `above 100=polyp`."""
    pairs = [part.partition("=") for part in words.split(",") if part.strip()]
    if not pairs or any(not equals or not value.strip() or not name.strip() for value, equals, name in pairs):
        raise BadInput(f"--labels {words!r}: write VALUE=NAME, parted by commas, e.g. 0=background,255=polyp")
    told = [(value.strip().lower(), name.strip()) for value, _, name in pairs]
    if len(told) == 1 and told[0][0].startswith("above "):
        threshold = _whole_number(words, told[0][0].removeprefix("above "))
        return Labels(how="threshold", threshold=threshold, told=True), {0: "background", 1: told[0][1]}
    values = [value if value.startswith("#") else _whole_number(words, value) for value, _ in told]
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise BadInput(f"--labels {words!r}: {twice} stands twice")
    names = dict(zip(values, (name for _, name in told), strict=True))
    if names.keys() == {0, 255} and names[0] == "background" and names[255] not in ("background", "ignore"):
        # Black and white, of which JPEG masks are a noisy kind.
        return Labels(how="threshold"), {0: "background", 1: names[255]}
    return _from_pairs(names.items())


def from_names(named: Mapping[str, int | str | tuple[int, ...]]) -> tuple[Labels, Classes]:
    """Class name -> raw value, values, or colour; 'background' is class 0 and 'ignore' does not count, whatever their
    order."""
    several = ((value if isinstance(value, tuple) else (value,), name) for name, value in named.items())
    return _from_pairs((value, name) for values, name in several for value in values)


def _from_pairs(pairs: Iterable[tuple[int | str, str]]) -> tuple[Labels, Classes]:
    """Several values may stand for one class."""
    pairs = list(pairs)
    ids: dict[str, int] = {"background": 0}
    for _, name in pairs:
        if name != "ignore":
            ids.setdefault(name, len(ids))
    if len(ids) > IGNORE:
        raise BadInput(f"{len(ids)} classes are more than there can be ({IGNORE})")
    classes = {number: name for name, number in ids.items()}
    by_value = {value: IGNORE if name == "ignore" else ids[name] for value, name in pairs}
    if any(isinstance(value, str) for value in by_value):
        return Labels(how="colours", colours={_colour(value): number for value, number in by_value.items()}), classes
    return Labels(how="values", values={int(value): number for value, number in by_value.items()}), classes


def _colour(value: int | str) -> str:
    text = str(value).lower()
    if len(text) != 7 or text[0] != "#" or any(digit not in "0123456789abcdef" for digit in text[1:]):
        raise BadInput(f"{value!r} is not a colour of the form #rrggbb")
    return text


def _whole_number(words: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"--labels {words!r}: {text!r} is neither a whole number nor a colour like #ff0000") from None
