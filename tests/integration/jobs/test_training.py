"""Ingest, training and the gate, on a real warehouse with small data and the toy model."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

import toy
from daybreak import models
from daybreak.cli import main
from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest, NoData, NotFound, NotPublished
from daybreak.jobs import maintenance, publishing, training
from daybreak.jobs.addresses import run_address
from daybreak.jobs.backtesting import backtest
from daybreak.jobs.deadline import record_missed_deadline
from daybreak.jobs.ingest import dataset, load_new_files
from daybreak.jobs.promoting import promote
from daybreak.jobs.proving import prove_decisions
from daybreak.jobs.run import score_day
from daybreak.jobs.versions import champion_history, versions
from daybreak.ledger.champions import champion_at, history
from daybreak.ledger.verdicts import gate_of
from daybreak.models.base import (
    NO_OPTIONS,
    AsOfDay,
    Headline,
    Options,
    Progress,
    Trained,
    Verdict,
    quiet,
)
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import day_closed, sales
from statsd_daemon import Daemon, statsd_daemon

MakeRuntime = Callable[..., Runtime]
DAY = date(2026, 2, 1)
CLOSED = datetime(2026, 2, 2, 0, 30, tzinfo=UTC)
CUTOFF = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
NOW = datetime(2026, 2, 9, 8, 0, tzinfo=UTC)


class JudgedToy(toy.ToyLearning):
    """A toy that records its calls, and passes or refuses as it is set up."""

    def __init__(self, passes: bool = True) -> None:
        self.passes = passes
        self.trained_on: list[AsOf] = []
        self.champions: list[str | None] = []

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        self.trained_on.append(as_of)
        return Trained(
            toy.booster(),
            {
                "trained_through": as_of.business_date.isoformat(),
                "features": list(toy.TOY.features),
                "scale": 1.0,
            },
        )

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        return {"last": last.isoformat()}

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        self.champions.append(champion.version if champion else None)
        reason = "beats all" if self.passes else "loses to the 28-day mean"
        headline = Headline("WAPE", 0.4, "mean_28", 0.5)
        evidence = {"wape": 0.4, "challenger": challenger.version}
        return Verdict(self.passes, reason, evidence, headline)


@pytest.fixture
def statsd() -> Iterator[Daemon]:
    with statsd_daemon() as daemon:
        yield daemon


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> JudgedToy:
    model = JudgedToy()
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "LEARNING", model)
    return model


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    made = make_runtime(now=NOW)
    with begin(made.engine) as conn:
        conn.execute(insert(day_closed).values(business_date=DAY, closed_at=CLOSED, load_id=1))
    return made


def ledger(runtime: Runtime) -> list[dict[str, object]]:
    with connect(runtime.engine) as conn:
        return history(conn, "toy")


def test_a_challenger_knows_what_its_day_knew_and_rules_from_there_on(
    runtime: Runtime, judged: JudgedToy
) -> None:
    challenger = training.train("toy", "2026-02-08", runtime=runtime)
    assert judged.trained_on == [AsOf(DAY, CUTOFF)], "the newest closed day, as its own run saw it"
    assert challenger["version"].startswith("2026-02-01-")

    outcome = training.pass_the_gate(challenger, runtime=runtime)
    assert (outcome["outcome"], outcome["reason"]) == ("promoted", "beats all")
    assert judged.champions == [None]
    (entry,) = ledger(runtime)
    assert (entry["version"], entry["effective_from"]) == (challenger["version"], CUTOFF)
    assert (entry["recorded_at"], entry["actor"]) == (NOW, "train_models")
    assert entry["evidence"] == {"wape": 0.4, "challenger": challenger["version"]}
    with connect(runtime.engine) as conn:
        assert champion_at(conn, "toy", CUTOFF) == challenger["version"]
    assert len(json.dumps(outcome)) < 1024


@pytest.mark.usefixtures("judged")
def test_the_log_of_a_task_says_where_the_work_is(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        challenger = training.train("toy", "2026-02-08", runtime=runtime)
        training.pass_the_gate(challenger, runtime=runtime)

    said = [record.getMessage() for record in caplog.records]
    assert "Training toy on what was known of 2026-02-01" in said
    assert "beats all" in said


def test_training_and_gate_run_twice_change_nothing(runtime: Runtime, judged: JudgedToy) -> None:
    once = training.train("toy", "2026-02-01", runtime=runtime)
    assert training.train("toy", "2026-02-01", runtime=runtime) == once
    assert len(runtime.registry.versions("toy")) == 1
    training.pass_the_gate(once, runtime=runtime)
    again = training.pass_the_gate(once, runtime=runtime)
    assert (again["outcome"], again["reason"]) == ("in_force", "It is champion already.")
    assert len(ledger(runtime)) == 1


def test_a_refused_challenger_is_an_outcome_and_the_champion_stays(
    runtime: Runtime, judged: JudgedToy
) -> None:
    first = training.train("toy", "2026-02-01", runtime=runtime)
    training.pass_the_gate(first, runtime=runtime)

    with begin(runtime.engine) as conn:
        next_day = DAY + timedelta(days=1)
        conn.execute(insert(day_closed).values(business_date=next_day, closed_at=NOW, load_id=1))
    judged.passes = False
    second = training.train("toy", "2026-02-08", runtime=runtime)
    outcome = training.pass_the_gate(second, runtime=runtime)
    assert (outcome["outcome"], outcome["reason"]) == ("refused", "loses to the 28-day mean")
    assert judged.champions == [None, first["version"]]
    with connect(runtime.engine) as conn:
        assert champion_at(conn, "toy", NOW) == first["version"]
        assert gate_of(conn, "toy", first["version"]) == "passed"
        assert gate_of(conn, "toy", second["version"]) == "refused"
        assert gate_of(conn, "toy", "never judged") == "not_judged"

    done = promote(
        "toy", second["version"], "we need the newer prices", actor="ann", runtime=runtime
    )
    assert (done["written"], done["gate"]) == (True, "refused")
    newest, oldest = versions("toy", runtime)
    assert (newest["version"], newest["champion"], newest["gate"]) == (
        second["version"], True, "refused",
    )  # fmt: skip
    assert (newest["measure"], newest["value"], newest["baseline"]) == ("WAPE", 0.4, "mean_28")
    assert newest["gate_reason"] == "loses to the 28-day mean"
    assert (oldest["champion"], oldest["gate"]) == (False, "passed")
    assert [entry["gate"] for entry in champion_history("toy", runtime)] == ["passed", "refused"]


@pytest.mark.usefixtures("judged")
def test_a_promotion_by_hand_needs_a_reason_and_a_version(runtime: Runtime) -> None:
    version = training.train("toy", "2026-02-01", runtime=runtime)["version"]
    with pytest.raises(InvalidRequest, match="reason is empty"):
        promote("toy", version, "  ", actor="ann", runtime=runtime)
    with pytest.raises(NotFound, match="has no version v"):
        promote("toy", "v", "why not", actor="ann", runtime=runtime)
    done = promote("toy", version, "first", actor="ann", effective_from=CUTOFF, runtime=runtime)
    assert done == {
        "model": "toy",
        "version": version,
        "effective_from": CUTOFF.isoformat(),
        "written": True,
        "gate": "not_judged",
    }
    assert not promote("toy", version, "again", actor="ann", runtime=runtime)["written"]


@pytest.mark.parametrize(("passes", "code"), [(True, 0), (False, 3)])
def test_the_exit_code_of_train_follows_the_outcome(
    *,
    passes: bool,
    code: int,
    runtime: Runtime,
    judged: JudgedToy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged.passes = passes
    monkeypatch.setattr("daybreak.runtime.get_runtime", lambda: runtime)
    monkeypatch.setattr(training, "get_runtime", lambda: runtime)
    monkeypatch.setattr(sys, "argv", ["daybreak", "train", "toy", "--json"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == code
    printed = capsys.readouterr()
    assert json.loads(printed.out)["outcome"] == ("promoted" if passes else "refused")
    assert ("does not become champion" in printed.err) is not passes


def test_with_no_closed_day_there_is_nothing_to_train_on(
    runtime: Runtime, judged: JudgedToy
) -> None:
    with pytest.raises(NoData, match=r"No business day up to 2026-01-31 is closed.*ingest"):
        training.train("toy", "2026-01-31", runtime=runtime)


@pytest.fixture
def tiny_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """One store, four items, nine days to 10 January 2026."""
    options = {"SYNTHETIC_STORES": "1", "SYNTHETIC_ITEMS": "4", "PAYMENTS_CARDS": "100"}
    for part in ("SYNTHETIC", "PAYMENTS"):
        options |= {f"{part}_START": "2026-01-02", f"{part}_END": "2026-01-10"}
    for name, value in options.items():
        monkeypatch.setenv(f"DAYBREAK_{name}", value)


@pytest.mark.usefixtures("tiny_shop")
def test_ingest_loads_what_is_new_closes_days_and_then_finds_nothing_new(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime(now=NOW, dataset="synthetic")
    loaded = load_new_files(runtime=runtime)
    assert (loaded["dataset"], loaded["quarantined"]) == ("synthetic", 0)
    assert (loaded["days_closed"], loaded["business_date"]) == (9, "2026-01-10")
    with connect(runtime.engine) as conn:
        rows = conn.scalar(select(func.count()).select_from(sales))
    again = load_new_files(runtime=runtime)
    assert (again["files"], again["rows"], again["days_closed"]) == (0, 0, 0)
    assert again["business_date"] == "2026-01-10"
    with connect(runtime.engine) as conn:
        assert conn.scalar(select(func.count()).select_from(sales)) == rows
    assert len(json.dumps(loaded)) < 1024


def test_the_path_in_the_settings_overrides_that_of_the_data_set(
    make_runtime: MakeRuntime,
) -> None:
    here = make_runtime(dataset="online_retail", dataset_path="/somewhere/else.parquet")
    assert dataset(here).sales.files != dataset(make_runtime(dataset="online_retail")).sales.files


def test_a_backtest_finds_a_data_set_by_the_path_of_its_file(
    make_runtime: MakeRuntime, judged: JudgedToy, tmp_path: Path
) -> None:
    (tmp_path / "sales.csv").write_text("day,sku,qty\n2026-01-10,x,1\n")
    file = tmp_path / "my shop.yaml"
    file.write_text(
        "name: mine\nsales:\n  files: ${HERE}/sales.csv\n  columns: {business_date: day, "
        "store_id: {const: a}, item_id: sku, units: qty}\n"
    )
    runtime = make_runtime(dataset=str(file))
    load_new_files(runtime=runtime)
    for name in (None, "mine"):
        with runtime.on_dataset(name) as there:
            found = backtest("toy", {}, runtime=there)
            assert found == {"dataset": "mine", "last": "2026-01-10"}
    with (
        runtime.on_dataset("synthetic") as there,
        pytest.raises(NoData, match="no closed day of the data set synthetic"),
    ):
        backtest("toy", {}, runtime=there)


@pytest.mark.docs
@pytest.mark.usefixtures("tiny_shop")
def test_docs_name_every_metric_that_is_sent_and_no_other(
    make_runtime: MakeRuntime, judged: JudgedToy, statsd: Daemon
) -> None:

    def at(now: datetime) -> Runtime:
        return make_runtime(
            now=now, dataset="synthetic", statsd_host=statsd.host, statsd_port=statsd.port
        )

    day = date(2026, 1, 10)
    moments = iter(datetime(2026, 1, 11, 3, tzinfo=UTC) + timedelta(seconds=n) for n in range(999))
    night = at(NOW)
    night.clock = lambda: next(moments)
    load_new_files(runtime=night)
    training.pass_the_gate(training.train("toy", day.isoformat(), runtime=night), runtime=night)
    score_day("toy", day, runtime=night)
    proven = run_address(run_key="a", run_type="cli", model="toy", business_date=day)
    prove_decisions(proven, runtime=night)
    publishing.rollback("toy", day, night)
    with pytest.raises(NotPublished):
        publishing.rollback("toy", day, night)
    maintenance.prune(night)  # which sweeps
    late = {
        "dag_id": "daily",
        "dag_run_id": "one",
        "logical_date": "2026-01-10T02:00:00Z",
        "conf": None,
        "run_type": "scheduled",
        "queued_at": "2026-01-11T02:00:00Z",
    }
    asyncio.run(record_missed_deadline("toy", {"dag_run": late}, at(NOW)))

    sent = {line.split(":")[0] for line in statsd.lines()}
    page = (Path(__file__).parents[3] / "docs" / "sla.md").read_text()
    documented = re.findall(r"^\| `(daybreak\.[^`]+)` \|", page, flags=re.M)
    # The endpoint is tested in tests/integration/serving, answers in test_approving.py.
    elsewhere = re.compile(r"\.(endpoint|shadow|trial|version|approval)\.")
    documented = [name for name in documented if not elsewhere.search(name)]
    patterns = {name: re.sub(r"<\w+>", r"\\w+", name.replace(".", r"\.")) for name in documented}
    assert {
        name for name in sent if not any(re.fullmatch(one, name) for one in patterns.values())
    } == set()
    assert {
        name
        for name, pattern in patterns.items()
        if not any(re.fullmatch(pattern, one) for one in sent)
    } == set()


def test_an_alarm_of_what_was_asked_alone_trains_nothing(
    make_runtime: Callable[..., Runtime],
) -> None:
    runtime = make_runtime()
    asked = {"model": "sales_forecast", "raised": ["asked price"]}
    both = {"model": "recommendations", "raised": ["asked price", "feature price"]}
    listed = training.learning_models(runtime)
    assert training.models_to_train([], runtime) == listed
    assert training.models_to_train([asked], runtime) == []
    assert training.models_to_train([asked, both], runtime) == ["recommendations"]
