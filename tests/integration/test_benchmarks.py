"""Each benchmark runs to its end on tiny data, so that none is broken when it is needed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psutil
import pytest
from benchmarks import bench_forecast, bench_recommendations, bench_reports, page
from benchmarks.drift import __main__ as drift
from benchmarks.drift.plants import PLANTS
from benchmarks.online import (
    decisions,
    events,
    faults,
    memory,
    overload,
    promotions,
    rows,
    slow_clients,
)
from benchmarks.online.bank import Books
from benchmarks.online.drill import served
from benchmarks.online.peers import load
from benchmarks.online.peers.others import others
from benchmarks.online.peers.ours import SCORED, ours
from benchmarks.online.peers.report import tables
from benchmarks.online.peers.rounds import measure_rounds
from benchmarks.online.shop import Size
from benchmarks.prices import night, report, shops
from benchmarks.prices import solve as prices
from benchmarks.prices.__main__ import measure as bars

from daybreak.runtime import Runtime
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin
from gunicorn_server import gunicorn
from random_panels import plain_panel
from toy import publish_day

pytestmark = pytest.mark.slow  # each starts a PostgreSQL of its own


def test_a_night_of_forecasts() -> None:
    result = bench_forecast.measure(stores=2, items=5, days=90, rounds=2)

    json.dumps(result)
    assert (result["series"], result["rows"], result["trees"]) == (10, 280, 8)
    table = bench_forecast.report(result)
    assert table.count("\n|") >= 8
    assert result["ratio_to_bare_predict"] > 0


def test_a_night_with_shards_in_processes() -> None:
    result = bench_forecast.measure(stores=2, items=5, days=90, rounds=2, processes=2)
    assert (result["series"], result["processes"]) == (10, 2)
    assert result["peak_mb"]["read facts"] > 0


def test_a_night_of_lists() -> None:
    result = bench_recommendations.measure(users=300, rounds=2)

    json.dumps(result)
    assert result["users"] == 300
    assert result["trees"] <= 4
    assert result["candidates_per_user"] > 20
    assert bench_recommendations.report(result).count("\n|") >= 6


def test_a_business_date_in_the_reports() -> None:
    result = bench_reports.measure(stores=2, items=5, days=60, users=30, vintages=1, times=2)

    json.dumps(result)
    assert (result["series"], result["times"]) == (10, 2)
    assert set(result["ratio"]) == set(result["seconds"]) == set(bench_reports.QUESTIONS)
    assert bench_reports.report(result).count("\n|") == 2 + len(bench_reports.QUESTIONS)


def test_the_views_of_the_page() -> None:
    result = page.measure(stores=2, items=5, days=60, users=30, nights=3, payments=50, repeats=1)

    json.dumps(result)
    assert result["series"] == 10
    assert set(result["seconds"]) == set(page.VIEWS)
    assert page.report(result).count("\n|") == 2 + len(page.VIEWS)
    slow = result | {"seconds": {"Today": 2 * page.BAR, "Data": page.BAR}}
    assert page.report(slow).endswith("missed by Today")


def test_of_the_endpoint(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    runtime = make_runtime()
    publish_day(runtime)
    with begin(runtime.engine) as conn:
        key = create_key(conn, "bench", datetime(2026, 2, 1, tzinfo=UTC)).token
    with gunicorn(runtime, tmp_path) as server:
        asked = slow_clients.Asked(
            "127.0.0.1",
            server.port,
            "/v1/models/toy/predict",
            key,
            json.dumps({"store": "S1", "item": "pear", "date": "2026-02-03"}),
        )
        result = slow_clients.measure(asked, [*slow_clients.KINDS], each=2, seconds=1)
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        with closing(connection):
            bodies = [{"store": "S1", "item": "pear", "date": "2026-02-03"}] * 3
            many = rows.measure(connection, asked.path, key, bodies, rounds=2)

    json.dumps(result)
    assert (result["failed"], result["health_failed"]) == (0, 0)
    assert result["beside_per_second"] > 0
    assert result["longest_lived"].keys() == slow_clients.KINDS.keys()
    assert (many["rows"], many["rounds"]) == (3, 2)
    assert many["times_less"] > 0


def test_a_choice_of_prices() -> None:
    result = prices.measure(offers=600, budget=30, families=3)

    json.dumps(result)
    assert (result["offers"], result["changes"], result["optimal"]) == (600, 30, True)
    assert (result["units"], result["pairs"]) == (33, 60)
    assert prices.report(result).count("\n|") == 2 + len(result["seconds"])


def test_promotions_under_load() -> None:
    """Few, and as quickly one after the other as they come; the numbers are of a whole run."""
    result = promotions.measure(changes=5, clients=2, every=0.2)

    json.dumps(result)
    assert (result["failed"], result["mixed"], result["backward"]) == (0, 0, 0)
    assert result["answers"] > 0
    assert result["states_seen"].endswith("of 6")


def test_beside_servers_that_our_own_environment_has(tmp_path: Path) -> None:
    """Each is started, has to answer as the booster does, and is stopped. Where there is no wrk,
    only the load is left out."""

    def no_load(*_: object) -> load.Load:
        return load.Load(1.0, 1.0, 1.0)

    measure = load.measure if shutil.which("wrk") else no_load
    before = psutil.Process().children(recursive=True)
    said: list[str] = []
    candidates = others(["bare", "fastapi"], lambda _: Path(sys.executable), tmp_path, trees=3)
    with ours([SCORED], Size(rounds=2)) as scored:
        candidates += scored
        (found,) = measure_rounds(candidates, 1, 1, measure, said.append)

    assert list(found) == ["bare", "fastapi", SCORED]
    assert len(said) == len(found)
    assert all(load.per_second > 0 for turn in found.values() for load in turn.loads.values())
    assert found["bare"].worker.rss < found["fastapi"].worker.rss
    about = {"date": "", "commit": "", "machine": "", "seconds": 1}
    assert tables([found], {one.name: one.versions for one in candidates}, about)
    wrong = replace(candidates[0], expected=[(2.0,)])
    with pytest.raises(AssertionError, match="expected were"):
        measure_rounds([wrong], 1, 1, measure, said.append)
    assert psutil.Process().children(recursive=True) == before


def test_drills() -> None:
    """Each for a moment, over one service; which bars are kept is for a whole run to say."""
    with served() as made:
        sent = events.measure(made, events=60, each=20, connections=2)
        loaded = overload.measure(made, seconds=1, calm=1)
        flat = memory.measure(made, requests=80, warm=40, every=40)
        away = faults.measure(made, seconds=1, calm=1)

    json.dumps([sent, loaded, flat, away])
    assert sent["events"] == 60
    assert loaded["answers"]["200"] > 0
    assert loaded["held"]["health"]
    assert overload.report(loaded).lower().count("held:") == 4
    assert flat["answers"] == {"200": 40 + 56, "400": 8, "401": 8, "404": 8}
    assert len(flat["growth"]) == 2
    assert "no worker was replaced" in memory.report(flat)
    assert [row["name"] for row in away["phases"]][::2] == [
        *("undisturbed", "after it", "after it", "after it")
    ]
    assert away["held"]["no wrong answer"]
    assert faults.report(away).count(" wrong, ") == 7


@pytest.mark.slow
def test_decisions_are_made_disturbed_and_made_again() -> None:
    """Of a small bank; which bars are kept is for a whole run to say."""
    books = Books(cards=300, terminals=60, days=40, rounds=10)
    found = decisions.measure(books, seconds=1.0, decisions=600, after=0.3, times=2)

    json.dumps(found)
    assert found["held"]["none differs, is lost or there twice"]
    assert found["decisions"] > 600
    assert found["differing"] == found["lost"] == found["twice"] == 0
    assert found["sustained"]["failed"] == 0
    assert set(found["history"]["ms_by_days"]) == {40, 80}
    text = "\n".join(decisions.report(found))
    assert text.lower().count("held:") == 7


def test_drifts_are_planted_and_quiet_nights_pass() -> None:
    random = np.random.default_rng(2)
    level = np.linspace(3, 30, 24)[:, None]
    panel = plain_panel(random.poisson(level, (24, 260)).astype(np.float32))
    days = drift.Days(learned=3, quiet=3, trained_every=4, starts=(1,))
    found = drift.measure("drawn", panel, days)

    json.dumps(asdict(found))
    assert set(found.nights) == {plant.name for plant in PLANTS}
    assert found.nights["40 % more series, new and dear"]
    assert drift.report([found]).count("\n|") >= 3 + len(PLANTS)


def test_the_bars_of_prices() -> None:
    """Of a small shop and few prices; which bars are kept is for a whole run to say."""
    size = shops.Size(stores=3, items=20)
    scale = night.Scale(stores=3, items=20, budget=10, families=1)
    found = bars([11], size, scale, cases=50, seconds=0.5)

    json.dumps(found)
    (shop,) = found["shops"]
    for earned in shop["margins"].values():
        margin = earned["margin"]
        assert margin["kept"] < margin["published"] <= margin["best"]
    assert all(one["differing"] == 0 < one["asked"] for one in found["again"])
    assert found["rules"]["broken"] == found["rules"]["misnamed"] == 0 < found["rules"]["changed"]
    assert found["night"]["prices"] == 60
    assert found["night"]["changed"] > 0
    assert report.table(report.lines(found)).count("\n|") == 13
