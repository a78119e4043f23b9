"""What is deleted, what never is, and that readers see no change: on random histories."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, insert, select, text

import toy
from daybreak import models
from daybreak.errors import ArtifactMissing, NotFound, NotPublished, NotReady
from daybreak.jobs import maintenance, publishing
from daybreak.jobs.run import score_day
from daybreak.ledger import generations as g
from daybreak.ledger import retention
from daybreak.ledger.champions import champion_at, promote
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.models.sales_forecast.tables import snapshots as snapshot_sales_forecast
from daybreak.runtime import Runtime
from daybreak.scoring.snapshots import read_day
from daybreak.settings import Settings
from daybreak.warehouse import tables
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition

MODEL = "sales_forecast"
SCORES, FEATURES = score_sales_forecast, snapshot_sales_forecast
START = datetime(2026, 1, 5, 3, tzinfo=UTC)
KEEP = {"keep_generations_days": 20, "keep_snapshots": 6, "keep_versions_days": 30}
DAYS = 70
MakeRuntime = Callable[..., Runtime]


class History:
    """Nights of a model as the product's own functions write them, two rows each."""

    def __init__(self, runtime: Runtime, seed: int) -> None:
        self.runtime = runtime
        self.rng = random.Random(seed)
        self.moment = START
        self.versions: list[str] = []
        runtime.clock = lambda: self.moment

    def live(self) -> None:
        for number in range(DAYS):
            self.moment = START + timedelta(days=number)
            if number % 5 == 0:
                self.train(number)
            day = self.moment.date() - timedelta(days=1)
            if self.rng.random() < 0.85:
                self.score(day)
            if self.rng.random() < 0.3:  # a replay, or a correction
                self.score(day - timedelta(days=self.rng.randint(0, 40)))
            if self.rng.random() < 0.15:
                self.withdraw(day - timedelta(days=self.rng.randint(0, 8)))

    def train(self, number: int) -> None:
        path = f"v{number}-{self.rng.randint(0, 999)}"
        files = {"model.ubj": path.encode(), "manifest.json": b"{}"}
        for name, data in files.items():
            self.runtime.registry.store.write(f"{MODEL}/{path}/{name}", data)
        with begin(self.runtime.engine) as conn:
            conn.execute(
                insert(tables.model_version).values(
                    model=MODEL, version=path, uri="", files=dict.fromkeys(files, ""), manifest={},
                    trained_through=self.moment.date(), registered_at=self.moment,
                )
            )  # fmt: skip
            if not self.versions or self.rng.random() < 0.6:
                back = timedelta(days=self.rng.choice([0, 0, 0, 10]))
                promote(
                    conn, model=MODEL, version=path, effective_from=self.moment - back,
                    reason="r", evidence={}, actor="a", now=self.moment,
                )  # fmt: skip
        self.versions.append(path)

    def score(self, day: date) -> g.Generation:
        with begin(self.runtime.engine) as conn:
            generation = g.open_generation(
                conn, model=MODEL, business_date=day, run_key=f"{day}/{self.rng.random()}",
                run_type="manual", cutoff=self.moment, version=self.version(conn),
                snapshot_id=self.snapshot(conn, day), now=self.moment,
            )  # fmt: skip
            ensure_partition(conn, SCORES, day)
            copy_in(conn, SCORES, rows_of(day, generation.generation_id))
            if self.rng.random() < 0.9:
                g.mark_staged(conn, generation.generation_id, 2, self.moment)
                g.mark_audited(conn, generation.generation_id, self.moment)
                g.publish(conn, generation.generation_id, self.moment)
        return generation

    def version(self, conn: Connection) -> str:
        return champion_at(conn, MODEL, self.moment)

    def snapshot(self, conn: Connection, day: date) -> int:
        there = conn.scalars(
            select(tables.snapshot.c.snapshot_id).where(tables.snapshot.c.business_date == day)
        ).all()
        if there and self.rng.random() < 0.5:
            return self.rng.choice(there)
        snapshot_id = conn.execute(
            insert(tables.snapshot)
            .values(
                model=MODEL, business_date=day, cutoff=self.moment, layout=str(self.rng.random()),
                rows=2, sha256="s", built_at=self.moment,
            )
            .returning(tables.snapshot.c.snapshot_id)
        ).scalar_one()  # fmt: skip
        ensure_partition(conn, FEATURES, day)
        copy_in(
            conn,
            FEATURES,
            {
                "business_date": np.full(2, day, "M8[D]"),
                "snapshot_id": np.full(2, snapshot_id),
                "store_id": np.array(["a", "b"], object),
                "item_id": np.full(2, "i", object),
                "ordinal": np.arange(2),
                "features": np.zeros((2, 3), np.float32),
            },
        )
        context = {"snapshot_id": snapshot_id, "arrays": b"x"}
        conn.execute(insert(tables.snapshot_context).values(context))
        return snapshot_id

    def withdraw(self, day: date) -> None:
        try:
            with begin(self.runtime.engine) as conn:
                g.rollback(conn, MODEL, day, self.moment)
        except NotPublished:
            pass


def rows_of(day: date, generation_id: int) -> dict[str, Any]:
    return {
        "business_date": np.full(2, day, "M8[D]"),
        "generation_id": np.full(2, generation_id),
        "store_id": np.array(["a", "b"], object),
        "item_id": np.full(2, "i", object),
        "horizon": np.ones(2, int),
        "target_date": np.full(2, day, "M8[D]") + 1,
        "shard": np.zeros(2, int),
        **{name: np.full(2, generation_id, np.float32) for name in ("p10", "p50", "p90", "mean")},
    }


def needed(runtime: Runtime) -> dict[str, Any]:
    """All that readers, rollbacks, the endpoint and replays could ask for within the windows."""
    found: dict[str, Any] = {}
    now = runtime.clock()
    seen = text("SELECT * FROM report.forecast_vintages ORDER BY business_date, store_id")
    history = text("SELECT version, effective_from FROM report.model_history ORDER BY 1, 2")
    with connect(runtime.engine) as conn:
        found["seen"] = conn.execute(seen).all()
        found["history"] = conn.execute(history).all()
        found["served"] = serves(conn, runtime)
        found["champions"] = [
            readable(runtime, champion_at(conn, MODEL, now - timedelta(days=ago)))
            for ago in range(KEEP["keep_versions_days"] + 1)
        ]
        days = conn.scalars(select(tables.published.c.business_date)).all()
    for day in days:  # what would be seen, and served, after a rollback of it
        with runtime.engine.connect() as conn:
            g.rollback(conn, MODEL, day, now)
            of_day = [row for row in conn.execute(seen) if row.business_date == day]
            found[f"{day} rolled back"] = of_day, serves(conn, runtime)
            conn.rollback()
    return found


def serves(conn: Connection, runtime: Runtime) -> tuple[Any, ...]:
    """What the endpoint reads of the newest published day."""
    newest = g.published_generation(conn, MODEL)
    features = select(FEATURES.c.store_id).where(FEATURES.c.snapshot_id == newest.snapshot_id)
    contexts = tables.snapshot_context
    arrays = select(contexts.c.arrays).where(contexts.c.snapshot_id == newest.snapshot_id)
    return (
        newest.generation_id,
        sorted(conn.scalars(features).all()),
        conn.scalar(arrays),
        readable(runtime, newest.version),
    )


def readable(runtime: Runtime, version: str) -> tuple[str, bytes]:
    return version, runtime.registry.store.read(f"{MODEL}/{version}/model.ubj")


def count(engine: Engine, statement: str) -> int:
    with connect(engine) as conn:
        return int(conn.scalar(text(statement)) or 0)


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(**KEEP)


@pytest.fixture(scope="module")
def lived(
    postgres: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, History]]:
    """Database and folder of a random history, to be copied."""
    home = tmp_path_factory.mktemp("lived")
    with postgres.database("warehouse_template") as name:
        url = postgres.url(name, tables.WRITER_ROLE)
        history = History(Runtime(Settings(home=home, warehouse_url=url)), 1)
        history.live()
        history.runtime.engine.dispose()  # PostgreSQL copies no database with open connections
        yield name, home, history


@pytest.fixture
def history(postgres: Any, lived: tuple[str, Path, History], tmp_path: Path) -> Iterator[History]:
    """A copy of a random history, at its last moment."""
    template, home, first = lived
    shutil.copytree(home, tmp_path / "home")
    with postgres.database(template) as name:
        url = postgres.url(name, tables.WRITER_ROLE)
        settings = Settings(home=tmp_path / "home", warehouse_url=url, **KEEP)  # type: ignore[arg-type]
        copied = History(Runtime(settings), 1)
        copied.moment = first.moment
        yield copied
        copied.runtime.engine.dispose()


def test_whatever_happened_nothing_that_is_needed_goes(history: History) -> None:
    runtime = history.runtime
    before = needed(runtime)
    planned = maintenance.prunable(runtime)
    gone = maintenance.prune(runtime)
    assert needed(runtime) == before
    assert {kind: gone[kind] for kind in planned} == planned, "--dry-run says what will go"
    of_models = [planned[kind] for kind in planned if kind not in {"days_of_events", "reports"}]
    assert all(len(listed) >= 3 for listed in of_models), "else this proves little"
    nothing = {
        "generations": [],
        "snapshots": [],
        "versions": [],
        "days_of_events": [],
        "reports": [],
        "swept_rows": 0,
    }
    assert maintenance.prune(runtime) == nothing

    # The rows that are left are those of generations that were not swept, and so for snapshots.
    engine = runtime.engine
    assert count(
        engine,
        "SELECT count(*) FROM score.sales_forecast JOIN ops.generation USING (generation_id)"
        " WHERE swept_at IS NOT NULL",
    ) == count(
        engine,
        "SELECT count(*) FROM feature.sales_forecast JOIN ops.snapshot USING (snapshot_id)"
        " WHERE pruned_at IS NOT NULL",
    ) == 0  # fmt: skip
    for one in gone["versions"]:
        with pytest.raises(ArtifactMissing, match=r"went on|not in the registry"):
            readable(runtime, one["version"])
        with pytest.raises(NotFound), begin(engine) as conn:
            promote(
                conn, model=MODEL, version=one["version"], effective_from=START, reason="r",
                evidence={}, actor="a", now=START,
            )  # fmt: skip
    # A day may be withdrawn as often as there is something to return to, and never shows nothing.
    with begin(engine) as conn:
        for day in conn.scalars(select(tables.published.c.business_date)).all():
            while g.rollback(conn, MODEL, day, history.moment):
                shown = select(SCORES.c.mean).join(
                    tables.published, tables.published.c.generation_id == SCORES.c.generation_id
                )
                assert len(conn.scalars(shown.where(SCORES.c.business_date == day)).all()) == 2


def test_ages_decide_and_the_last_one_stays(runtime: Runtime) -> None:
    """By hand: three publications of a day and one that was withdrawn."""
    history = History(runtime, 0)
    history.train(0)
    history.rng.random = lambda: 0.0  # type: ignore[method-assign]  # every one is published
    day = START.date()
    first, second = history.score(day), history.score(day)
    history.moment += timedelta(days=10)
    third = history.score(day)
    history.moment += timedelta(days=9)
    assert maintenance.prunable(runtime)["generations"] == []
    history.moment += timedelta(days=2)
    listed = maintenance.prunable(runtime)["generations"]
    assert [one["id"] for one in listed] == [first.generation_id], "the second may come back"
    history.withdraw(day)
    history.moment += timedelta(days=21)
    maintenance.prune(runtime)
    states = select(tables.generation.c.generation_id, tables.generation.c.swept_at.is_(None))
    with connect(runtime.engine) as conn:
        kept = {row[0]: row[1] for row in conn.execute(states)}
    assert kept == {
        first.generation_id: True,  # now that the second is back, it is the one to return to
        second.generation_id: True,
        third.generation_id: False,
    }


# --- months ----------------------------------------------------------------------------------


@pytest.fixture
def withdrawn_month(runtime: Runtime) -> Runtime:
    """January was published and withdrawn, February is published; January may go."""
    history = History(runtime, 0)
    history.train(0)
    history.rng.random = lambda: 0.0  # type: ignore[method-assign]
    for day in (date(2026, 1, 6), date(2026, 1, 20), date(2026, 2, 3)):
        history.score(day)
    for day in (date(2026, 1, 6), date(2026, 1, 20)):
        history.withdraw(day)
    history.moment += timedelta(days=60)
    return runtime


def months(engine: Engine, schema: str = "score") -> list[str]:
    query = text(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        " AND relnamespace = to_regnamespace(:schema) ORDER BY 1"
    )
    with connect(engine) as conn:
        return list(conn.scalars(query, {"schema": schema}))


def test_a_month_in_which_nothing_is_left_is_dropped(withdrawn_month: Runtime) -> None:
    engine = withdrawn_month.engine
    assert months(engine) == ["sales_forecast_2026_01", "sales_forecast_2026_02"]
    gone = maintenance.prune(withdrawn_month)
    assert [one["business_date"] for one in gone["generations"]] == ["2026-01-06", "2026-01-20"]
    assert months(engine) == months(engine, "feature") == ["sales_forecast_2026_02"]
    History(withdrawn_month, 5).score(date(2026, 1, 6))  # a replay makes it anew
    assert months(engine) == ["sales_forecast_2026_01", "sales_forecast_2026_02"]


def test_a_reader_is_not_held_up_and_holds_nothing_up(withdrawn_month: Runtime) -> None:
    engine = withdrawn_month.engine
    with connect(engine) as reader:
        reader.execute(text("SELECT count(*) FROM score.sales_forecast")).all()
        gone = maintenance.prune(withdrawn_month)
        assert gone["generations"] == [], "a long query keeps the month until next time"
        assert reader.scalar(text("SELECT count(*) FROM score.sales_forecast")) == 6
    assert len(maintenance.prune(withdrawn_month)["generations"]) == 2


def test_a_month_that_somebody_writes_to_waits(withdrawn_month: Runtime) -> None:
    engine = withdrawn_month.engine
    with begin(engine) as writer:
        ensure_partition(writer, SCORES, date(2026, 1, 15))
        assert maintenance.prune(withdrawn_month)["generations"] == []
    assert len(maintenance.prune(withdrawn_month)["generations"]) == 2


# --- stopped, and beside a night -------------------------------------------------------------


def test_what_is_stopped_in_between_goes_on_the_next_time(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = history.runtime
    planned, before = maintenance.prunable(runtime), needed(runtime)
    remove, delete = retention._remove, runtime.registry.store.delete
    calls = iter([False, True, False, False, True] + [False] * 1000)

    def stopped(*given: Any) -> Any:
        went = remove(*given)
        if next(calls):
            raise KeyboardInterrupt  # after its rows went, before that is recorded
        return went

    def stopped_too(path: str) -> None:
        delete(path)
        if next(calls):
            raise KeyboardInterrupt

    monkeypatch.setattr(retention, "_remove", stopped)
    monkeypatch.setattr(runtime.registry.store, "delete", stopped_too, raising=False)
    went: dict[str, list[Any]] = {kind: [] for kind in planned}
    for _ in range(4):
        try:
            for kind, listed in maintenance.prune(runtime).items():
                went.get(kind, []).extend(listed if isinstance(listed, list) else [])
        except KeyboardInterrupt:
            assert needed(runtime) == before
    assert next(calls) is False
    assert maintenance.prunable(runtime) == {kind: [] for kind in planned}
    assert needed(runtime) == before


def test_it_runs_beside_a_night_that_publishes(history: History) -> None:
    runtime = history.runtime
    history.rng.random = lambda: 0.0  # type: ignore[method-assign]
    night = history.moment.date()
    faults: list[BaseException] = []
    over = threading.Event()

    def publish() -> None:
        try:
            for number in range(12):
                history.score(night - timedelta(days=number % 3))
        except BaseException as error:
            faults.append(error)
        finally:
            over.set()

    thread = threading.Thread(target=publish)
    thread.start()
    while not over.is_set():
        maintenance.prune(runtime)
    thread.join()
    assert faults == []
    with connect(runtime.engine) as conn:
        assert len(serves(conn, runtime)[1]) == 2


# --- what went is made again -----------------------------------------------------------------


@pytest.fixture
def toy_runtime(make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", toy.TOY, raising=False)
    return make_runtime(now=datetime(2026, 2, 2, 3, tzinfo=UTC), keep_snapshots=2)


def test_a_snapshot_that_went_is_made_again_with_its_day(toy_runtime: Runtime) -> None:
    days = [date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3)]
    with begin(toy_runtime.engine) as conn:
        for day in days:
            at = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
            closed = {"business_date": day, "closed_at": at, "load_id": 1}
            conn.execute(insert(tables.day_closed).values(closed))
    version = toy_runtime.registry.register(
        "toy", toy.booster(),
        {"trained_through": "2026-01-31", "features": list(toy.TOY.features), "scale": 1.0},
    )  # fmt: skip
    with begin(toy_runtime.engine) as conn:
        promote(
            conn, model="toy", version=version, effective_from=START, reason="r", evidence={},
            actor="a", now=START,
        )  # fmt: skip
    for day in days:
        at = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
        toy_runtime.clock = lambda at=at: at + timedelta(hours=3)  # type: ignore[misc]
        score_day("toy", day, runtime=toy_runtime)
    oldest = select(tables.snapshot).order_by(tables.snapshot.c.snapshot_id).limit(1)
    with connect(toy_runtime.engine) as conn:
        made = conn.execute(oldest).one()
    assert maintenance.prunable(toy_runtime)["snapshots"] == [], "its day was scored just now"
    toy_runtime.clock = lambda: datetime(2026, 3, 20, tzinfo=UTC)
    gone = maintenance.prune(toy_runtime)
    assert [one["id"] for one in gone["snapshots"]] == [made.snapshot_id]
    with connect(toy_runtime.engine) as conn:
        assert conn.execute(oldest).one().sha256 == made.sha256, "receipts go on naming it"
        with pytest.raises(NotReady, match="older than those that are kept") as caught:
            read_day(conn, toy.TOY, made.snapshot_id)
    assert "daybreak score toy --business-date 2026-02-01" in caught.value.remedy
    score_day("toy", days[0], runtime=toy_runtime)
    with connect(toy_runtime.engine) as conn:
        again = conn.execute(oldest).one()
        assert (again.snapshot_id, again.sha256) == (made.snapshot_id, made.sha256)
        assert again.pruned_at is None
        read_day(conn, toy.TOY, made.snapshot_id)
    publishing.rollback("toy", days[0], runtime=toy_runtime)


def test_old_task_logs_go_and_the_folders_they_leave(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", raising=False)
    runtime = make_runtime(keep_logs_days=30)
    logs = maintenance.task_logs(runtime.settings)
    assert maintenance.remove_task_logs(runtime) == {"files": 0}, "there is no folder yet"
    now = runtime.clock().timestamp()
    for name, days in (("a/b/old.log", 31), ("a/young.log", 29), ("c/old.log", 400)):
        path = Path(logs, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now - days * 86400,) * 2)
    assert maintenance.remove_task_logs(runtime) == {"files": 2}
    left = sorted(str(path.relative_to(logs)) for path in logs.rglob("*"))
    assert left == ["a", "a/young.log"]
