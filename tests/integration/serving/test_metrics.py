"""``GET /metrics``, the log of requests and what statsd is sent, of one app in one process."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_metrics

from anybody import Anybody
from daybreak.errors import Overloaded, RequestTimeout
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.metrics.reporter import Reporter
from daybreak.serving.service import Service, service_of
from statsd_daemon import statsd_daemon
from toy import TOY, publish_day

PREDICT = "/v1/models/toy/predict"
BODY: dict[str, Any] = {"store": "S1", "item": "pear", "date": "2026-02-03"}
ROUTE = "/v1/models/<name>/predict"


@dataclass(frozen=True)
class Load:
    connections: int = 7
    queued: int = 2
    busy: int = 1


def make_client(runtime: Runtime) -> FlaskClient:
    return create_app(runtime, authenticator=Anybody(), models=[TOY]).test_client()


def service(client: FlaskClient) -> Service:
    return service_of(client.application)


def shown(client: FlaskClient, accept: str = "") -> Callable[..., float | None]:
    """What ``/metrics`` shows now: the value by name and labels, None where there is none."""
    response = client.get("/metrics", headers={"Accept": accept} if accept else {})
    assert response.status_code == 200
    parse = open_metrics if "openmetrics" in response.mimetype else plain_metrics
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(response.text)
        for sample in family.samples
    }
    return lambda name, **labels: found.get((name, frozenset(labels.items())))


def test_predictions_and_errors_are_counted(make_runtime: Callable[..., Runtime]) -> None:
    client = make_client(make_runtime())
    publish_day(service(client).runtime)
    for body in (BODY, BODY, BODY | {"price": 4.5}, BODY | {"item": "durian"}, {}):
        client.post(PREDICT, json=body)
    client.get("/nowhere")
    service(client).metrics.refused(Overloaded("Full."))

    value = shown(client)
    counted = {
        (ROUTE, "200", ""): 3,
        (ROUTE, "404", "not_found"): 1,
        (ROUTE, "400", "invalid_request"): 1,
        ("none", "404", "not_found"): 1,
        ("none", "503", "overloaded"): 1,
    }
    for (route, status, code), times in counted.items():
        found = value("daybreak_requests_total", route=route, status=status, code=code)
        assert found == times, (route, status)
    took = "daybreak_prediction_seconds"
    assert value(f"{took}_count", model="toy", source="published") == 2
    assert value(f"{took}_count", model="toy", source="live") == 1
    assert value(f"{took}_bucket", model="toy", source="live", le="+Inf") == 1
    for later in (value, shown(client)):  # what was taken over once is not taken over again
        looked_up = partial(later, "daybreak_cache_lookups_total")
        assert looked_up(cache="answers", result="hit") == 1
        assert looked_up(cache="answers", result="miss") == 3
        assert looked_up(cache="rows", result="hit") == 1
        assert looked_up(cache="rows", result="miss") == 2


def test_what_is_in_force_is_shown_with_its_age(make_runtime: Callable[..., Runtime]) -> None:
    now = datetime(2026, 2, 2, 12, tzinfo=UTC)
    client = make_client(make_runtime(now=now, refresh_seconds=1e-9))
    confirmed = "daybreak_publication_confirmed_timestamp_seconds"
    assert shown(client)(confirmed, model="toy") is None, "nothing is published"

    publish_day(service(client).runtime)
    generation = publish_day(service(client).runtime, level=2.0, scale=3.0)
    value = shown(client)
    assert value(
        "daybreak_publication_info",
        model="toy",
        version=generation.version,
        generation=str(generation.generation_id),
        business_date="2026-02-01",
        gate="not_judged",
    )
    day = value("daybreak_business_date_timestamp_seconds", model="toy")
    assert day == datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    assert now.timestamp() - 60 < (value(confirmed, model="toy") or 0) <= now.timestamp()


def test_openmetrics_is_given_to_who_asks_for_it(make_runtime: Callable[..., Runtime]) -> None:
    client = make_client(make_runtime())
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    response = client.get("/metrics", headers={"Accept": accept})
    assert response.mimetype == "application/openmetrics-text"
    assert response.text.endswith("# EOF\n")
    assert client.get("/metrics").mimetype == "text/plain"
    value = shown(client, accept)
    assert value("daybreak_requests_total", route="/metrics", status="200", code="") == 2


def test_two_apps_of_one_process_count_each_for_itself(
    make_runtime: Callable[..., Runtime],
) -> None:
    first, second = make_client(make_runtime()), make_client(make_runtime())
    first.get("/nowhere")
    nowhere = {"route": "none", "status": "404", "code": "not_found"}
    assert shown(first)("daybreak_requests_total", **nowhere) == 1
    assert shown(second)("daybreak_requests_total", **nowhere) is None


def test_a_worker_reports_its_load_and_sends_what_is_new_to_statsd(
    make_runtime: Callable[..., Runtime],
) -> None:
    with statsd_daemon() as daemon:
        runtime = make_runtime(statsd_host=daemon.host, statsd_port=daemon.port)
        client = make_client(runtime)
        publish_day(runtime)
        daemon.lines()
        client.post(PREDICT, json=BODY)
        for error in (Overloaded("Full."), RequestTimeout("Late.")):
            service(client).metrics.refused(error)
        reporter = Reporter(service(client), Load(), worker=3)
        reporter.report()
        *counted, took = daemon.lines()
        assert counted == [
            "daybreak.endpoint.requests:3|c",
            "daybreak.endpoint.errors:1|c",
            "daybreak.endpoint.shed:1|c",
        ]
        assert took.startswith("daybreak.endpoint.prediction:")
        reporter.report()
        assert all(":0|c" in line for line in daemon.lines())

    value = shown(client)
    assert value("daybreak_connections", worker="3") == 7
    assert value("daybreak_queued_requests", worker="3") == 2
    assert value("daybreak_busy_threads", worker="3") == 1
    assert (value("daybreak_memory_bytes", worker="3") or 0) > 1e6


def test_each_request_is_logged_where_that_is_set(
    make_runtime: Callable[..., Runtime], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(make_runtime(api_log_requests=True))
    generation = publish_day(service(client).runtime)
    caplog.set_level(logging.INFO, "daybreak.access")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {
        "X-Request-ID": "mine",
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        "X-API-Key": "dbk_secret",
    }
    client.post(PREDICT, json=BODY, headers=headers)
    client.post(PREDICT, json=BODY | {"item": "durian"})
    client.get("/healthz?a=b")

    lines = [one.getMessage() for one in caplog.records if one.name == "daybreak.access"]
    answered, failed, health = map(json.loads, lines)
    assert 0 < answered.pop("latency_ms") < 60_000
    assert answered == {
        "request_id": "mine",
        "trace_id": trace,
        "caller": "test",
        "caller_id": "test",
        "method": "POST",
        "route": ROUTE,
        "status": 200,
        "code": None,
        "model": "toy",
        "version": generation.version,
        "source": "published",
    }
    assert (failed["status"], failed["code"], failed["model"]) == (404, "not_found", None)
    assert (health["route"], health["caller"]) == ("/healthz", None)
    for secret in ("dbk_secret", "pear", "durian", "a=b"):
        assert secret not in "".join(lines)
