"""``daybreak score | rollback | sla | ingest`` as a person types them, with the toy model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner, Result

import toy
from daybreak import models
from daybreak.cli import app as every_command
from daybreak.cli.runs import app
from daybreak.errors import InputsLate, InvalidRequest, NotFound
from daybreak.ledger.champions import promote
from daybreak.ledger.verdicts import record_verdict
from daybreak.platform import operation
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import day_closed

CLOSED = datetime(2026, 2, 2, 0, 30, tzinfo=UTC)
DAY = ("--business-date", "2026-02-01")


@pytest.fixture
def runtime(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """The process-wide runtime, on the test's warehouse, with a champion and a closed day."""
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", toy.TOY, raising=False)
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    get_runtime.cache_clear()
    made = get_runtime()
    manifest = {
        "trained_through": "2026-01-31",
        "features": list(toy.TOY.features),
        "scale": 1.0,
    }
    version = made.registry.register("toy", toy.booster(), manifest)
    with begin(made.engine) as conn:
        conn.execute(
            insert(day_closed).values(business_date=date(2026, 2, 1), closed_at=CLOSED, load_id=1)
        )
        promote(
            conn,
            model="toy",
            version=version,
            effective_from=CLOSED,
            reason="test",
            evidence={},
            actor="test",
            now=CLOSED,
        )
    yield made
    made.engine.dispose()
    get_runtime.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.usefixtures("runtime")
def test_score_publishes_shows_its_steps_and_rollback_withdraws() -> None:
    scored = run("score", "toy", *DAY)
    assert scored.exit_code == 0, scored.output
    assert "Scoring shard 1 of 1" in scored.stderr
    assert "Generation 1 of toy for 2026-02-01 is published: 42 rows" in scored.stdout

    again = json.loads(run("score", "toy", *DAY, "--knowledge", "latest", "--json").stdout)
    assert (again["generation_id"], again["rows"]) == (2, 42)
    back = json.loads(run("rollback", "toy", *DAY, "--json").stdout)
    assert back == {
        "model": "toy",
        "business_date": "2026-02-01",
        "withdrawn": 2,
        "published": 1,
    }
    assert (
        "Generation 1 of toy is withdrawn; the day is empty." in run("rollback", "toy", *DAY).stdout
    )


@pytest.mark.usefixtures("runtime")
def test_sla_is_a_table_or_json() -> None:
    assert "No run is recorded yet." in run("sla").stdout
    run("score", "toy", *DAY)
    (row,) = json.loads(run("sla", "--json").stdout)
    assert (row["model"], row["status"], row["run_type"]) == ("toy", "not_counted", "cli")
    shown = run("sla", "--model", "toy").stdout
    assert "business date" in shown
    assert "not_counted" in shown
    assert run("sla", "--model", "other", "--json").stdout.strip() == "[]"


@pytest.mark.usefixtures("runtime")
def test_generations_are_listed_and_shown() -> None:
    def look(*arguments: str) -> str:
        result = CliRunner().invoke(every_command, ["generations", *arguments])
        assert result.exit_code == 0, result.output
        assert [line for line in result.stdout.splitlines() if line != line.rstrip()] == []
        return result.stdout

    assert "There is no such generation." in look("list")
    run("score", "toy", *DAY)
    run("score", "toy", *DAY, "--knowledge", "latest")
    listed = look("list", "--model", "toy", *DAY)
    assert [line.split()[0] for line in listed.splitlines()] == ["id", "2", "1"]
    (old,) = json.loads(look("list", "--state", "superseded", "--json"))
    assert (old["generation_id"], old["state"], old["rows"]) == (1, "superseded", 42)
    assert "There is no such generation." in look("list", "--business-date", "2026-01-01")
    shown = look("show", "2")
    assert "(gate: not judged)" in shown
    assert "score_shard" in shown
    steps = json.loads(look("show", "2", "--json"))["steps"]
    assert {one["step"] for one in steps} >= {"build_shard", "score_shard", "publish"}
    for wrong, error in (
        (("show", "3"), NotFound),
        (("list", "--state", "done"), InvalidRequest),
        (("list", "--model", "other"), NotFound),
    ):
        result = CliRunner().invoke(every_command, ["generations", *wrong])
        assert isinstance(result.exception, error)


@pytest.mark.usefixtures("runtime")
def test_versions_and_the_ledger_are_shown_with_their_marks(runtime: Runtime) -> None:
    def look(*arguments: str) -> str:
        result = CliRunner().invoke(every_command, ["models", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    (version,) = (entry["version"] for entry in runtime.registry.versions("toy"))
    row = look("list").splitlines()[1].split()
    assert row[:4] == ["toy", version, "champion", "not"]
    with begin(runtime.engine) as conn:
        record_verdict(
            conn, model="toy", version=version, passed=False, reason="loses", evidence={},
            actor="test", now=CLOSED,
            headline={"measure": "WAPE", "value": 0.5, "baseline": "mean", "baseline_value": 0.4},
        )  # fmt: skip
    assert "refused  WAPE 0.500 (mean 0.400)" in look("list", "toy")
    (entry,) = json.loads(look("list", "--json"))
    assert (entry["champion"], entry["gate"], entry["value"]) == (True, "refused", 0.5)
    assert "REFUSED by its gate" in look("history", "toy")
    assert "gate: loses" in look("history", "toy")
    run("score", "toy", *DAY)
    (published,) = operation.published(runtime.settings)
    assert (published["model"], published["version"], published["gate"]) == (
        "toy", version, "refused",
    )  # fmt: skip
    (note,) = operation.gates(runtime.settings)
    assert (note.state, "which its gate refused" in note.detail) == ("note", True)
    again = look("promote", "toy", version, "--reason", "all the same", "--from", "2026-02-03")
    assert f"{version} is champion of toy already." in again
    assert "Its gate refused it" in again


@pytest.mark.usefixtures("runtime")
def test_errors_are_those_of_the_jobs() -> None:
    assert isinstance(run("score", "unknown", *DAY).exception, NotFound)
    assert isinstance(run("score", "toy", "--business-date", "2026-02-02").exception, InputsLate)
    assert isinstance(run("rollback", "unknown", *DAY).exception, NotFound)
    assert run("score", "toy").exit_code == 2, "the business date has to be said: never today"


@pytest.mark.usefixtures("runtime")
def test_ingest_says_what_it_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"SYNTHETIC_STORES": "1", "SYNTHETIC_ITEMS": "4", "PAYMENTS_CARDS": "100"}
    for part in ("SYNTHETIC", "PAYMENTS"):
        options |= {f"{part}_START": "2026-02-02", f"{part}_END": "2026-02-10"}
    for name, value in options.items():
        monkeypatch.setenv(f"DAYBREAK_{name}", value)
    loaded = run("ingest", "--through", "2026-02-07")
    assert loaded.exit_code == 0, loaded.output
    assert "the newest is 2026-02-07." in loaded.stdout
    assert json.loads(run("ingest", "--json").stdout)["business_date"] == "2026-02-10"
