"""``daybreak keys``: who may call the prediction service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(help="API keys of the prediction service.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use the key.")], as_json: AsJson = False
) -> None:
    """Make a key and show it, this once."""
    from daybreak.runtime import get_runtime
    from daybreak.serving.http.keys import create_key
    from daybreak.warehouse.engine import begin

    runtime = get_runtime()
    with begin(runtime.engine) as conn:
        key = create_key(conn, name, runtime.clock())
    if as_json:
        from daybreak.cli.printing import print_json

        print_json({"key_id": key.key_id, "name": key.name, "key": key.token})
    else:
        typer.echo(key.token)
        typer.echo(
            f"This is the key of {key.name}, id {key.key_id}. It is not stored: keep it now.",
            err=True,
        )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All keys, in force and revoked; never their secrets."""
    from daybreak.runtime import get_runtime
    from daybreak.serving.http.keys import list_keys
    from daybreak.warehouse.engine import connect

    with connect(get_runtime().engine) as conn:
        keys = list_keys(conn)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(keys)
        return
    for key in keys:
        state = f"revoked {_minute(key['revoked_at'])}" if key["revoked_at"] else "in force"
        typer.echo(f"{key['key_id']}  {_minute(key['created_at'])}  {state:25}  {key['name']}")
    if not keys:
        typer.echo("No keys yet: `daybreak keys create NAME` makes one.", err=True)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `daybreak keys list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Close a key for good; running services follow within DAYBREAK_REFRESH_SECONDS."""
    from daybreak.runtime import get_runtime
    from daybreak.serving.http.keys import revoke_key
    from daybreak.warehouse.engine import begin

    runtime = get_runtime()
    with begin(runtime.engine) as conn:
        revoke_key(conn, key_id, runtime.clock())
    if as_json:
        from daybreak.cli.printing import print_json

        print_json({"key_id": key_id, "revoked": True})
    else:
        typer.echo(f"{key_id} is revoked.")


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
