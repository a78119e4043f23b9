"""A version: the variances of responses, and what they were worth at price changes held out.

A version keeps no elasticity. The night estimates them from what is known as of its own day, with
the variances of the version, so a day is made again with the same bits whatever was learned since.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.series import read_series
from daybreak.models.base import NO_OPTIONS, Baseline, Options, Progress, Trained, quiet
from daybreak.models.baselines import answering_by
from daybreak.models.options import chosen
from daybreak.models.pricing.elasticity.fit import LEAST
from daybreak.models.pricing.elasticity.hyper import OPTIONS, Hyper
from daybreak.models.pricing.formulas import KEEP
from daybreak.models.pricing.learn.evidence import evidence
from daybreak.models.pricing.learn.facts import Facts, read_facts
from daybreak.models.pricing.learn.summary import summary
from daybreak.models.pricing.learn.variances import learned


def train(
    warehouse: Connection, as_of: AsOf, progress: Progress = quiet, options: Options = NO_OPTIONS
) -> Trained:
    """Learn from facts visible at ``as_of``.

    ``options``: variances that an operator sets are kept as they are. Raises ``InvalidRequest`` for
    an option that there is not, and ``NoData`` where no price is known, or none moved.
    """
    given = {name: chosen(options, OPTIONS)[name] for name in options}
    progress(f"Reading prices and sales up to {as_of.business_date}")
    return train_facts(read_facts(warehouse, as_of), as_of, progress, given)


def train_facts(
    facts: Facts, as_of: AsOf, progress: Progress = quiet, given: Options = NO_OPTIONS
) -> Trained:
    """As ``train``, of what was read. The same facts, the same manifest."""
    fitter = facts.before(facts.weeks)
    hyper = Hyper.of({**learned(fitter, progress).to_options(), **given})
    fit = fitter.fit(hyper)
    moved = int((fit.information > LEAST).sum())
    if not moved:
        raise NoData(
            f"No price moved in the {facts.weeks} weeks up to {as_of.business_date}, so nothing "
            "says what demand does when one does.",
            remedy="Load sales of a time in which prices changed; until then every price stays.",
            business_date=as_of.business_date.isoformat(),
        )
    manifest: dict[str, Any] = {
        "engine": "none",
        "trained_through": as_of.business_date.isoformat(),
        "options": hyper.to_options(),
        "window": {"weeks": facts.weeks, "series": facts.cells.count, "items_that_moved": moved},
        "responses": summary(facts, fit),
        "evidence": evidence(facts, progress),
    }
    return Trained(None, manifest)


def keep(warehouse: Connection, as_of: AsOf) -> Baseline:
    """The version that keeps every price. Raises ``NoData`` where nothing was sold."""
    read_series(warehouse, as_of)
    through = as_of.business_date.isoformat()
    return Baseline(Trained(None, {**answering_by(KEEP), "trained_through": through}))
