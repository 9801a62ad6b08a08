"""How verbs speak: people get lines, machines get JSON on standard output, errors are one sentence and an exit code."""

from __future__ import annotations

import json
import os
import shlex
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from segue.errors import SegueError, in_words

if TYPE_CHECKING:
    from segue.config import Settings

S = TypeVar("S", bound="Settings")

INTERRUPTED = 130  # what shells expect after Ctrl-C; else 0 done, 1 failed, 2 bad input

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes; 0 works in this one.", show_default="as the machine allows")
]
On = Annotated[
    str,
    typer.Option(
        metavar="ENGINE", help="Where: local; ray, ray:HOST:PORT; slurm, slurm:partition=NAME,time=MINUTES,..."
    ),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set any setting; may be given often.")
]
Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings from a YAML file.")]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]

SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without cases that cannot be read.")]
Same = Annotated[
    list[str] | None,
    typer.Option(metavar="THEIRS=OURS", help="A class that is called otherwise there; may be given often."),
]

# Of what trains, with masks or without; each None where nobody says.
Minutes = Annotated[float | None, typer.Option(help="How long, turned into steps beforehand.")]
Looks = Annotated[
    int | None,
    typer.Option(help="Or: so many images looked at, each view one; of any method and machine the same work."),
]
Seed = Annotated[int | None, typer.Option(help="Another seed, another run.", show_default="0")]
Devices = Annotated[int | None, typer.Option(help="Processes that share a batch.", show_default="1")]
Track = Annotated[
    list[str] | None,
    typer.Option(metavar="TRACKER", help="Write curves to: tensorboard, wandb. May be given often."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Replace the run that lies there.")]
RunOut = Annotated[Path | None, typer.Option(help="The run's folder.", show_default="runs/ and a name")]


@contextmanager
def errors_told(as_json: bool, debug: bool) -> Iterator[None]:
    try:
        yield
    except SegueError as error:
        if debug:
            raise
        _complain(as_json, error.message, error.hint)
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:  # `segue ... | head`: what is still to be flushed goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        stopped()
        raise typer.Exit(INTERRUPTED) from None
    except typer.Exit:
        raise
    except Exception as error:
        if debug:
            raise
        told = f"something went wrong that should not have: {in_words(error)}"
        _complain(as_json, told, "--debug shows where; please report it.")
        raise typer.Exit(1) from None


def stopped() -> None:
    print("\nStopped. The same command goes on with what was kept, or begins anew.", file=sys.stderr)


def _complain(as_json: bool, message: str, hint: str | None) -> None:
    if as_json:
        print(json.dumps({"error": message, "hint": hint}, ensure_ascii=False))
    print(printable(f"segue: {message}"), file=sys.stderr)
    if hint:
        print(printable(f"       {hint}"), file=sys.stderr)


def as_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, indent=2, ensure_ascii=False), flush=True)


def say(*lines: str) -> None:
    for line in lines:
        print(printable(line), flush=True)


def wrapped(sentence: str) -> list[str]:
    """In lines that a terminal shows whole, set in by two."""
    return textwrap.wrap(sentence, 110, initial_indent="  ", subsequent_indent="    ", break_long_words=False)


def printable(text: str) -> str:
    """The name of a file may hold what moves a terminal's cursor."""
    return "".join(repr(letter)[1:-1] if unicodedata.category(letter)[0] == "C" else letter for letter in text)


def table(head: list[str], rows: list[list[str]], *, right: set[int] | None = None) -> None:
    """Columns under a thin rule, numbers to the right."""
    right = right or set()
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  " + "  ".join(padded).rstrip()

    say(line(head), "  " + "-" * (sum(widths) + 2 * (len(widths) - 1)), *map(line, rows))


def number(value: float, digits: int = 3, unit: str = "") -> str:
    return "-" if value != value else f"{value:.{digits}f}{unit}"


def clear() -> None:
    """Where it is a terminal, what was said goes; elsewhere it stays, a line apart."""
    say("\x1b[H\x1b[J" if sys.stdout.isatty() else "")


def warn(text: str) -> None:
    """Yellow on a terminal, marked everywhere."""
    mark = "\x1b[33m!\x1b[0m" if sys.stdout is not None and sys.stdout.isatty() else "!"
    print(f"{mark} {printable(text)}")


def next_command(command: str) -> None:
    print(f"\nNext: {command}")


def again(*more: str) -> str:
    """The command that is running, with more options."""
    return shlex.join(["segue", *sys.argv[1:], *more])


def amount(count: int) -> str:
    """Bytes in words."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def asked(kind: type[S], config: str | None, given: Mapping[str, object], more: Sequence[str] | None) -> S:
    """Settings from a file, from a verb's own options and from --set, the later before the earlier."""
    from segue.config import load

    pairs = [f"{key}={as_yaml(value)}" for key, value in given.items() if value is not None]
    return load(kind, Path(config) if config else None, [*pairs, *(more or [])])


def as_yaml(value: object) -> str:
    """A value as `--set` reads it back; a word stays a word whatever it looks like."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and not _plain_number(value) else str(value)


def _plain_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def quoted(path: object) -> str:
    """As the shell would want it."""
    return shlex.quote(str(path))
