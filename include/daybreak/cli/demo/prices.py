"""What the demo shows of prices: five proposals of the last night, and one of them over HTTP."""

from __future__ import annotations

import json
from datetime import date

import typer
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.demo.ask import Service
from daybreak.cli.demo.words import title
from daybreak.cli.printing import print_table
from daybreak.errors import PlatformError
from daybreak.models.offered import absent
from daybreak.platform.airflow_api import Days
from daybreak.runtime import Runtime

MODEL = "pricing"
DAG = "daily_prices"
SHOWN = 5

COUNTED = text(
    """
    SELECT count(*) AS prices, count(*) FILTER (WHERE price <> current_price) AS changes,
        sum(margin - current_margin) AS gain, min(currency) AS currency
    FROM report.price_proposals
    WHERE business_date = :day
    """
)
PROPOSED = text(
    """
    SELECT store_id, item_id, current_price, price, current_units, units, current_margin, margin,
        elasticity, rule, generation_id
    FROM report.price_proposals
    WHERE business_date = :day AND price <> current_price
    ORDER BY place, store_id COLLATE "C", item_id COLLATE "C"
    LIMIT :shown
    """
)


def left_out(runtime: Runtime) -> str | None:
    """Why the demo shows no prices, as the end of a sentence; None where it does."""
    name = runtime.settings.dataset
    reason = absent(name).get(MODEL)
    return f"it {reason}, which {name} lacks" if reason else None


def show(conn: Connection, days: Days, service: Service) -> None:
    """The proposals that gain most, and the first of them as a shop asks for it."""
    title(f"Prices from the day after {days.last} on (report.price_proposals)")
    counted = conn.execute(COUNTED, {"day": days.last}).mappings().one()
    typer.echo(
        f"{counted['changes']:,} of {counted['prices']:,} prices would change; expected is a "
        f"margin of {counted['gain'] or 0:,.2f} {counted['currency']} more in a week."
    )
    _ask(service, days.last, _print_proposals(conn, days.last))


def _print_proposals(conn: Connection, day: date) -> tuple[str, str, int] | None:
    table = Table(box=None, pad_edge=False)
    left = {"store", "item", "bound by"}
    names = ("price", "proposed", "units", "units then", "margin", "margin then", "elasticity")
    for name in ("store", "item", *names, "bound by"):
        table.add_column(name, justify="left" if name in left else "right")
    rows = conn.execute(PROPOSED, {"day": day, "shown": SHOWN}).mappings().all()
    for row in rows:
        table.add_row(
            row["store_id"],
            row["item_id"],
            *(f"{row[name]:,.2f}" for name in ("current_price", "price")),
            *(f"{row[name]:,.1f}" for name in ("current_units", "units")),
            *(f"{row[name]:,.2f}" for name in ("current_margin", "margin", "elasticity")),
            row["rule"],
        )
    if not rows:
        typer.echo("No price would change.")
        return None
    print_table(table)
    first = rows[0]
    return first["store_id"], first["item_id"], first["generation_id"]


def _ask(service: Service, day: date, proposed: tuple[str, str, int] | None) -> None:
    if proposed is None:
        return
    store, item, generation = proposed
    title("One price over HTTP")
    answer = service.ask(MODEL, {"store_id": store, "item_id": item}, generation=generation)
    typer.echo(json.dumps(answer))
    if answer["source"] != "published" or answer["business_date"] != day.isoformat():
        raise PlatformError(
            f"The answer is not the published price: {answer}.",
            remedy="This must never happen: please report it with the state folder's logs.",
        )
