"""``/ui/lists`` and ``/ui/hits``: what is offered to whom and why, and whether they bought it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from flask import Response

from daybreak.charts.figures import BASELINE, FORECAST, Chart, days_axis, figure, line
from daybreak.charts.tables import Column, Kind, Table
from daybreak.errors import DaybreakError
from daybreak.models.base import AnyModel
from daybreak.serving.http.auth import needs
from daybreak.serving.http.body import parse
from daybreak.serving.page.asked import text_of, whole_of
from daybreak.serving.page.frame import answered_by, blueprint, shown
from daybreak.serving.page.reading import Ask, Row, reading
from daybreak.serving.service import current_service

REPORT = "recommendation_hits"
DAYS, MOST_DAYS = 14, 60
WEEK = 7
"""Days after its business date that a list is judged by."""
ROWS_AT_ONCE = 400_000
"""Rows of lists that are looked at without being asked for more: each takes up to 1 µs."""
LISTED = 20
_BETWEEN = re.compile(r"[\s,;]+")

_LIST = """
    SELECT rank, item_id, item_name, category, score, reason_text, business_date, version,
        generation_id, gate, is_default
    FROM report.recommendation
    WHERE user_id = :user
    ORDER BY rank
"""
_USERS = """
    SELECT user_id FROM report.recommendation WHERE rank = 1 AND NOT is_default LIMIT 12
"""
_NAMES = "SELECT item_id, item_name, category FROM report.item WHERE item_id = ANY(:items)"
_KNOWN = """
    SELECT newest, newest_closed, interval, rows
    FROM report.freshness
    WHERE model = :model AND newest IS NOT NULL AND newest_closed IS NOT NULL
"""
_HITS = """
    SELECT *
    FROM report.recommendation_hits
    WHERE business_date BETWEEN :first AND :last
    ORDER BY business_date
"""


@blueprint.get("/lists")
@needs("predict")
def lists() -> Response:
    """The list of a user, and that of a session."""
    model = answered_by(REPORT)
    user, session = text_of("user"), [one for one in _BETWEEN.split(text_of("session")) if one]
    with reading(current_service().runtime) as ask:
        found = ask(_LIST, user=user)
        unknown = bool(user) and not found
        if unknown:
            found = ask(_LIST, user="")
        users = [row["user_id"] for row in ask(_USERS)]
        offered, fault = _offered(model, user, session, ask) if session else ([], None)
    listed = _table("list", f"The list of {user or 'everybody'}", found)
    live = _table("session", "The list of the session", offered)
    return shown(
        "lists.html",
        "Recommendations",
        [listed, live],
        model=model.name,
        user=user,
        unknown=unknown,
        users=users,
        session=" ".join(session),
        known=found[0] if found else None,
        listed=listed,
        live=live,
        asked=bool(session),
        fault=fault,
    )


@blueprint.get("/hits")
@needs("predict")
def hits() -> Response:
    """How good the lists were."""
    model = answered_by(REPORT)
    asked = whole_of("days", 1, MOST_DAYS)
    with reading(current_service().runtime) as ask:
        known = ask(_KNOWN, model=model.name)
        newest = known[0]["newest"] if known else None
        days, first, last = _span(asked, known[0]) if known else (asked or DAYS, None, None)
        rows = ask(_HITS, first=first, last=last) if known else []
    counted = [row for row in rows if row["users"]]
    whole = [row for row in counted if row["days_closed"] == WEEK] or counted
    charts = [
        _chart(name, title, counted, digits)
        for name, title, digits in (
            ("ndcg_10", "nDCG@10", ".2f"),
            ("hit_rate", "Users who bought something on their list", ".0%"),
            ("recall_20", "Recall@20", ".0%"),
            ("coverage", "Items that are on any list", ".0%"),
        )
        if counted
    ]
    judged = _judged(rows)
    return shown(
        "hits.html",
        "How good were they?",
        [judged, *(chart.table for chart in charts)],
        active="lists",
        days=days,
        choices=sorted({7, 14, 28, 60, days}),
        newest=newest,
        means={name: _mean(whole, name) for name in _MEANS},
        counted=whole,
        charts=charts,
        judged=judged,
    )


def affordable(rows: int | None) -> int:
    """Business dates whose lists are looked at within ``ROWS_AT_ONCE``; ``rows`` of one of them."""
    return min(DAYS, max(1, ROWS_AT_ONCE // max(rows or 0, 1)))


def _span(asked: int | None, known: Row) -> tuple[int, date, date]:
    """How many days are judged, the first and the last of them.

    As many as were asked for, up to the newest business date. Unasked as many as are judged in an
    instant; where these are few, up to the last of which the whole week is closed.
    """
    days, last = asked, known["newest"]
    if days is None:
        every = WEEK if known["interval"].startswith("weekly") else 1
        days = min(DAYS, every * affordable(known["rows"]))
        if days <= WEEK:
            last = min(last, known["newest_closed"] - timedelta(days=WEEK))
    return days, last - timedelta(days=days - 1), last


_MEANS = ("ndcg_10", "popular_ndcg_10", "hit_rate", "popular_hit_rate", "recall_20",
          "popular_recall_20", "coverage", "popular_coverage")  # fmt: skip


def _mean(rows: Sequence[Row], name: str) -> float | None:
    """Over business dates, weighted by the users that count."""
    known = [row for row in rows if row[name] is not None]
    users = sum(row["users"] for row in known)
    return sum(row[name] * row["users"] for row in known) / users if users else None


def _offered(
    model: AnyModel, user: str, session: Sequence[str], ask: Ask
) -> tuple[list[Row], DaybreakError | None]:
    """The endpoint's answer to a session, with names; or what it refused it for."""
    body = {"session": list(session), "k": LISTED} | ({"user_id": user} if user else {})
    try:
        asked = parse(model.endpoint.request, json.dumps(body).encode())
        answered = json.loads(current_service().predict(model, asked).json)
    except DaybreakError as error:
        return [], error
    rows: list[Row] = answered["predictions"]
    wanted = sorted({row["item_id"] for row in rows} | {row.get("because") or "" for row in rows})
    names = {row["item_id"]: row for row in ask(_NAMES, items=wanted)}
    for row in rows:
        known: dict[str, Any] = names.get(row["item_id"], {})
        because = row.get("because") or ""
        named = names.get(because, {}).get("item_name") or because
        row |= {
            "item_name": known.get("item_name"),
            "category": known.get("category"),
            "reason_text": f"{row['reason']} {named}".strip(),
        }
    return rows, None


def _table(name: str, title: str, rows: Sequence[Row]) -> Table:
    columns = [
        Column("rank", "rank", "number", 0),
        Column("item_id", "item"),
        Column("item_name", "name"),
        Column("category", "category"),
        Column("reason_text", "why", "text", 0),
        Column("score", "score", "number", 3),
    ]
    return Table(name, title, columns, rows, "No list is published yet.")


def _chart(name: str, title: str, rows: Sequence[Row], digits: str) -> Chart:
    x = [row["business_date"] for row in rows]
    popular = [row[f"popular_{name}"] for row in rows]
    traces = [
        line("popularity", x, popular, BASELINE, mode="lines+markers"),
        line("Daybreak", x, [row[name] for row in rows], FORECAST, mode="lines+markers"),
    ]
    layout = {
        "yaxis": {"tickformat": digits, "rangemode": "tozero"},
        "xaxis": days_axis(x),
    }
    kind: Kind = "number" if name == "ndcg_10" else "percent"
    columns = [
        Column("business_date", "business date", "date"),
        Column("users", "users", "number", 0),
        Column(name, title, kind, 3 if kind == "number" else 1),
        Column(f"popular_{name}", "popularity", kind, 3 if kind == "number" else 1),
    ]
    table = Table(f"by-{name.replace('_', '-')}", title, columns, rows)
    return Chart(name.replace("_", "-"), title, figure(traces, height=240, **layout), table)


def _judged(rows: Sequence[Row]) -> Table:
    columns = [
        Column("business_date", "business date", "date"),
        Column("days_closed", "days closed of 7", "number", 0),
        Column("users", "users", "number", 0),
        Column("purchases", "purchases", "number", 0),
        Column("purchases_met", "on the list", "number", 0),
        Column("popular_purchases_met", "on that of popularity", "number", 0),
        Column("hit_rate", "hit rate", "percent"),
        Column("ndcg_10", "nDCG@10", "number", 3),
        Column("popular_ndcg_10", "nDCG@10, popularity", "number", 3),
        Column("version", "version"),
        Column("gate", "gate", "mark"),
    ]
    return Table("hits", "Lists beside what was bought", columns, rows, "No day of them is closed.")
