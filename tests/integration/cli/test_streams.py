"""``daybreak streams`` as people and programs meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from daybreak.cli.streams import app
from daybreak.errors import NotFound
from daybreak.jobs import streams
from daybreak.runtime import get_runtime
from daybreak.signals.log import Event, Label, append_events, append_labels
from daybreak.signals.stream import Stream, declare
from daybreak.signals.tiles import build_tiles
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import WRITER_ROLE

NOW = datetime(2026, 3, 27, 12, tzinfo=UTC)
PAYMENTS = Stream(
    "payments", ("card", "shop"), ("amount",), 2, {"channel": "text", "new": "flag"}, "UTC"
)
VISITS = Stream("visits", ("device",), (), 0, {}, "Europe/Berlin")
Run = Callable[..., Result]


@pytest.fixture
def run(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as a process would, with the rights that jobs have."""
    url = warehouse_url.replace("://postgres@", f"://{WRITER_ROLE}@")

    def run(*arguments: str, exits: int = 0) -> Result:
        monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", url)
        get_runtime.cache_clear()
        try:
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        finally:
            get_runtime().engine.dispose()
            get_runtime.cache_clear()
        assert result.exit_code == exits, result.output
        return result

    return run


@pytest.fixture
def filled(warehouse: Engine) -> None:
    """Two streams with tiles: three events of each key of the first one, and one of the other."""
    with begin(warehouse) as conn:
        for stream in (PAYMENTS, VISITS):
            declare(conn, stream, NOW)
        for age in (3, 2, 1):
            at = NOW - timedelta(days=age)
            event = Event(f"e{age}", at, {"card": "c", "shop": "s"}, {"amount": 100 * age})
            append_events(conn, PAYMENTS, [event], at)
        append_labels(conn, PAYMENTS, [Label("e3", True)], NOW)
        append_events(conn, VISITS, [Event("v", NOW, {"device": "d"})], NOW)
        for stream in (PAYMENTS, VISITS):
            build_tiles(conn, stream)


def damage(warehouse: Engine, statement: str) -> None:
    with begin(warehouse) as conn:
        conn.execute(text(statement))


def test_a_warehouse_without_streams(run: Run) -> None:
    assert "`streams` in the data set's file" in run("list").output
    assert json.loads(run("list", "--json").stdout) == []
    assert "There is no stream." in run("check").output
    assert json.loads(run("check", "--json").stdout) == []


@pytest.mark.usefixtures("filled")
def test_list(run: Run, warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        declare(conn, Stream("later", ("card",), (), 2, {}, "UTC"), NOW)

    shown = run("list").stdout.splitlines()
    later, payments, visits = json.loads(run("list", "--json").stdout)

    assert payments == {
        "stream": "payments",
        "keys": ["card", "shop"],
        "amounts": ["amount"],
        "decimals": 2,
        "attributes": {"channel": "text", "new": "flag"},
        "timezone": "UTC",
        "events": 3,
        "watermark": "2026-03-27T12:00:00+00:00",
        "tiled_through": "2026-03-27T12:00:00+00:00",
        "live": True,
    }
    assert (visits["events"], visits["live"], visits["timezone"]) == (1, True, "Europe/Berlin")
    assert (later["events"], later["live"], later["watermark"], later["tiled_through"]) == (
        0,
        False,
        None,
        None,
    )
    assert [line.split()[0] for line in shown] == ["stream", "later", "payments", "visits"]
    assert "card, shop" in shown[2]
    assert "new (flag), channel (text)" in shown[2]
    assert shown[2].endswith("yes   2026-03-27 12:00:00  2026-03-27 12:00:00")
    assert shown[1].endswith("0  no")


@pytest.mark.usefixtures("filled")
def test_check_of_tiles_that_are_right(run: Run) -> None:
    assert run("check").stdout.splitlines() == [
        "payments: all tiles say what the log says.",
        "visits: all tiles say what the log says.",
    ]
    assert (
        "from 2026-03-25 on" in run("check", "--stream", "payments", "--from", "2026-03-25").stdout
    )
    (visits,) = json.loads(run("check", "--stream", "visits", "--mend", "--json").stdout)
    assert visits == {
        "stream": "visits",
        "from": None,
        "tiled_through": "2026-03-27T12:00:00+00:00",
        "wrong": [],
        "more": False,
        "mended": 0,
    }


@pytest.mark.usefixtures("filled")
def test_wrong_tiles_are_named_and_mended(run: Run, warehouse: Engine) -> None:
    damage(
        warehouse,
        "UPDATE feature.tile SET sum_1 = sum_1 + 64"
        " WHERE slot = 1 AND business_date = '2026-03-25'",
    )
    damage(
        warehouse,
        "UPDATE feature.tile SET last_at = last_at + interval '1 hour'"
        " WHERE slot = 2 AND business_date = '2026-03-24'",
    )

    shown = run("check", exits=1).stdout.splitlines()
    assert shown == [
        "payments: card 'c' on 2026-03-25 has sum_1 264 in its tiles, and 200 in the log",
        "payments: shop 's' on 2026-03-24 has last_at 2026-03-24 13:00:00+00:00 in its tiles, "
        "and 2026-03-24 12:00:00+00:00 in the log",
        "payments: 2 day(s) of a key differ from the log.",
        "visits: all tiles say what the log says.",
    ]
    payments, visits = json.loads(run("check", "--json", exits=1).stdout)
    assert visits["wrong"] == []
    assert payments["wrong"][0] == {
        "key": "card",
        "value": "c",
        "business_date": "2026-03-25",
        "column": "sum_1",
        "in_tiles": 264,
        "in_log": 200,
        "text": shown[0].removeprefix("payments: "),
    }
    assert payments["wrong"][1]["in_log"] == "2026-03-24T12:00:00+00:00"
    run("check", "--stream", "visits")
    run("check", "--from", "2026-03-26")
    assert (
        "1 day(s) of a key from 2026-03-25 on"
        in run("check", "--from", "2026-03-25", exits=1).stdout
    )

    mended = run("check", "--mend").stdout.splitlines()
    assert mended[:3] == shown[:3]
    assert mended[3] == "payments: 2 were made anew, and all are right now."
    assert "differ" not in run("check").stdout


@pytest.mark.usefixtures("filled")
def test_only_so_many_are_named_and_all_are_mended(
    run: Run, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_NAMED", 2)
    damage(warehouse, "DELETE FROM feature.tile")

    shown = run("check", exits=1).stdout.splitlines()
    assert len([line for line in shown if line.startswith("payments: card 'c'")]) == 2
    assert "payments: 2 and more day(s) of a key differ from the log." in shown
    (payments, _) = json.loads(run("check", "--mend", "--json").stdout)
    assert (len(payments["wrong"]), payments["more"], payments["mended"]) == (2, True, 6)
    assert "differ" not in run("check").stdout


def test_a_stream_without_tiles(run: Run, warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        declare(conn, PAYMENTS, NOW)

    assert run("check", "--mend").stdout == "payments: there are no tiles yet.\n"


@pytest.mark.usefixtures("filled")
def test_an_unknown_stream_is_refused_with_those_there_are(run: Run) -> None:
    with pytest.raises(NotFound, match="no stream 'payment'") as caught:
        run("check", "--stream", "payment")

    assert "payments, visits" in caught.value.remedy
