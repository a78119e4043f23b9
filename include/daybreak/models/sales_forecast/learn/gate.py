"""Which version may become champion: one that beats the baselines and the champion, calibrated.

All are compared on the days that training held out, and only on those that come after what the
champion was trained on: a champion has seen the labels of earlier days. The challenger answers
through the trees that were grown before the held-out days, with offsets from other days than those
that are compared (``manifest["evidence"]``). A champion of another horizon
answers another question, so that only the baselines decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.panel import Panel
from daybreak.facts.series import read_all
from daybreak.models.base import Headline, Progress, Verdict, quiet
from daybreak.models.sales_forecast.formulas import FORMULAS
from daybreak.models.sales_forecast.learn.baselines import POINTS
from daybreak.models.sales_forecast.learn.booster import QUANTILES
from daybreak.models.sales_forecast.learn.evidence import (
    QUANTILE_NAMES,
    Days,
    compared,
    measures,
    tally,
)
from daybreak.models.sales_forecast.learn.lineage import panel_sha256
from daybreak.models.sales_forecast.learn.train import Options, draw_held_out
from daybreak.models.sales_forecast.link import link
from daybreak.models.sales_forecast.options import Scope
from daybreak.registry.artifact import Artifact
from daybreak.registry.booster import open_booster

CALIBRATION_TOLERANCE = 0.05
"""The backtest, over more days, asks for 0.02."""
CLEARLY = 2.0
"""Standard errors beyond the tolerance that a share has to be: the usual 95 %. On few days, which
move all series of a shop at once, a good quantile misses by more than the tolerance."""
LIKELY = 1.0
"""Standard errors that the challenger has to be worse than what would be in force instead: of the
two the better one is wanted, and trees, which know plans, are better on most data."""
AS_GOOD = 1.02
"""A challenger this much worse than the champion may be better: it has seen later days. What is
compared has not even seen those that the champion was trained on last, so it has to be clearly
worse, and not likely so, to be refused."""


def judge(
    warehouse: Connection,
    as_of: AsOf,
    challenger: Artifact,
    champion: Artifact | None,
    progress: Progress = quiet,
) -> Verdict:
    """The gate. ``as_of`` has to be that of the challenger's training."""
    found = measures(challenger.manifest["evidence"])
    reasons = against_baselines(found)
    evidence: dict[str, Any] = {
        "challenger": {"version": challenger.version, **found},
        "days": sorted(challenger.manifest["evidence"]),
    }
    reason = ""
    if champion is not None and _horizon(champion) != _horizon(challenger):
        reason = (
            f" It forecasts {_horizon(challenger)} days and the champion {champion.version} "
            f"{_horizon(champion)}, so they are not compared."
        )
        champion = None
    if champion is not None:
        progress(f"Comparing {challenger.version} with the champion {champion.version}")
        beside = _with_champion(warehouse, as_of, challenger, champion)
        evidence["against_champion"] = beside
        reasons += against_champion(beside)
    if reasons:
        refusal = "Refused: " + "; ".join(reasons) + "."
        return Verdict(False, refusal + reason, evidence, _headline(found))
    return Verdict(True, _praise(found, champion) + reason, evidence, _headline(found))


def against_baselines(found: Mapping[str, Any]) -> list[str]:
    """Why the measures do not suffice; empty where they do."""
    if not found["rows"]:
        return ["no held-out day with an open store"]
    instead = min(FORMULAS, key=lambda name: found["pinball"][name])
    limits = dict.fromkeys((*POINTS, "empirical"), CLEARLY) | {instead: LIKELY}
    reasons = []
    for name, errors in limits.items():
        measure, loss = ("WAPE", "wape") if name in POINTS else ("pinball loss", "pinball")
        behind = found["behind"][name]
        if behind["difference"] > errors * (behind["standard_error"] or 0.0):
            reasons.append(
                f"{measure} {found[loss]['model']:.3g} is above {found[loss][name]:.3g} of {name} "
                f"(by {behind['difference']:.2g}, standard error {_shown(behind)})"
            )
    return reasons + uncalibrated(found)


def _shown(behind: Mapping[str, float | None]) -> str:
    error = behind["standard_error"]
    return "unknown" if error is None else f"{error:.2g}"


def uncalibrated(found: Mapping[str, Any]) -> list[str]:
    """The quantiles that clearly do not hold what they promise."""
    reasons = []
    for name, tau in zip(QUANTILE_NAMES, QUANTILES, strict=True):
        shares, errors = found["calibration"][name], found["standard_error"][name]
        beyond = {
            "below": shares["below"] - tau,
            "at_or_below": tau - shares["at_or_below"],
        }
        missed = [
            share
            for share, gap in beyond.items()
            if gap > CALIBRATION_TOLERANCE + CLEARLY * (errors[share] or 0.0)
        ]
        if missed:
            error = errors[missed[0]]
            by = "unknown" if error is None else f"{error:.1%}"
            reasons.append(
                f"{name} is not calibrated ({shares['below']:.1%} below, "
                f"{shares['at_or_below']:.1%} at or below, standard error {by})"
            )
    return reasons


def against_champion(found: Mapping[str, Any]) -> list[str]:
    """Why the challenger is not as good as the champion; empty where it is."""
    challenger, champion = found["challenger"], found["champion"]
    if not challenger["rows"]:
        return ["no day after the champion's training is held out, so they cannot be compared"]
    reasons = []
    for name, loss in (("WAPE", "wape"), ("pinball loss", "pinball")):
        ours, theirs, behind = (
            challenger[loss]["model"],
            champion[loss]["model"],
            found["behind"][loss],
        )
        noise = CLEARLY * (behind["standard_error"] or 0.0)
        if behind["difference"] > (AS_GOOD - 1) * theirs + noise:
            reasons.append(
                f"{name} {ours:.4f} is above the champion's {theirs:.4f} "
                f"(by {behind['difference']:.2g}, standard error {_shown(behind)})"
            )
    return reasons


def _with_champion(
    warehouse: Connection, as_of: AsOf, challenger: Artifact, champion: Artifact
) -> dict[str, Any]:
    """Measures of both on the rows that neither was trained on."""
    manifest = challenger.manifest
    options = Options(
        **{name: manifest["params"][name] for name in ("held_out_origins", "held_out_rows")}
    )
    days = int(manifest["window"]["panel_days"])
    scope = Scope.of(manifest.get("options", {}))
    panel = read_all(warehouse, as_of, days=days, ahead=scope.horizon, slots=scope.slots)
    # A formula has seen no label, so all held-out days are new to it.
    after = None
    if champion.engine != "none":
        after = date.fromisoformat(champion.manifest["trained_through"])
    of_champion = _days_of(panel, options, int(manifest["seed"]), champion)
    return {
        "after": after and after.isoformat(),
        "same_data": panel_sha256(panel) == manifest["data_sha256"],
        "challenger": measures(manifest["evidence"], after),
        "champion": {"version": champion.version, **measures(of_champion, after)},
        "behind": compared(manifest["evidence"], of_champion, after),
    }


def _horizon(artifact: Artifact) -> int:
    return int(artifact.manifest["layout"]["horizon"])


def _days_of(panel: Panel, options: Options, seed: int, artifact: Artifact) -> Days:
    held_out = draw_held_out(panel, options, seed)
    margins = np.empty((len(held_out), 0), np.float32)
    if artifact.engine != "none":
        booster = open_booster(artifact)
        margins = booster.inplace_predict(held_out.features, predict_type="margin")
    scores = link(margins, held_out.features, artifact.manifest)
    return tally(panel, held_out, scores, whole=artifact.manifest["calibration"]["round"])


def _headline(found: Mapping[str, Any]) -> Headline | None:
    if not found["rows"]:
        return None
    wape = found["wape"]
    best = min(("seasonal_naive", "mean_28", "median_56"), key=lambda name: wape[name])
    return Headline("WAPE", wape["model"], best, wape[best])


def _praise(found: Mapping[str, Any], champion: Artifact | None) -> str:
    wape, pinball = found["wape"], found["pinball"]
    best = min(wape["seasonal_naive"], wape["mean_28"], wape["median_56"])
    than = "the baselines" if champion is None else f"the baselines and {champion.version}"
    return (
        f"Beats {than} on {found['days']} held-out days: WAPE {wape['model']:.3f} "
        f"({wape['model'] / best - 1:+.1%} against the best baseline), pinball "
        f"{pinball['model'] / pinball['empirical'] - 1:+.1%}, calibrated."
    )
