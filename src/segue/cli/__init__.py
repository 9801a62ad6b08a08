"""The command line: verbs parse, call the function of the same name, and print where it wrote and what to do next.

Heavy imports happen inside the verbs, so that `segue --help` stays fast.
"""

from __future__ import annotations

import io
import signal
import sys
from types import FrameType

import typer

from segue.cli import data, ground, images, judging, learn, paint, site, study
from segue.cli.tell import INTERRUPTED, stopped

app = typer.Typer(
    name="segue",
    help="Medical image segmentation with many images, few masks, and a next hospital that looks different.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(paint.app, name="inpaint")
app.add_typer(study.app, name="study")
images.add_to(app)
learn.add_to(app)
judging.add_to(app)
site.add_to(app)
ground.add_to(app)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stop)  # asked to end: as on Ctrl-C, nothing is torn
    try:
        app()
    except KeyboardInterrupt:
        stopped()
        sys.exit(INTERRUPTED)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
