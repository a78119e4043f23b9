"""``daybreak demo`` from nothing to a proven answer, once more, and the README's commands after it.

All on one platform, as somebody does who tries it; an analyst reads while the days land.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection, func, select, text

from browsing import Watched, chromium_started, drawn, keep
from daybreak.models.fraud.tables import scores as suspicions
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON
from daybreak.models.sales_forecast.tables import scores
from daybreak.period import Period
from daybreak.reporting.kept import PAGE
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import decision, event_id, generation, proof, published, sla
from installation import ROOT, SMALL_SHOP, Installation, new_installation
from page_walk import doors, leads_to_a_run, log_in_to_airflow, open_in_airflow, walk
from reader import Reader, reading
from readme_commands import ELSEWHERE, commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

MODEL = "sales_forecast"
FRAUD = "fraud"
PAYMENTS = 2_000
LAST = date(2026, 6, 30)
NIGHTS = 14
DAYS = [LAST - timedelta(days=n) for n in reversed(range(NIGHTS))]
ROWS = (
    int(SMALL_SHOP["DAYBREAK_SYNTHETIC_STORES"])
    * int(SMALL_SHOP["DAYBREAK_SYNTHETIC_ITEMS"])
    * DEFAULT_HORIZON
)

ACCURACY = """
    SELECT
        sum(rows)::bigint AS rows,
        sum(actual_units) AS units,
        sum(absolute_error_p50) / sum(actual_units) AS wape,
        sum(absolute_error_naive) / sum(actual_units) AS wape_naive
    FROM report.forecast_accuracy
    WHERE business_date < :last AND target_date BETWEEN :first AND :last
    GROUP BY target_date
    ORDER BY target_date
"""


@dataclass
class Published:
    """What a demo printed, and what lay in the warehouse after it."""

    printed: str
    reader: Reader
    rows: list[Any]
    generations: dict[date, int]
    states: Counter[tuple[str, str]]


@dataclass
class Demo:
    """A platform with a demo's days."""

    installation: Installation
    runtime: Runtime
    first: Published


def run_demo(installation: Installation, runtime: Runtime) -> Published:
    with reading(runtime) as reader:
        printed = installation.must("demo", timeout=1800)
    with connect(runtime.engine) as conn:
        return Published(printed, reader, *in_force(conn))


def in_force(conn: Connection) -> tuple[list[Any], dict[date, int], Counter[tuple[str, str]]]:
    """The rows, with their bits but no generation; the generation of each day; all states."""
    columns = [column for column in scores.c if column.name != "generation_id"]
    rows = select(*columns).join(published, published.c.generation_id == scores.c.generation_id)
    pointers = select(published.c.business_date, published.c.generation_id)
    states = select(generation.c.run_type, generation.c.state).where(generation.c.model == MODEL)
    return (
        list(conn.execute(rows.order_by(*columns[:4]))),
        dict(map(tuple, conn.execute(pointers.where(published.c.model == MODEL)))),
        Counter(map(tuple, conn.execute(states))),
    )


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """One platform for all tests here, each of which goes on from where the last one ended."""
    with new_installation() as installation:
        installation.env |= SMALL_SHOP | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer"
        }
        runtime = Runtime(Settings(home=installation.home, dataset="synthetic"))
        try:
            yield Demo(installation, runtime, run_demo(installation, runtime))
        finally:
            runtime.engine.dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with chromium_started() as browser:
        yield browser


def assert_no_reader_saw_half_a_day(seen: Published) -> None:
    """Every look found one whole day, or none yet."""
    assert seen.reader.looks > 20
    assert {len(look) for look in seen.reader.seen} <= {0, 1}
    found = {(rows, cells) for look in seen.reader.seen for _, _, rows, cells in look}
    assert found == {(ROWS, ROWS)}


def test_a_demo_shows_everything_and_its_days_land_whole(demo: Demo) -> None:
    first = demo.first
    assert_it_shows_everything(first.printed)
    assert_no_reader_saw_half_a_day(first)
    assert sorted(first.generations) == DAYS
    assert len(first.rows) == NIGHTS * ROWS
    assert first.states == {("backfill", "published"): NIGHTS}
    with connect(demo.runtime.engine) as conn:
        query = select(sla).where(sla.c.model == MODEL).order_by(sla.c.business_date)
        recorded = conn.execute(query).all()
    assert [row.business_date for row in recorded] == DAYS
    for row in recorded:
        assert (row.run_type, row.status, row.rows) == ("backfill", "not_counted", ROWS)
        assert row.deadline_fired_at is None
        assert row.queue_seconds is None
        assert min(row.wait_seconds, row.score_seconds, row.publish_seconds) >= 0


def test_each_payment_is_decided_once_and_every_decision_is_proven(demo: Demo) -> None:
    assert_decisions_are_proven(demo)
    said = re.search(
        r"^Reviewed or blocked: (\d+) of the (\d+) frauds, .* and (\d+) of the ([\d,]+) good",
        demo.first.printed,
        re.M,
    )
    assert said is not None
    caught, frauds, disturbed, goods = (int(one.replace(",", "")) for one in said.groups())
    assert frauds + goods == PAYMENTS
    assert caught >= 10
    assert caught / frauds > 5 * disturbed / goods, "by chance both would be alike"
    with connect(demo.runtime.engine) as conn:
        flagged = select(func.count()).where(
            suspicions.c.generation_id == published.c.generation_id,
            published.c.model == FRAUD,
            suspicions.c.decision != "allow",
        )
        assert (conn.scalar(flagged) or 0) >= 10
        query = select(sla).where(sla.c.model == FRAUD)
        recorded = conn.execute(query).one()
    assert (recorded.business_date, recorded.run_type) == (LAST, "manual")
    assert (recorded.status, recorded.rows) == ("not_counted", PAYMENTS), "the day is long past"


def assert_decisions_are_proven(demo: Demo) -> None:
    """Each payment of the day has one entry in the log, one decision and one score."""
    d = decision.c
    with connect(demo.runtime.engine) as conn:
        made = conn.execute(
            select(d.event_id, d.recorded, d.stale).where(d.model == FRAUD, d.business_date == LAST)
        ).all()
        names = [one.event_id for one in made]
        logged = conn.scalar(select(func.count()).where(event_id.c.event_id.in_(names)))
        nights = conn.execute(select(proof).where(proof.c.model == FRAUD)).all()
        query = select(generation).where(generation.c.model == FRAUD)
        (night,) = conn.execute(query).all()
        scored = select(suspicions.c.event_id).where(
            suspicions.c.generation_id == night.generation_id
        )
        assert sorted(conn.scalars(scored)) == sorted(names)
    assert len(made) == len({*names}) == logged == PAYMENTS
    assert all(one.recorded and not one.stale for one in made)
    assert [(one.business_date, one.decisions) for one in nights] == [(LAST, PAYMENTS)]
    assert [(one.differing, one.wrong_tiles, one.finding) for one in nights] == [(0, 0, "")]
    assert (night.business_date, night.state, night.rows) == (LAST, "published", PAYMENTS)


@pytest.mark.browser
def test_the_reports_of_both_weeks_open_without_a_network_and_say_what_the_views_say(
    demo: Demo, chromium: Any, tmp_path: Path
) -> None:
    for week, days in (("2026-W25", 3), ("2026-W26", 6)):
        copied = demo.installation.must(
            *("reports", "get", MODEL, "--period", week, "--out", str(tmp_path), "--json")
        )
        folder = Path(json.loads(copied)["folder"])
        said = pd.read_parquet(folder / "accuracy_by_day.parquet")
        with connect(demo.runtime.engine) as conn:
            period = Period.parse(week)
            query = text(ACCURACY).bindparams(first=period.first, last=period.last)
            expected = pd.DataFrame(conn.execute(query).mappings())
        assert len(expected) == days, "from the day after the first night on, no Sundays"
        for name in expected:
            assert said[name].tolist() == pytest.approx(expected[name].tolist(), rel=1e-12)

        watched = Watched(chromium, offline=True)
        watched.page.goto((folder / PAGE).as_uri())
        assert drawn(watched.page) >= 5
        rows = watched.page.locator("table[data-section=accuracy_by_day] tbody tr")
        shown = [row.split("\t") for row in rows.all_inner_texts()]
        assert [row[4] for row in shown] == [f"{100 * wape:.1f} %" for wape in expected["wape"]]
        keep(watched.page, f"demo-report-{week}")
        watched.context.close()
        assert watched.faults == []


@pytest.mark.docs
def test_a_second_one_runs_only_what_is_not_out_and_gives_the_same_bits(demo: Demo) -> None:
    installation, first = demo.installation, demo.first
    installation.must("rollback", MODEL, "--business-date", LAST.isoformat())
    again = run_demo(installation, demo.runtime)

    assert_it_shows_everything(again.printed)
    assert_no_reader_saw_half_a_day(again)
    for model in (MODEL, "recommendations", FRAUD):
        assert re.search(rf"^{model}: \S+ is champion already", again.printed, re.M), "not trained"
    assert f"daily_recommendations: all {NIGHTS} days are published" in again.printed
    assert "daily_forecast: all" not in again.printed, "one of its days was withdrawn"
    assert f"daily_fraud: {LAST} is published" in again.printed
    assert forecasts(first.printed) == forecasts(again.printed)
    assert decisions(first.printed) == decisions(again.printed), "asked again, all have their own"
    assert_decisions_are_proven(demo)
    assert again.rows == first.rows, "byte for byte"
    assert all(again.generations[day] > first.generations[day] for day in DAYS)
    assert again.states == {
        ("backfill", "published"): NIGHTS,
        ("backfill", "superseded"): NIGHTS - 1,
        ("backfill", "rolled_back"): 1,
    }
    for dag, nights in (
        ("daily_forecast", NIGHTS),
        ("daily_recommendations", NIGHTS),
        ("daily_fraud", 1),
    ):
        listed = installation.must("airflow", "dags", "list-runs", dag, "-o", "json")
        runs = json.loads(listed[listed.index("[{") :])
        assert [run["state"] for run in runs] == ["success"] * nights, "no run but the first ones"
    curls = curls_of(again.printed)
    answers = [json.loads(subprocess.check_output(curl, shell=True)) for curl in curls]
    assert [answer["source"] for answer in answers] == [
        *("published", "published", "live", "live"),
        "published",
    ]
    assert_the_examples_of_the_docs_work(installation, again.printed)


def test_every_command_of_the_readme_works(demo: Demo) -> None:
    to_run = [command for command in commands() if command not in ELSEWHERE]
    assert len(to_run) >= 10

    for command in to_run:
        result = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=demo.installation.env,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    watched = Watched(chromium, at="/ui")
    yield watched.page
    watched.context.close()
    assert watched.faults == []


@pytest.mark.browser
def test_the_page_that_it_names_shows_what_came_out(demo: Demo, tab: Any) -> None:
    named = doors(demo.first.printed)
    tab.goto(named.page)
    tab.get_by_label("API key").fill(newest_key(demo))
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("heading", level=1, name="Today").wait_for()
    for clicked in ("Forecast", "How good was it?"):  # and no more
        tab.get_by_role("link", name=clicked, exact=True).click()
    tab.get_by_text("The newest forecast that can be judged: as of").wait_for()
    assert "seasonal naive" in tab.locator("dl.numbers").first.inner_text()
    walk(tab, lambda name: keep(tab, f"demo-{name}"))
    tab.get_by_role("link", name="Today", exact=True).click()
    tab.get_by_role("link", name="run in Airflow").first.wait_for()
    log_in_to_airflow(tab.context.new_page(), named.airflow, named.user, named.password)
    leads_to_a_run(tab, tab)


@pytest.mark.browser
def test_inside_airflow_who_may_edit_the_dag_acts(demo: Demo, tab: Any) -> None:
    named = doors(demo.first.printed)
    log_in_to_airflow(tab, named.airflow, named.user, named.password)
    frame = open_in_airflow(tab)
    walk(frame, lambda name: keep(tab, f"airflow-{name}"))
    frame.get_by_role("link", name="Today", exact=True).click()
    leads_to_a_run(tab, frame)

    before = published_forecasts(demo)
    frame = open_in_airflow(tab)
    frame.get_by_role("link", name="Models", exact=True).click()
    frame.get_by_role("link", name=MODEL, exact=True).click()
    frame.wait_for_url(re.compile(f"model={MODEL}$"))  # the last model has the same buttons
    frame.get_by_role("link", name="Roll back").click()
    frame.wait_for_url(re.compile(rf"/ui/rollback\?.*model={MODEL}"))
    frame.get_by_label("Reason").fill("the prices of that day were wrong")
    frame.get_by_role("button", name=re.compile("Withdraw|Roll back")).click()
    frame.get_by_text("withdrawn", exact=False).first.wait_for()
    keep(tab, "airflow-rolled-back")
    after = published_forecasts(demo)
    assert after.pop(LAST, None) != before.pop(LAST), "what was published before it, or nothing"
    assert after == before
    with connect(demo.runtime.engine) as conn:
        reasons = select(generation.c.reason).where(generation.c.state == "rolled_back")
        said = list(conn.scalars(reasons.order_by(generation.c.generation_id.desc())))
    assert "admin (page): the prices of that day were wrong" in said

    # The login ends while the page is open: it says so, and leads to a new one.
    tab.context.clear_cookies()
    frame.get_by_role("link", name="Data", exact=True).click()
    frame.get_by_role("heading", name="Log in to Airflow").wait_for()
    keep(tab, "airflow-ended")
    frame.get_by_role("link", name="Log in again").click()
    tab.get_by_label("Username").wait_for()
    assert tab.locator("iframe").count() == 0


@pytest.mark.browser
def test_inside_airflow_who_may_see_the_dag_sees(demo: Demo, tab: Any) -> None:
    named = doors(demo.first.printed)
    passwords = demo.installation.home / "airflow/simple_auth_manager_passwords.json.generated"
    log_in_to_airflow(tab, named.airflow, "viewer", json.loads(passwords.read_text())["viewer"])
    frame = open_in_airflow(tab)
    walk(frame, lambda _name: None)
    frame.get_by_role("link", name="Models", exact=True).click()
    frame.get_by_role("heading", level=1, name="Models").wait_for()
    assert frame.get_by_role("link", name="Roll back").count() == 0
    frame.goto(re.sub(r"/ui.*", f"/ui/rollback?model={MODEL}", frame.url))
    frame.get_by_text(f"You may see {MODEL} and not change what is in force of it.").wait_for()


def newest_key(demo: Demo) -> str:
    """A key of our own: each demo revokes the one that the last one printed."""
    return demo.installation.must("keys", "create", "page", "--scope", "predict").strip()


def published_forecasts(demo: Demo) -> dict[date, int]:
    with connect(demo.runtime.engine) as conn:
        return in_force(conn)[1]


def test_down_leaves_nothing(demo: Demo) -> None:
    demo.runtime.engine.dispose()
    demo.installation.must("down")
    assert demo.installation.processes() == []


def assert_the_examples_of_the_docs_work(installation: Installation, printed: str) -> None:
    """Every command of docs/api.md that asks the service, and the form of what it answers."""
    service = re.search(r"curl -sS (http://\S+?)/v1/", printed)
    airflow = re.search(r"^Airflow +(http://\S+) +\(user admin, password (\S+)\)", printed, re.M)
    assert service is not None
    assert airflow is not None
    key = installation.must("keys", "create", "docs", "--scope", "admin").strip()
    time.sleep(1.1)  # a new key opens within a second, which the docs say
    known = f"URL={service[1]} AIRFLOW={airflow[1]} KEY={key}\n"

    asked = 0
    page = (ROOT / "docs" / "api.md").read_text()
    for block, answer in re.findall(
        r"```(?:bash|sh|console)\n(.*?)```(?:\n\n```json\n(.*?)```)?", page, re.DOTALL
    ):
        if "curl" not in block:
            continue
        commands = re.sub(r"^(URL|AIRFLOW|KEY)=.*\n", "", block, flags=re.M)
        commands = commands.replace('"password": "…"', f'"password": "{airflow[2]}"')
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", known + commands.replace("\ncurl", "\necho\ncurl")],
            env=installation.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stderr}"
        if "$URL/metrics" in block:  # the one that is no JSON
            assert "daybreak_requests_total{" in done.stdout
            continue
        answers = [json.loads(line) for line in done.stdout.splitlines() if line]
        assert answers, commands
        assert not [found for found in answers if "error" in found], f"{commands}\n{answers}"
        if answer:
            (found,), shown = answers, json.loads(answer)
            assert found.keys() == shown.keys()
            if "answers" in shown:
                assert [one.keys() for one in found["answers"]] == [
                    one.keys() for one in shown["answers"]
                ]
            elif "entries" in shown:
                assert found["entries"][0].keys() == shown["entries"][0].keys()
            else:
                assert found["predictions"][0].keys() == shown["predictions"][0].keys()
            assert found.get("business_date") == shown.get("business_date")
        asked += len(answers)
    assert asked >= page.count("\ncurl ") - 1  # all but the metrics

    with urllib.request.urlopen(f"{service[1]}/v1/openapi.json", timeout=30) as response:
        document = json.load(response)
    for path, methods in document["paths"].items():
        body = methods.get("post", {}).get("requestBody", {})
        examples = body.get("content", {}).get("application/json", {}).get("examples", {})
        for example in examples.values():
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            data = json.dumps(example["value"]).encode()
            request = urllib.request.Request(service[1] + path, data, headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status == 200


def test_a_file_that_is_not_there_is_refused_before_anything_starts(
    installation: Installation, tmp_path: Path
) -> None:
    result = installation.run("demo", "--data", str(tmp_path / "nowhere.parquet"))

    assert result.returncode == 1
    assert "nowhere.parquet" in result.stderr
    assert not installation.home.exists()


def test_make_passes_the_file_on() -> None:
    planned = subprocess.check_output(
        ["make", "-n", "demo", "DATA=../my data/retail.parquet"], cwd=ROOT, text=True
    )

    assert "daybreak demo --data '../my data/retail.parquet'" in planned


def assert_it_shows_everything(printed: str) -> None:
    for model in ("sales_forecast", "recommendations"):
        runs = re.findall(rf"^{model} +(\d{{4}}-\d\d-\d\d) +backfill +not_counted", printed, re.M)
        assert len(runs) == len(set(runs)) == NIGHTS
    accuracy = re.search(r"^ *all +[\d,]+ +([\d.]+) % +([\d.]+) % +([\d.]+) %", printed, re.M)
    assert accuracy is not None
    assert float(accuracy[1]) < float(accuracy[2]), "better than seasonal naive"
    assert "Equal bit for bit to the row of score.sales_forecast" in printed
    lists = re.findall(
        r"^(U\d+) +([1-5]) +I\d+ .*(again|together|similar|trending|popular)", printed, re.M
    )
    assert [int(rank) for _, rank, _ in lists] == [1, 2, 3, 4, 5] * 3
    assert len({user for user, _, _ in lists}) == 3
    for model, verdict in (
        (MODEL, "passed|refused"),
        ("recommendations", "passed|refused"),
        (FRAUD, "passed"),
    ):
        beside = rf"^{model} +\S.* \d\.\d{{3}} +\w+ +\d\.\d{{3}} +({verdict})$"
        assert re.search(beside, printed, re.M), "the best baseline is named, with its figure"
    assert re.search(r"^All 20 items equal the published list of generation \d+", printed, re.M)
    assert '"reason": "together"' in printed, "the session is the reason"
    assert re.search(
        r"^2,000 payments of 2026-06-30 in .* each decided and recorded once", printed, re.M
    )
    assert re.search(r"^fraud +2026-06-30 +manual +not_counted", printed, re.M)
    assert "\n2,000 of 2,000 decisions proven, bit for bit: 0 differ, 0 tiles are wrong." in printed
    queue = re.findall(
        r"^ +([1-5]) +c\d{6} +\d+ +\d+ +\d+ +0\.\d{3} +[\d.]+( +yes)?$", printed, re.M
    )
    assert [int(rank) for rank, _ in queue] == [1, 2, 3, 4, 5]
    assert any(known for _, known in queue), "labels came over HTTP"
    assert re.search(
        r"^The same decision as before, (review|block), recorded once, because: .", printed, re.M
    )
    reports = re.findall(r"^(\w+) +(2026-\S+) +(\d+) +http\S+/ui/reports/\S+$", printed, re.M)
    assert {(model, period): int(nights) for model, period, nights in reports} == {
        **{(model, "2026-W25"): 5 for model in (MODEL, "recommendations")},
        **{(model, "2026-W26"): 7 for model in (MODEL, "recommendations")},
        **{(model, "2026-06-30"): 1 for model in (MODEL, "recommendations", FRAUD, "pricing")},
    }
    assert re.search(r"^Airflow +http://127.0.0.1:\d+ +\(user admin, password \S+\)", printed, re.M)


def decisions(printed: str) -> list[str]:
    """The table of decisions, and how many were right."""
    rows = re.findall(r"^(?:allow|review|block) +[\d,]+ +[\d,]+ +[\d,]+$", printed, re.M)
    assert len(rows) == 3
    return [*rows, *re.findall(r"^Reviewed or blocked: .*", printed, re.M)]


def forecasts(printed: str) -> str:
    return printed.split("Forecast of ")[1].partition("Accuracy so far")[0]


def curls_of(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("curl ")]
