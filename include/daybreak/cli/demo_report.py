"""What the demo shows at its end: runs, forecasts, accuracy, and one answer checked bit for bit."""

from __future__ import annotations

import json
import shlex
import shutil
import struct
import subprocess
import time
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.runs import print_sla
from daybreak.errors import PlatformError
from daybreak.jobs.report import sla_rows
from daybreak.platform import airflow_env
from daybreak.platform.airflow_api import Days
from daybreak.platform.folder import StateFolder
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.serving.keys import create_key, list_keys, revoke_key
from daybreak.warehouse.engine import begin, connect

MODEL = "sales_forecast"
KEY_NAME = "demo"
SCORES = ("p10", "p50", "p90", "mean")
FRESH_PATIENCE_SECONDS = 30.0

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


def show(runtime: Runtime, days: Days) -> None:
    """Print everything. Raises ``PlatformError`` where the answer differs from the table."""
    _title("Runs, and whether they were in time (a backfill never counts)")
    print_sla(_newest_by_day(sla_rows(MODEL, 100, runtime), days))
    with connect(runtime.engine) as conn:
        forecasts = [dict(row) for row in conn.execute(FORECASTS).mappings()]
        _show_forecasts(forecasts)
        _show_accuracy(conn, days)
    _show_answer(runtime, forecasts[0])
    _show_doors(runtime)


def _newest_by_day(rows: list[dict[str, Any]], days: Days) -> list[dict[str, Any]]:
    by_day: dict[str, dict[str, Any]] = {}
    for row in rows:
        if days.first.isoformat() <= row["business_date"] <= days.last.isoformat():
            known = by_day.setdefault(row["business_date"], row)
            if row["recorded_at"] > known["recorded_at"]:
                by_day[row["business_date"]] = row
    return [by_day[day] for day in sorted(by_day)]


def _show_forecasts(rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    _title(
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
    _console().print(table)


def _show_accuracy(conn: Connection, days: Days) -> None:
    _title("Accuracy so far, as WAPE (report.forecast_accuracy; lower is better)")
    table = Table(box=None, pad_edge=False)
    for name in ("days ahead", "rows", "Daybreak", "seasonal naive", "within P10-P90"):
        table.add_column(name, justify="right")
    for row in conn.execute(ACCURACY, {"first": days.first, "last": days.last}).mappings():
        table.add_row(
            "all" if row["horizon"] is None else str(row["horizon"]),
            f"{row['rows']:,}",
            _percent(row["model"]),
            _percent(row["naive"]),
            _percent(row["coverage"]),
        )
    _console().print(table)


def _show_answer(runtime: Runtime, row: Mapping[str, Any]) -> None:
    _title("One prediction over HTTP, asked with a fresh key")
    url = status(runtime.settings)["serving"].url
    body = {
        "store": row["store_id"],
        "item": row["item_id"],
        "date": row["target_date"].isoformat(),
    }
    command = [
        "curl",
        "-sS",
        f"{url}/v1/models/{MODEL}/predict",
        "-H",
        f"Authorization: Bearer {_fresh_key(runtime)}",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(body, ensure_ascii=False),
    ]
    typer.echo(shlex.join(command))
    answer = _ask_until_fresh(command, row["generation_id"])
    typer.echo(json.dumps(answer))
    predicted = answer["predictions"][0]
    differing = [name for name in SCORES if _bits(predicted[name]) != _bits(row[name])]
    if differing or answer["version"] != row["version"]:
        raise PlatformError(
            f"The answer differs from the table's row in {', '.join(differing) or 'version'}: "
            f"{answer} is not {dict(row)}.",
            remedy="This must never happen: please report it with the state folder's logs.",
        )
    typer.echo(
        f"Equal bit for bit to the row of score.sales_forecast in generation "
        f"{row['generation_id']}: " + ", ".join(f"{name} {row[name]}" for name in SCORES)
    )


def _show_doors(runtime: Runtime) -> None:
    _title("Where to look")
    found = status(runtime.settings)
    login = airflow_env.login(StateFolder(runtime.settings.state)) or ("", "")
    typer.echo(f"Airflow     {found['api-server'].url}  (user {login[0]}, password {login[1]})")
    typer.echo(f"Predictions {found['serving'].url}/v1/models")
    typer.echo(f"Warehouse   {runtime.settings.warehouse_dsn.replace('+psycopg', '')}")
    typer.echo("Status      daybreak status   (in .venv/bin)")


def _fresh_key(runtime: Runtime) -> str:
    """A new key in place of the one that an earlier demo made."""
    with begin(runtime.engine) as conn:
        for key in list_keys(conn):
            if key["name"] == KEY_NAME and key["revoked_at"] is None:
                revoke_key(conn, key["key_id"], runtime.clock())
        return create_key(conn, KEY_NAME, runtime.clock()).token


def _ask_until_fresh(command: list[str], generation_id: int) -> dict[str, Any]:
    """The service looks for new publications and keys every few seconds: ask until it has."""
    give_up = time.monotonic() + FRESH_PATIENCE_SECONDS
    while True:
        answer = _ask(command)
        if answer.get("generation") == generation_id:
            return answer
        if time.monotonic() > give_up:
            raise PlatformError(
                f"The prediction service does not answer from generation {generation_id}: "
                f"{answer}.",
                remedy="See logs/serving.log in the state folder.",
            )
        time.sleep(0.5)


def _ask(command: list[str]) -> dict[str, Any]:
    if shutil.which("curl"):
        printed = subprocess.run(command, capture_output=True, check=False).stdout
    else:
        headers = dict(header.split(": ", 1) for header in command[4:7:2])
        request = Request(command[2], command[-1].encode(), headers)  # noqa: S310 -- our service
        with urlopen(request) as response:  # noqa: S310 -- as above
            printed = response.read()
    try:
        answer = json.loads(printed)
    except ValueError:
        return {"unreadable": printed.decode(errors="replace")}
    return answer if isinstance(answer, dict) else {"unreadable": answer}


def _bits(value: float) -> bytes:
    return struct.pack("<f", value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * float(value):.1f} %"


def _title(text: str) -> None:
    typer.secho(f"\n{text}", bold=True)


def _console() -> Console:
    return Console(highlight=False)
