"""What may be known at an origin: the history and the plans that every method is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
OUTPUTS = (*QUANTILES, "mean")
Forecast = dict[str, Floats]
"""Output to (n, H); a method without quantiles has ``mean`` alone, which stands for P50 too."""


@dataclass(frozen=True)
class Known:
    """``n`` series, ``T`` periods of ``step`` days up to the origin and ``H`` after it.

    ``keys``: columns of names, (n,) each. ``units``: (n, T), NaN before a series began.
    ``is_open``: (n, T + H). ``plans``: whatever is known of the days ahead too, (n, T + H), NaN
    where unknown; always with ``promotion``.
    """

    keys: dict[str, NDArray[Any]]
    first_date: date
    step: int
    units: Floats
    is_open: NDArray[np.bool_]
    plans: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.units)

    @property
    def days(self) -> int:
        return self.units.shape[1]

    @property
    def ahead(self) -> int:
        return self.is_open.shape[1] - self.days

    @property
    def origin(self) -> date:
        return self.first_date + timedelta(days=self.step * (self.days - 1))

    def dates(self) -> NDArray[np.datetime64]:
        """Of all columns, (T + H,)."""
        steps = self.step * np.arange(self.days + self.ahead)
        return np.datetime64(self.first_date, "D") + steps

    def selling(self) -> NDArray[np.bool_]:
        """Which days of the history are observations, (n, T): open, and not before the start."""
        return self.is_open[:, : self.days] & ~np.isnan(self.units)

    def write(self, file: Path) -> None:
        """One row a series and period, series by series."""
        n, wide = self.is_open.shape
        units = np.full((n, wide), np.nan)
        units[:, : self.days] = self.units
        frame = pd.DataFrame(
            {
                "series": np.repeat(np.arange(n), wide),
                "date": np.tile(self.dates(), n),
                "units": units.ravel(),
                "open": self.is_open.ravel(),
                **{f"plan.{name}": values.ravel() for name, values in self.plans.items()},
            }
        )
        about = {
            "first_date": self.first_date.isoformat(),
            "step": self.step,
            "days": self.days,
            "keys": {name: values.tolist() for name, values in self.keys.items()},
        }
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table.replace_schema_metadata({"known": json.dumps(about)}), file)


def read_known(file: Path) -> Known:
    """What ``Known.write`` wrote."""
    table = pq.read_table(file)
    about = json.loads(table.schema.metadata[b"known"])
    n = len(next(iter(about["keys"].values())))

    def matrix(name: str) -> NDArray[Any]:
        return table.column(name).to_numpy().reshape(n, -1)

    return Known(
        {name: np.array(values, object) for name, values in about["keys"].items()},
        date.fromisoformat(about["first_date"]),
        about["step"],
        matrix("units")[:, : about["days"]],
        matrix("open"),
        {
            name.removeprefix("plan."): matrix(name)
            for name in table.column_names
            if name.startswith("plan.")
        },
    )


def write_forecast(forecast: Forecast, file: Path, **about: Any) -> None:
    """One row a series and period ahead; ``about``: what it took."""
    columns = {name: values.ravel() for name, values in forecast.items()}
    shape = next(iter(forecast.values())).shape
    table = pa.table(columns).replace_schema_metadata(
        {"about": json.dumps({"n": shape[0]} | about)}
    )
    pq.write_table(table, file)


def read_forecast(file: Path) -> tuple[Forecast, dict[str, Any]]:
    """The forecast, and what it took."""
    table = pq.read_table(file)
    about = json.loads(table.schema.metadata[b"about"])
    n = about.pop("n")
    return {
        name: table.column(name).to_numpy().reshape(n, -1) for name in table.column_names
    }, about
