"""``daybreak warehouse``: migrate the tables, read them, delete what is not needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="The warehouse: migrate, status, sweep, prune.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_MEGABYTE = 1 << 20
_PRUNED = ("generations", "snapshots", "versions")


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Create or upgrade database, tables and report views. Safe again, and while others read."""
    from daybreak.jobs.preparing import migrate as upgrade

    before, after = upgrade()
    if as_json:
        typer.echo(json.dumps({"before": before, "revision": after}))
    elif before == after:
        typer.echo(f"The warehouse is at revision {after}, as it was.")
    else:
        typer.echo(f"The warehouse went from revision {before or 'none'} to {after}.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show revision, sizes and what is published. Exit code 1 where a migration is missing."""
    from daybreak.models import model_relations
    from daybreak.runtime import get_runtime
    from daybreak.warehouse.status import warehouse_status

    found = warehouse_status(get_runtime().engine, model_relations())
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print(found)
    if not found["current"]:
        raise typer.Exit(1)


User = Annotated[
    str | None,
    typer.Option(help="Log in as this member of daybreak_reader; default: as that role itself."),
]


@app.command()
def url(user: User = None) -> None:
    """Print the URL with which an analyst reads the reports. It holds no password."""
    from daybreak.platform.reader import reader_url
    from daybreak.settings import load_settings

    typer.echo(reader_url(load_settings(), user))


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": ["--help"],
    }
)
def psql(context: typer.Context, user: User = None) -> None:
    """Open psql on the reports, as an analyst. What follows is passed on: psql -c 'SELECT …'."""
    import os

    from daybreak.platform.reader import psql_command
    from daybreak.settings import load_settings

    command = [*psql_command(load_settings(), user), *context.args]
    os.execv(command[0], command)  # noqa: S606 -- its terminal, signals and exit code are psql's


@app.command()
def columns(
    page: Annotated[
        Path | None, typer.Option(help="Write them into the blocks of this Markdown page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every report view, its columns and what each one means."""
    from daybreak.runtime import get_runtime
    from daybreak.warehouse.engine import connect
    from daybreak.warehouse.reports.page import columns_table, render_page, report_columns

    with connect(get_runtime().engine) as conn:
        views = report_columns(conn)
        if page is not None:
            page.write_text(render_page(conn, page.read_text()))
    if as_json:
        typer.echo(
            json.dumps({view: [one.as_json() for one in found] for view, found in views.items()})
        )
    elif page is None:
        for view, found in views.items():
            typer.echo(f"## report.{view}\n\n{columns_table(found)}")


@app.command()
def sweep(as_json: AsJson = False) -> None:
    """Delete the rows of generations that were rejected, or abandoned two days ago or more."""
    from daybreak.jobs.publishing import sweep as sweep_rows

    swept = sweep_rows()
    typer.echo(json.dumps(swept) if as_json else f"{swept['rows']:,} rows deleted.")


@app.command()
def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and take nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old scores, snapshots, versions and events that nothing needs any more.

    What is published stays, and whatever a rollback returns to; docs/settings.md says how long
    the rest is kept. Safe beside a night that publishes, and safe to stop and run again.
    """
    from daybreak.jobs import maintenance

    found = maintenance.prunable() if dry_run else maintenance.prune()
    if as_json:
        typer.echo(json.dumps(found))
        return
    verb = "would go" if dry_run else "gone"
    for kind in ("generations", "snapshots"):
        for one in found[kind]:
            day, rows = one["business_date"], one["rows"] or 0
            typer.echo(f"{one['model']} {day}: {kind[:-1]} {one['id']}, {rows:,} rows {verb}")
    for one in found["versions"]:
        typer.echo(f"{one['model']}: files of version {one['version']} {verb}")
    for one in found["reports"]:
        typer.echo(f"{one} {verb}")
    counts = ", ".join(f"{len(found[kind]):,} {kind}" for kind in _PRUNED)
    days = found["days_of_events"]
    if days:
        typer.echo(f"{len(days):,} days of events, {days[0]} to {days[-1]} {verb}")
    swept = "" if dry_run else f"; {found['swept_rows']:,} rows of rejected generations deleted"
    typer.echo(f"{counts} {verb}{swept}.")


def _print(found: dict[str, Any]) -> None:
    typer.echo(f"database   {found['database']}")
    typer.echo(f"revision   {found['revision'] or 'none'}, needed {found['needed']}")
    if not found["current"]:
        typer.echo(f"{found['problem']} Run `daybreak warehouse migrate`.", err=True)
        return
    for name, size in found["bytes"].items():
        typer.echo(f"{size / _MEGABYTE:10,.1f} MB  {name}")
    for state, count in found["generations"].items():
        typer.echo(f"{count:10,} generations {state}")
    for row in found["freshness"]:
        newest, fresh, closed = (
            row[name] or "none" for name in ("newest", "newest_fresh", "newest_closed")
        )
        typer.echo(f"{row['model']}: newest {newest}, fresh {fresh}, closed through {closed}")
