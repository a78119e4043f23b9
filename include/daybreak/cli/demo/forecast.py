"""What the demo shows of the sales forecast."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.demo.ask import Service, expect_equal
from daybreak.cli.demo.words import percent, title
from daybreak.cli.printing import print_table
from daybreak.platform.airflow_api import Days

MODEL = "sales_forecast"
SCORES = ("p10", "p50", "p90", "mean")

FORECASTS = text(
    """
    SELECT store_id, item_id, item_name, business_date, target_date, generation_id, version,
           p10, p50, p90, mean
    FROM report.forecast
    WHERE target_date = (SELECT min(target_date) FROM report.forecast WHERE mean > 0)
    ORDER BY mean DESC, store_id, item_id
    LIMIT 5
    """
)
ACCURACY = text(
    """
    SELECT horizon,
           sum(rows) AS rows,
           sum(absolute_error_p50) / nullif(sum(actual_units), 0) AS model,
           sum(absolute_error_naive) / nullif(sum(actual_units), 0) AS naive,
           sum(coverage * rows) / sum(rows) AS coverage
    FROM report.forecast_accuracy
    WHERE business_date BETWEEN :first AND :last
    GROUP BY GROUPING SETS ((horizon), ())
    ORDER BY horizon
    """
)


def show(conn: Connection, days: Days, service: Service) -> None:
    """The largest forecasts, how good they were, and one over HTTP."""
    rows = [dict(row) for row in conn.execute(FORECASTS).mappings()]
    _print_forecasts(rows)
    _print_accuracy(conn, days)
    _ask_for_one(service, rows[0])


def _print_forecasts(rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    title(
        f"Forecast of {first['business_date']} for {first['target_date']}, the five largest "
        f"(report.forecast; 80 % of days should fall between P10 and P90)"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("store", "item", "name"):
        table.add_column(name)
    for name in SCORES:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["store_id"],
            row["item_id"],
            row["item_name"] or "",
            *(f"{row[name]:.1f}" for name in SCORES),
        )
    print_table(table)


def _print_accuracy(conn: Connection, days: Days) -> None:
    title("Accuracy so far, as WAPE (report.forecast_accuracy; lower is better)")
    table = Table(box=None, pad_edge=False)
    for name in ("days ahead", "rows", "Daybreak", "seasonal naive", "within P10-P90"):
        table.add_column(name, justify="right")
    for row in conn.execute(ACCURACY, {"first": days.first, "last": days.last}).mappings():
        table.add_row(
            "all" if row["horizon"] is None else str(row["horizon"]),
            f"{row['rows']:,}",
            percent(row["model"]),
            percent(row["naive"]),
            percent(row["coverage"]),
        )
    print_table(table)


def _ask_for_one(service: Service, row: dict[str, Any]) -> None:
    title("One forecast over HTTP, asked with a fresh key")
    body = {
        "store_id": row["store_id"],
        "item_id": row["item_id"],
        "target_date": row["target_date"].isoformat(),
    }
    answer = service.ask(MODEL, body, generation=row["generation_id"])
    typer.echo(json.dumps(answer))
    expect_equal(
        answer["predictions"][0] | {"version": answer["version"]}, row, (*SCORES, "version")
    )
    typer.echo(
        f"Equal bit for bit to the row of score.{MODEL} in generation "
        f"{row['generation_id']}: " + ", ".join(f"{name} {row[name]}" for name in SCORES)
    )
