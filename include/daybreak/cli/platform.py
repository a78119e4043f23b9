"""``daybreak up | down | status | doctor``: the embedded platform."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.platform.findings import Finding
    from daybreak.platform.status import PlatformStatus

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def up(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Start only this part: postgres, airflow or serving. May be repeated."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set whose warehouse to open; remembered.")
    ] = None,
    schedule: Annotated[
        bool | None,
        typer.Option("--schedule/--no-schedule", help="Whether the clock starts runs."),
    ] = None,
) -> None:
    """Start PostgreSQL, Airflow and the prediction service, and wait until they are healthy."""
    from daybreak.cli.progress import Board
    from daybreak.errors import ConfigError
    from daybreak.platform import components, recall
    from daybreak.platform import up as launcher
    from daybreak.platform.operation import operation
    from daybreak.settings import load_settings

    unknown = set(only or ()) - set(components.GROUPS)
    if unknown:
        raise ConfigError(
            f"There is no part named {', '.join(sorted(unknown))}.",
            remedy=f"--only takes one of: {', '.join(components.GROUPS)}.",
        )
    if dataset and dataset != os.environ.get("DAYBREAK_DATASET"):
        recall.forget_environment()
        os.environ["DAYBREAK_DATASET"] = dataset
    if schedule is not None:
        os.environ["DAYBREAK_SCHEDULE"] = str(schedule)
    settings = load_settings()
    with Board("Starting Daybreak") as board:
        started = launcher.up(settings, only or (), board.note)
    _print(launcher.status(settings))
    for finding in operation(settings):
        _print_finding(finding)
    typer.echo("Started." if started else "Everything was running already.")


@app.command()
def down() -> None:
    """Stop everything that `up` started; data, logs and versions stay."""
    from daybreak.cli.progress import Board
    from daybreak.platform import up as launcher
    from daybreak.settings import load_settings

    settings = load_settings()
    with Board("Stopping Daybreak") as board:
        launcher.down(settings, board.note)
    # Says where it looked: with another DAYBREAK_HOME there may be another platform.
    typer.echo(f"Nothing of the platform in {settings.state} is running.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show each component, where it listens, and what is wrong with it.

    Exit code 1 where a component does not work, a DAG does not parse, a service answers for
    another data set, or a deadline cannot be met.
    """
    from daybreak.platform.operation import operation as examine
    from daybreak.platform.operation import published
    from daybreak.platform.status import status as look
    from daybreak.settings import load_settings

    settings = load_settings()
    found, operation = look(settings), examine(settings)
    models = published(settings)
    works = found.healthy and all(finding.ok for finding in operation)
    if as_json:
        notes = [finding.as_json() for finding in operation]
        typer.echo(
            json.dumps(
                found.as_json() | {"healthy": works, "findings": notes, "published": models},
                indent=2,
                default=str,
            )
        )
    else:
        _print(found)
        for row in models:
            mark = row["gate"].replace("_", " ")
            basis = f", basis: {row['basis'].replace('_', ' ')}" if row["basis"] else ""
            typer.echo(f"{row['model']}: {row['newest']} by {row['version']} (gate: {mark}{basis})")
        for finding in operation:
            _print_finding(finding)
    raise typer.Exit(0 if works else 1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look for what would keep Daybreak from working, with remedies. Exit 1 on a fault."""
    from daybreak.platform.doctor import examine
    from daybreak.settings import load_settings

    findings = examine(load_settings())
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            _print_finding(finding)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,  # `daybreak airflow dags --help` is Airflow's help
    }
)
def airflow(context: typer.Context) -> None:
    """Run any command of Airflow against this platform: `daybreak airflow dags list`."""
    import subprocess

    from daybreak.platform import airflow_env, components
    from daybreak.platform.folder import StateFolder
    from daybreak.platform.status import status as look
    from daybreak.settings import load_settings

    settings = load_settings()
    folder = StateFolder(settings.state)
    folder.prepare()
    url = look(settings)[components.API_SERVER].url
    port = int(url.rpartition(":")[2]) if url else settings.airflow_port
    env = os.environ | airflow_env.airflow_env(settings, folder, port)
    command = components.python("airflow", *context.args)
    raise typer.Exit(subprocess.run(command, env=env, check=False).returncode)


def _print(found: PlatformStatus) -> None:
    from daybreak.cli.printing import print_columns

    rows = [
        (one.name, one.state, str(one.pid or ""), one.url or one.detail, one.dataset or "")
        for one in found.components
    ]
    print_columns(("component", "state", "pid", "where", "data set"), rows)
    typer.echo(f"data set {found.dataset}, state in {found.home}")


def _print_finding(finding: Finding) -> None:
    label = {"ok": "ok", "note": "note", "fault": "FAULT"}[finding.state]
    typer.echo(f"{label:<5}  {finding.check:<12} {finding.detail}")
    if finding.remedy:
        typer.echo(f"       {'':<12} Remedy: {finding.remedy}")
