"""An independent oracle: features recomputed by window functions in SQL, straight from ``raw``.

It shares no code with the panel or the features. Counts, units and prices must be equal; means
may differ by the rounding of one float32 (relative 2e-6), because the snapshot holds float32 and
SQL computes in float64. What is divided by the factors of days has an oracle of its own
(`feature_oracle`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from daybreak.models import get_model
from daybreak.models.sales_forecast.features.layout import CHANNELS, channel_starts, layout
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_snapshot
from daybreak.warehouse.engine import begin, connect
from small_shop import AS_OF, CUTOFF, DAY

LAYOUT = layout(HORIZON)


CLOSE = {"rtol": 2e-6, "atol": 0.0}

DAYS_OF_SERIES = """
WITH sale AS (
  SELECT DISTINCT ON (store_id, item_id, business_date) * FROM raw.sales
  WHERE business_date <= :day AND business_date > :day - 420 AND loaded_at <= :cutoff
  ORDER BY store_id, item_id, business_date, loaded_at DESC, load_id DESC
), planned AS (
  SELECT DISTINCT ON (store_id, item_id, business_date) * FROM raw.plan
  WHERE business_date <= :day + 28 AND business_date > :day - 420 AND loaded_at <= :cutoff
  ORDER BY store_id, item_id, business_date, loaded_at DESC, load_id DESC
), series AS (
  SELECT store_id, item_id,
    EXISTS (SELECT FROM raw.sales e WHERE e.store_id = sale.store_id AND e.item_id = sale.item_id
            AND e.business_date <= :day - 420 AND e.loaded_at <= :cutoff) AS older,
    min(business_date) AS first_row
  FROM sale GROUP BY store_id, item_id
), day AS (
  SELECT s.*, d::date AS on_day, i.item_id IS NOT NULL AS sold,
    coalesce(i.units, 0) AS raw_units,
    coalesce(p.price, w.price, i.price) AS told_price,
    coalesce(p.promotion, w.promotion, i.promotion, 0) AS promotion,
    coalesce(p.holiday, w.holiday, i.holiday, 0) AS holiday,
    (w.covariates ->> 'rain')::float8 AS rain,
    (coalesce(p.open, w.open, i.open, true) AND coalesce(c.open, true))
      OR coalesce(i.units, 0) > 0 AS is_open
  FROM series s
  CROSS JOIN generate_series(:day - 419, :day + 28, interval '1 day') AS d
  LEFT JOIN sale i ON (i.store_id, i.item_id, i.business_date) = (s.store_id, s.item_id, d)
  LEFT JOIN planned p ON (p.store_id, p.item_id, p.business_date) = (s.store_id, s.item_id, d)
  LEFT JOIN planned w ON (w.store_id, w.item_id, w.business_date) = (s.store_id, '', d)
  LEFT JOIN raw.calendar c ON c.business_date = d
), priced AS (
  SELECT *, CASE WHEN is_open THEN raw_units ELSE 0 END AS units,
    count(told_price) OVER (PARTITION BY store_id, item_id ORDER BY on_day) AS price_run
  FROM day
), whole AS (
  SELECT *, max(told_price) OVER (PARTITION BY store_id, item_id, price_run) AS price FROM priced
)
"""

STATISTICS = (
    DAYS_OF_SERIES
    + """
, ranked AS (
  SELECT *, row_number() OVER (PARTITION BY store_id, item_id ORDER BY on_day DESC) AS back
  FROM whole
  WHERE is_open AND (older OR on_day >= first_row) AND on_day <= :day AND on_day > :day - 168
), recent AS (
  SELECT *, CASE WHEN promotion > 0 THEN 0.1 ELSE 1 END * CASE WHEN back > 28 THEN 0.5 ELSE 1 END
    AS weight
  FROM ranked WHERE back <= 56)
SELECT store_id, item_id,
  count(r.back) AS observed,
  coalesce(min(back) FILTER (WHERE units > 0) - 1, 56) AS since_sale,
  avg((units = 0)::int) FILTER (WHERE back <= 14) AS zeros_14,
  avg((units = 0)::int) AS zeros_56,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY units) AS p50_units,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY units) AS p90_units,
  avg(promotion) AS promotion_share,
  coalesce(
    sum(weight * price) FILTER (WHERE (promotion > 0) IS NOT TRUE)
      / sum(weight) FILTER (WHERE (promotion > 0) IS NOT TRUE AND price IS NOT NULL),
    sum(weight * price) / sum(weight) FILTER (WHERE price IS NOT NULL)) AS reference_price
FROM series LEFT JOIN recent r USING (store_id, item_id)
GROUP BY store_id, item_id
ORDER BY store_id COLLATE "C", item_id COLLATE "C"
"""
)

AHEAD = (
    DAYS_OF_SERIES
    + """
SELECT t.store_id, t.item_id, t.on_day - :day AS horizon,
  t.is_open::int AS open, t.price, t.promotion, t.holiday, t.rain AS covariate_1,
  CASE WHEN y.is_open AND (y.older OR y.on_day >= y.first_row) THEN y.units END AS last_year,
  sum(t.is_open::int) OVER (PARTITION BY t.store_id, t.item_id ORDER BY t.on_day) AS selling_day,
  now_.price AS price_now
FROM whole t
JOIN whole y ON (y.store_id, y.item_id, y.on_day) = (t.store_id, t.item_id, t.on_day - 364)
JOIN whole now_ ON (now_.store_id, now_.item_id, now_.on_day) = (t.store_id, t.item_id, :day)
WHERE t.on_day > :day
ORDER BY t.store_id COLLATE "C", t.item_id COLLATE "C", horizon
"""
)

Table = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def snapshot(shop: Engine) -> Table:
    """The stored snapshot: value name to float32 (n,), and ``store_id`` and ``item_id``."""
    model = get_model("sales_forecast")
    with begin(shop) as conn:
        rows = read_snapshot(conn, model, write_snapshot(conn, model, AS_OF, CUTOFF), 0, 99)
    return {
        **dict(zip(LAYOUT, rows.values.T, strict=True)),
        **dict(zip(model.keys, rows.keys, strict=True)),
    }


def ask(engine: Engine, query: str) -> Table:
    with connect(engine) as conn:
        rows = conn.execute(text(query), {"day": DAY, "cutoff": CUTOFF}).mappings().all()
    return {
        name: np.array([row[name] for row in rows], object if name.endswith("_id") else np.float64)
        for name in rows[0]
    }


def test_statistics_of_each_series(shop: Engine, snapshot: Table) -> None:
    expected = ask(shop, STATISTICS)
    for key in ("store_id", "item_id"):
        assert snapshot[key].tolist() == expected.pop(key).tolist()
    assert len(snapshot["scale"]) == 10
    for name in ("observed", "since_sale", "p50_units", "p90_units"):
        exact = expected.pop(name)
        exact = np.where(expected["zeros_56"] >= 0, exact, [0, 56][name == "since_sale"])
        if name.endswith("_units"):
            np.testing.assert_allclose(snapshot[name], exact, err_msg=name, **CLOSE)
        else:
            np.testing.assert_array_equal(snapshot[name], exact, name)
    for name, values in expected.items():
        np.testing.assert_allclose(snapshot[name], np.nan_to_num(values), err_msg=name, **CLOSE)


def test_values_of_each_day_ahead(shop: Engine, snapshot: Table) -> None:
    expected = ask(shop, AHEAD)
    series = len(snapshot["scale"])
    days = {
        name: values.reshape(series, HORIZON)
        for name, values in expected.items()
        if not name.endswith("_id")
    }
    np.testing.assert_array_equal(snapshot["price_now"], days.pop("price_now")[:, 0])
    np.testing.assert_array_equal(days.pop("horizon")[0], np.arange(1, HORIZON + 1))
    scaled = days.pop("last_year") / snapshot["scale"].astype(float)[:, None]
    assert np.isfinite(scaled).sum() > 50
    np.testing.assert_allclose(channel(snapshot, "last_year"), scaled, **CLOSE)
    for name, values in days.items():
        np.testing.assert_array_equal(channel(snapshot, name), values, name)
    for name in ("open", "promotion", "holiday", "price"):
        assert len(np.unique(days[name])) > 1, f"{name} never varies: nothing was tested"


def channel(snapshot: Table, name: str) -> np.ndarray[Any, Any]:
    start = channel_starts(HORIZON)[CHANNELS.index(name)]
    return np.stack([snapshot[value] for value in LAYOUT[start : start + HORIZON]], axis=1)
