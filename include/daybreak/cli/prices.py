"""``daybreak prices``: what a night left of one price, as a table, JSON or a picture."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.prices.curve import Curve, Point
    from daybreak.scoring.curves import ItemCurve

app = typer.Typer(help="Prices: the demand curve of an item.", no_args_is_help=True)


@app.callback()
def prices() -> None:
    """Keeps `curve` a command of its own while it is the only one."""


@app.command()
def curve(
    store: Annotated[str, typer.Argument(help="As in the data set.")],
    item: Annotated[str, typer.Argument(help="As in the data set.")],
    business_date: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="A published business date. Default: the newest."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Draw it into this .html file. Needs no internet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What is expected at each price that the rules of the night left, and which was proposed.

    daybreak prices curve S001 I0001 --out curve.html
    """
    from daybreak.jobs.curves import demand_curve

    drawn = None
    if out is not None:
        from daybreak.cli.curve_picture import check_name, draw

        check_name(out)  # before anything is read
        drawn = draw
    found = demand_curve(store, item, business_date.date() if business_date else None)
    if out is not None and drawn is not None:
        drawn(found, out)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        return
    _print(found)
    if out is not None:
        typer.echo(f"Drawn into {out}.")


def _print(found: ItemCurve) -> None:
    from daybreak.cli.printing import print_columns

    one, generation = found.curve, found.generation
    basis = f", basis: {found.basis.replace('_', ' ')}" if found.basis else ""
    typer.echo(
        f"{found.item} in {found.store}, after {generation.business_date} (generation "
        f"{generation.generation_id}, version {generation.version}{basis})"
    )
    if one.elasticity:
        e = one.elasticity
        typer.echo(f"elasticity {e.mean:.2f}, of ten chances eight {e.low:.2f} to {e.high:.2f}")
    else:
        typer.echo("elasticity not known")
    if one.cost is not None:
        typer.echo(f"cost {one.money(one.cost)}")
    typer.echo()
    rows = [(*_numbers(one, point), one.remark(point)) for point in one.listed]
    numbers = ("price", "units", "P10", "P90", f"margin ({one.currency})")
    print_columns((*numbers, ""), rows, numbers)
    if one.reason:
        typer.echo(f"\n{one.reason}")


def _numbers(curve: Curve, point: Point) -> tuple[str, ...]:
    units = (f"{value:,.1f}" for value in (point.units, point.p10, point.p90))
    margin = "" if point.margin is None else curve.money(point.margin)
    return (curve.money(point.price), *units, margin)
