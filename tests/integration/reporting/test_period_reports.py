"""Reports of periods: their numbers are the views', of one moment, whole or not at all."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, delete, insert, text, update
from typer.testing import CliRunner

from daybreak import models
from daybreak.charts.tables import Column
from daybreak.cli import app
from daybreak.errors import (
    ArtifactAltered,
    ConfigError,
    InvalidRequest,
    NotFound,
    PeriodOpen,
    StorageFull,
)
from daybreak.jobs import maintenance, period_reports
from daybreak.jobs.period_reports import find_report, list_reports, make_report, sections_of
from daybreak.models import get_model
from daybreak.reporting.kept import PAGE, Report, read
from daybreak.runtime import Runtime
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.reports.section import Drawn, Section
from report_days import DAY, MARCH_1, MODEL, close, fill, load, march, sale
from report_tables import ReportPage
from toy import only_the_toy

NOW = march(9, 12)
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>'\"&%{x}"
PERIODS = {
    "sales_forecast": "2026-03-03",
    "recommendations": "2026-02-02",
    "fraud": "2026-03-01",
    "pricing": "2026-03-01",
}


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], warehouse_url: str) -> Runtime:
    """Reads reports as a user who gives up what the reader may not."""
    return make_runtime(now=NOW, warehouse_reader_url=warehouse_url)


@pytest.fixture
def filled(runtime: Runtime, warehouse: Engine) -> Engine:
    with begin(warehouse) as conn:
        fill(conn)
        conn.execute(delete(tables.period_report))
    return warehouse


def page_of(runtime: Runtime, report: Report) -> ReportPage:
    return ReportPage(read(runtime.registry.store, report, PAGE).decode())


def table_of(runtime: Runtime, report: Report, section: str) -> list[dict[str, Any]]:
    data = read(runtime.registry.store, report, f"{section}.parquet")
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def test_the_numbers_of_a_day_are_those_that_were_worked_by_hand(
    runtime: Runtime, filled: Engine
) -> None:
    """Of 3 March two forecasts said 1, 2, 3, and 3 were sold; a week before nothing was."""
    report = make_report(MODEL, "2026-03-03", runtime=runtime)
    (found,) = table_of(runtime, report, "accuracy")
    assert found == {
        "rows": 2,
        "units": 6.0,
        "forecast": 4.0,
        "wape": pytest.approx(1 / 3),
        "wape_naive": 1.0,
        "bias": pytest.approx(-1 / 3),
        "coverage": 1.0,
        "pinball": pytest.approx((0.1 * 2 + 0.5 * 1 + 0.9 * 0) / 3),
        "pinball_naive": pytest.approx((0.1 + 0.5 + 0.9) * 3 / 3),
        "nearer": 4.0,
    }
    (row,) = page_of(runtime, report).tables["accuracy"]
    assert [float(cell) for cell in row] == [float(value) for value in found.values()]
    (sold,) = table_of(runtime, report, "sold")
    assert sold == {"target_date": date(2026, 3, 3), "forecast": 2.0, "naive": 0.0, "units": 3.0}
    assert [row["store_name"] for row in table_of(runtime, report, "accuracy_by_store")] == [
        "Corner"
    ]
    assert report.nights == 0, "3 March itself is not published"


def test_groups_are_those_that_pandas_makes_of_the_view(runtime: Runtime, filled: Engine) -> None:
    with begin(filled) as conn:
        close(conn, *(MARCH_1 + n * DAY for n in range(4, 8)))
    report = make_report(MODEL, "2026-W10", runtime=runtime)
    with connect(filled) as conn:
        rows = pd.read_sql(text("SELECT * FROM report.forecast_accuracy"), conn)
    rows = rows[
        (rows["target_date"] >= date(2026, 3, 2)) & (rows["target_date"] <= date(2026, 3, 8))
    ]
    assert len(rows) == 13
    for level, key in (("ahead", "horizon"), ("day", "target_date"), ("item", "item_id")):
        found = {row[key]: row for row in table_of(runtime, report, f"accuracy_by_{level}")}
        assert found.keys() == set(rows[key])
        for name, group in rows.groupby(key):
            units = group["actual_units"].sum()
            assert found[name]["units"] == units
            assert found[name]["rows"] == len(group)
            wape = group["absolute_error_p50"].sum() / units if units else None
            assert found[name]["wape"] == (pytest.approx(wape) if units else None)


@pytest.mark.parametrize("model", PERIODS)
def test_page_and_parquet_hold_what_the_views_say(
    runtime: Runtime, filled: Engine, model: str
) -> None:
    with begin(filled) as conn:
        conn.execute(update(tables.item).values(name=HOSTILE, category=HOSTILE))
        conn.execute(update(tables.store).values(name=HOSTILE))
        if model == "recommendations":
            close(conn, date(2026, 2, 1))
    period = "2026-02-01" if model == "recommendations" else PERIODS[model]
    report = make_report(model, period, runtime=runtime)
    page = page_of(runtime, report)
    day = date.fromisoformat(period)
    asked = {"model": model, "first": day, "last": day, "step": 1}
    sections = sections_of(get_model(model))
    assert report.files.keys() == {PAGE, *(f"{one.id}.parquet" for one in sections)}
    filled_sections = 0
    for section in sections:
        with connect(filled) as conn:
            question = text(section.query)
            given = {name: asked[name] for name in question.compile().params}
            rows = [dict(row) for row in conn.execute(question, given).mappings()]
        if section.level is not None:
            rows = [row for row in rows if row["level"] == section.level]
        names = [column.name for column in section.columns]
        expected = [[row[name] for name in names] for row in rows]
        stored = [[row[name] for name in names] for row in table_of(runtime, report, section.id)]
        assert len(stored) == len(expected)
        for theirs, ours in zip(expected, stored, strict=True):
            assert [_same(*pair) for pair in zip(theirs, ours, strict=True)] == [True] * len(names)
        shown = page.tables.get(section.id, [])
        assert len(shown) == len(expected) <= section.most
        for theirs, cells in zip(expected, shown, strict=True):
            for column, value, cell in zip(section.columns, theirs, cells, strict=True):
                assert cell == _cell(column, value), (section.id, column.name)
        filled_sections += bool(expected)
    assert filled_sections >= 4
    assert HOSTILE in page.texts or model in {"fraud", "pricing"}
    assert not [given for tag, given in page.tags if tag == "img" or "onerror" in given]
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1 + len(page.figures)


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, float) and isinstance(ours, float):
        return math.isclose(theirs, ours, rel_tol=1e-6)  # float32 columns
    if isinstance(theirs, dict):
        return bool(json.loads(ours) == theirs)
    return bool(theirs == ours)


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return "" if column.kind == "mark" else "–"
    if column.kind in {"mark", "words"}:
        return str(value).replace("_", " ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value)


def test_a_period_that_is_not_closed_is_refused_with_its_days(
    runtime: Runtime, filled: Engine
) -> None:
    with pytest.raises(PeriodOpen, match=r"2026-W10 is not closed: 2026-03-05, .*-08 are open"):
        make_report(MODEL, "2026-W10", runtime=runtime)
    with pytest.raises(PeriodOpen, match=r"2026-03-11 and 20 more are open") as error:
        make_report(MODEL, "2026-03", runtime=runtime)
    assert "The newest closed day is 2026-03-04" in error.value.remedy
    assert list_reports(runtime=runtime) == []


def test_a_week_of_data_covers_its_days(runtime: Runtime, warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        last = date(2026, 3, 8)
        conn.execute(insert(tables.calendar).values(business_date=last, open=True, days=7))
        close(conn, last)
    report = make_report(MODEL, "2026-W10", runtime=runtime)
    assert report.nights == 0
    with pytest.raises(PeriodOpen, match="2026-03-01"):
        make_report(MODEL, "2026-03-01", runtime=runtime)


@pytest.mark.parametrize("word", ["last week", "2026", "2026-W54", "2026-13", "2026-02-30", "../x"])
def test_what_is_no_period_is_refused(runtime: Runtime, warehouse: Engine, word: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a period"):
        make_report(MODEL, word, runtime=runtime)


def test_a_period_without_a_night_says_so(runtime: Runtime, filled: Engine) -> None:
    report = make_report("pricing", "2026-03-04", runtime=runtime)
    assert report.nights == 0
    page = page_of(runtime, report)
    assert "Nothing of pricing is published of this period." in page.texts
    assert page.figures == {}


def test_a_model_that_declares_nothing_has_the_general_sections(
    runtime: Runtime, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = models._installed
    monkeypatch.setattr(
        models, "_installed", lambda group=models.GROUP: {**found(group), **only_the_toy(group)}
    )
    report = make_report("toy", "2026-03-01", runtime=runtime)
    assert {"sla.parquet", "cost.parquet", "champions.parquet"} < report.files.keys()
    assert "accuracy.parquet" not in report.files


def test_made_again_after_a_correction_it_stands_beside_the_old_one(
    make_runtime: Callable[..., Runtime], warehouse_url: str, filled: Engine
) -> None:
    first = make_runtime(now=NOW, warehouse_reader_url=warehouse_url)
    old = make_report(MODEL, "2026-03-03", runtime=first)
    before = {file: read(first.registry.store, old, file) for file in old.files}
    with begin(filled) as conn:
        corrected = sale(date(2026, 3, 3), "i1", 30.0, loaded_at=march(10), load_id=9)
        load(conn, tables.sales, corrected)
    later = make_runtime(now=march(11), warehouse_reader_url=warehouse_url)
    new = make_report(MODEL, "2026-03-03", runtime=later)
    assert table_of(later, new, "accuracy")[0]["units"] == 60.0
    assert {file: read(first.registry.store, old, file) for file in old.files} == before
    listed = list_reports(MODEL, "2026-03-03", later)
    assert [(one.name, one.newest) for one in listed] == [(new.name, True), (old.name, False)]
    assert find_report(MODEL, "2026-03-03", runtime=later).name == new.name
    assert find_report(MODEL, "2026-03-03", old.name, later).known_at == NOW
    assert "known at 2026-03-09 12:00:00 UTC" in page_of(first, old).texts


def test_all_numbers_are_of_one_moment(runtime: Runtime, filled: Engine) -> None:
    def correct(section: str) -> None:
        if section == "How good it was":
            return
        with begin(filled) as conn:  # while the report is being read
            corrected = sale(
                date(2026, 3, 3), "i1", 30.0, loaded_at=march(10), load_id=len(section)
            )
            load(conn, tables.sales, corrected)

    report = make_report(MODEL, "2026-03-03", correct, runtime=runtime)
    assert table_of(runtime, report, "sold")[0]["units"] == 3.0
    again = make_report(MODEL, "2026-03-03", runtime=runtime)
    assert table_of(runtime, again, "sold")[0]["units"] == 30.0


def declaring(monkeypatch: pytest.MonkeyPatch, *sections: Section) -> None:
    model = replace(get_model(MODEL), sections=sections)
    monkeypatch.setattr(period_reports, "get_model", lambda _name: model)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT model FROM ops.generation", "permission denied"),
        ("DELETE FROM ops.step RETURNING step AS model", "permission denied|read-only"),
        ("SELECT model FROM report.nowhere", "does not exist"),
        ("SELECT 1 AS other", "has no column model"),
        ("SELECT :secret AS model", "asks for secret"),
    ],
)
def test_a_section_reads_report_views_alone_and_its_faults_are_named(
    runtime: Runtime, filled: Engine, monkeypatch: pytest.MonkeyPatch, query: str, said: str
) -> None:
    declaring(monkeypatch, Section("own", "Own", query, [Column("model", "model")]))
    with pytest.raises(ConfigError, match=said) as error:
        make_report(MODEL, "2026-03-03", runtime=runtime)
    assert "'own'" in error.value.message
    assert list_reports(runtime=runtime) == []


def test_long_tables_are_cut_on_the_page_and_whole_in_the_file(
    runtime: Runtime, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT n, n * 2 AS double FROM generate_series(1, 1000) AS n ORDER BY n"
    columns = [Column("n", "n", "number", 0), Column("double", "double", "number", 0)]
    drawn = Drawn("lines", "n", ("double",))
    declaring(monkeypatch, Section("long", "Long", query, columns, drawn=drawn, most=10))
    report = make_report(MODEL, "2026-03-03", runtime=runtime)
    page = page_of(runtime, report)
    shown = [int(row[0]) for row in page.tables["long"] if len(row) == 2]
    assert shown == [*range(1, 6), *range(996, 1001)]
    assert "990 more in long.parquet" in page.texts
    assert len(table_of(runtime, report, "long")) == 1000
    (trace,) = page.figures["figure-long"]["data"]
    assert trace["y"] == [2 * n for n in range(1, 1001)]


def test_what_has_nothing_to_draw_has_no_empty_chart(
    runtime: Runtime, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT n, NULL::float8 AS value FROM generate_series(1, 3) AS n"
    columns = [Column("n", "n", "number", 0), Column("value", "value", "number")]
    section = Section("own", "Own", query, columns, drawn=Drawn("bars", "n", ("value",)))
    declaring(monkeypatch, section)
    page = page_of(runtime, make_report(MODEL, "2026-03-03", runtime=runtime))
    assert "figure-own" not in page.figures
    assert page.tables["own"] == [["1", "–"], ["2", "–"], ["3", "–"]]


def test_cut_short_it_does_not_exist_and_is_made_again(
    runtime: Runtime, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = runtime.registry.store
    write, written = store.write, list[str]()

    def full(path: str, data: bytes) -> None:
        if path.endswith(PAGE):
            raise StorageFull("no space")
        written.append(path)
        write(path, data)

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(StorageFull):
        make_report(MODEL, "2026-03-03", runtime=runtime)
    assert len(written) > 5
    assert list_reports(runtime=runtime) == []
    with pytest.raises(NotFound):
        find_report(MODEL, "2026-03-03", runtime=runtime)
    monkeypatch.setattr(store, "write", write)
    made = make_report(MODEL, "2026-03-03", runtime=runtime)
    assert list_reports(runtime=runtime) == [made]
    assert len(page_of(runtime, made).tables) > 5


def test_two_at_once_are_two_reports_or_one_and_one_is_the_newest(
    make_runtime: Callable[..., Runtime], warehouse_url: str, filled: Engine
) -> None:
    moments = [NOW, NOW, march(9, 13), march(9, 14)]
    runtimes = [make_runtime(now=one, warehouse_reader_url=warehouse_url) for one in moments]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda one: make_report(MODEL, "2026-03-03", runtime=one), runtimes))
    assert made[0].name == made[1].name, "the same moment and content is the same report"
    listed = list_reports(runtime=runtimes[0])
    assert {one.name for one in listed} == {one.name for one in made}
    assert len(listed) == 3
    assert [one.newest for one in listed] == [True, False, False]


def test_what_was_altered_is_not_handed_out(
    runtime: Runtime, filled: Engine, tmp_path: Path
) -> None:
    report = make_report(MODEL, "2026-03-03", runtime=runtime)
    folder = period_reports.write_out(report, tmp_path / "out", runtime)
    assert {file.name for file in folder.iterdir()} == report.files.keys()
    assert (folder / PAGE).read_bytes() == read(runtime.registry.store, report, PAGE)
    with pytest.raises(InvalidRequest, match="cannot be written"):
        period_reports.write_out(report, tmp_path / "out", runtime)
    assert [one.name for one in (tmp_path / "out").iterdir()] == [folder.name]
    kept = Path(report.uri.removeprefix("file://")) / "sla.parquet"
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(ArtifactAltered, match=r"sla\.parquet"):
        period_reports.write_out(report, tmp_path / "other", runtime)
    assert not (tmp_path / "other").exists()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="shop")
    yield endpoint
    server.stop()


def test_in_s3_it_is_kept_and_fetched_by_the_same_store(
    make_runtime: Callable[..., Runtime], warehouse_url: str, filled: Engine, bucket: str
) -> None:
    runtime = make_runtime(
        now=NOW,
        warehouse_reader_url=warehouse_url,
        registry_url="s3://shop/daybreak",
        s3_endpoint_url=bucket,
    )
    report = make_report(MODEL, "2026-03-03", runtime=runtime)
    assert report.uri == f"s3://shop/daybreak/reports/{MODEL}/2026-03-03/{report.name}"
    assert page_of(runtime, report).tables["accuracy"]
    client = boto3.client("s3", endpoint_url=bucket)
    key = f"daybreak/reports/{MODEL}/2026-03-03/{report.name}/{PAGE}"
    client.put_object(Bucket="shop", Key=key, Body=b"other")
    with pytest.raises(ArtifactAltered):
        read(runtime.registry.store, report, PAGE)


def test_what_is_due_is_what_was_published_and_is_not_there(
    runtime: Runtime, filled: Engine
) -> None:
    with begin(filled) as conn:  # what only inserts generations leaves no run
        for day in (MARCH_1, MARCH_1 + DAY):
            conn.execute(
                insert(tables.run).values(
                    run_key=f"scheduled {day}", model=MODEL, business_date=day,
                    run_type="scheduled", started_at=march(3),
                )
            )  # fmt: skip
        close(conn, *(MARCH_1 - n * DAY for n in range(1, 7)))
    week = {"model": MODEL, "period": "2026-W09"}
    assert period_reports.due(date(2026, 3, 1), runtime=runtime) == [week]
    assert period_reports.due(date(2026, 3, 4), runtime=runtime) == [week], "the last whole week"
    published = [(MODEL, MARCH_1), ("toy", MARCH_1), (MODEL, date(2026, 3, 4))]
    day = {"model": MODEL, "period": "2026-03-01"}
    assert period_reports.due(None, published, runtime=runtime) == [day]
    for one in (week, day):
        made = make_report(**one, runtime=runtime)
        assert made.nights == 1
    assert period_reports.due(date(2026, 3, 1), runtime=runtime) == []
    assert period_reports.due(None, published, runtime=runtime) == []
    asked = period_reports.due(None, model=MODEL, period="2026-W09", runtime=runtime)
    assert asked == [week], "what a person asks for is made again"
    address = period_reports.make_once(**week, since=march(9), runtime=runtime)
    assert address["name"] == list_reports(MODEL, "2026-W09", runtime)[0].name
    assert len(list_reports(MODEL, "2026-W09", runtime)) == 1, "a task tried again makes none twice"


def test_reports_past_their_time_go(
    make_runtime: Callable[..., Runtime], warehouse_url: str, filled: Engine
) -> None:
    first = make_runtime(now=NOW, warehouse_reader_url=warehouse_url)
    old = make_report(MODEL, "2026-03-03", runtime=first)
    later = make_runtime(
        now=NOW + 41 * DAY, warehouse_reader_url=warehouse_url, keep_reports_days=40
    )
    new = make_report(MODEL, "2026-03-03", runtime=later)
    assert maintenance.prunable(later)["reports"] == [old.path]
    assert maintenance.prune(later)["reports"] == [old.path]
    assert list_reports(MODEL, runtime=later) == [new]
    assert not Path(old.uri.removeprefix("file://")).exists()


def test_the_commands_make_list_and_copy_reports(
    runtime: Runtime, filled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybreak.jobs.period_reports.get_runtime", lambda: runtime)
    run = CliRunner().invoke
    said = run(app, ["reports", "list"])
    assert "There is no report yet" in said.output
    made = run(
        app, ["report", MODEL, "--period", "2026-03-03", "--out", str(tmp_path / "a"), "--json"]
    )
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert Path(found["folder"], PAGE).is_file()
    listed = json.loads(run(app, ["reports", "list", "--json"]).stdout)
    assert [(one["model"], one["period"], one["name"]) for one in listed] == [
        (MODEL, "2026-03-03", found["name"])
    ]
    copied = run(
        app, ["reports", "get", MODEL, "--period", "2026-03-03", "--out", str(tmp_path / "b")]
    )
    assert copied.exit_code == 0, copied.output
    (folder,) = (tmp_path / "b").iterdir()
    assert str(folder) in copied.output
    wrong = run(app, ["report", MODEL, "--period", "yesterday"])
    assert isinstance(wrong.exception, InvalidRequest)
