"""``daybreak prices``: what a night left of one price, as a table, JSON or a picture."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.jobs.curves import PublishedCurve
    from daybreak.prices.curve import Curve, Point

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


def _print(found: PublishedCurve) -> None:
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
        typer.echo(f"cost {_money(one, one.cost)}")
    typer.echo()
    points = one.points or (one.current,)
    if one.current.price not in {point.price for point in points}:
        points = tuple(sorted((*points, one.current), key=lambda point: point.price))
    rows = [(*_numbers(one, point), _remark(one, point)) for point in points]
    numbers = ("price", "units", "P10", "P90", f"margin ({one.currency})")
    print_columns((*numbers, ""), rows, numbers)
    if one.rule:
        stays = one.proposed.price == one.current.price
        typer.echo(f"\n{'It stays' if stays else 'It goes no further'}: {one.rule}.")


def _numbers(curve: Curve, point: Point) -> tuple[str, ...]:
    units = (f"{value:,.1f}" for value in (point.units, point.p10, point.p90))
    margin = "" if point.margin is None else _money(curve, point.margin)
    return (_money(curve, point.price), *units, margin)


def _remark(curve: Curve, point: Point) -> str:
    said = []
    if point.price == curve.current.price:
        said.append("current")
    if point.price == curve.proposed.price:
        said.append("proposed")
    for name, end in (("lowest", curve.lowest), ("highest", curve.highest)):
        if curve.points and point.price == end.price:
            said.append(f"{name}: {end.rule}" if end.rule else name)
    return ", ".join(said)


def _money(curve: Curve, minor: float) -> str:
    from daybreak.prices.money import decimals

    return f"{curve.amount(minor):,.{decimals(curve.currency)}f}"
