"""Learn the sales forecast: sample origins, find the number of trees, calibrate, fit on all.

The last days before the business date (as many as the horizon, four weeks at least, and up to
three times as many where the history is long) are held out first. They choose how many trees
are grown and by which offsets the outputs are calibrated; then the trees are grown again on every
day up to the business date. Nothing later than ``as_of`` is read, on either clock.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import Panel
from daybreak.facts.series import read_all
from daybreak.models import base
from daybreak.models.base import Progress, Trained, quiet
from daybreak.models.sales_forecast.features.recent import MEMORY
from daybreak.models.sales_forecast.formulas import blended
from daybreak.models.sales_forecast.learn import untrained
from daybreak.models.sales_forecast.learn.blend import blend_of
from daybreak.models.sales_forecast.learn.booster import QUANTILES, Learning, Rows, grow
from daybreak.models.sales_forecast.learn.calibrate import (
    by_horizon,
    mean_offset,
    quantile_offset,
)
from daybreak.models.sales_forecast.learn.effects import effects_of
from daybreak.models.sales_forecast.learn.evidence import Days, measures, tally
from daybreak.models.sales_forecast.learn.lineage import counts_units, described, scope_of
from daybreak.models.sales_forecast.learn.sampling import Night, Sample, draw, subset
from daybreak.models.sales_forecast.learn.spans import (
    FIRST_ORIGIN,
    first_sale,
    held_out,
    held_out_periods,
    named,
    origins_between,
    origins_for,
)
from daybreak.models.sales_forecast.link import SCORES, link
from daybreak.models.sales_forecast.options import Scope

SEED = 7
MOST_VOLUME = 100.0
LARGEST_FOREST = 4
"""Trees that share a round where rows are few: what they say should not depend on the seed, and
they take no longer than one tree of many rows."""


@dataclass(frozen=True)
class Options:
    """How much is learned from, and how. All of it goes into the manifest."""

    origin_days: int = 400
    origins: int = 80
    rows: int = 100_000
    held_out_origins: int = 4
    held_out_rows: int = 100_000
    weight_power: float = 0.5
    half_life: float = 180.0
    learning: Learning = field(default_factory=Learning)
    threads: int = 0

    def panel_days(self, horizon: int) -> int:
        """Days of history that training reads: the origins, and what the first one looks at."""
        return self.origin_days + horizon + MEMORY


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
    progress(f"Reading {days} {named(scope, days)} of sales up to {as_of.business_date}")
    slots = scope.slots if "covariates" in set_by else None
    panel = read_all(warehouse, as_of, days=days, ahead=scope.horizon, slots=slots)
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
    start = first_sale(panel)
    whole = counts_units(panel)
    last = panel.days - 1
    held_from = last - held_out(panel)

    origins = origins_between(
        max(start + FIRST_ORIGIN[panel.step], held_from - options.origin_days),
        last - 1,
        origins_for(len(panel), options.origins),
    )
    nights: list[Night] = []
    sample = draw(panel, origins, options.rows // len(origins), seed, progress, nights=nights)
    held_rows = draw_held_out(panel, options, seed)
    held = f"the last {last - held_from} {named(scope_of(panel))}"
    progress(f"Finding the number of trees on {len(held_rows)} rows of {held}")
    known = sample.origin + sample.horizon <= held_from
    priced = "price" in panel.planned
    effects = effects_of(subset(sample, known), panel.step, priced=priced)
    sample, held_rows = (replace(one, effects=effects) for one in (sample, held_rows))
    early = subset(sample, known)
    # One thread count and one seed give one booster; the sums of a histogram differ by threads.
    settings: dict[str, Any] = {"seed": seed, "threads": options.threads}
    learning = _of_labels(early, options.learning)
    learning = replace(learning, forest=_forest(len(sample), options.rows))
    first = grow(
        weighted(early, held_from, options),
        learning,
        held_out=weighted(held_rows, held_from, options),
        **settings,
    )
    margins = first.merged().inplace_predict(held_rows.features, predict_type="margin")
    blend = blend_of(margins, held_rows)
    mixed = blended(margins, held_rows.features, {"blend": blend})
    calibration = calibrate(mixed, held_rows, whole, panel.ahead)

    progress(f"Fitting {first.rounds['quantiles']} rounds on {len(sample)} rows")
    final = grow(weighted(sample, last, options), learning, rounds=first.rounds, **settings)
    days = evidence_days(panel, margins, held_rows, whole)
    manifest = {
        **described(panel),
        **_learned_from(panel, sample),
        "seed": seed,
        "params": {**asdict(options), "learning": asdict(learning), "rounds": final.rounds},
        "blend": blend,
        "effects": {**effects},
        "calibration": calibration,
        "metrics": {"held_out": measures(days)},
        "baselines": untrained.losses(held_rows, whole),
        "evidence": days,
    }
    booster = bytes(final.merged().save_raw("ubj"))
    return Trained(booster, manifest, examples=sample.features, nights=nights)


def _described(panel: Panel) -> str:
    names = [
        f"{name} (as last known)" if name in panel.history_only else name
        for name in panel.covariates
    ]
    left_out = f"; no room for {', '.join(panel.left_out)}" if panel.left_out else ""
    return f"Covariates: {', '.join(names)}{left_out}"


def draw_held_out(panel: Panel, options: Options, seed: int) -> Sample:
    """The rows of the held-out days, from origins before each part of them."""
    last, held = panel.days - 1, held_out(panel)
    step = max(1, min(held_out_periods(scope_of(panel)) // options.held_out_origins, panel.ahead))
    origins = list(range(last - held, last, step))
    return draw(panel, origins, options.held_out_rows // len(origins), seed)


def evidence_days(
    panel: Panel, margins: NDArray[np.float32], held_rows: Sample, whole: bool
) -> Days:
    """Measures on held-out days, of trees that have not seen them.

    Offsets and blend of a block come from the others; where there is one block, those of its later
    half from its earlier half, and the later half alone is measured.
    """
    held, block = held_out(panel), held_out_periods(scope_of(panel))
    size = block if held > block else block - block // 2
    part = (held_rows.origin + held_rows.horizon - (panel.days - held)) // size
    days: Days = {}
    for judged in range(1 if held == block else 0, int(part.max(initial=0)) + 1):
        others, these = subset(held_rows, part != judged), subset(held_rows, part == judged)
        blend = blend_of(margins[part != judged], others)
        mixed = blended(margins[part != judged], others.features, {"blend": blend})
        calibration = calibrate(mixed, others, whole, panel.ahead)
        manifest = {
            "blend": blend,
            "effects": {**held_rows.effects},
            "calibration": calibration,
        }
        scores = link(margins[part == judged], these.features, manifest)
        days |= tally(panel, these, scores, whole=whole)
    return days


def _of_labels(sample: Sample, learning: Learning) -> Learning:
    """A leaf has as many labels as it would have of rows that have one each.

    The same day is a label of several origins. On few series these are all that there is, and a
    leaf of 20 rows would be one of three days.
    """
    labels = len(np.unique(np.stack([sample.series, sample.origin + sample.horizon]), axis=1).T)
    return replace(learning, least_weight=learning.least_weight * len(sample) / max(labels, 1))


def _forest(rows: int, most: int) -> int:
    """How many trees share a round: of half of the rows that there could be, two."""
    return int(np.clip(round(most / max(rows, 1)), 1, LARGEST_FOREST))


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
            "target": "units / (scale * day_factor * season * trend)",
        },
        "window": {
            "panel_days": panel.days,
            "first_origin": origins[0],
            "last_origin": origins[1],
            "series": len(panel),
            "rows": len(sample),
        },
    }
