"""``daybreak keys``: who may call the prediction service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

app = typer.Typer(help="API keys of the prediction service.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it opens: predict, explain, events, or admin for all; may be given several "
            "times. Default: predict and explain."
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            help="When it stops opening anything: days from now (90d), or a date, from its "
            "beginning in UTC. Default: never."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once."""
    from daybreak.runtime import get_runtime
    from daybreak.serving.http.keys import READING, create_key, expiry
    from daybreak.warehouse.engine import begin

    runtime = get_runtime()
    now = runtime.clock()
    expires_at = expiry(expires, now) if expires is not None else None
    with begin(runtime.engine) as conn:
        key = create_key(conn, name, now, scopes=scope or READING, expires_at=expires_at)
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
    """All keys, in force, expired and revoked; never their secrets."""
    from daybreak.runtime import get_runtime
    from daybreak.serving.http.keys import list_keys
    from daybreak.warehouse.engine import connect

    runtime = get_runtime()
    with connect(runtime.engine) as conn:
        keys = list_keys(conn)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(keys)
        return
    for key in keys:
        state, scopes = _state(key, runtime.clock()), ",".join(key["scopes"])
        made = _minute(key["created_at"])
        typer.echo(f"{key['key_id']}  {made}  {state:25}  {scopes:16}  {key['name']}")
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


def _state(key: Mapping[str, Any], now: datetime) -> str:
    if key["revoked_at"]:
        return f"revoked {_minute(key['revoked_at'])}"
    if key["expires_at"] is None:
        return "in force"
    return f"{'expired' if key['expires_at'] <= now else 'expires'} {_minute(key['expires_at'])}"


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
