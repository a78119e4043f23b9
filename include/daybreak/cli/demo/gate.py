"""What the gate measured of the versions in force: ours beside the best baseline, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.demo.words import title
from daybreak.cli.printing import print_table
from daybreak.ledger.verdicts import mark, newest_verdict
from daybreak.platform.airflow_api import Days

VERSION = text(
    """
    SELECT version
    FROM ops.generation
    WHERE model = :model AND business_date = :day AND state = 'published'
    """
)


def show(conn: Connection, models: Iterable[str], days: Days) -> None:
    """A line a model, and in a sentence what its gate said."""
    title("Beside the best baseline, on days held out from training (report.version_gate)")
    table = Table(box=None, pad_edge=False)
    for name in ("model", "measure", "Daybreak", "best baseline", "", "gate"):
        table.add_column(name, justify="right" if name in {"Daybreak", ""} else "left")
    said = []
    for model in models:
        version = conn.scalars(VERSION, {"model": model, "day": days.last}).one()
        found = newest_verdict(conn, model, version)
        table.add_row(model, *_measured(found), mark(found))
        said += [f"{model}: {found['reason']}"] if found else []
    print_table(table)
    for line in said:
        typer.echo(line)


def _measured(found: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if not found or found["value"] is None:
        return "", "", "", ""
    ours, theirs = (f"{found[name]:.3f}" for name in ("value", "baseline_value"))
    return found["measure"], ours, found["baseline"], theirs
