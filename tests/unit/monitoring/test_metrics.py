"""statsd packets, read from a real UDP socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from daybreak.monitoring.metrics import Metrics, NullMetrics, StatsdMetrics, open_metrics


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def metrics(daemon: socket.socket) -> Metrics:
    return open_metrics(*daemon.getsockname())


def received(daemon: socket.socket) -> str:
    return daemon.recv(512).decode()


def test_each_kind_has_the_prefix_and_its_statsd_type(
    daemon: socket.socket, metrics: Metrics
) -> None:
    metrics.timing("sales_forecast.publish.duration", 0.25)
    assert received(daemon) == "daybreak.sales_forecast.publish.duration:250.000000|ms"
    metrics.incr("sales_forecast.sla.missed")
    assert received(daemon) == "daybreak.sales_forecast.sla.missed:1|c"
    metrics.incr("ingest.rows", 17)
    assert received(daemon) == "daybreak.ingest.rows:17|c"
    metrics.gauge("sales_forecast.rows", 140_000)
    assert received(daemon) == "daybreak.sales_forecast.rows:140000.0|g"


def test_a_negative_gauge_is_a_value_and_not_a_step_down(
    daemon: socket.socket, metrics: Metrics
) -> None:
    metrics.gauge("sales_forecast.sla.slack_seconds", -60.0)
    lines = received(daemon).splitlines()
    assert lines == [
        "daybreak.sales_forecast.sla.slack_seconds:0|g",
        "daybreak.sales_forecast.sla.slack_seconds:-60.0|g",
    ]


def test_a_name_cannot_break_the_packet(daemon: socket.socket, metrics: Metrics) -> None:
    metrics.incr("my model:1|c\nother")
    assert received(daemon) == "daybreak.my_model_1_c_other:1|c"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_not_sent(
    daemon: socket.socket, metrics: Metrics, value: float
) -> None:
    metrics.gauge("a", value)
    metrics.timing("b", value)
    metrics.incr("the_next_one")
    assert received(daemon) == "daybreak.the_next_one:1|c"


def test_no_host_means_no_metrics() -> None:
    silent = open_metrics(None, 8125)
    assert isinstance(silent, NullMetrics)
    silent.timing("a", 1)
    silent.incr("a")
    silent.gauge("a", 1)


def test_an_unknown_host_is_said_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    # RFC 6761: names under .invalid never resolve.
    assert isinstance(open_metrics("statsd.invalid", 8125), NullMetrics)
    assert "statsd.invalid" in caplog.text


def test_a_dead_daemon_is_not_noticed(daemon: socket.socket, metrics: Metrics) -> None:
    daemon.close()
    for _ in range(100):
        metrics.incr("into_the_void")


def test_the_host_is_resolved_once(
    daemon: socket.socket, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a name was resolved while sending")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    metrics.incr("sent")
    assert received(daemon) == "daybreak.sent:1|c"


def test_a_full_send_buffer_drops_the_packet_instead_of_waiting() -> None:
    full = StatsdMetrics("127.0.0.1", 9)
    assert not full._client._sock.getblocking()
