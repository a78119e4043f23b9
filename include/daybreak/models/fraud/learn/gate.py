"""Which version may become champion: one that beats the simple ways on days that it has not seen.

The challenger has learned from every day whose frauds are known, so none is left to judge it on.
What is learned in the same way without the last days stands in for it, and is asked about these,
beside the baselines and the champion, which is asked only about days after those that it learned
from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.models.base import Headline, Progress, Verdict, quiet
from daybreak.models.fraud.learn import baselines
from daybreak.models.fraud.learn.examples import Examples, day_number
from daybreak.models.fraud.learn.measures import auc, average_precision, card_precision
from daybreak.models.fraud.learn.train import Grown, Trees, grow
from daybreak.signals.batch import EPOCH
from daybreak.types import Float32

JUDGED_ON = 0.2
"""Of the days."""
LEAST_FRAUDS = 10
"""On the days judged by; of fewer nothing can be said."""
MOST_CARDS = 100
MEASURES = ("auc", "average_precision", "card_precision")
HEADLINE = "average_precision"
BASELINES = ("amount", "key_risk", "logistic")


def judge(
    examples: Examples,
    as_of: AsOf,
    champion: tuple[str, Grown, date] | None = None,
    *,
    version: str = "",
    trees: Trees | None = None,
    progress: Progress = quiet,
) -> Verdict:
    """The gate. ``champion``: its version, what it learned, and through which day."""
    days = np.unique(examples.day)
    first = days[int(len(days) * (1 - JUDGED_ON))]
    learned, judged = examples.where(examples.day < first), examples.where(examples.day >= first)
    evidence: dict[str, Any] = {
        "business_date": as_of.business_date.isoformat(),
        "days": len(np.unique(judged.day)),
        "transactions": len(judged),
        "frauds": int(judged.fraud.sum()),
    }
    if judged.fraud.sum() < LEAST_FRAUDS or not learned.fraud.any():
        known = f"{int(judged.fraud.sum())} frauds are known, and {int(learned.fraud.sum())} before"
        return Verdict(False, f"Refused: of the last days only {known}.", evidence)
    progress(f"Learning without the last {evidence['days']} days")
    try:
        grown = grow(learned, trees, progress=progress)
    except NoData as error:
        return Verdict(False, f"Refused: {error.message}", evidence)
    scores: dict[str, Any] = {
        "challenger": grown.probabilities(judged),
        "amount": baselines.amount(judged),
        "key_risk": baselines.key_risk(judged),
        "logistic": baselines.logistic(
            learned.features(grown.rates), learned.fraud, judged.features(grown.rates)
        ),
    }
    found = {name: measures_of(judged, values) for name, values in scores.items()}
    evidence["challenger"] = {"version": version, **found["challenger"]}
    evidence["baselines"] = {name: found[name] for name in BASELINES}
    reasons = [
        f"{measure} {found['challenger'][measure]:.3f} is not above that of {name}, "
        f"{found[name][measure]:.3f}"
        for measure in MEASURES
        for name in BASELINES
        if not found["challenger"][measure] > found[name][measure]
    ]
    if champion is not None:
        reasons += _against_champion(judged, scores["challenger"], champion, evidence)
    best = max(BASELINES, key=lambda name: found[name][HEADLINE])
    headline = Headline(HEADLINE, found["challenger"][HEADLINE], best, found[best][HEADLINE])
    if reasons:
        return Verdict(False, f"Refused: {'; '.join(reasons)}.", evidence, headline)
    praise = ", ".join(f"{name} {found['challenger'][name]:.3f}" for name in MEASURES)
    return Verdict(
        True,
        f"On {evidence['days']} days with {evidence['frauds']} frauds: {praise}, all above the "
        f"amount, the risk of the keys and a logistic regression.",
        evidence,
        headline,
    )


def measures_of(judged: Examples, scores: Any) -> dict[str, float]:
    """What an order of the transactions finds.

    ``card_precision``: of a hundred cards a day, or of a tenth of them where that is less, as among
    all cards every order finds the same.
    """
    cards = len(np.unique(np.column_stack([judged.day, judged.cards]), axis=0))
    most = max(1, min(MOST_CARDS, cards // (10 * len(np.unique(judged.day)))))
    return {
        "auc": auc(scores, judged.fraud),
        "average_precision": average_precision(scores, judged.fraud),
        "card_precision": card_precision(scores, judged.fraud, judged.cards, judged.day, most),
    }


def _against_champion(
    judged: Examples,
    challenger: Float32,
    champion: tuple[str, Grown, date],
    evidence: dict[str, Any],
) -> list[str]:
    version, grown, through = champion
    later = judged.day > day_number(through)
    if judged.fraud[later].sum() < LEAST_FRAUDS:
        evidence["champion"] = {"version": version, "compared": False}
        return []
    rest = judged.where(later)
    theirs: Mapping[str, float] = measures_of(rest, grown.probabilities(rest))
    ours = measures_of(rest, challenger[later])
    since = EPOCH.fromordinal(EPOCH.toordinal() + int(rest.day.min()))
    evidence["champion"] = {"version": version, "compared": True, "since": since.isoformat()}
    evidence["champion"] |= {"champion": dict(theirs), "challenger": ours}
    if ours[HEADLINE] < theirs[HEADLINE]:
        return [
            f"{HEADLINE} {ours[HEADLINE]:.3f} is below that of the champion, {theirs[HEADLINE]:.3f}"
        ]
    return []
