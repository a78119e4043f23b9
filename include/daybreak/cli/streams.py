"""``daybreak streams``: how far their logs have come, and whether their tiles are right."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

app = typer.Typer(help="Streams: their logs and tiles.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Each stream: what it declares, its events, and how far its log and its tiles have come."""
    from daybreak.cli.printing import print_columns, print_json
    from daybreak.jobs.streams import list_streams

    rows = list_streams()
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo("There is no stream: `streams` in the data set's file declares one.", err=True)
        return
    titles = ("stream", "keys", "amounts", "attributes", "events", "live")
    moments = ("watermark (UTC)", "tiled through (UTC)")
    print_columns((*titles, *moments), map(_cells, rows), right=("events",))


@app.command()
def check(
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    first_day: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Only days from this one on."),
    ] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Make wrong tiles anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the tiles of streams with their logs, and name those that are wrong.

    Exit code 1 where some are wrong; 0 once they are mended. Safe beside builds and requests.
    """
    from daybreak.cli.printing import print_json
    from daybreak.cli.progress import working
    from daybreak.jobs.streams import check_streams

    day = first_day.date() if first_day else None
    with working("Opening") as progress:
        found = check_streams(stream, day, mend=mend, progress=progress)
    if as_json:
        print_json(found)
    else:
        for one in found:
            _show(one)
        if not found:
            typer.echo("There is no stream.", err=True)
    if not mend and any(one["wrong"] for one in found):
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    name, wrong = found["stream"], found["wrong"]
    since = f" from {found['from']} on" if found["from"] else ""
    if found["tiled_through"] is None:
        typer.echo(f"{name}: there are no tiles yet.")
        return
    if not wrong:
        typer.echo(f"{name}: all tiles{since} say what the log says.")
        return
    for one in wrong:
        typer.echo(f"{name}: {one['text']}")
    count = f"{len(wrong):,}{' and more' if found['more'] else ''}"
    typer.echo(f"{name}: {count} day(s) of a key{since} differ from the log.")
    if found["mended"]:
        typer.echo(f"{name}: {found['mended']:,} were made anew, and all are right now.")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["stream"],
        ", ".join(row["keys"]),
        ", ".join(row["amounts"]),
        ", ".join(f"{name} ({kind})" for name, kind in row["attributes"].items()),
        f"{row['events']:,}",
        "yes" if row["live"] else "no",
        _second(row["watermark"]),
        _second(row["tiled_through"]),
    )


def _second(moment: str | None) -> str:
    return "" if moment is None else moment[:19].replace("T", " ")
