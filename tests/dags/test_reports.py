"""The DAG ``reports`` executed: past weeks, each day as it is published, by hand, and notices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dag_runner import ROOT, DagRunner, counted
from mail_server import MailServer, mail_server
from slack_server import SlackServer, slack_server

pytestmark = pytest.mark.slow

TOKEN = "xoxb-not-to-be-logged"
SCORED = ("2026-02-12", "2026-02-14", "2026-02-17", "2026-02-20")


@pytest.fixture(scope="module")
def mails(dag_runner: DagRunner) -> Iterator[MailServer]:
    with mail_server() as server:
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.port,
            "extra": {
                "disable_ssl": True, "disable_tls": True, "from_email": "shop@example.com",
            },
        }  # fmt: skip
        dag_runner.env["AIRFLOW_CONN_SMTP_DEFAULT"] = json.dumps(connection)
        dag_runner.env["AIRFLOW__API__BASE_URL"] = "http://airflow.example"
        yield server


@pytest.fixture(scope="module")
def slack(dag_runner: DagRunner) -> Iterator[SlackServer]:
    with slack_server() as server:
        extra = {"base_url": server.url}
        connection = {"conn_type": "slack", "password": TOKEN, "extra": extra}
        dag_runner.env["AIRFLOW_CONN_SLACK_API_DEFAULT"] = json.dumps(connection)
        yield server


@pytest.fixture(scope="module")
def shop(dag_runner: DagRunner, mails: MailServer, slack: SlackServer) -> DagRunner:
    """Two business dates of each of two weeks, published by the nightly DAG."""
    dag_runner.open_shop("2026-02-05")
    nights, log = dag_runner.run(*(_of_day("daily_forecast", day) for day in SCORED))
    assert [night["state"] for night in nights] == ["success"] * len(SCORED), log
    return dag_runner


def _of_day(dag_id: str, day: str) -> dict[str, Any]:
    return {"dag_id": dag_id, "logical_date": f"{day}T00:00:00+00:00"}


def reports(shop: DagRunner, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shop.daybreak("reports", "list", "--json", *arguments))
    return found


def test_two_past_weeks_are_reported_and_once(shop: DagRunner) -> None:
    weeks = [_of_day("reports", day) for day in ("2026-02-15", "2026-02-22")]
    results, log = shop.run(*weeks)
    assert [result["state"] for result in results] == ["success"] * 2, log
    for result, week in zip(results, ("2026-W07", "2026-W08"), strict=True):
        assert counted(result) == {"list_due": 1, "make": 1}
        (event,) = result["events"]
        assert (event["model"], event["period"], event["nights"]) == ("sales_forecast", week, 2)
        page = f"http://airflow.example/daybreak/ui/reports/sales_forecast/{week}/{event['name']}"
        assert event["page"] == page
        assert f"The report of sales_forecast over {week} lies at {event['uri']}" in log
        (made,) = (task for task in result["tasks"] if task["task_id"] == "make")
        assert made["shown"] == f"sales_forecast {week}: {page}"
        assert len(json.dumps(event)) < 1000, "addresses travel"
    assert [one["period"] for one in reports(shop)] == ["2026-W08", "2026-W07"]

    again, log = shop.run(*weeks)
    assert [result["state"] for result in again] == ["success"] * 2, log
    assert [counted(result) for result in again] == [{"list_due": 1}] * 2
    assert len(reports(shop)) == 2


def test_a_day_that_is_published_is_reported(shop: DagRunner) -> None:
    run = {"dag_id": "reports", "asset": "sales_forecast_published"}
    (result,), log = shop.run(run)
    assert result["state"] == "success", log
    (event,) = result["events"]
    assert (event["model"], event["period"]) == ("sales_forecast", "2026-02-20")


def test_by_hand_a_period_is_reported_again_and_a_mail_says_where(
    shop: DagRunner, mails: MailServer
) -> None:
    conf = {"model": "sales_forecast", "period": "2026-W07"}
    run = {"dag_id": "reports", "conf": conf}
    before = len(reports(shop, "--period", "2026-W07"))
    (result,), log = shop.run(run, DAYBREAK_REPORT_MAIL_TO="ann@example.com, bob@example.com")
    assert result["state"] == "success", log
    assert counted(result) == {"list_due": 1, "make": 1, "notify": 1}
    assert len(reports(shop, "--period", "2026-W07")) == before + 1
    (mail,) = mails.mails
    assert mail.sender == "shop@example.com"
    assert mail.recipients == ("ann@example.com", "bob@example.com")
    assert mail.message["Subject"] == "Report of sales_forecast over 2026-W07"
    (event,) = result["events"]
    body = mail.message.get_body(("html",))
    assert body is not None
    assert f'href="{event["page"]}"' in body.get_content()


def test_what_cannot_be_reported_fails_at_once_and_says_why(shop: DagRunner) -> None:
    runs = [
        {"dag_id": "reports", "conf": {"model": "sales_forecast", "period": period}}
        for period in ("2026-W10", "last week")
    ]
    (still_open, no_period), log = shop.run(*runs)
    for result in (still_open, no_period):
        assert result["state"] == "failed"
        assert max(task["tries"] for task in result["tasks"]) == 1, "trying again would not help"
    assert "2026-W10 is not closed: 2026-03-02, 2026-03-03" in log
    assert "'last week' is not a period" in log


def test_slack_is_told_where_the_report_is(shop: DagRunner, slack: SlackServer) -> None:
    conf = {"model": "sales_forecast", "period": "2026-02-17"}
    (result,), log = shop.run(
        {"dag_id": "reports", "conf": conf}, DAYBREAK_REPORT_SLACK_CHANNEL="#forecasts"
    )
    assert result["state"] == "success", log
    assert counted(result) == {"list_due": 1, "make": 1, "notify": 1}
    (post,) = slack.posts
    (event,) = result["events"]
    assert (post.method, post.token) == ("chat.postMessage", TOKEN)
    assert post.fields["channel"] == "#forecasts"
    assert post.fields["text"] == (
        f"Report of sales_forecast over 2026-02-17, as known at {event['known_at']}, 1 business "
        f"date published: {event['page']}"
    )
    assert TOKEN not in log


WITHOUT = """
import sys
sys.modules["airflow.providers.{0}.notifications.{0}"] = None
import notices
notices.notifiers(dict.fromkeys(("model", "period", "known_at", "nights", "page"), "x"))
"""


@pytest.mark.parametrize(
    ("provider", "setting"),
    [("slack", "DAYBREAK_REPORT_SLACK_CHANNEL"), ("smtp", "DAYBREAK_REPORT_MAIL_TO")],
)
def test_a_notice_without_its_provider_says_what_to_install(
    provider: str, setting: str, shop: DagRunner
) -> None:
    folders = os.pathsep.join(str(ROOT / name) for name in ("dags", "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(provider)],
        env=shop.env | {setting: "forecasts", "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"ConfigError: {setting} is set, and Airflow's provider for it is not" in done.stderr
    assert f"pip install apache-airflow-providers-{provider}" in done.stderr
