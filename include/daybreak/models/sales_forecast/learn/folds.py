"""Folds of a backtest from the warehouse, each read as of its own origin on both clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.sales import best_sellers, read_actuals, read_panel
from daybreak.facts.series import read_all
from daybreak.models.base import AsOfDay
from daybreak.models.sales_forecast.learn.backtest import Fold, origins_of
from daybreak.models.sales_forecast.learn.spans import least_periods
from daybreak.models.sales_forecast.learn.train import Options
from daybreak.models.sales_forecast.options import Scope


def read_folds(
    warehouse: Connection,
    last: date,
    as_of: AsOfDay,
    *,
    items: int,
    horizon: int,
    origins: int,
) -> Iterator[Fold]:
    """Folds of the ``items`` best sellers as known at the first origin; ``last`` is known wholly.

    Raises ``NoData`` where the history is too short for that many origins.
    """
    now = as_of(last)
    whole = read_all(warehouse, now)
    scope = Scope.of(step=whole.step)
    scope = replace(scope, horizon=max(horizon, scope.horizon))
    sold = np.nan_to_num(whole.units).any(axis=0)
    start = int(sold.argmax())
    is_open = np.asarray(whole.open[:, start : whole.days].any(axis=0))
    dates = origins_of(last, is_open, origins, horizon, whole.step)
    first_day = whole.date_of(start)
    if len(dates) < origins or (dates[0] - first_day).days < scope.step * least_periods(scope):
        raise NoData(
            f"Sales of {first_day} to {last} are too few for {origins} origins of {horizon} "
            "selling days.",
            remedy="Ask for fewer --origins or a shorter --horizon, or load more history.",
            first_date=first_day.isoformat(),
            last_date=last.isoformat(),
        )
    chosen = _best_sellers(warehouse, as_of(dates[0]), items)
    for origin in dates:
        yield fold_as_of(warehouse, as_of(origin), now, scope, items=chosen)


def _best_sellers(warehouse: Connection, as_of: AsOf, items: int) -> list[str]:
    return sorted(set(best_sellers(read_all(warehouse, as_of), items).item_ids.tolist()))


def fold_as_of(
    warehouse: Connection,
    as_of: AsOf,
    now: AsOf,
    scope: Scope,
    *,
    items: Sequence[str] | None = None,
    top_items: int | None = None,
    days: int | None = None,
) -> Fold:
    """The fold of one origin: what was known ``as_of`` it, and what is known ``now`` of its future.

    ``items``, ``top_items``: of which items, as `read_panel` has it. ``days``: of the last so many
    periods only, instead of as many as training reads. Raises ``NoData``.
    """
    days, ahead = days or Options().panel_days(scope.horizon), scope.horizon
    panel = read_panel(warehouse, as_of, days=days, ahead=ahead, items=items, top_items=top_items)
    first = as_of.business_date + timedelta(days=scope.step)
    last = min(as_of.business_date + timedelta(days=scope.step * ahead), now.business_date)
    series = list(zip(panel.store_ids.tolist(), panel.item_ids.tolist(), strict=True))
    known = read_actuals(warehouse, now, first, last, series)
    actual = np.full((len(panel), ahead), np.nan, np.float32)
    actual[:, : known.shape[1]] = known
    return Fold(panel, actual)
