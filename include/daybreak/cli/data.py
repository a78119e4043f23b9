"""``daybreak data``: what comes in, checked before it does and counted when it did."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.settings import Settings
    from daybreak.sources.contract.spec import DatasetSpec
    from daybreak.sources.report import FileReport, LoadReport

app = typer.Typer(help="Data sets: check, load, and what was refused.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Dataset = Annotated[
    str | None,
    typer.Argument(metavar="[NAME|FILE.yaml]", help="Default: the one of DAYBREAK_DATASET."),
]

Path = Annotated[
    str | None,
    typer.Option(help="Where its main file is instead: a path, glob or s3:// URL."),
]


@app.command()
def check(dataset: Dataset = None, path: Path = None, as_json: AsJson = False) -> None:
    """Read a data set whole and show what would load. Writes nothing, needs no warehouse."""
    from daybreak.cli.progress import working
    from daybreak.runtime import system_clock
    from daybreak.settings import load_settings
    from daybreak.sources.check import check_dataset

    settings = load_settings()
    spec = _spec(dataset, path, settings)
    with working("Opening") as progress:
        report = check_dataset(
            spec,
            now=system_clock(),
            progress=progress,
            s3_endpoint_url=settings.s3_endpoint_url,
        )
    _show(report, as_json, loaded=False)


@app.command()
def load(
    dataset: Dataset = None,
    path: Path = None,
    through: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Load business dates up to this one only."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load what is new. A file loads wholly or not at all, and the same bytes only once.

    The database is made where it is missing and its user may; each data set of the embedded server
    has one of its own.
    """
    from daybreak.cli.progress import working
    from daybreak.jobs.preparing import make_warehouse
    from daybreak.runtime import get_runtime
    from daybreak.sources.load import load_dataset

    spec = _spec(dataset, path, get_runtime().settings)
    with get_runtime().on_dataset(dataset) as runtime, working("Opening") as progress:
        if make_warehouse(runtime):
            progress(f"Made the database {runtime.engine.url.database}")
        report = load_dataset(
            runtime.engine,
            spec,
            now=runtime.clock(),
            progress=progress,
            through=through.date() if through else None,
            s3_endpoint_url=runtime.settings.s3_endpoint_url,
        )
    _show(report, as_json, loaded=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The data sets that ship with Daybreak."""
    from daybreak.sources.contract.outline import dataset_names
    from daybreak.sources.contract.spec import load_spec

    found = [{"name": name, "description": load_spec(name).description} for name in dataset_names()]
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(found)
        return
    for entry in found:
        typer.echo(f"{entry['name']:15}  {entry['description']}")


@app.command()
def quarantine(
    load_id: Annotated[int | None, typer.Option("--load", help="Only rows of this load.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Rows that were refused: file, row number, field and reason; the newest load first."""
    from daybreak.runtime import get_runtime
    from daybreak.sources.merging.quarantine import quarantined
    from daybreak.warehouse.engine import connect

    with connect(get_runtime().engine) as conn:
        rows = quarantined(conn, load_id=load_id, limit=limit)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(rows)
        return
    for row in rows:
        field = f"{row['field']} " if row["field"] else ""
        place = f"load {row['load_id']}  {row['uri']}  row {row['row_number']}"
        typer.echo(f"{place}: {field}{row['reason']}  {json.dumps(row['row'], ensure_ascii=False)}")
    if not rows:
        typer.echo("Nothing is in quarantine.", err=True)


def _spec(dataset: str | None, path: str | None, settings: Settings) -> DatasetSpec:
    """The data set asked for; DAYBREAK_DATASET_PATH moves only the one of DAYBREAK_DATASET."""
    from daybreak.sources.contract.spec import load_spec

    own = dataset is None or dataset == settings.dataset
    moved = path or (settings.dataset_path if own else None)
    return load_spec(dataset or settings.dataset, path=moved)


def _show(report: LoadReport, as_json: bool, *, loaded: bool) -> None:
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(report.as_json())
        return
    typer.echo(f"Data set {report.dataset}")
    for file in report.files:
        _show_file(file, loaded=loaded)
    for section, said in report.declared.items():
        typer.echo(f"\n{section}  {said}")
    if report.covariates:
        typer.echo("\nCovariates")
        for name, known in report.covariates.items():
            typer.echo(f"  {name}: {f'known {known}' if known else 'history only'}")
    if loaded:
        last = f", through {report.last_closed}" if report.last_closed else ""
        typer.echo(f"\n{report.loaded:,} new rows; {report.days_closed} days closed{last}.")


def _show_file(file: FileReport, *, loaded: bool) -> None:
    typer.echo(f"\n{file.section}  {file.uri}")
    if file.already_loaded:
        typer.echo("  already loaded: the same bytes, read in the same way")
        return
    dates = f", {file.first_date} to {file.last_date}" if file.first_date else ""
    typer.echo(f"  {file.rows:,} rows read, {file.kept:,} kept{dates}")
    if file.lines:
        parts = "{total:,} lines: {header:,} of the header, {blank:,} blank, {merged:,} merged"
        bad = ", {bad:,} of bad rows" if file.quarantined else ""
        typer.echo("  " + (parts + bad).format(**file.lines))
    for rule, count in file.rules.items():
        typer.echo(f"  rule {rule}: {count:,}")
    if loaded:
        planned = f", {file.planned:,} of plans" if file.planned else ""
        typer.echo(f"  {file.loaded:,} new rows{planned}")
    if file.quarantined:
        typer.echo(f"  {file.quarantined:,} bad rows, such as")
    for row in file.examples:
        typer.echo(f"    row {row['row_number']}: {row['field'] or 'the line'} {row['reason']}")
    for first in file.first_rows:
        typer.echo("  " + ", ".join(f"{name}={value}" for name, value in first.items()))
