"""How verbs speak: people get lines, machines get JSON on standard output, errors are one sentence and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from segue.errors import SegueError

INTERRUPTED = 130  # what shells expect after Ctrl-C; else 0 done, 1 failed, 2 bad input

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes; 0 works in this one.", show_default="as the machine allows")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set any setting; may be given often.")
]
Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings from a YAML file.")]


@contextmanager
def errors_told(as_json: bool, debug: bool) -> Iterator[None]:
    try:
        yield
    except SegueError as error:
        if debug:
            raise
        if as_json:
            print(json.dumps({"error": error.message, "hint": error.hint}, ensure_ascii=False))
        print(f"segue: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"       {error.hint}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except (KeyboardInterrupt, typer.Exit):
        raise
    except Exception as error:
        if debug:
            raise
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if as_json:
            print(json.dumps({"error": told, "hint": None}, ensure_ascii=False))
        print(f"segue: something went wrong that should not have: {told}", file=sys.stderr)
        print("       --debug shows where; please report it.", file=sys.stderr)
        raise typer.Exit(1) from None


def as_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, indent=2, ensure_ascii=False))


def say(*lines: str) -> None:
    """Plain words; rich would read brackets in file names as markup."""
    for line in lines:
        print(line)


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


def warn(text: str) -> None:
    """Yellow on a terminal, marked everywhere."""
    mark = "\x1b[33m!\x1b[0m" if sys.stdout.isatty() else "!"
    print(f"{mark} {text}")


def next_command(command: str) -> None:
    print(f"\nNext: {command}")


def amount(count: int) -> str:
    """Bytes in words."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def quoted(path: object) -> str:
    """As the shell would want it."""
    import shlex

    return shlex.quote(str(path))
