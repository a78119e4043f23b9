"""Learn the sales forecast: sample origins, find the number of trees, calibrate, fit on all.

The last days before the business date (as many as the horizon, four weeks at least) are held out
first. They choose how many trees
are grown and by which offsets the outputs are calibrated; then the trees are grown again on every
day up to the business date. Nothing later than ``as_of`` is read, on either clock.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_panel
from daybreak.models import base
from daybreak.models.base import Progress, Trained, quiet
from daybreak.models.sales_forecast.features.recent import MEMORY, SELLING_DAYS
from daybreak.models.sales_forecast.formulas import blended
from daybreak.models.sales_forecast.learn import untrained
from daybreak.models.sales_forecast.learn.blend import blend_of
from daybreak.models.sales_forecast.learn.booster import QUANTILES, Learning, Rows, grow
from daybreak.models.sales_forecast.learn.calibrate import (
    by_horizon,
    mean_offset,
    quantile_offset,
)
from daybreak.models.sales_forecast.learn.evidence import Days, measures, tally
from daybreak.models.sales_forecast.learn.lineage import counts_units, described, scope_of
from daybreak.models.sales_forecast.learn.sampling import Sample, draw, subset
from daybreak.models.sales_forecast.link import SCORES, link
from daybreak.models.sales_forecast.options import Scope

SEED = 7
LEAST_HELD_OUT = {1: 28, 7: 8}
"""Periods held out at least, of one day and of seven: fewer are too much alike to judge by."""
FIRST_ORIGIN = {1: SELLING_DAYS, 7: 13}
"""How many periods after the first sale the first origin lies."""
MOST_VOLUME = 100.0


@dataclass(frozen=True)
class Options:
    """How much is learned from, and how. All of it goes into the manifest."""

    origin_days: int = 400
    origins: int = 80
    rows: int = 100_000
    held_out_origins: int = 4
    held_out_rows: int = 32_000
    weight_power: float = 0.5
    half_life: float = 180.0
    learning: Learning = field(default_factory=Learning)
    threads: int = 0

    def panel_days(self, horizon: int) -> int:
        """Days of history that training reads: the origins, and what the first one looks at."""
        return self.origin_days + horizon + MEMORY


def held_out_periods(scope: Scope) -> int:
    """How many of the last periods are held out."""
    return max(scope.horizon, LEAST_HELD_OUT[scope.step])


def least_periods(scope: Scope) -> int:
    """Fewer periods of history than this leave nothing to hold out."""
    return FIRST_ORIGIN[scope.step] + 2 * held_out_periods(scope)


def train(
    warehouse: Connection,
    as_of: AsOf,
    progress: Progress = quiet,
    set_by: base.Options = base.NO_OPTIONS,
) -> Trained:
    """Learn to forecast as far as ``set_by`` says from facts visible at ``as_of``.

    Raises ``NoData`` where there are too few.
    """
    Scope.of(set_by)  # refuses an unknown option before anything is read
    options, scope = Options(), Scope.of(set_by, days_of_period(warehouse))
    days = options.panel_days(scope.horizon)
    progress(f"Reading {days} {_named(scope, days)} of sales up to {as_of.business_date}")
    slots = scope.slots if "covariates" in set_by else None
    panel = read_panel(warehouse, as_of, days=days, ahead=scope.horizon, slots=slots)
    if panel.covariates:
        progress(_described(panel))
    return train_panel(panel, seed=SEED, options=options, progress=progress)


def train_panel(
    panel: Panel, *, seed: int = SEED, options: Options | None = None, progress: Progress = quiet
) -> Trained:
    """Learn from a panel that ends on the business date, for as many days as it has ahead.

    Pure; the same panel, the same bytes.
    """
    options = options or Options()
    start = _first_sale(panel)
    whole = counts_units(panel)
    last = panel.days - 1
    scope = scope_of(panel)
    held_from = last - held_out_periods(scope)

    progress("Taking features of earlier days")
    origins = origins_between(
        max(start + FIRST_ORIGIN[panel.step], held_from - options.origin_days),
        last - 1,
        options.origins,
    )
    sample = draw(panel, origins, options.rows // len(origins), seed)
    held_out = draw_held_out(panel, options, seed)
    held = f"the last {last - held_from} {_named(scope)}"
    progress(f"Finding the number of trees on {len(held_out)} rows of {held}")
    early = subset(sample, sample.origin + sample.horizon <= held_from)
    # One thread count and one seed give one booster; the sums of a histogram differ by threads.
    settings: dict[str, Any] = {"seed": seed, "threads": options.threads}
    first = grow(
        weighted(early, held_from, options),
        options.learning,
        held_out=weighted(held_out, held_from, options),
        **settings,
    )
    margins = first.merged().inplace_predict(held_out.features, predict_type="margin")
    blend = blend_of(margins, held_out)
    mixed = blended(margins, held_out.features, {"blend": blend})
    calibration = calibrate(mixed, held_out, whole, panel.ahead)

    progress(f"Fitting {first.rounds['quantiles']} rounds on {len(sample)} rows")
    final = grow(weighted(sample, last, options), options.learning, rounds=first.rounds, **settings)
    days = evidence_days(panel, margins, held_out, whole)
    manifest = {
        **described(panel),
        **_learned_from(panel, sample),
        "seed": seed,
        "params": {**asdict(options), "rounds": final.rounds},
        "blend": blend,
        "calibration": calibration,
        "metrics": {"held_out": measures(days)},
        "baselines": untrained.losses(held_out, whole),
        "evidence": days,
    }
    return Trained(bytes(final.merged().save_raw("ubj")), manifest)


def _described(panel: Panel) -> str:
    names = [
        f"{name} (as last known)" if name in panel.history_only else name
        for name in panel.covariates
    ]
    left_out = f"; no room for {', '.join(panel.left_out)}" if panel.left_out else ""
    return f"Covariates: {', '.join(names)}{left_out}"


def _named(scope: Scope, count: int = 2) -> str:
    return ("day" if scope.step == 1 else "week") + ("" if count == 1 else "s")


def draw_held_out(panel: Panel, options: Options, seed: int) -> Sample:
    """The rows of the held-out days, from origins before each part of them."""
    last, held = panel.days - 1, held_out_periods(scope_of(panel))
    step = max(1, min(held // options.held_out_origins, panel.ahead))
    origins = list(range(last - held, last, step))
    return draw(panel, origins, options.held_out_rows // len(origins), seed)


def evidence_days(
    panel: Panel, margins: NDArray[np.float32], held_out: Sample, whole: bool
) -> Days:
    """Measures on the later half of the held-out days, of trees that have not seen them.

    Offsets come from the earlier half, so that these numbers have no hindsight at all.
    """
    later = (
        held_out.origin + held_out.horizon > panel.days - 1 - held_out_periods(scope_of(panel)) // 2
    )
    earlier, judged = subset(held_out, ~later), subset(held_out, later)
    blend = blend_of(margins[~later], earlier)
    mixed = blended(margins[~later], earlier.features, {"blend": blend})
    calibration = calibrate(mixed, earlier, whole, panel.ahead)
    scores = link(margins[later], judged.features, {"blend": blend, "calibration": calibration})
    return tally(panel, judged, scores)


def origins_between(first: int, last: int, count: int) -> list[int]:
    """About ``count`` columns up to ``last``, evenly spaced but on every weekday."""
    step = max(1, (last - first + 1) // count)
    return list(range(last, first - 1, -(step + 1 if step % 7 == 0 else step)))[::-1]


def weighted(sample: Sample, now: int, options: Options) -> Rows:
    """Scaled targets; a row weighs by its volume and by how long ago its origin is.

    By volume up to ``MOST_VOLUME`` times that of the middle row: a series of a million units a day
    would take every leaf.
    """
    recency = 0.5 ** ((now - sample.origin) / options.half_life)
    volume = sample.scale.astype(np.float64)
    volume = np.minimum(volume, MOST_VOLUME * np.median(volume))
    weight = volume**options.weight_power * recency
    return Rows(
        sample.features,
        (sample.units / sample.scale).astype(np.float32),
        (weight / weight.mean()).astype(np.float32),
    )


def calibrate(
    margins: NDArray[np.float32], held_out: Sample, whole: bool, horizon: int
) -> dict[str, Any]:
    """The manifest's ``calibration``: offsets in scaled units by output and day ahead."""
    offsets = {
        name: quantile_offset(margins[:, output], held_out.units, held_out.scale, tau, whole=whole)
        for output, (name, tau) in enumerate(zip(SCORES, QUANTILES, strict=False))
    }
    offsets["mean"] = mean_offset(margins[:, 3], held_out.units, held_out.scale)
    return {
        **{name: by_horizon(offset, horizon) for name, offset in offsets.items()},
        "round": whole,
    }


def _learned_from(panel: Panel, sample: Sample) -> dict[str, Any]:
    origins = [
        panel.date_of(origin).isoformat() for origin in (sample.origin.min(), sample.origin.max())
    ]
    return {
        "objective": {
            "quantiles": "reg:quantileerror",
            "quantile_alpha": list(QUANTILES),
            "mean": "reg:squarederror",
            "base_score": 0,
            "target": "units / scale",
        },
        "window": {
            "panel_days": panel.days,
            "first_origin": origins[0],
            "last_origin": origins[1],
            "series": len(panel),
            "rows": len(sample),
        },
    }


def _first_sale(panel: Panel) -> int:
    """Column of the first sale of any series. Raises ``NoData`` where too few days follow it."""
    sold = (panel.units > 0).any(axis=0)
    start = int(sold.argmax()) if sold.any() else panel.days
    scope = scope_of(panel)
    least = least_periods(scope)
    if panel.days - start < least:
        raise NoData(
            f"There are {panel.days - start} {_named(scope)} of sales up to "
            f"{panel.business_date}; a forecast of {scope.horizon} {_named(scope)} ahead learns "
            f"from {least} or more.",
            remedy="Load more history, choose a later business date, or set a shorter horizon "
            "(DAYBREAK_MODEL_OPTIONS).",
            business_date=panel.business_date.isoformat(),
        )
    return start
