"""Which version may become champion: one whose responses are seen at price changes held out.

Demand has to go where the version says, as clearly as the changes allow, and about as far. Beside
a champion the same changes are judged by its variances too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.ledger.verdicts import BASELINE
from daybreak.models.base import Headline, Progress, Verdict, quiet
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.learn.evidence import LEAST_GROUPS, evidence
from daybreak.models.pricing.learn.facts import read_facts
from daybreak.models.pricing.learn.measures import MODEL, NO_RESPONSE
from daybreak.registry.artifact import Artifact

LEAST_CHANGES = 20
CLEARLY = 2.0
"""Standard errors: the usual 95 %."""
LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
"""Demand moves by at least half of what a version says and at most twice as much; prices that are
best for half the elasticity are far from the best ones, and one can be no surer on few changes."""
CHAMPION = "champion"
MEASURE = "deviance at price changes"


def judge(
    warehouse: Connection,
    as_of: AsOf,
    challenger: Artifact,
    champion: Artifact | None,
    progress: Progress = quiet,
) -> Verdict:
    """The gate. ``as_of`` has to be that of the challenger's training."""
    found: Mapping[str, Any] = challenger.manifest["evidence"]
    said = {"challenger": {"version": challenger.version, **found}}
    reasons = against_no_response(found)
    if not reasons and champion is not None and BASELINE not in champion.manifest:
        progress(f"Comparing {challenger.version} with the champion {champion.version}")
        ours, theirs = (Hyper.of(one.manifest["options"]) for one in (challenger, champion))
        facts = read_facts(warehouse, as_of)
        beside = evidence(facts, progress, ours, {CHAMPION: theirs})
        said["against_champion"] = {"version": champion.version, **beside}
        reasons = against_champion(beside)
    if reasons:
        return Verdict(False, "Refused: " + "; ".join(reasons) + ".", said, _headline(found))
    size = found["size"]
    return Verdict(
        True,
        f"At {found['changes']} price changes held out demand moved by {size['factor']:.2f} of "
        f"what it says (standard error {size['standard_error']:.2f}).",
        said,
        _headline(found),
    )


def against_no_response(found: Mapping[str, Any]) -> list[str]:
    """Why the evidence does not suffice; empty where it does."""
    changes, groups = found["changes"], found.get("groups", 0)
    if changes < LEAST_CHANGES or groups < LEAST_GROUPS:
        return [
            f"of the last {found['weeks']} weeks only {changes} price changes of {groups} items "
            f"can be judged ({LEAST_CHANGES} of {LEAST_GROUPS} are needed)"
        ]
    size = found["size"]
    if size["factor"] is None or size["standard_error"] is None:
        return ["demand at price changes cannot be measured"]
    factor, error = size["factor"], CLEARLY * size["standard_error"]
    if not factor - error > 0:
        return [
            f"at {changes} price changes held out demand did not clearly move as it says: by "
            f"{factor:.2f} of it, standard error {size['standard_error']:.2f}"
        ]
    if factor + error < LEAST_FACTOR or factor - error > MOST_FACTOR:
        return [
            f"demand moved by {factor:.2f} of what it says, standard error "
            f"{size['standard_error']:.2f}, which is beyond {LEAST_FACTOR:g} to {MOST_FACTOR:g}"
        ]
    loss = found["deviance"]
    if not loss[MODEL] < loss[NO_RESPONSE]:
        return [f"deviance {loss[MODEL]:.3f} is not below {loss[NO_RESPONSE]:.3f} of no response"]
    return []


def against_champion(found: Mapping[str, Any]) -> list[str]:
    """Why the champion stays; empty where the challenger is no worse."""
    behind = found["behind"][CHAMPION]
    if behind["difference"] > CLEARLY * (behind["standard_error"] or 0.0):
        loss = found["deviance"]
        return [f"deviance {loss[MODEL]:.3f} is above {loss[CHAMPION]:.3f} of the champion"]
    return []


def _headline(found: Mapping[str, Any]) -> Headline | None:
    loss = found.get("deviance")
    return loss and Headline(MEASURE, loss[MODEL], NO_RESPONSE, loss[NO_RESPONSE])
