"""A small warehouse with everything that makes facts difficult, and a booster to score it with.

Gaps, corrections, a late fact, a new item, one that died, closed days, plans for items and for
whole stores, a covariate of its own, and names that are not ASCII.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import xgboost
from sqlalchemy import Connection, Engine, insert

from daybreak.clock import AsOf
from daybreak.jobs.run import score_day
from daybreak.ledger.champions import promote
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import calendar, day_closed, item, plan, sales

DAY = date(2026, 3, 10)
CUTOFF = datetime(2026, 3, 11, 2, tzinfo=UTC)
AS_OF = AsOf(DAY, CUTOFF)
DAYS = 450
AHEAD = 28

STORES = ("A", "ß")
ITEMS = {"tea": "drink", "coffee": "drink", "bread": "food", "é\U0001f980": "food", "new": "food"}


def fill(engine: Engine, seed: int = 1) -> None:
    """Write the facts, plans and calendar."""
    rng = np.random.default_rng(seed)
    with begin(engine) as conn:
        _write_sales(conn, rng)
        _write_plans(conn, rng)
        days = _dates(np.arange(-DAYS, AHEAD + 1))
        holidays = np.where(np.arange(len(days)) % 61 == 0, "Holiday", None)
        copy_in(
            conn,
            calendar,
            {"business_date": days, "open": np.arange(len(days)) % 61 != 0, "holiday": holidays},
        )
        copy_in(
            conn,
            item,
            {
                "item_id": np.array(list(ITEMS), object),
                "category": np.array(list(ITEMS.values()), object),
                **_lineage(len(ITEMS), 1, _dates(np.full(len(ITEMS), -DAYS))),
            },
        )


def published_day(runtime: Runtime, **manifest: Any) -> Runtime:
    """The same runtime, filled, with the forecast of ``DAY`` scored and published by the steps that
    Airflow runs. ``manifest``: what the version in force says beside the usual."""
    fill(runtime.engine)
    artifact = tiny_artifact()
    version = runtime.registry.register(
        "sales_forecast", artifact.booster, artifact.manifest | manifest
    )
    with begin(runtime.engine) as conn:
        closed = {"business_date": DAY, "closed_at": CUTOFF, "load_id": 1}
        conn.execute(insert(day_closed).values(closed))
        promote(
            conn,
            model="sales_forecast",
            version=version,
            effective_from=CUTOFF,
            reason="test",
            evidence={},
            actor="test",
            now=CUTOFF,
        )
    score_day("sales_forecast", DAY, runtime=runtime)
    return runtime


def tiny_artifact(seed: int = 3, **calibration: Any) -> Artifact:
    """Four outputs over the real features, grown on noise: what it says does not matter."""
    rng = np.random.default_rng(seed)
    X = np.exp(rng.normal(size=(600, len(FEATURES)))).astype(np.float32)
    X[:, FEATURES.index("horizon")] = rng.integers(1, 29, 600)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(X[:, :4]) + rng.normal(size=(600, 4))
    params = {"base_score": 0.0, "max_depth": 5, "nthread": 1, "seed": seed}
    booster = xgboost.train(params, xgboost.DMatrix(X, y), 15)
    offsets = {"p10": [-0.1] * 28, "p90": np.linspace(0.1, 0.7, 28).tolist()}
    manifest = {
        "trained_through": "2026-01-31",
        "features": [{"name": name, "dtype": "float32"} for name in FEATURES],
        "calibration": {"round": False, **offsets, **calibration},
    }
    return Artifact(
        "sales_forecast",
        "2026-01-31-00000000",
        bytes(booster.save_raw("ubj")),
        json.loads(json.dumps(manifest)),
    )


def _write_sales(conn: Connection, rng: np.random.Generator) -> None:
    for store in STORES:
        for number, name in enumerate(ITEMS):
            first, last = {"new": (-9, 0), "bread": (-DAYS, -70)}.get(name, (-DAYS, 0))
            days = np.arange(first, last + 1)
            days = days[rng.random(len(days)) < (0.9, 0.3)[number % 2]]
            units = rng.poisson(3 + number, len(days)).astype(float)
            price = np.ma.masked_array(
                2.0 + number + 0.25 * (days // 40 % 3), rng.random(len(days)) < 0.1
            )
            known = _dates(days + 1)
            series = (store, name)
            _append(conn, series, days, {"units": units, "price": price}, (1, known))
            # Corrections of the past, within the cutoff and after it; and one fact that is late.
            some = days[::17]
            _append(conn, series, some, {"units": some % 5 + 0.5}, (2, _dates(some + 1)))
            _append(conn, series, some[::2], {"units": some[::2] * 0 + 99.0}, (3, _dates([9])))
            _append(conn, series, np.array([1]), {"units": np.array([77.0])}, (4, _dates([1])))


def _append(
    conn: Connection,
    series: tuple[str, str],
    days: np.ndarray[Any, Any],
    values: dict[str, Any],
    lineage: tuple[int, np.ndarray[Any, Any]],
) -> None:
    n = len(days)
    copy_in(
        conn,
        sales,
        {
            "business_date": _dates(days),
            "store_id": np.full(n, series[0], object),
            "item_id": np.full(n, series[1], object),
            **values,
            **_lineage(n, *lineage),
        },
    )


def _write_plans(conn: Connection, rng: np.random.Generator) -> None:
    for store in STORES:
        days = np.arange(-DAYS, AHEAD + 1)
        weather = np.array([json.dumps({"rain": float(day % 7)}) for day in days], object)
        whole = {"open": days % 7 != 3, "holiday": (days % 90 < 10) * 1.0, "covariates": weather}
        _plan(conn, (store, ""), days, whole, -40)
        for name in ITEMS:
            promoted = days[rng.random(len(days)) < 0.15]
            _plan(conn, (store, name), promoted, {"promotion": promoted % 3 * 0.5}, -30)
            priced = np.arange(3, AHEAD + 1, 5)
            _plan(conn, (store, name), priced, {"price": 1.5 + priced % 2}, -29)


def _plan(
    conn: Connection,
    series: tuple[str, str],
    days: np.ndarray[Any, Any],
    values: dict[str, Any],
    ahead: int,
) -> None:
    n = len(days)
    copy_in(
        conn,
        plan,
        {
            "business_date": _dates(days),
            "store_id": np.full(n, series[0], object),
            "item_id": np.full(n, series[1], object),
            **values,
            **_lineage(n, 9, _dates(days + ahead)),
        },
    )


def _dates(days: Any) -> np.ndarray[Any, Any]:
    """Days counted from ``DAY`` as dates."""
    return np.datetime64(DAY, "D") + np.asarray(days, np.int64)


def _lineage(
    rows: int, load_id: int, known: np.ndarray[Any, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """Known from midnight on, two hours before the cutoff of the same day."""
    return {
        "load_id": np.full(rows, load_id),
        "loaded_at": np.broadcast_to(known.astype("datetime64[us]"), rows),
    }


def day(offset: int) -> date:
    """A date by its distance from ``DAY``."""
    return DAY + timedelta(days=offset)
