"""What a manifest says of the facts that a version was made from, with trees or without."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.layout import HISTORY, channels, features, layout
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.options import Scope


def scope_of(panel: Panel) -> Scope:
    """What a panel is to be forecast for: as many periods as it has ahead."""
    return Scope(panel.ahead, panel.step, panel.slots)


def described(panel: Panel) -> dict[str, Any]:
    """Features, layout, options, and which facts; all but what was learned and how."""
    names = layout(panel.ahead, panel.slots)
    return {
        "features": [{"name": name, "dtype": "float32"} for name in features(panel.slots)],
        "layout": {
            "history": list(HISTORY),
            "channels": list(channels(panel.slots)),
            "horizon": panel.ahead,
            "covariates": list(panel.covariates),
            **_more_of(panel),
            "sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
        },
        "options": scope_of(panel).to_options(),
        "outputs": list(SCORES),
        "trained_through": panel.business_date.isoformat(),
        "data_sha256": panel_sha256(panel),
    }


def counts_units(panel: Panel) -> bool:
    """Whether all units are whole numbers, so that quantiles are given in whole units too."""
    known = panel.units[~np.isnan(panel.units)]
    return bool((known == np.floor(known)).all())


def panel_sha256(panel: Panel) -> str:
    """Hash of everything that training can see."""
    digest = hashlib.sha256(panel.first_date.isoformat().encode())
    for names in (panel.store_ids, panel.item_ids, panel.categories):
        digest.update("\x1f".join(names.tolist()).encode() + b"\x1e")
    covariates = [panel.covariates[name] for name in sorted(panel.covariates)]
    plans = [panel.price, panel.promotion, panel.open, panel.holiday, panel.public_holiday]
    for values in (panel.units, *plans, *covariates):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _more_of(panel: Panel) -> dict[str, list[str]]:
    """What there is to say of covariates that are not all planned, or not all there."""
    more = {"history_only": sorted(panel.history_only), "left_out": list(panel.left_out)}
    return {name: found for name, found in more.items() if found}
