"""``daybreak ingest | score | rollback | drift | sla``: what the DAGs do, without Airflow."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ModelName = Annotated[str, typer.Argument(help="Name of the model; `daybreak status` lists them.")]
BusinessDate = Annotated[
    datetime,
    typer.Option(
        "--business-date",
        formats=["%Y-%m-%d"],
        help="The last day whose facts are known; the forecast begins on the day after.",
    ),
]


@app.command()
def ingest(
    through: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Leave out later business dates."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load the files of the data set that are new, and close the days that are complete."""
    from daybreak.cli.progress import working
    from daybreak.jobs.ingest import load_new_files
    from daybreak.jobs.preparing import make_warehouse

    make_warehouse()
    with working("Opening") as progress:
        loaded = load_new_files(progress, through.date() if through else None)
    _show(
        loaded,
        as_json,
        f"{loaded['files']} file(s), {loaded['rows']:,} row(s), {loaded['quarantined']:,} in "
        f"quarantine; {loaded['days_closed']} day(s) closed, the newest is "
        f"{loaded['business_date'] or 'none'}.",
    )


@app.command()
def score(
    model: ModelName,
    business_date: BusinessDate,
    knowledge: Annotated[
        str,
        typer.Option(help="as_was: what the day's first run knew. latest: all known by now."),
    ] = "as_was",
    as_json: AsJson = False,
) -> None:
    """Score one business date and publish it, by the steps of the nightly DAG."""
    from daybreak.cli.progress import working
    from daybreak.jobs.run import score_day

    with working(f"Scoring {model}", each=True) as progress:
        row = score_day(model, business_date.date(), knowledge, progress)
    _show(
        row,
        as_json,
        f"Generation {row['generation_id']} of {model} for {row['business_date']} is published: "
        f"{row['rows']:,} rows ({row['status']}).",
    )


@app.command()
def rollback(model: ModelName, business_date: BusinessDate, as_json: AsJson = False) -> None:
    """Withdraw what is published of a day; what was published before it comes back."""
    from daybreak.jobs.publishing import rollback as withdraw

    done = withdraw(model, business_date.date())
    back = f"generation {done['published']} is back" if done["published"] else "the day is empty"
    _show(done, as_json, f"Generation {done['withdrawn']} of {model} is withdrawn; {back}.")


@app.command()
def sla(
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many runs, the newest first.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Show which runs landed in time, and where their time went."""
    from daybreak.jobs.report import sla_rows

    rows = sla_rows(model, last)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        print_sla(rows)


@app.command()
def drift(
    model: ModelName,
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date; default: the newest measured."),
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="How many, those nearest to an alarm first.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how far a night is from earlier ones and from the training, and what is in alarm."""
    from daybreak.cli.printing import print_columns
    from daybreak.jobs.drift import show

    found = show(model, date.date() if date else None)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    alarms = ", ".join(found["alarms"]) or "no alarm"
    typer.echo(f"{model} of {found['business_date']}, by {found['version']}: {alarms}")
    numbers = ("distance", "limit", "noticed", "PSI earlier", "PSI training", "value", "usual")
    rows = map(_drift_cells, found["figures"][:most])
    print_columns(("kind", "name", "state", *numbers), rows, right=numbers)
    typer.echo("noticed: the smallest change of it that would raise an alarm within two nights.")


def _drift_cells(row: dict[str, Any]) -> tuple[str, ...]:
    def number(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.3f}"

    noticed = "" if row["noticed"] is None else f"±{row['noticed']:.0%}"
    others = ("psi_earlier", "psi_training", "value", "value_earlier")
    found = (number("distance"), number("raise_at"), noticed, *map(number, others))
    return (row["kind"], row["name"], row["state"], *found)


def print_sla(rows: list[dict[str, Any]]) -> None:
    """Print rows of ``ops.sla``, as ``jobs.report.sla_rows`` returns them, as a table."""
    from daybreak.cli.printing import print_columns

    if not rows:
        typer.echo("No run is recorded yet.")
        return
    numbers = ("queue s", "wait s", "score s", "publish s", "rows", "rows/s")
    print_columns(
        ("model", "business date", "run", "status", "landed", "slack", *numbers),
        map(_sla_cells, rows),
        right=numbers,
    )


def _sla_cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["model"],
        row["business_date"],
        row["run_type"],
        row["status"],
        (row["landed_at"] or "not yet")[:16],
        _clock(row["slack_seconds"]) if row["status"] != "not_counted" else "",
        *(_seconds(row[f"{part}_seconds"]) for part in ("queue", "wait", "score", "publish")),
        f"{row['rows']:,}" if row["rows"] is not None else "",
        f"{row['rows_per_second']:,.0f}" if row["rows_per_second"] else "",
    )


def _clock(seconds: float | None) -> str:
    """±h:mm of slack."""
    if seconds is None:
        return ""
    minutes = round(abs(seconds) / 60)
    return f"{'-' if seconds < 0 else '+'}{minutes // 60}:{minutes % 60:02}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _show(value: dict[str, Any], as_json: bool, sentence: str) -> None:
    typer.echo(json.dumps(value, indent=2) if as_json else sentence)
