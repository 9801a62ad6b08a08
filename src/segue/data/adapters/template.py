"""A layout in the user's own words: `--image "img/{case}.jpg" --mask "gt/{case}_seg.png"`.

{case}, {patient}, {site} and {time} stand for a part of one name and fill the columns of that name; {any} stands for
anything, or nothing, within one name. A field that stands twice must read the same twice.
"""

from __future__ import annotations

import re
import string
from collections import Counter

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.pairing import Key, pair
from segue.data.case import Case
from segue.data.tree import File, Tree
from segue.errors import BadInput, nearest

COLUMNS = ("case", "patient", "site", "time")
ANY = "any"


class _Template:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\\", "/").removeprefix("./")
        self.fields: list[str] = []
        try:
            pieces = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise BadInput(f"template {text!r}: {error}") from None
        pattern = ""
        for number, (literal, field, spec, conversion) in enumerate(pieces):
            pattern += re.escape(literal)
            if field is None:
                continue
            if field not in (*COLUMNS, ANY):
                raise BadInput(f"template {text!r}: no field is called {{{field}}}; {nearest(field, (*COLUMNS, ANY))}")
            if spec or conversion:
                raise BadInput(f"template {text!r}: {{{field}}} stands without ':' or '!'")
            if number and not literal:
                raise BadInput(f"template {text!r}: something must stand between two fields, before {{{field}}}")
            if field == ANY:
                pattern += "[^/]*"
            elif field in self.fields:
                pattern += f"(?P={field})"
            else:
                self.fields.append(field)
                pattern += f"(?P<{field}>[^/]+)"
        if not self.fields:
            raise BadInput(f"template {text!r}: needs a field such as {{case}}")
        self.pattern = re.compile(pattern)

    def match(self, path: str) -> dict[str, str] | None:
        match = self.pattern.fullmatch(path)
        return match.groupdict() if match else None

    def key(self, fields: list[str]) -> Key:
        """These fields of a path, as one name."""

        def key(file: File) -> str | None:
            values = self.match(file.path)
            return "/".join(values[field] for field in fields) if values else None

        return key


def from_templates(image: str, mask: str | None) -> Adapter:
    images, masks = _Template(image), _Template(mask) if mask is not None else None
    if masks:
        if images.text == masks.text:
            raise BadInput(f"template {image!r} stands for the images and for the masks")
        unknown = [field for field in masks.fields if field not in images.fields]
        if unknown:
            raise BadInput(f"template {mask!r}: {{{unknown[0]}}} does not stand in {image!r}")

    def recognise(tree: Tree) -> str | None:
        count = sum(images.match(file.path) is not None for file in tree.files)
        return f"{count} files are called like {image!r}" if count else None

    def read(tree: Tree) -> Reading:
        of_masks = [file for file in tree.files if masks and masks.match(file.path)]
        # Where one file fits both, the mask's template is the stricter word: x_seg.png fits {case}.png as well.
        taken = set(of_masks)
        of_images = [file for file in tree.files if file not in taken and images.match(file.path)]
        for template, files in ((images, of_images), (masks, of_masks)):
            if template and not files:
                example = f", but for example {tree.files[0].path!r}" if tree.files else ""
                raise BadInput(f"no file is called like {template.text!r}{example}")
        shared = masks.fields if masks else images.fields
        image_key, mask_key = images.key(shared), masks.key(shared) if masks else None
        reading = pair(of_images, of_masks, image_key=image_key, mask_key=mask_key or image_key)
        return Reading(_named([_filled(case) for case in reading.cases]), reading.bad)

    def _filled(case: Case) -> Case:
        values = images.match(case.images[0]) or {}
        return case.with_(**values) if "case" in values else case.with_(**values, case="/".join(values.values()))

    def _named(cases: list[Case]) -> list[Case]:
        """{case} where it tells the cases apart, else all fields together."""
        if max(Counter(case.case.lower() for case in cases).values(), default=1) == 1:
            return cases
        return [case.with_(case="/".join((images.match(case.images[0]) or {}).values())) for case in cases]

    return Adapter(
        name="template",
        recognise=recognise,
        read=read,
        patients_from="{patient} in the template" if "patient" in images.fields else "",
        sites_from="{site} in the template" if "site" in images.fields else "",
    )
