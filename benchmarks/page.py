"""What each view of the page costs the server, on a drawn shop with published nights:

python -m benchmarks.page --stores 8 --items 60
python -m benchmarks.page --stores 50 --items 100 --users 20000
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from benchmarks.bench_reports import CLOSED, PURCHASES, VERSION
from benchmarks.facts import AHEAD, BUSINESS_DATE, CUTOFF, fill, temporary_warehouse
from benchmarks.nights import fill_nights
from benchmarks.prices.shops import clock_from
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.serving.page.frame import Page
from daybreak.serving.page.sessions import Sessions
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin

BAR = 0.3
"""Seconds that a view may take, warm."""
VIEWS = {
    "Today": ("", 'class="strip"'),
    "Forecast": ("forecast", "What came true"),
    "How good was it?": ("accuracy", "By days ahead"),
    "How good was it? 28 days": ("accuracy?days=28", "By days ahead"),
    "Recommendations": ("lists", "The default list"),
    "A list": ("lists?user=user-1", "The list of user-1"),
    "Hit rate": ("hits", "By business date"),
    "Hit rate, 28 days": ("hits?days=28", "By business date"),
    "Fraud": ("fraud", "card-"),
    "Fraud, quality": ("quality", "Average precision"),
    "Prices": ("prices", "Changes that gain most"),
    "Models": ("models", f"{VERSION}</"),
    "Data": ("data", "June 2026"),
}
"""Name of a view: its address, and words that it has where it is not empty."""


def measure(
    stores: int,
    items: int,
    days: int,
    *,
    users: int,
    nights: int,
    payments: int = 1000,
    vacuumed: bool = True,
    repeats: int = 5,
) -> dict[str, Any]:
    """Seconds of each view by the server's clock, median of ``repeats`` after two to warm up.

    ``nights``: published ones, up to the newest closed day. ``payments``: of each day.
    ``vacuumed``: as autovacuum leaves tables within a minute; else as loads leave them.
    """
    sizes = {"users": users, "items": items, "a_day": max(1, users // 10), "ahead": AHEAD,
             "payments": payments, "cards": max(1, payments // 5)}  # fmt: skip
    with temporary_warehouse() as engine:
        fill(engine, stores, items, days)
        _fill(engine, days, nights, sizes)
        if vacuumed:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.execute(text("VACUUM ANALYZE"))
        with _browser(engine) as browser:
            seconds = {name: _ask(browser, *view, repeats) for name, view in VIEWS.items()}
    return {
        "series": stores * items,
        "days": days,
        "users": users,
        "nights": nights,
        "payments": payments,
        "vacuumed": vacuumed,
        "seconds": seconds,
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}",
    }


def _fill(engine: Engine, days: int, nights: int, sizes: dict[str, int]) -> None:
    span = {"first": BUSINESS_DATE - timedelta(days=days - 1), "last": BUSINESS_DATE}
    with begin(engine) as conn:
        conn.execute(text(PURCHASES), sizes | span)
        conn.execute(text(CLOSED), span)
        fill_nights(conn, sizes, nights)


@contextmanager
def _browser(engine: Engine) -> Iterator[FlaskClient]:
    """Logged in to the page, without a network between."""
    with TemporaryDirectory(prefix="dbk-bench-") as home:
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(home=Path(home), warehouse_url=url, warehouse_reader_url=url)
        runtime = Runtime(settings, clock=clock_from(CUTOFF.date()))
        keys = ApiKeys(runtime)
        with begin(engine) as conn:
            token = create_key(conn, "bench", runtime.clock(), scopes=["predict"]).token
        browser = create_app(
            runtime, authenticator=keys, page=Page(Sessions(runtime, keys))
        ).test_client()
        origin = {"Origin": "http://localhost"}
        browser.post("/ui/login", data={"key": token}, headers=origin)
        yield browser
        runtime.engine.dispose()
        runtime.report_engine.dispose()


def _ask(browser: FlaskClient, path: str, words: str, repeats: int) -> float:
    """Seconds; those until it gave up where the warehouse takes longer than a person waits.

    Raises ``RuntimeError`` where the view fails, or lacks its ``words``: an empty one is fast.
    """
    seconds = []
    for _ in range(2 + repeats):
        started = time.perf_counter()
        answer = browser.get(f"/ui/{path}")
        seconds.append(time.perf_counter() - started)
        if answer.status_code == 503:  # the warehouse gave up
            return round(seconds[-1], 4)
        page = answer.get_data(as_text=True)
        if answer.status_code != 200 or words not in page:
            raise RuntimeError(f"/ui/{path}: {answer.status}, no {words!r} in\n{page}")
    return round(statistics.median(seconds[2:]), 4)


def report(result: dict[str, Any]) -> str:
    """The table that stands in README.md, with the bar's verdict."""
    slow = [name for name, found in result["seconds"].items() if found > BAR]
    return "\n".join(
        [
            f"{result['series']:,} series, {result['days']:,} days, {result['users']:,} users, "
            f"{result['nights']} published nights, {result['payments']:,} payments a day"
            f"{'' if result['vacuumed'] else ', not vacuumed'} ({result['machine']})",
            "",
            "| view | seconds | |",
            "|---|---:|---|",
            *(
                f"| {name} | {found:.3f} | {'over the bar' if found > BAR else ''} |"
                for name, found in result["seconds"].items()
            ),
            "",
            f"Bar of {BAR} s: " + (f"missed by {', '.join(slow)}" if slow else "met by all views"),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=8)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--days", type=int, default=820)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--nights", type=int, default=35, help="published business dates")
    parser.add_argument("--payments", type=int, default=1000, help="of each day")
    parser.add_argument("--not-vacuumed", action="store_true", help="tables as loads leave them")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    result = measure(
        options.stores,
        options.items,
        options.days,
        users=options.users,
        nights=options.nights,
        payments=options.payments,
        vacuumed=not options.not_vacuumed,
    )
    print(json.dumps(result) if options.json else report(result))


if __name__ == "__main__":
    main()
