"""The version that is in force until one passes the gate: the best formula on held-out days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import Panel
from daybreak.facts.series import read_all
from daybreak.models.base import Baseline, Headline, Options, Trained
from daybreak.models.sales_forecast.features.effects import NO_EFFECTS
from daybreak.models.sales_forecast.features.recent import MEMORY
from daybreak.models.sales_forecast.features.trend import SPAN
from daybreak.models.sales_forecast.formulas import USUAL, answers
from daybreak.models.sales_forecast.learn.booster import QUANTILES
from daybreak.models.sales_forecast.learn.calibrate import pinball
from daybreak.models.sales_forecast.learn.effects import effects_of_one_origin
from daybreak.models.sales_forecast.learn.evidence import QUANTILE_NAMES, formula_scores
from daybreak.models.sales_forecast.learn.lineage import counts_units, described
from daybreak.models.sales_forecast.learn.sampling import Sample, draw
from daybreak.models.sales_forecast.options import Scope
from daybreak.registry.artifact import Artifact

MOST_ROWS = 100_000
LEARNED = ("params", "blend", "calibration", "metrics", "evidence", "seed", "objective")
"""What a manifest says of trees."""


def losses(held_out: Sample, whole: bool) -> dict[str, dict[str, float]]:
    """WAPE of P50 and mean pinball loss of each formula on the rows held out.

    Formulas learn nothing, so all of these days are new to them.
    """
    found = {}
    for name, scores in formula_scores(held_out, whole).items():
        of_quantiles = [
            pinball(held_out.units, scores[quantile], tau)
            for quantile, tau in zip(QUANTILE_NAMES, QUANTILES, strict=True)
        ]
        error = abs(held_out.units - scores["p50"]).sum(dtype=float)
        volume = max(held_out.units.sum(dtype=float), 1e-9)
        found[name] = {
            "wape": float(error / volume),
            "pinball": sum(of_quantiles) / len(of_quantiles),
        }
    return found


def baseline(
    warehouse: Connection, as_of: AsOf, options: Options, challenger: Artifact | None
) -> Baseline:
    """The formula of least pinball loss beside the challenger; the usual one without it.

    Raises ``NoData`` where nothing was ever sold.
    """
    if challenger is None:
        return of_panel(_newest(warehouse, as_of, options))
    manifest = challenger.manifest
    found: Mapping[str, Any] = manifest["baselines"]
    name = min(found, key=lambda one: (found[one]["pinball"], one))
    known = {key: value for key, value in manifest.items() if key not in LEARNED}
    stands_in = known | answers(
        name, manifest["calibration"]["round"], manifest.get("effects", NO_EFFECTS)
    )
    wape = found[name]["wape"]
    return Baseline(Trained(None, stands_in), Headline("WAPE", wape, name, wape))


def _newest(warehouse: Connection, as_of: AsOf, options: Options) -> Panel:
    scope = Scope.of(options, days_of_period(warehouse))
    slots = scope.slots if "covariates" in options else None
    panel = read_all(warehouse, as_of, days=MEMORY, ahead=scope.horizon, slots=slots)
    if not (panel.units > 0).any():
        raise NoData(
            f"Nothing was sold up to {panel.business_date}, so there is nothing to forecast.",
            remedy="Load sales (section `sales` of the data set), or choose a later business date.",
            business_date=panel.business_date.isoformat(),
        )
    return panel


def of_panel(panel: Panel) -> Baseline:
    """The formula that did best on the last periods, as many as are ahead and ``SPAN`` at most; it
    follows the trends of items as far as these did. The usual one where nothing is before them."""
    whole, origin = counts_units(panel), panel.days - 1 - min(SPAN, panel.ahead)
    sample = draw(panel, [origin] if origin >= 0 else [], MOST_ROWS, seed=0)
    name, effects = USUAL, NO_EFFECTS
    if len(sample):
        effects = effects_of_one_origin(panel, sample)
        found = losses(replace(sample, effects=effects), whole)
        name = min(found, key=lambda one: (found[one]["pinball"], one))
    return Baseline(Trained(None, described(panel) | answers(name, whole, effects)))
