"""`daybreak advise` end to end: a synthetic shop and a bank, on a real warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text
from typer.testing import CliRunner

import fraud_bank
import model_shop
import small_shop
from daybreak.cli import app
from daybreak.clock import AsOf
from daybreak.errors import DaybreakError, InvalidRequest, NoChampion, NoData, NotFound
from daybreak.jobs.advising.knowledge import Knowledge
from daybreak.jobs.advising.replay import AFTER, AGES, Replay, replay
from daybreak.jobs.run import score_day
from daybreak.ledger.champions import promote
from daybreak.models import get_learning, get_model
from daybreak.models.base import quiet
from daybreak.monitoring.advice.costs import Way
from daybreak.monitoring.advice.deciding import advise
from daybreak.monitoring.advice.measurements import Measurements
from daybreak.monitoring.advice.terms import Terms
from daybreak.platform.advising import measure
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import SERVICE_ROLE, WRITER_ROLE, day_closed
from model_cases import case_of

LAST = date(2026, 2, 28)
DAY = LAST - timedelta(days=1)
NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
TRAINED = AsOf(date(2026, 2, 14), model_shop.CUTOFF)
MODELS = ("sales_forecast", "recommendations")
TABLES = (
    *("ops.generation", "ops.snapshot", "ops.decision", "ops.run", "ops.step", "raw.event"),
    *("score.sales_forecast", "feature.sales_forecast", "score.recommendation", "score.fraud"),
)


@dataclass(frozen=True)
class Place:
    """A warehouse with models in force. ``service``: its role, which requests are asked by."""

    runtime: Runtime

    def rows(self) -> dict[str, int]:
        """How many each table has."""
        with connect(self.runtime.engine) as conn:
            return {
                table: int(conn.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
                for table in TABLES
            }

    def replay_of(self, model: str, now: datetime = NOW) -> Replay:
        hindsight = get_learning(model).hindsight
        assert hindsight is not None
        with connect(self.runtime.engine) as conn:
            query = "SELECT version FROM ops.champion WHERE model = :m"
            version = str(conn.scalar(text(query), {"m": model}))
        artifact = self.runtime.registry.load(model, version)
        return Replay(self.runtime, get_model(model), artifact, hindsight, now)


@pytest.fixture(scope="module")
def shop(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two stores, forty items, a year; small versions in force, and some days published."""
    home = tmp_path_factory.mktemp("shop")
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name, WRITER_ROLE))
        model_shop._load(engine)
        engine.dispose()
        settings = Settings(
            home=home,
            warehouse_url=postgres.url(name, WRITER_ROLE),
            warehouse_service_url=postgres.url(name, SERVICE_ROLE),
            threads=1,
        )
        runtime = Runtime(settings, lambda: NOW)
        for model in MODELS:
            with connect(runtime.engine) as conn:
                trained = case_of(model).train(conn, TRAINED)
            version = runtime.registry.register(
                model, trained.booster, trained.manifest, trained.files
            )
            with begin(runtime.engine) as conn:
                promote(
                    conn,
                    model=model,
                    version=version,
                    effective_from=TRAINED.cutoff,
                    reason="a test",
                    evidence={},
                    actor="test",
                    now=TRAINED.cutoff,
                )
            score_day(model, LAST, runtime=runtime, progress=quiet)
        for back in (1, 2):
            day = LAST - timedelta(days=back)
            score_day("sales_forecast", day, runtime=runtime, progress=quiet)
        yield Place(runtime)
        runtime.engine.dispose()


@pytest.fixture(scope="module")
def measured(shop: Place) -> Measurements:
    before = shop.rows()
    found = measure("sales_forecast", days=1, runtime=shop.runtime, progress=quiet)
    assert shop.rows() == before, "nothing that was made to be measured is kept"
    return found


def test_a_forecast_of_the_night_belongs_into_the_night(measured: Measurements) -> None:
    """Its facts come once a day, just before the night: no answer made later is a better one."""
    assert measured.freshness is not None
    assert measured.freshness.night is not None
    assert measured.freshness.night.changed == 0
    for requests in (10.0, 1e4, 1e6):
        advice = advise(measured, Terms(loss=1.0, requests_a_day=requests))
        assert advice.way is Way.BATCH
        brute = {one.way: one.total for one in advice.costs if not one.refused}
        assert min(brute, key=lambda way: brute[way]) is Way.BATCH


def test_where_requests_ask_at_other_prices_the_night_alone_is_not_enough(
    measured: Measurements,
) -> None:
    advice = advise(measured, Terms(loss=1.0, requests_a_day=1e6, own_inputs=0.05))
    assert advice.way in {Way.CHANGED, Way.CACHE}  # by the truth of one day they are close
    assert "inputs of their own" in advice.rule
    assert advice.cost == min(advice.costs[1:], key=lambda one: one.total)


def test_all_is_measured(measured: Measurements) -> None:
    night, live = measured.night, measured.live
    assert night is not None
    assert night.business_date == LAST
    assert night.rows == 28 * night.answers > 0
    assert 0 < night.snapshot_processor_seconds < 60
    assert night.server_processor_seconds is not None
    assert night.memory_bytes > 2e7
    assert night.stored_bytes > 4 * night.rows * 4
    assert measured.read is not None
    for times in (measured.read, live.answer, live.again, live.row):
        assert times.count > 30
        assert 0 < times.p50_ms <= times.p99_ms
        assert times.processor_seconds > 0
    assert live.server
    assert measured.need.window_seconds == 4 * 3600
    assert "Requests a day: no prediction service" in " ".join(measured.unknown)


def test_a_replay_is_as_far_from_the_truth_as_what_was_published(
    shop: Place, measured: Measurements
) -> None:
    """Fresh answers are those of the day's own night, of 24 hours ago those of the night before,
    two days ahead; both by SQL from the published rows, over items of both."""
    wape = text(
        """
        WITH forecast AS (
            SELECT business_date, store_id, item_id, p50 FROM ops.published
            JOIN score.sales_forecast USING (business_date, generation_id)
            WHERE model = 'sales_forecast' AND target_date = :target AND business_date <= :day
        ), sold AS (
            SELECT DISTINCT ON (store_id, item_id) store_id, item_id, units FROM raw.sales
            WHERE business_date = :target ORDER BY store_id, item_id, loaded_at DESC, load_id DESC
        )
        SELECT sum(abs(p50::float8 - coalesce(units, 0))) / sum(coalesce(units, 0)),
            sum(abs(p50::float8 - coalesce(units, 0))) / count(*)
        FROM forecast AS said LEFT JOIN sold USING (store_id, item_id)
        WHERE business_date = :day - :back AND EXISTS (
            SELECT FROM forecast AS other WHERE other.business_date = :day - 1 + :back
            AND (other.store_id, other.item_id) = (said.store_id, said.item_id)
        )
        """
    )
    assert measured.freshness is not None
    assert measured.freshness.days == (DAY,)
    by_age = {one.hours: one for one in measured.freshness.ages}
    assert tuple(by_age) == AGES
    with connect(shop.runtime.engine) as conn:
        for hours, back in ((0.0, 0), (24.0, 1)):
            asked = {"target": LAST, "day": DAY, "back": back}
            value, lost = conn.execute(wape, asked).one()
            assert by_age[hours].value == pytest.approx(value, rel=1e-6)
            assert by_age[hours].lost == pytest.approx(lost, rel=1e-6)
    assert by_age[0.0].changed == 0
    assert by_age[0.0].same == 1
    assert 0 < by_age[168.0].changed < 1
    # An hour before, nothing was different but just after the night; a day before, always.
    assert by_age[24.0].same == 0
    assert by_age[1.0].same > by_age[24.0].same


def test_lists_are_replayed_by_what_was_bought(shop: Place) -> None:
    found = replay(shop.replay_of("recommendations"), 2, quiet)
    assert found.days == (LAST - timedelta(days=8), LAST - timedelta(days=7))
    assert found.measure == "NDCG@10"
    assert all(0 < one.value < 1 for one in found.ages)
    assert found.ages[-1].changed > found.ages[0].changed == 0


def test_what_was_known_at_a_moment() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 3, 1, hour, tzinfo=UTC)

    first, second = date(2026, 2, 27), date(2026, 2, 28)
    known = Knowledge([(first, at(1)), (second, at(9))], [at(1), at(5), at(9)])
    assert known.at(at(0), second) is None
    assert known.at(at(1), second) == known.at(at(4), second) == AsOf(first, at(1))
    assert known.at(at(5), second) == known.at(at(8), second) == AsOf(first, at(5))
    assert known.at(at(9), second) == known.at(at(23), second) == AsOf(second, at(9))
    assert known.at(at(23), first) == AsOf(first, at(9))
    assert len(AFTER) * 6 == 24


@pytest.fixture(scope="module")
def bank(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("bank")
    with fraud_bank.books(postgres, home) as books:
        settings = Settings(
            home=home,
            warehouse_url=postgres.url(books.database),
            dataset=str(home / "bank.yaml"),
            threads=1,
        )
        runtime = Runtime(settings, lambda: fraud_bank.NOON)
        yield Place(runtime)
        runtime.engine.dispose()


def test_fraud_is_decided_live(bank: Place) -> None:
    before = bank.rows()
    found = measure("fraud", days=2, runtime=bank.runtime, progress=quiet)
    assert bank.rows() == before, "no decision that was asked for to be measured is kept"
    assert not list(bank.runtime.settings.spool.glob("*"))
    advice = advise(found, Terms(loss=100.0))
    assert advice.way is Way.LIVE
    assert "no night has seen" in advice.rule
    assert found.freshness is not None
    ages = {one.hours: one for one in found.freshness.ages}
    assert ages[168.0].same < ages[1.0].same < ages[0.0].same == 1
    assert ages[168.0].value < ages[0.0].value
    assert ages[168.0].changed > 0
    assert found.freshness.night is None


def test_the_command_writes_one_set_of_numbers(
    shop: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybreak.platform.advising.get_runtime", lambda: shop.runtime)
    page = tmp_path / "advice.html"
    asked = ["advise", "sales_forecast", "--days", "0", "--requests-per-day", "5000"]
    done = CliRunner().invoke(app, [*asked, "--json", "--html", str(page)])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["advice"]["way"] == "batch"
    assert "no days were replayed" in said["unknown"][0]
    assert str(said["costs"][0]["total"]) in page.read_text()

    report = tmp_path / "report.json"
    report.write_text(json.dumps(said))
    again = ["advise", "sales_forecast", "--measured", str(report), "--requests-per-day", "5000"]
    same = CliRunner().invoke(app, [*again, "--json"])
    assert json.loads(same.stdout) == said
    dear = CliRunner().invoke(app, [*again, "--price", "gb-month=1e9"])
    assert dear.exit_code == 0
    assert "sales_forecast" in dear.stdout.splitlines()[0]
    assert "batch" not in dear.stdout.splitlines()[0]


def test_requests_of_a_file_are_asked(shop: Place, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    with connect(shop.runtime.engine) as conn:
        series = conn.execute(
            text("SELECT DISTINCT store_id, item_id FROM score.sales_forecast LIMIT 20")
        ).all()
    bodies = [
        {"store_id": store, "item_id": item, "target_date": "2026-03-01", "price": 1.25}
        for store, item in series
    ]
    file.write_text("\n".join(map(json.dumps, bodies)))
    found = measure("sales_forecast", days=0, requests=file, runtime=shop.runtime, progress=quiet)
    assert found.live.answer.count == len(bodies) - 3
    assert found.usage.own_inputs == 1
    assert advise(found, Terms(requests_a_day=1.0)).way is Way.LIVE

    file.write_text("\n".join(json.dumps(body | {"store_id": "nowhere"}) for body in bodies))
    with pytest.raises(InvalidRequest, match="answers 404"):
        measure("sales_forecast", days=0, requests=file, runtime=shop.runtime, progress=quiet)


@pytest.mark.parametrize(
    ("lines", "says"),
    [("", "has no request"), ("{}\n[1]", "Line 2"), ("nothing", "Line 1"), ('{"a": 1}', "too few")],
)
def test_files_of_requests_that_cannot_be_used(
    shop: Place, tmp_path: Path, lines: str, says: str
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(lines)
    with pytest.raises(InvalidRequest, match=says):
        measure("sales_forecast", days=0, requests=file, runtime=shop.runtime, progress=quiet)


@pytest.mark.parametrize(
    ("model", "error", "says"),
    [("nothing", NotFound, "There is no model"), ("fraud", NoChampion, "has no champion")],
)
def test_models_that_cannot_be_measured(
    shop: Place, model: str, error: type[DaybreakError], says: str
) -> None:
    with pytest.raises(error, match=says):
        measure(model, days=1, runtime=shop.runtime, progress=quiet)


def test_without_a_closed_day_nothing_is_measured(make_runtime: Any) -> None:
    with pytest.raises(NoData, match="No business day is closed"):
        measure("sales_forecast", days=1, runtime=make_runtime(NOW))


def test_without_a_truth_nothing_is_replayed(make_runtime: Any) -> None:
    runtime = make_runtime(NOW)
    with begin(runtime.engine) as conn:
        conn.execute(insert(day_closed).values(business_date=LAST, closed_at=NOW, load_id=1))
    hindsight = get_learning("sales_forecast").hindsight
    assert hindsight is not None
    model, artifact = get_model("sales_forecast"), small_shop.tiny_artifact()
    with pytest.raises(NoData, match=r"has come true yet.*--days 0"):
        replay(Replay(runtime, model, artifact, hindsight, NOW), 3, quiet)
