"""Grafana's boards and alert rules: whole files that lead somewhere, and ask only for reports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from grafana_boards import (
    BOARDS,
    GRAFANA,
    RULES,
    WAREHOUSE,
    WAREHOUSE_BOARDS,
    Query,
    everything,
    expanded,
    moment,
    queries,
)

DOCS = GRAFANA.parents[1] / "docs"
SOURCES: dict[str, dict[str, Any]] = {
    source["uid"]: source
    for path in (GRAFANA / "provisioning" / "datasources").glob("*.yml")
    for source in yaml.safe_load(path.read_text())["datasources"]
}
COMPOSE = yaml.safe_load((GRAFANA.parents[1] / "docker-compose.yaml").read_text())
ONE_ROW_A_MODEL = "report.freshness"
"""What is small whatever lies in the warehouse, and is asked without a time range."""


def sources_of(value: Any) -> Iterator[dict[str, str]]:
    """Every data source that is named anywhere in a board."""
    if isinstance(value, dict):
        if isinstance(value.get("datasource"), dict):
            yield value["datasource"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from sources_of(inner)


def relations(sql: str) -> set[str]:
    return set(re.findall(r"\b(?:FROM|JOIN)\s+(?!\()([\w.]+)", sql))


def asked() -> Iterator[Query]:
    for board in WAREHOUSE_BOARDS:
        yield from queries(board)
    for rule in RULES:
        model = rule["data"][0]["model"]
        yield Query("alert", rule["title"], "alert", model["format"], model["rawSql"])


def test_a_board_has_a_name_of_its_own() -> None:
    for name in ("uid", "title"):
        assert len({board[name] for board in BOARDS}) == len(BOARDS)
    assert len({rule["uid"] for rule in RULES}) == len(RULES)
    for board in BOARDS:
        assert {"daybreak"} == set(board["tags"])
        assert board["editable"] is False


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
def test_panels_do_not_overlap_and_say_what_they_show(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["description"].endswith(".")
        if panel["type"] != "table":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    assert {x for x, _ in taken} <= set(range(24))
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
def test_a_board_asks_one_source_that_there_is(board: dict[str, Any]) -> None:
    named = {(one["uid"], one["type"]) for one in sources_of(board)}
    assert len(named) == 1
    ((uid, kind),) = named
    assert SOURCES[uid]["type"] == kind


@pytest.mark.parametrize("query", list(asked()), ids=str)
def test_a_query_asks_for_reports_within_a_time_range(query: Query) -> None:
    named = relations(query.sql)
    assert named
    assert all(name.startswith("report.") for name in named), named
    bounded = re.search(r"\$__time(Filter|From|To)\(", query.sql)
    assert bounded or query.kind == "variable" or named == {ONE_ROW_A_MODEL}


def test_what_is_not_expanded_is_an_error() -> None:
    first, last = datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert moment(first) == "'2026-03-01T08:00:00Z'"
    sql = "$__timeFilter(business_date) AND a IN (${a:sqlstring}) AND b <= $b AND $__timeTo()"
    assert expanded(sql, first, last, {"a": "'x'", "b": "7"}) == (
        "business_date BETWEEN '2026-03-01T08:00:00Z' AND '2026-03-02T00:00:00Z' "
        "AND a IN ('x') AND b <= 7 AND '2026-03-02T00:00:00Z'"
    )
    for unknown in ("$__timeGroup(a, '1d')", "$c", "${c:sqlstring}"):
        with pytest.raises(KeyError):
            expanded(unknown, first, last, {})


@pytest.mark.parametrize("board", WAREHOUSE_BOARDS, ids=lambda board: board["uid"])
def test_every_variable_is_used_and_every_board_shows_days_as_dates(board: dict[str, Any]) -> None:
    asked = json.dumps([query.sql for query in queries(board)])
    for name in everything(board):
        assert re.search(rf"\$\{{?{name}\b", asked), name
    # In the zone of a browser west of Greenwich a business date would be the day before.
    assert board["timezone"] == "utc"


@pytest.mark.docs
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
def test_every_board_is_in_the_docs(board: dict[str, Any]) -> None:
    assert f"*{board['title']}*" in (DOCS / "deploy.md").read_text()


def test_grafana_logs_in_to_the_warehouse_as_a_reader_by_a_secret() -> None:
    source = SOURCES[WAREHOUSE]
    assert source["editable"] is False
    script = (GRAFANA.parent / "postgres" / "create-databases.sh").read_text()
    assert f"CREATE ROLE {source['user']} LOGIN PASSWORD" in script
    assert f"CREATE DATABASE {source['jsonData']['database']} " in script
    secret = source["secureJsonData"]["password"]
    assert secret.startswith("$")
    assert secret[1:] in COMPOSE["services"]["grafana"]["environment"]
    host, port = source["url"].split(":")
    assert (host, port) == ("postgres", "5432")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])
def test_an_alert_rule_is_whole(rule: dict[str, Any]) -> None:
    asks, compares = rule["data"]
    assert asks["datasourceUid"] in SOURCES
    assert compares["datasourceUid"] == "__expr__"
    assert compares["model"]["expression"] == asks["refId"] == asks["model"]["refId"]
    assert rule["condition"] == compares["refId"] == compares["model"]["refId"]
    assert asks["model"]["format"] == "table"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["noDataState"] == "OK", "a shop without the model is no alert"
    assert rule["execErrState"] == "Error"
    # There Grafana would put a variable of its environment in the place of what follows a `$`.
    assert "$" not in json.dumps([rule["labels"], rule["title"], rule["uid"]])
