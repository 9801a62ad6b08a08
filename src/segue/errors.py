"""What can go wrong, in one sentence that names the file, the key or the case.

`BadInput` is the user's to mend (exit code 2), `Failed` is ours or the machine's (exit code 1).
A hint says what to do next; it is printed on a line of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class SegueError(Exception):
    """The base of everything that is told in a sentence instead of a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # In a script the hint would otherwise be lost: a traceback ends with this.
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling on the way out of a worker.
        return (_rebuild, (type(self), self.message, self.hint))


class BadInput(SegueError):
    exit_code = 2


class Failed(SegueError):
    exit_code = 1


@contextmanager
def named(what: object) -> Iterator[None]:
    """A refusal begins with the file (or the case) that it is about."""
    try:
        yield
    except BadInput as error:
        message = error.message if error.message.startswith(f"{what}: ") else f"{what}: {error.message}"
        raise BadInput(message, hint=error.hint) from None


def in_words(error: BaseException) -> str:
    """An error that nobody foresaw: its kind, and what it says if it says anything."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _rebuild(kind: type[SegueError], message: str, hint: str | None) -> SegueError:
    return kind(message, hint=hint)


def nearest(word: str, known: Iterable[str], *, before: str = "") -> str:
    """A clause that names the closest known words, or lists all of them when none is close; with what stands before them."""
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    close = [folded[one] for one in difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.5)]
    if close:
        return "did you mean " + " or ".join(before + one for one in close) + "?"
    return "known: " + ", ".join(before + one for one in names) if names else "none is known"
