import itertools
import re
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from daybreak.errors import IllegalTransition, NotFound, NotPublished
from daybreak.ledger import generations as g
from daybreak.ledger.generations import TRANSITIONS, Generation, State
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.warehouse import tables
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin, make_engine
from daybreak.warehouse.partitions import ensure_partition

MODEL = "sales_forecast"
SCORES = score_sales_forecast
DAY = date(2026, 3, 31)
NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
DOC = Path(__file__).parents[3] / "docs" / "generations.md"


@pytest.fixture
def conn(warehouse: Engine):
    with begin(warehouse) as connection:
        yield connection


def snapshot(conn: Connection, day: date = DAY, layout: str = "l") -> int:
    found = conn.scalar(
        select(tables.snapshot.c.snapshot_id).where(
            tables.snapshot.c.business_date == day, tables.snapshot.c.layout == layout
        )
    )
    if found is not None:
        return found
    return conn.execute(
        insert(tables.snapshot)
        .values(
            model=MODEL,
            business_date=day,
            cutoff=NOW,
            layout=layout,
            rows=2,
            sha256="",
            built_at=NOW,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()


def opened(conn: Connection, run_key: str = "run", **given: object) -> Generation:
    values = {
        "model": MODEL,
        "business_date": DAY,
        "run_key": run_key,
        "run_type": "scheduled",
        "cutoff": NOW,
        "version": "v1",
        "now": NOW,
    } | given
    values.setdefault("snapshot_id", snapshot(conn, values["business_date"]))
    return g.open_generation(conn, **values)


def write_scores(conn: Connection, generation: Generation, value: float, rows: int = 4) -> None:
    ensure_partition(conn, SCORES, generation.business_date)
    scores = {name: np.full(rows, value, np.float32) for name in ("p10", "p50", "p90", "mean")}
    horizon = np.arange(1, rows + 1)
    copy_in(
        conn,
        SCORES,
        {
            "business_date": np.full(rows, generation.business_date, "M8[D]"),
            "generation_id": np.full(rows, generation.generation_id),
            "store_id": np.full(rows, "s"),
            "item_id": np.full(rows, "i"),
            "horizon": horizon,
            "target_date": np.datetime64(generation.business_date) + horizon,
            "shard": np.zeros(rows, np.int32),
            **scores,
        },
    )


def audited(conn: Connection, run_key: str = "run", **given: object) -> Generation:
    generation = opened(conn, run_key, **given)
    g.mark_staged(conn, generation.generation_id, 4, NOW)
    g.mark_audited(conn, generation.generation_id, NOW)
    return g.get_generation(conn, generation.generation_id)


def published(conn: Connection, run_key: str = "run", **given: object) -> Generation:
    generation = audited(conn, run_key, **given)
    g.publish(conn, generation.generation_id, NOW)
    return g.get_generation(conn, generation.generation_id)


def state_of(conn: Connection, generation: Generation) -> State:
    return g.get_generation(conn, generation.generation_id).state


def set_state(conn: Connection, generation: Generation, state: State) -> None:
    conn.execute(
        update(tables.generation)
        .where(tables.generation.c.generation_id == generation.generation_id)
        .values(state=state)
    )


# --- the machine -----------------------------------------------------------------------------


@pytest.mark.docs
def test_the_page_draws_the_machine_that_the_code_runs() -> None:
    page = DOC.read_text()
    ways = set(re.findall(r"^ {4}(\w+) --> (\w+):", page, re.MULTILINE))
    assert ways == {(a.value, b.value) for a, targets in TRANSITIONS.items() for b in targets}
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(State)


def test_the_database_knows_the_same_states(conn: Connection) -> None:
    generation = opened(conn)
    for state in State:
        set_state(conn, generation, state)
    with pytest.raises(IntegrityError, match="generation_state"):
        set_state(conn, generation, "elsewhere")


MARKS: dict[State, Callable[[Connection, int], None]] = {
    State.STAGED: lambda conn, it: g.mark_staged(conn, it, 4, NOW),
    State.AUDITED: lambda conn, it: g.mark_audited(conn, it, NOW),
    State.PROVEN: lambda conn, it: g.mark_proven(conn, it, NOW),
    State.REJECTED: lambda conn, it: g.reject(conn, it, "because", NOW),
    State.PUBLISHED: lambda conn, it: g.publish(conn, it, NOW),
}
ONWARD = [
    State.STAGING, State.STAGED, State.AUDITED, State.PROVEN, State.PUBLISHED, State.SUPERSEDED,
]  # fmt: skip


def outcome(start: State, target: State) -> State | None:
    """Where ``target``'s step leads from ``start``; None where it is refused."""
    if (start, target) == (State.SUPERSEDED, State.PUBLISHED):
        return None  # only a rollback returns to it
    if start in ONWARD and target in ONWARD and ONWARD.index(start) >= ONWARD.index(target):
        return start  # a task run again
    if start is target or target in TRANSITIONS[start]:
        return target
    return None


def test_every_step_from_every_state(conn: Connection) -> None:
    for start, (target, step) in itertools.product(State, MARKS.items()):
        generation = opened(conn, f"{start} to {target}")
        set_state(conn, generation, start)
        end = outcome(start, target)
        for _ in range(2):
            if end is not None:
                step(conn, generation.generation_id)
            else:
                with pytest.raises(IllegalTransition) as caught:
                    step(conn, generation.generation_id)
                assert caught.value.details["state"] == start
            assert state_of(conn, generation) is (end or start)
        # The next step starts from an empty day.
        conn.execute(tables.published.delete())
        conn.execute(tables.generation.delete())


def test_an_unknown_generation_is_named(conn: Connection) -> None:
    with pytest.raises(NotFound, match="no generation 77"):
        g.get_generation(conn, 77)


# --- opening ---------------------------------------------------------------------------------


def test_a_run_that_is_tried_again_gets_its_generation_back(conn: Connection) -> None:
    for state in (State.STAGING, State.STAGED, State.AUDITED, State.PROVEN):
        first = opened(conn)
        set_state(conn, first, state)
        again = opened(conn, run_type="manual")
        assert again.generation_id == first.generation_id
        assert (again.state, again.run_type, again.rows) == (State.STAGING, "manual", None)


@pytest.mark.parametrize(
    "state", [State.PUBLISHED, State.SUPERSEDED, State.REJECTED, State.ROLLED_BACK]
)
def test_after_publication_or_an_end_the_run_opens_a_new_one(
    conn: Connection, state: State
) -> None:
    first = opened(conn)
    set_state(conn, first, state)
    assert opened(conn).generation_id != first.generation_id
    assert state_of(conn, first) is state


def test_other_inputs_reject_what_the_run_had_begun(conn: Connection) -> None:
    first = opened(conn)
    second = opened(conn, version="v2")
    third = opened(conn, version="v2", snapshot_id=snapshot(conn, layout="other"))
    fourth = opened(conn, version="v2", snapshot_id=third.snapshot_id, cutoff=NOW + timedelta(1))
    begun = [first, second, third, fourth]
    assert len({one.generation_id for one in begun}) == 4
    assert [state_of(conn, one) for one in begun] == [State.REJECTED] * 3 + [State.STAGING]


def test_runs_days_and_models_do_not_share_a_generation(conn: Connection) -> None:
    ids = {
        opened(conn).generation_id,
        opened(conn, "another").generation_id,
        opened(conn, business_date=date(2026, 4, 1)).generation_id,
        opened(conn, model="recommendations").generation_id,
    }
    assert len(ids) == 4


# --- publishing and rolling back -------------------------------------------------------------


def test_the_newest_publication_of_a_day_counts(conn: Connection) -> None:
    first, second = published(conn, "a"), published(conn, "b")
    other_day = published(conn, "c", business_date=date(2026, 3, 1))
    assert g.published_generation(conn, MODEL) == second
    assert g.published_generation(conn, MODEL, date(2026, 3, 1)) == other_day
    assert state_of(conn, first) is State.SUPERSEDED
    g.publish(conn, second.generation_id, NOW + timedelta(hours=1))  # a retried task
    moment = conn.scalar(
        select(tables.published.c.published_at).where(tables.published.c.business_date == DAY)
    )
    assert moment == NOW


def test_rollback_goes_back_step_by_step(conn: Connection) -> None:
    a, b, c = (published(conn, run) for run in "abc")
    assert g.rollback(conn, MODEL, DAY, NOW).generation_id == b.generation_id
    d = published(conn, "d")
    assert g.rollback(conn, MODEL, DAY, NOW).generation_id == b.generation_id
    assert g.rollback(conn, MODEL, DAY, NOW).generation_id == a.generation_id
    assert g.published_generation(conn, MODEL, DAY).generation_id == a.generation_id
    assert g.rollback(conn, MODEL, DAY, NOW) is None
    assert {state_of(conn, one) for one in (a, b, c, d)} == {State.ROLLED_BACK}
    for day in (DAY, None):
        with pytest.raises(NotPublished):
            g.published_generation(conn, MODEL, day)
    with pytest.raises(NotPublished, match="for 2026-03-31"):
        g.rollback(conn, MODEL, DAY, NOW)


def test_rollback_returns_to_what_was_published_last_not_opened_last(conn: Connection) -> None:
    opened_first, opened_second = audited(conn, "a"), audited(conn, "b")
    g.publish(conn, opened_second.generation_id, NOW)
    g.publish(conn, opened_first.generation_id, NOW + timedelta(hours=1))
    published(conn, "c")
    returned = g.rollback(conn, MODEL, DAY, NOW)
    assert returned.generation_id == opened_first.generation_id


def test_a_day_cannot_have_two_published_generations(conn: Connection) -> None:
    published(conn, "a")
    with pytest.raises(IntegrityError, match="generation_published_once"):
        set_state(conn, opened(conn, "b"), State.PUBLISHED)


@pytest.mark.parametrize("table", ["ops.generation", "ops.published"])
def test_a_publication_that_breaks_midway_leaves_the_old_one(warehouse: Engine, table: str) -> None:
    with begin(warehouse) as conn:
        old, new = published(conn, "a"), audited(conn, "b")
    with warehouse.begin() as conn:  # the last thing that publish touches in this table kills it
        event = "AFTER UPDATE" if table == "ops.generation" else "BEFORE INSERT OR UPDATE"
        conn.execute(
            text(
                "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF to_jsonb(NEW)->>'state' = 'superseded' THEN RETURN NEW; END IF; "
                "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
            )
        )
        conn.execute(
            text(
                f"CREATE TRIGGER die {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.die()"
            )
        )
    with pytest.raises(DBAPIError), warehouse.begin() as conn:
        g.publish(conn, new.generation_id, NOW)
    with begin(warehouse) as conn:
        conn.execute(text(f"DROP TRIGGER die ON {table}"))
        assert g.published_generation(conn, MODEL, DAY) == old
        assert state_of(conn, new) is State.AUDITED
        g.publish(conn, new.generation_id, NOW)  # and the retry succeeds
        assert state_of(conn, old) is State.SUPERSEDED


def in_threads(*works: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert not any(thread.is_alive() for thread in threads)


def test_publications_and_rollbacks_of_one_day_take_turns(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        for n in range(3):  # so that either rollback finds one, even where both come first
            published(conn, f"before {n}")
        coming = [audited(conn, f"run {n}").generation_id for n in range(6)]
    start = threading.Barrier(len(coming) + 2)

    def publish(generation_id: int) -> None:
        start.wait()
        with begin(warehouse) as conn:
            g.publish(conn, generation_id, NOW)

    def roll_back() -> None:
        start.wait()
        with begin(warehouse) as conn:
            g.rollback(conn, MODEL, DAY, NOW)

    in_threads(*[lambda it=it: publish(it) for it in coming], roll_back, roll_back)
    with begin(warehouse) as conn:
        states = conn.scalars(select(tables.generation.c.state)).all()
        pointed = conn.scalars(select(tables.published.c.generation_id)).all()
        named = g.published_generation(conn, MODEL, DAY)
    assert states.count("published") == 1
    assert states.count("rolled_back") == 2
    assert states.count("superseded") == 6
    assert pointed == [named.generation_id]


def test_one_run_opened_twice_at_once_has_one_generation(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        snapshot(conn)
    start = threading.Barrier(4)
    ids: list[int] = []

    def open_it() -> None:
        start.wait()
        with begin(warehouse) as conn:
            ids.append(opened(conn).generation_id)

    in_threads(*[open_it] * 4)
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_reader_never_sees_part_of_a_day_or_two(warehouse: Engine, warehouse_url: str) -> None:
    """Each generation has one value in all its rows, so a mixed or partial answer shows."""
    rows = 200
    with begin(warehouse) as conn:
        first = audited(conn, "first")
        write_scores(conn, first, 0.0, rows)
        g.publish(conn, first.generation_id, NOW)
    done = threading.Event()
    seen: set[float] = set()

    def read() -> None:
        reader = make_engine(warehouse_url)
        with reader.connect() as conn:
            while True:
                last_round = done.is_set()
                answer = conn.execute(
                    text("SELECT count(*), min(p50), max(p50) FROM report.forecast")
                ).one()
                conn.rollback()
                assert answer[0] == rows
                assert answer[1] == answer[2]
                seen.add(answer[1])
                if last_round:
                    break
        reader.dispose()

    def write() -> None:
        try:
            for n in range(1, 13):
                with begin(warehouse) as conn:
                    generation = audited(conn, f"run {n}")
                    write_scores(conn, generation, float(n), rows)
                with begin(warehouse) as conn:
                    g.publish(conn, generation.generation_id, NOW + timedelta(minutes=n))
                if n % 4 == 0:
                    with begin(warehouse) as conn:
                        g.rollback(conn, MODEL, DAY, NOW)
        finally:
            done.set()

    in_threads(read, read, write)
    assert 11.0 in seen  # what the last rollback returned to


# --- writing shards --------------------------------------------------------------------------


def test_shards_are_written_in_staging_only(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        generation = opened(conn)
        assert g.hold_staging(conn, generation.generation_id) == generation
        g.mark_staged(conn, generation.generation_id, 4, NOW)
        with pytest.raises(IllegalTransition, match="written in staging only"):
            g.hold_staging(conn, generation.generation_id)


def test_whoever_moves_a_generation_waits_for_its_shards(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        generation = opened(conn)
    with begin(warehouse) as shard, begin(warehouse) as other_shard:
        g.hold_staging(shard, generation.generation_id)
        g.hold_staging(other_shard, generation.generation_id)
        with warehouse.connect() as mover:
            mover.execute(text("SET lock_timeout = '20ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                g.mark_staged(mover, generation.generation_id, 4, NOW)


# --- sweeping --------------------------------------------------------------------------------


def test_sweep_deletes_what_will_never_be_published(warehouse: Engine) -> None:
    day = timedelta(days=1)
    with begin(warehouse) as conn:
        kept = [published(conn, "old"), published(conn, "new")]
        kept.append(opened(conn, "under way", now=NOW + 2 * day))
        abandoned, rejected = opened(conn, "abandoned"), opened(conn, "rejected")
        for generation in (*kept, abandoned, rejected):
            write_scores(conn, generation, 1.0)
        g.reject(conn, rejected.generation_id, "a rule", NOW)
        rejected_late = opened(conn, "rejected late")
        g.reject(conn, rejected_late.generation_id, "a rule", NOW + 2 * day)
        write_scores(conn, rejected_late, 1.0)
        kept.append(rejected_late)
    tables_by_model = {MODEL: SCORES}
    with begin(warehouse) as conn:
        assert g.sweep(conn, tables_by_model, NOW + day, day) == 0  # not older than a day yet
    with begin(warehouse) as conn:
        assert g.sweep(conn, {"other": SCORES}, NOW + 2 * day, day) == 0
    with begin(warehouse) as conn:
        assert g.sweep(conn, tables_by_model, NOW + 2 * day, day) == 8
        g.sweep(conn, tables_by_model, NOW + 2 * day + timedelta(hours=1), day)
        swept = conn.scalars(select(tables.generation.c.swept_at).distinct()).all()
        assert set(swept) == {None, NOW + 2 * day}  # once
        left = conn.scalars(select(SCORES.c.generation_id).distinct()).all()
        assert set(left) == {generation.generation_id for generation in kept}
        assert state_of(conn, abandoned) is State.REJECTED
        reasons = conn.scalars(
            select(tables.generation.c.reason)
            .where(tables.generation.c.state == State.REJECTED)
            .order_by(tables.generation.c.generation_id)
        ).all()
        assert reasons == ["abandoned", "a rule", "a rule"]


def test_sweep_leaves_what_a_shard_holds(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        generation = opened(conn)
    later = NOW + timedelta(days=9)
    with begin(warehouse) as shard:
        g.hold_staging(shard, generation.generation_id)
        with begin(warehouse) as conn:
            conn.execute(text("SET lock_timeout = '1s'"))
            g.sweep(conn, {MODEL: SCORES}, later, timedelta(days=1))
            assert state_of(conn, generation) is State.STAGING
    with begin(warehouse) as conn:
        count = conn.scalar(select(func.count()).select_from(tables.generation))
        assert count == 1
