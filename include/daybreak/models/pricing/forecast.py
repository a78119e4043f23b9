"""The published forecast that prices stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table

from daybreak.clock import AsOf
from daybreak.facts.scores import read_scores
from daybreak.models import get_model
from daybreak.models.pricing.demand import Floats
from daybreak.models.pricing.schedule import SCHEDULE
from daybreak.models.pricing.tables import KEYS

FORECAST = SCHEDULE.inputs[0].model
QUANTILES = ("mean", "p10", "p90")


@dataclass(frozen=True)
class Forecast:
    """The published forecast, in key order: ``keys`` object (n,) each, ``units`` (n, H, 3),
    ``target`` dates (H,)."""

    keys: tuple[NDArray[np.object_], ...]
    units: Floats
    target: NDArray[np.datetime64]


def read_forecast(conn: Connection, as_of: AsOf) -> Forecast:
    """What was published of the day at the cutoff. Raises ``NoData``."""
    names = ("horizon", "target_date", *QUANTILES)
    found = read_scores(conn, FORECAST, _table(), as_of, names).columns
    ahead = int(found["horizon"].max(initial=1))
    units = np.stack([found[name].reshape(-1, ahead) for name in QUANTILES], axis=2)
    return Forecast(
        read_keys(conn, as_of),
        units.astype(np.float64),
        found["target_date"][:ahead].astype("M8[D]"),
    )


def read_keys(conn: Connection, as_of: AsOf) -> tuple[NDArray[np.object_], ...]:
    """The ``keys`` of the published forecast alone. Raises ``NoData``."""
    found = read_scores(conn, FORECAST, _table(), as_of, KEYS, only={"horizon": 1}).columns
    return tuple(found[name] for name in KEYS)


def _table() -> Table:
    return get_model(FORECAST).night.score_table
