"""``daybreak up | down | status | doctor``: the embedded platform."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    """Show each component, where it listens, and whether it works. Exit code 1 if one does not."""
    from daybreak.platform.status import status as look
    from daybreak.settings import load_settings

    found = look(load_settings())
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        _print(found)
    raise typer.Exit(0 if found.healthy else 1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look for what would keep Daybreak from working, and say what to do. Exit 1 on a fault."""
    from daybreak.platform.doctor import examine
    from daybreak.settings import load_settings

    findings = examine(load_settings())
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(
                f"{'ok   ' if finding.ok else 'FAULT'}  {finding.check:<12} {finding.detail}"
            )
            if not finding.ok:
                typer.echo(f"       {'':<12} Remedy: {finding.remedy}")
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
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("component", "state", "pid", "where"):
        table.add_column(title, overflow="fold")
    for one in found.components:
        table.add_row(one.name, one.state, str(one.pid or ""), one.url or one.detail)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"data set {found.dataset}, state in {found.home}", soft_wrap=True)
