"""What analysts ask of the forecast's reports: the numbers against pandas, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, insert, text
from utilsforecast.losses import coverage, mae, mqloss

from daybreak.ledger import generations as g
from daybreak.models.recommendations.tables import scores as score_recommendation
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.serving.page import accuracy
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition
from small_shop import DAY as TODAY
from small_shop import ITEMS

DAY = timedelta(days=1)
SERIES = ["store_id", "item_id"]
QUANTILES = ["p10", "p50", "p90"]


def cutoff_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + DAY


def publish(conn: Connection, model: str, day: date, scores: str, **values: Any) -> int:
    """Publish what the INSERT ``scores`` writes for ``:day`` and ``:generation``."""
    cutoff = cutoff_of(day)
    layout = str(values.pop("version", "v1"))
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model=model, business_date=day, cutoff=cutoff, layout=layout, rows=1, sha256="",
            built_at=cutoff,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    opened = g.open_generation(
        conn, model=model, business_date=day, run_key=layout, run_type="scheduled",
        cutoff=cutoff, version=layout, snapshot_id=snapshot_id, now=cutoff,
    )  # fmt: skip
    table = {
        "sales_forecast": score_sales_forecast,
        "recommendations": score_recommendation,
    }[model]
    ensure_partition(conn, table, day)
    written = conn.execute(
        text(scores), {"day": day, "generation": opened.generation_id, **values}
    ).rowcount
    g.mark_staged(conn, opened.generation_id, written, cutoff)
    g.mark_audited(conn, opened.generation_id, cutoff)
    g.publish(conn, opened.generation_id, cutoff)
    return opened.generation_id


FORECASTS = """
    INSERT INTO score.sales_forecast
        (business_date, generation_id, store_id, item_id, horizon, target_date, shard,
         p10, p50, p90, mean)
    SELECT :day, :generation, store_id, item_id, horizon, CAST(:day AS date) + horizon, 0,
        middle * 0.6, middle, middle * 1.7, middle * 1.1
    FROM (
        SELECT store_id, item_id, horizon,
            (abs(hashtext(store_id || item_id || horizon || :seed)) % 120) / 10.0 AS middle
        FROM (SELECT DISTINCT store_id, item_id FROM raw.sales) AS series
        CROSS JOIN generate_series(1, 28) AS horizon
    ) AS drawn
"""


# --- numbers, against pandas -----------------------------------------------------------------


@pytest.fixture(scope="module")
def published(postgres: Any, shop_template: str) -> Iterator[Engine]:
    """The small shop with five vintages: one superseded, one withdrawn, one with open days."""
    from daybreak.warehouse.engine import make_engine

    with postgres.database(shop_template) as name:
        engine = make_engine(postgres.url(name))
        with begin(engine) as conn:
            first, second, third = TODAY - 40 * DAY, TODAY - 33 * DAY, TODAY - 5 * DAY
            for day, version in (
                (first, "old"),
                (first, "new"),  # supersedes it
                (second, "good"),
                (second, "bad"),  # is withdrawn
                (third, "new"),
            ):
                publish(conn, "sales_forecast", day, FORECASTS, seed=version, version=version)
            g.rollback(conn, "sales_forecast", second, cutoff_of(TODAY))
            conn.execute(
                text(
                    "INSERT INTO raw.day_closed SELECT day, now(), 1 FROM generate_series("
                    "CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day"
                ),
                {"first": TODAY - 450 * DAY, "last": TODAY},
            )
        yield engine
        engine.dispose()


def newest_rows(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The same, with nulls kept: ``last`` of a group passes over them."""
    return frame.sort_values(["loaded_at", "load_id"]).drop_duplicates(keys, keep="last")


def expected(conn: Connection) -> pd.DataFrame:
    """Every counted and uncounted row, worked out from the raw tables alone."""
    read = lambda table: pd.read_sql(text(f"SELECT * FROM {table}"), conn)  # noqa: E731
    sales, plan, calendar = map(read, ("raw.sales", "raw.plan", "raw.calendar"))
    scores = read("score.sales_forecast").merge(
        read("ops.generation")[["generation_id", "version", "cutoff", "state"]], on="generation_id"
    )
    scores = scores[scores["state"] == "published"]
    scores = scores[scores["target_date"] <= TODAY]

    day_keys = [*SERIES, "business_date"]
    sold = newest_rows(sales, day_keys)[[*day_keys, "units", "open"]]
    sold = sold.rename(columns={"business_date": "target_date", "open": "sold_open"})
    planned = newest_rows(plan, day_keys)[[*day_keys, "open"]]
    planned = planned.rename(columns={"business_date": "target_date"})
    item_plan = planned[planned["item_id"] != ""].rename(columns={"open": "item_open"})
    store_plan = planned[planned["item_id"] == ""].drop(columns="item_id")
    found = scores.merge(sold, how="left", on=[*SERIES, "target_date"])
    found = found.merge(item_plan, how="left", on=[*SERIES, "target_date"])
    found = found.merge(
        store_plan.rename(columns={"open": "store_open"}),
        how="left",
        on=["store_id", "target_date"],
    )
    found = found.merge(
        calendar.rename(columns={"business_date": "target_date", "open": "day_open"}),
        how="left",
        on="target_date",
    )
    opened = found["item_open"].astype(object)
    for other in ("store_open", "sold_open"):
        opened = opened.where(opened.notna(), found[other].astype(object))
    opened = opened.where(opened.notna(), True).astype(bool)
    found["actual"] = found["units"].fillna(0.0)
    found["open"] = (found["actual"] > 0) | (opened & found["day_open"].fillna(True).astype(bool))
    known_at = dict(iter(sales.sort_values(["loaded_at", "load_id"]).groupby(day_keys)))
    found["naive"] = [naive(known_at, row) for row in found.itertuples()]
    return found


def naive(known_at: dict[Any, pd.DataFrame], row: Any) -> float:
    """The last day of the same weekday up to the business date, as known at the cutoff."""
    day = row.target_date
    while day > row.business_date:
        day -= 7 * DAY
    rows = known_at.get((row.store_id, row.item_id, day))
    if rows is None:
        return 0.0
    units = rows.loc[rows["loaded_at"] <= row.cutoff, "units"]
    return float(units.iloc[-1]) if len(units) else 0.0


def test_forecast_actual_and_accuracy_agree_with_pandas(published: Engine) -> None:
    with connect(published) as conn:
        truth = expected(conn)
        actual = pd.read_sql(text("SELECT * FROM report.forecast_actual"), conn)
        accuracy = pd.read_sql(text("SELECT * FROM report.forecast_accuracy"), conn)
    keys = ["business_date", "target_date", *SERIES]
    values = [*QUANTILES, "mean", "actual", "naive", "open", "version", "generation_id"]
    both = truth.merge(actual, on=keys, suffixes=("_truth", ""))
    assert len(truth) == len(actual) == len(both) == 3 * 10 * 28 - 10 * 23
    for name in values:
        assert both[name].tolist() == both[f"{name}_truth"].tolist(), name
    assert set(actual["version"]) == {"new", "good"}
    assert not actual["open"].all()

    counted = truth[truth["open"]].copy()
    assert len(accuracy) == len(counted)
    counted["category"] = counted["item_id"].map(ITEMS)
    counted["week"] = (counted["horizon"] + 6) // 7
    accuracy["week"] = (accuracy["horizon"] + 6) // 7
    counted["all"] = accuracy["all"] = "all"
    for column in ("all", "store_id", "item_id", "category", "business_date", "week", "version"):
        check_against_utilsforecast(counted, accuracy, column)


@pytest.mark.parametrize("store", ["", "s1"])
def test_what_the_page_adds_up_agrees_with_pandas(published: Engine, store: str) -> None:
    """Of vintages one superseded and one withdrawn, some days open, some sales corrected."""
    first, last = TODAY - 40 * DAY, TODAY - DAY
    with connect(published) as conn:
        truth = expected(conn)
        store = truth["store_id"].max() if store else ""
        asked = {"first": first, "last": last, "closed": TODAY, "store": store, "category": ""}
        found = pd.read_sql(text(accuracy._MEASURES), conn, params=asked)
    counted = truth[truth["open"]].copy()
    if store:
        counted = counted[counted["store_id"] == store]
    counted["category"] = counted["item_id"].map(ITEMS)
    counted["all"] = "all"
    found["all"] = "all"
    columns = {"business_date": "date", "horizon": "horizon", "store_id": "store",
               "category": "category"}  # fmt: skip
    levels = {column: accuracy._LEVELS[level] for column, level in columns.items()}
    for column, level in (levels | {"version": accuracy._VERSION, "all": accuracy._ALL}).items():
        groups = counted.assign(
            error=(counted["p50"].astype(float) - counted["actual"]).abs(),
            naive_error=(counted["naive"] - counted["actual"]).abs(),
            forecast=counted["mean"].astype(float),
        ).groupby(column)
        sums = groups[["error", "naive_error", "forecast", "actual"]].sum()
        sold = sums["actual"].where(sums["actual"] > 0)  # else there is no ratio
        ours = found[found["level"] == level].set_index(column).loc[sums.index]
        assert (found["level"] == level).sum() == len(sums)
        assert ours["rows"].tolist() == groups.size().tolist()
        for name, theirs in (
            ("units", sums["actual"]),
            ("wape", sums["error"] / sold),
            ("wape_naive", sums["naive_error"] / sold),
            ("bias", sums["forecast"] / sold - 1),
        ):
            near = pytest.approx(theirs.tolist(), rel=1e-6, nan_ok=True)
            assert ours[name].astype(float).tolist() == near, (column, name)


def check_against_utilsforecast(counted: pd.DataFrame, accuracy: pd.DataFrame, column: str) -> None:
    """What GROUP BY ``column`` gives, beside losses that this project did not write."""
    y = counted.assign(y=counted["actual"]).astype(dict.fromkeys([*QUANTILES, "mean"], float))
    y = y.drop(columns="cutoff")  # by which the losses would be split
    y = y.rename(columns={"p10": "model-lo-80", "p90": "model-hi-80", "p50": "model"})
    absolute = mae(y, ["model", "mean", "naive"], id_col=column, target_col="y")
    inside = coverage(y, ["model"], 80, id_col=column, target_col="y")
    y = y.assign(**{"n-lo": y["naive"], "n-hi": y["naive"]})
    quantiles = {
        "model": ["model-lo-80", "model", "model-hi-80"],
        "naive": ["n-lo", "naive", "n-hi"],
    }
    pinball = mqloss(y, quantiles, np.array([0.1, 0.5, 0.9]), id_col=column, target_col="y")
    groups = accuracy.groupby(column)
    rows = groups["rows"].sum()
    assert rows.to_dict() == counted.groupby(column).size().to_dict()
    for ours, theirs in (
        (groups["absolute_error_p50"].sum() / rows, absolute.set_index(column)["model"]),
        (groups["absolute_error_mean"].sum() / rows, absolute.set_index(column)["mean"]),
        (groups["absolute_error_naive"].sum() / rows, absolute.set_index(column)["naive"]),
        (groups["coverage"].mean(), inside.set_index(column)["model"]),
        (groups["pinball"].mean(), pinball.set_index(column)["model"]),
        (groups["pinball_naive"].mean(), pinball.set_index(column)["naive"]),
        (groups["actual_units"].sum(), counted.groupby(column)["actual"].sum()),
        (groups["naive_units"].sum(), counted.groupby(column)["naive"].sum()),
        (groups["forecast_units"].sum(), y.groupby(column)["mean"].sum()),
    ):
        pd.testing.assert_series_equal(
            ours, theirs.loc[ours.index], check_names=False, check_dtype=False, rtol=1e-6
        )


# --- what a question costs -------------------------------------------------------------------

LAST = date(2026, 3, 31)
ONE_DATE = {
    "forecast_vintages": "business_date = '2026-03-02'",
    "forecast_actual": "business_date = '2026-03-02'",
    "forecast_accuracy": "business_date BETWEEN '2026-03-01' AND '2026-03-02'",
    "recommendation_vintages": "business_date BETWEEN '2026-03-01' AND '2026-03-02'",
    "recommendation_hits": "business_date = '2026-03-02'",
    "forecast": "TRUE",
    "recommendation": "TRUE",
    "freshness": "TRUE",
    "sla_daily": "business_date = '2026-03-02' AND model = 'sales_forecast'",
}
ONE_SERIES = {
    "forecast_vintages": "store_id = 's1' AND item_id = 'i1'",
    "forecast_actual": "store_id = 's1' AND item_id = 'i1'",
    "forecast_accuracy": "store_id = 's1' AND item_id = 'i1' AND business_date > '2026-03-01'",
    "forecast": "store_id = 's1' AND item_id = 'i1'",
    "recommendation_vintages": "user_id = 'u1'",
    "recommendation": "user_id = 'u1'",
}
LISTS = """
    INSERT INTO score.recommendation
        (business_date, generation_id, user_id, rank, shard, item_id, score, reason, because)
    SELECT :day, :generation, user_id, rank, 0, 'i' || rank, -rank, 'popular', ''
    FROM (SELECT DISTINCT user_id FROM raw.interaction) AS users
    CROSS JOIN generate_series(1, 20) AS rank
"""


def fill(conn: Connection, first: date, last: date, stores: tuple[int, int]) -> None:
    """Facts of a span of days, of so many stores with twenty items each."""
    span = {"first": first, "last": last, "low": stores[0], "high": stores[1]}
    days = "generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day"
    series = (
        f"{days} CROSS JOIN generate_series(CAST(:low AS int), CAST(:high AS int)) AS store "
        "CROSS JOIN generate_series(1, 20) AS item"
    )
    for statement in (
        "INSERT INTO raw.sales (business_date, store_id, item_id, units, load_id, loaded_at) "
        f"SELECT day, 's' || store, 'i' || item, item % 4, 1, day + interval '1 day' FROM {series}",
        "INSERT INTO raw.plan (business_date, store_id, item_id, open, load_id, loaded_at) "
        f"SELECT day, 's' || store, 'i' || item, TRUE, 1, day - interval '9 days' FROM {series}",
        "INSERT INTO raw.interaction (event_at, business_date, user_id, item_id, kind, weight, "
        "load_id, loaded_at) SELECT day, day, 'u' || (store - 1) * 20 + item, 'i' || item, "
        f"'purchase', 1, 1, day + interval '1 day' FROM {series}",
        f"INSERT INTO raw.day_closed SELECT day, now(), 1 FROM {days} ON CONFLICT DO NOTHING",
        f"INSERT INTO raw.calendar SELECT day, TRUE FROM {days} ON CONFLICT DO NOTHING",
        "INSERT INTO ops.sla (model, business_date, run_key, run_type, due_at, status, "
        "recorded_at) SELECT 'sales_forecast', day, 'r' || :low, 'scheduled', day, 'met', day "
        f"FROM {days}",
    ):
        conn.execute(text(statement), span)


def rows_read(engine: Engine, questions: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Of each question, how many rows its scans read in sum, and how many its answer has."""
    found = {}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE"))  # as autovacuum does within a minute
        for view, question in questions.items():
            explained = conn.execute(
                text(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM report.{view} WHERE {question}")
            ).scalar_one()
            plan = explained[0]["Plan"]
            assert plan["Actual Rows"] > 0, view
            found[view] = (sum(map(read_by, nodes(plan))), plan["Actual Rows"])
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def read_by(node: dict[str, Any]) -> float:
    """Rows that a scan of a table took up, whether it passed them on or not."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return node["Actual Loops"] * (node["Actual Rows"] + removed) if "Relation Name" in node else 0


def test_a_question_costs_what_it_asks_for(warehouse: Engine) -> None:
    """Ten times the history changes no question about a date, five times the series none about one.

    Counted in rows, which other work on the machine does not change.
    """
    first = LAST - 40 * DAY
    with begin(warehouse) as conn:
        for table, kinds in (("item", "NULL, NULL"), ("store", "NULL, NULL")):
            conn.execute(
                text(
                    f"INSERT INTO raw.{table} SELECT :letter || number, {kinds}, 1, now() "
                    "FROM generate_series(1, 1000) AS number"
                ),
                {"letter": table[0]},
            )
        fill(conn, first, LAST, (1, 2))
        for number in range(5):
            publish_both(conn, date(2026, 2, 28) + number * DAY)
    short = rows_read(warehouse, ONE_DATE)
    with begin(warehouse) as conn:
        fill(conn, LAST - 410 * DAY, first - DAY, (1, 2))
        for number in range(45):
            publish_both(conn, date(2026, 2, 27) - number * DAY)
    assert not dearer(short, rows_read(warehouse, ONE_DATE))

    few = rows_read(warehouse, ONE_SERIES)
    with begin(warehouse) as conn:
        fill(conn, first, LAST, (3, 12))
        for number in range(5):
            publish_both(conn, date(2026, 2, 28) + number * DAY, version="v2")
    assert not dearer(few, rows_read(warehouse, ONE_SERIES))


def publish_both(conn: Connection, day: date, version: str = "v1") -> None:
    publish(conn, "sales_forecast", day, FORECASTS, seed="", version=version)
    publish(conn, "recommendations", day, LISTS, version=version)


def dearer(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """The questions that read more, but for another plan: some rows each, and the list of days."""
    return {
        view: (before[view][0], after[view][0])
        for view in before
        if after[view][0] > 1.5 * before[view][0] + 2 * after[view][1] + 300
    }
