"""How far forecasts are off, by origin and over all origins of a data set.

Every method is measured on the same cells: a series on an open day ahead, within so many selling
days, whose units are known by now. Sums are kept, so that a data set is that of all its rows and
not a mean of means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.known import QUANTILES, Floats, Forecast, Known


@dataclass(frozen=True)
class Sums:
    """Over cells. Those of quantiles are NaN for a method without them."""

    rows: float
    volume: float
    error: float  # of P50
    squared: float  # of the mean
    forecast: float  # by the mean
    pinball: float  # mean over the three quantiles
    within: float  # P10 to P90, ends included
    inside: float  # ends excluded
    below_p50: float  # a cell on it counts half

    def measures(self) -> dict[str, float]:
        """WAPE of P50, RMSE and bias of the mean, pinball loss, and shares of days."""
        volume = max(self.volume, 1e-9)
        return {
            "rows": self.rows,
            "volume": self.volume,
            "wape": self.error / volume,
            "rmse": float(np.sqrt(self.squared / self.rows)),
            "bias": self.forecast / volume - 1,
            "pinball": self.pinball / self.rows,
            "coverage": self.within / self.rows,
            "inside": self.inside / self.rows,
            "below_p50": self.below_p50 / self.rows,
        }

    def to_json(self) -> dict[str, float | None]:
        """NaN is null."""
        return {name: _or_none(value) for name, value in asdict(self).items()}


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of all origins."""
    several = list(parts)
    return Sums(*(sum(getattr(one, field.name) for one in several) for field in fields(Sums)))


def of_json(kept: dict[str, float | None]) -> Sums:
    """What ``Sums.to_json`` gave."""
    return Sums(**{name: np.nan if value is None else value for name, value in kept.items()})


def scored_cells(known: Known, actual: Floats, horizon: int) -> NDArray[np.bool_]:
    """Which cells count, (n, H)."""
    is_open = known.is_open[:, known.days :]
    return is_open & (np.cumsum(is_open, axis=1) <= horizon) & ~np.isnan(actual)


def sums(forecast: Forecast, actual: Floats, cells: NDArray[np.bool_]) -> Sums:
    """One origin of one method. Raises ``ValueError`` where a cell that counts has no forecast."""
    y = actual[cells].astype(np.float64)
    of = {name: values[cells].astype(np.float64) for name, values in forecast.items()}
    for name, values in of.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{(~np.isfinite(values)).sum()} cells have no {name}")
    mean, p50 = of["mean"], of.get("p50", of["mean"])
    has_quantiles = all(name in of for name in QUANTILES)
    pinball = within = inside = float("nan")
    if has_quantiles:
        losses = [
            np.maximum(tau * (y - of[name]), (tau - 1) * (y - of[name]))
            for name, tau in QUANTILES.items()
        ]
        pinball = float(np.mean(losses, axis=0).sum())
        within = float(((y >= of["p10"]) & (y <= of["p90"])).sum())
        inside = float(((y > of["p10"]) & (y < of["p90"])).sum())
    return Sums(
        rows=float(len(y)),
        volume=float(y.sum()),
        error=float(abs(y - p50).sum()),
        squared=float(((y - mean) ** 2).sum()),
        forecast=float(mean.sum()),
        pinball=pinball,
        within=within,
        inside=inside,
        below_p50=float((y < p50).sum() + 0.5 * (y == p50).sum()),
    )


def effect_error(forecast: Floats, true: Floats, promoted: NDArray[np.bool_]) -> float | None:
    """How far the effect of a promotion is off, as a share of it; arrays (m,) of cells.

    By both means: forecast over true where promoted, beside the same elsewhere. None where there
    are not both kinds of cells.
    """
    parts = [(forecast[one].sum(), true[one].sum()) for one in (promoted, ~promoted)]
    if any(of_truth <= 0 or mean <= 0 for mean, of_truth in parts):
        return None
    (with_it, true_with), (without, true_without) = parts
    return float(with_it / true_with / (without / true_without) - 1)


def noise_of_totals(known: Known, horizon: int, most: int = 8) -> float:
    """How far the total of a span misses that of the span before, RMS over the past ones.

    Of series that sold throughout. Where this is above 20 %, a forecast whose total is within
    20 % at one origin is luck. NaN where there are fewer than three spans.
    """
    spans = min(known.days // horizon, most + 1)
    if spans < 3:
        return float("nan")
    last = known.units[:, known.days - spans * horizon :]
    whole = last[~np.isnan(last).any(axis=1)]
    totals = whole.sum(axis=0).reshape(spans, horizon).sum(axis=1)
    if not len(whole) or not (totals > 0).all():
        return float("nan")
    return float(np.sqrt(np.mean((totals[:-1] / totals[1:] - 1) ** 2)))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
