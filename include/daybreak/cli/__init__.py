"""The command ``daybreak``. Each package has a module of commands here.

Modules of commands import only Typer at the top; what a command needs it imports when it runs,
so that ``daybreak --help`` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from daybreak import __version__
from daybreak.cli import (
    advise,
    data,
    export,
    generations,
    keys,
    models,
    platform,
    prices,
    reports,
    runs,
    streams,
    warehouse,
)
from daybreak.cli.demo import command as demo
from daybreak.errors import DaybreakError
from daybreak.platform.recall import recall_environment

app = typer.Typer(
    name="daybreak",
    help="Machine-learning scoring on two clocks, batch and real time, from one artifact.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _module in (platform, demo, runs, models, export, advise, reports):
    app.add_typer(_module.app)
app.add_typer(data.app, name="data")
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(generations.app, name="generations")
app.add_typer(prices.app, name="prices")
app.add_typer(reports.listing, name="reports")
app.add_typer(streams.app, name="streams")
app.add_typer(keys.app, name="keys")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"daybreak {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_print_version, is_eager=True
    ),
) -> None:
    """Machine-learning scoring on two clocks, batch and real time, from one artifact."""
    recall_environment()


def main() -> None:
    """Run a command; an error of ours becomes its message and its remedy, and its exit code."""
    try:
        app()
    except DaybreakError as error:
        if _debug():
            raise
        typer.echo(f"Error: {error.message}", err=True)
        if error.remedy:
            typer.echo(f"Remedy: {error.remedy}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if _debug():
            raise
        typer.echo(f"Error: {type(error).__name__}: {error}", err=True)
        typer.echo("Remedy: set DAYBREAK_DEBUG=1 to see where it came from.", err=True)
        sys.exit(1)


def _debug() -> bool:
    return os.environ.get("DAYBREAK_DEBUG", "") not in {"", "0"}
