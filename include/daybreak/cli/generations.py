"""``daybreak generations``: what was scored of each business date, and what became of it."""

from __future__ import annotations

import getpass
import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from daybreak.jobs.approving import Answer

app = typer.Typer(help="Generations: complete sets of scores of a day.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    business_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only this business date.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state, such as published or rejected.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest generations: of which day, by which version, in which state.

    daybreak generations list --model MODEL --business-date 2026-06-30
    """
    from daybreak.cli.printing import print_columns
    from daybreak.jobs.generations import list_generations

    rows = list_generations(model, business_date.date() if business_date else None, state, last)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo("There is no such generation.")
        return
    titles = ("id", "model", "business date", "state", "version", "run", "rows", "opened (UTC)")
    print_columns((*titles, "reason"), map(_cells, rows), right=("id", "rows"))


@app.command()
def show(
    generation_id: Annotated[int, typer.Argument(help="As `daybreak generations list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """One generation: its inputs, its states, and how long each step took."""
    from daybreak.cli.printing import print_columns
    from daybreak.jobs.generations import show_generation

    found = show_generation(generation_id)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    steps = found.pop("steps")
    gate = found.pop("gate").replace("_", " ")
    basis = found.pop("basis")
    for name, value in found.items():
        if value not in (None, "", {}):
            mark = f" (gate: {gate})" if name == "version" else ""
            typer.echo(f"{name:<14} {value}{mark}")
    for one in basis:
        state = one["state"].replace("_", " ")
        typer.echo(f"{'basis':<14} generation {one['generation_id']} of {one['model']} ({state})")
    if steps:
        typer.echo()
        print_columns(("step", "shard", "seconds", "rows"), map(_step_cells, steps), ("seconds",))


@app.command()
def approve(
    generation_id: Annotated[int, typer.Argument(help="One that waits: its state is audited.")],
    reason: Annotated[str, typer.Option(help="Kept with the answer.")],
    most: Annotated[
        int | None, typer.Option(min=0, help="Agree to a part: at most so much of it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Agree to what was scored, so that it is published, or to a part of it.

    daybreak generations approve 12 --reason "the new season" --most 50
    """
    _answer(generation_id, "approve" if most is None else "cap", reason, most, as_json=as_json)


@app.command()
def reject(
    generation_id: Annotated[int, typer.Argument(help="One that waits: its state is audited.")],
    reason: Annotated[str, typer.Option(help="Kept with the answer.")],
    as_json: AsJson = False,
) -> None:
    """Do not publish what was scored; what was published before stays."""
    _answer(generation_id, "reject", reason, None, as_json=as_json)


def _answer(
    generation_id: int, answer: Answer, reason: str, most: int | None, *, as_json: bool
) -> None:
    from daybreak.jobs.approving import answer as give

    found = give(generation_id, answer, person=getpass.getuser(), reason=reason, most=most)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found is None:
        typer.echo("Not published; what was published before stays.")
    else:
        typer.echo(
            f"Generation {found['generation_id']} of {found['model']} for "
            f"{found['business_date']} is published."
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["generation_id"]),
        row["model"],
        row["business_date"],
        row["state"],
        row["version"],
        row["run_type"],
        "" if row["rows"] is None else f"{row['rows']:,}",
        row["opened_at"][:16].replace("T", " "),
        row["reason"],
    )


def _step_cells(row: dict[str, Any]) -> tuple[str, ...]:
    began, ended = (datetime.fromisoformat(row[name]) for name in ("started_at", "ended_at"))
    return (
        row["step"],
        str(row["shard"]) if row["shard"] >= 0 else "",
        f"{(ended - began).total_seconds():.2f}",
        "" if row["rows"] is None else f"{row['rows']:,}",
    )
