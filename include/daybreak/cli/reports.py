"""``daybreak report`` makes the report of a model over a period; ``daybreak reports`` has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybreak.cli.runs import AsJson, ModelName

if TYPE_CHECKING:
    from daybreak.reporting.kept import Report

app = typer.Typer()
listing = typer.Typer(help="Reports over days, weeks and months.", no_args_is_help=True)

Period = Annotated[
    str, typer.Option(help="A day as 2026-07-20, an ISO week as 2026-W30 or a month as 2026-07.")
]
Out = Annotated[
    Path | None, typer.Option(help="Copy its files into a new folder of this folder, too.")
]


@app.command()
def report(model: ModelName, period: Period, out: Out = None, as_json: AsJson = False) -> None:
    """Make the report of a model over a period: a page that needs no network, and its tables as
    Parquet.

    Every day of the period has to be closed. A report that was made before stays; the newest is the
    report. `daybreak reports` has them all.
    """
    from daybreak.cli.progress import working
    from daybreak.jobs.period_reports import make_report

    with working(f"Report of {model} over {period}") as progress:
        made = make_report(model, period, progress)
    _show(made, out, as_json)


@listing.command("list")
def list_reports(
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    period: Annotated[str | None, typer.Option(help="Only this period.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the reports, those of the newest period first."""
    from daybreak.cli.printing import print_columns, print_json
    from daybreak.jobs import period_reports

    found = period_reports.list_reports(model, period)
    if as_json:
        print_json([one.as_json() for one in found])
        return
    if not found:
        typer.echo("There is no report yet: `daybreak report MODEL --period 2026-W30` makes one.")
        return
    rows = (
        (one.model, one.period, f"{one.known_at:%Y-%m-%d %H:%M}", f"{one.nights}", one.name)
        for one in found
    )
    print_columns(("model", "period", "known (UTC)", "nights", "name"), rows, ("nights",))


@listing.command()
def get(
    model: ModelName,
    period: Period,
    out: Annotated[Path, typer.Option(help="Where to make a folder with its files.")],
    name: Annotated[str, typer.Option(help="Of several; default: the newest.")] = "",
    as_json: AsJson = False,
) -> None:
    """Copy the files of a report, checked against their sha256."""
    from daybreak.jobs.period_reports import find_report

    _show(find_report(model, period, name), out, as_json)


def _show(report: Report, out: Path | None, as_json: bool) -> None:
    from daybreak.cli.printing import print_json
    from daybreak.jobs.period_reports import write_out

    folder = write_out(report, out) if out is not None else None
    if as_json:
        print_json(report.as_json() | {"folder": str(folder) if folder else None})
        return
    typer.echo(
        f"The report of {report.model} over {report.period}, as known at "
        f"{report.known_at:%Y-%m-%d %H:%M:%S} UTC: {report.nights} night(s), "
        f"{len(report.tables)} tables."
    )
    typer.echo(f"It is at {report.uri}")
    if folder is not None:
        typer.echo(f"and in {folder}")
