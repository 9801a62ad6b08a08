"""Settings: pydantic models, YAML files, `--set a.b=c`; "auto" is resolved once and written back.

class PrepareSettings(Settings):
    size: Annotated[int, Field(ge=16)] | Auto = "auto"

settings = load(PrepareSettings, file, ["size=512"])
settings = settings.resolve(size=384)      # only fills what is still "auto"
write_yaml(path, settings.model_dump(mode="json"))
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from segue.errors import BadInput, nearest
from segue.files import atomic

Auto = Literal["auto"]


class Strict(BaseModel):
    """Frozen, and every key must be known."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Settings(Strict):
    """What a verb can be told. Fields typed `... | Auto` may be left to the data or the machine."""

    def resolve(self, **found: object) -> Self:
        """Fill fields that are still "auto"; what the user set stays."""
        chosen = {key: value for key, value in found.items() if getattr(self, key) == "auto"}
        return self.model_validate({**self.model_dump(), **chosen})


S = TypeVar("S", bound=BaseModel)


def load(model: type[S], file: Path | None = None, overrides: Iterable[str] = ()) -> S:
    """Settings from a YAML file, then `key=value` overrides on top."""
    given = read_yaml(file) if file is not None else {}
    for pair in overrides:
        _override(given, pair)
    return validate(model, given, where=str(file) if file is not None else "settings")


def validate(model: type[S], given: Mapping[str, Any], *, where: str) -> S:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadInput(f"{where}: {_first_problem(model, error)}") from None


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *parents, last = (str(part) for part in problem["loc"])
        return f"unknown key {key!r}: {nearest(last, _fields(model, parents), before=''.join(f'{one}.' for one in parents))}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing"
    key = ".".join(str(part) for part in problem["loc"] if not _OF_A_UNION.search(str(part)))
    return f"key {key!r}: {problem['msg'].lower()}, got {_short.repr(problem['input'])}"


# Where a value may be of several types, pydantic puts the one that it tried into the key's path.
_OF_A_UNION = re.compile(r"^(constrained-)?(int|float|str|bool)$|[\[(]")
_short = reprlib.Repr()  # YAML's references can make a value that is endless in print
_short.maxlevel, _short.maxstring, _short.maxother = 2, 80, 80


def _fields(model: type[BaseModel], parents: Iterable[str]) -> list[str]:
    for parent in parents:
        field = model.model_fields.get(parent)
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        kind = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if kind is None:
            return []
        model = kind
    return list(model.model_fields)


def _override(given: dict[str, Any], pair: str) -> None:
    key, equals, text = pair.partition("=")
    if not equals or not key.strip():
        raise BadInput(f"--set {pair!r} is not of the form key=value")
    *parents, last = key.strip().split(".")
    place = given
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise BadInput(f"--set {pair!r}: {parent!r} holds a value and has no keys below it")
    place[last] = plain(text)


def plain(text: str) -> Any:
    """A word of a command or a cell of a table as a setting's value: what YAML makes of it, else itself."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which a key that stands twice is an error, not a silent override; on, off, yes and no are words
    and 1e-5 is a number, as they are since YAML 1.2."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML has it
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            try:
                twice = key in seen
            except TypeError:
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: a key must be a plain word") from None
            if twice:
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: key {key!r} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506  a SafeLoader
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: is not valid YAML ({' '.join(str(error).split())})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"{path}: must hold keys and values, not a {type(content).__name__}")
    return content


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    with atomic(path) as file:
        yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True, width=110)
