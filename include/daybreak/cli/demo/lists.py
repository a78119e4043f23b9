"""What the demo shows of the recommendations."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.demo.ask import Service, expect_equal
from daybreak.cli.demo.words import percent, title
from daybreak.cli.printing import print_table
from daybreak.errors import PlatformError
from daybreak.platform.airflow_api import Days

MODEL = "recommendations"
USERS = 3
SHOWN = 5

REGULARS = text(
    """
    SELECT user_id
    FROM raw.interaction
    WHERE weight >= 1 AND user_id IS NOT NULL
        AND business_date > CAST(:last AS date) - 56 AND business_date <= :last
    GROUP BY user_id
    ORDER BY count(DISTINCT business_date) DESC, user_id
    LIMIT :users
    """
)
LISTS = text(
    """
    SELECT user_id, rank, item_id, item_name, score, reason, because, reason_text, business_date,
           generation_id, version
    FROM report.recommendation
    WHERE user_id = ANY(:users)
    ORDER BY user_id, rank
    """
)
HITS = text(
    """
    SELECT sum(users) AS users,
           sum(hit_rate * users) / nullif(sum(users), 0) AS hit_rate,
           sum(popular_hit_rate * users) / nullif(sum(users), 0) AS popular_hit_rate,
           sum(ndcg_10 * users) / nullif(sum(users), 0) AS ndcg_10,
           sum(popular_ndcg_10 * users) / nullif(sum(users), 0) AS popular_ndcg_10
    FROM report.recommendation_hits
    WHERE business_date BETWEEN :first AND :last
    """
)


def show(conn: Connection, days: Days, service: Service) -> None:
    """Three lists, how many purchases lists met, a list over HTTP, and a session."""
    users = conn.scalars(REGULARS, {"last": days.last, "users": USERS}).all()
    rows = [dict(row) for row in conn.execute(LISTS, {"users": users}).mappings()]
    _print_lists(rows)
    _print_hits(conn, days)
    first = [row for row in rows if row["user_id"] == rows[0]["user_id"]]
    _ask_for_a_list(service, first)
    _ask_in_a_session(service, first[0])


def _print_lists(rows: list[dict[str, Any]]) -> None:
    title(
        f"Recommendations as of {rows[0]['business_date']} for the {USERS} most regular customers, "
        f"the first {SHOWN} of each list (report.recommendation)"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("user", "rank", "item", "name", "why"):
        table.add_column(name, justify="right" if name == "rank" else "left")
    for row in rows:
        if row["rank"] <= SHOWN:
            table.add_row(
                row["user_id"],
                str(row["rank"]),
                row["item_id"],
                row["item_name"] or "",
                row["reason_text"],
            )
    print_table(table)


def _print_hits(conn: Connection, days: Days) -> None:
    found = conn.execute(HITS, {"first": days.first, "last": days.last}).mappings().one()
    title("Did the lists meet what was bought in the days after? (report.recommendation_hits)")
    if not found["users"]:
        typer.echo("None of these days has a closed day after it yet.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "users with a hit", "NDCG@10"):
        table.add_column(name, justify="right")
    for who, prefix in (("Daybreak", ""), ("popularity", "popular_")):
        table.add_row(
            who, percent(found[f"{prefix}hit_rate"]), f"{float(found[f'{prefix}ndcg_10']):.3f}"
        )
    print_table(table)


def _ask_for_a_list(service: Service, rows: list[dict[str, Any]]) -> None:
    title("One list over HTTP")
    body = {"user_id": rows[0]["user_id"]}
    answer = service.ask(MODEL, body, generation=rows[0]["generation_id"])
    if len(answer["predictions"]) != len(rows):
        raise PlatformError(
            f"The answer has {len(answer['predictions'])} items, the table {len(rows)}.",
            remedy="This must never happen: please report it with the state folder's logs.",
        )
    for predicted, row in zip(answer["predictions"], rows, strict=True):
        expect_equal(predicted, row, ("rank", "item_id", "score", "reason", "because"))
    typer.echo(
        f"All {len(rows)} items equal the published list of generation "
        f"{rows[0]['generation_id']}: same items, same order, same bits (source "
        f"{answer['source']})."
    )


def _ask_in_a_session(service: Service, row: dict[str, Any]) -> None:
    title(f"An unknown user has just put {row['item_name'] or row['item_id']} in the basket")
    body = {"session": [row["item_id"]], "k": SHOWN}
    answer = service.ask(MODEL, body, generation=row["generation_id"])
    typer.echo(json.dumps(answer))
