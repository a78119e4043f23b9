"""What Grafana asks the warehouse: the queries of boards and alert rules, with its macros expanded.

The macros are those that the boards use, as the PostgreSQL data source of Grafana expands them: a
range of two moments in UTC, whatever the type of the column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

GRAFANA = Path(__file__).parents[2] / "docker" / "grafana"
WAREHOUSE = "warehouse"
"""uid of the data source."""

BOARDS: list[dict[str, Any]] = [
    json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").rglob("*.json"))
]
WAREHOUSE_BOARDS = [
    board
    for board in BOARDS
    if any(panel["datasource"]["uid"] == WAREHOUSE for panel in board["panels"])
]
RULES: list[dict[str, Any]] = [
    rule
    for path in sorted((GRAFANA / "provisioning" / "alerting").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]


@dataclass(frozen=True)
class Query:
    """A query of a board. ``kind``: type of its panel; ``variable`` and ``annotation`` beside."""

    board: str
    title: str
    kind: str
    format: str
    sql: str

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


def queries(board: dict[str, Any]) -> Iterator[Query]:
    """Every query of a board that asks the warehouse."""
    name = board["uid"]
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield Query(name, panel["title"], panel["type"], target["format"], target["rawSql"])
    for one in variables(board):
        if one["type"] == "query":
            yield Query(name, f"variable {one['name']}", "variable", "table", one["query"])
    for one in board["annotations"]["list"]:
        target = one["target"]
        yield Query(name, one["name"], "annotation", target["format"], target["rawSql"])


def variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The template variables of a board."""
    found: list[dict[str, Any]] = board["templating"]["list"]
    return found


def everything(board: dict[str, Any]) -> dict[str, str]:
    """What a board opens with, by variable: its text for «All», else its current value."""
    return {
        one["name"]: one["allValue"] if one["includeAll"] else one["current"]["value"]
        for one in variables(board)
    }


def chosen(values: list[str]) -> str:
    """Some values of a variable, as ``${name:sqlstring}`` writes them."""
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def expanded(sql: str, first: datetime, last: datetime, values: Mapping[str, str]) -> str:
    """The query as it reaches PostgreSQL. Raises ``KeyError`` for a macro or variable that is
    not known."""
    bounds = {"From": moment(first), "To": moment(last)}
    sql = re.sub(
        r"\$__timeFilter\(([\w.]+)\)",
        lambda found: f"{found[1]} BETWEEN {bounds['From']} AND {bounds['To']}",
        sql,
    )
    sql = re.sub(r"\$__time(From|To)\(\)", lambda found: bounds[found[1]], sql)
    return re.sub(
        r"\$(?:\{(\w+):sqlstring\}|(\w+))", lambda found: values[found[1] or found[2]], sql
    )


def moment(at: datetime) -> str:
    """A moment as Grafana writes it, with its quotes."""
    return f"'{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z'"
