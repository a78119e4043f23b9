"""Which version may become champion: one that neither a single source nor the champion beats.

All are compared on the week that training held out, by the reading that fits the data: every
purchase, or only what is new to a user where hardly anything is bought again. The challenger
answers by the trees that were grown before that week (``manifest["evidence"]``), the champion
is asked anew, and only where the week comes after what it was trained on: nothing is compared with
hindsight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from daybreak.facts.events import Events
from daybreak.models.base import Headline, Progress, Verdict, quiet
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.learned import FILE, Learned
from daybreak.models.recommendations.learn.baselines import BASELINES
from daybreak.models.recommendations.learn.day import day_of
from daybreak.models.recommendations.learn.evaluate import (
    evaluate,
    margins_by,
    model_lister,
    pooled,
)
from daybreak.models.recommendations.learn.held_out import (
    FIRST_DAY,
    MOST_ONCE,
    deciding_reading,
)
from daybreak.models.recommendations.learn.held_out import held_out as held_out_lists
from daybreak.models.recommendations.numbers import Numbers
from daybreak.registry.artifact import Artifact

MEASURE = "ndcg@10"
POPULARITY = "popularity"
WORSE, BETTER = 2.0, 1.0
"""Standard errors. What is uncertain is not refused: with lists as good as those of a source, the
ranker still has better ones for a session. It has to be better than popularity somewhere."""
CLEARLY = 0.95
"""A challenger this much under the champion on one week may be as good: a week of 450 users moves
NDCG@10 by some 4 %, and the challenger has seen later days."""


def judge(
    read: Callable[[], Events],
    business_date: date,
    challenger: Artifact,
    champion: Artifact | None,
    progress: Progress = quiet,
) -> Verdict:
    """The gate. ``read`` gives the events that the challenger was trained on."""
    held_out = challenger.manifest["evidence"]
    reasons = against_baselines(held_out)
    evidence: dict[str, Any] = {
        "business_date": business_date.isoformat(),
        "challenger": {"version": challenger.version, **held_out},
    }
    if champion is not None:
        compared = _with_champion(read, challenger, champion, progress)
        evidence["against_champion"] = compared
        reasons += against_champion(held_out, compared)
    headline = _headline(held_out)
    if reasons:
        return Verdict(False, "Refused: " + "; ".join(reasons) + ".", evidence, headline)
    return Verdict(True, _praise(held_out, champion), evidence, headline)


def best_source(found: Mapping[str, Mapping[str, float]], measure: str = MEASURE) -> str:
    """The name of the best of ``BASELINES``; popularity among equals, which it explains.

    Of what is new to a user, repeat purchase names nothing but best sellers.
    """
    return max(BASELINES, key=lambda name: (found[name][measure], name == POPULARITY))


def deciding(held_out: Mapping[str, Any]) -> str:
    """The reading of the week held out by which versions are judged: ``all`` or ``new``."""
    return deciding_reading(held_out["repeat_share"])


def users_of(held_out: Mapping[str, Any]) -> int:
    """On how many users' lists the deciding reading was measured."""
    return int(held_out["users_new" if deciding(held_out) == "new" else "users"])


def against_baselines(held_out: Mapping[str, Any]) -> list[str]:
    """Why the lists do not suffice; empty where they do."""
    reading = deciding(held_out)
    if not users_of(held_out):
        return ["no known user bought anything in the week held out"]
    reasons = []
    found = held_out[reading]
    best = best_source(found)
    ours = f"{measure_of(held_out)} {found['model'][MEASURE]:.3f}"
    if _clearly_under(held_out, reading, best):
        reasons.append(f"{ours} is clearly under {found[best][MEASURE]:.3f} of {best}")
    if not _better_than_popularity(held_out):
        popular = found[POPULARITY][MEASURE]
        reasons.append(f"{ours} is not clearly above {popular:.3f} of {POPULARITY}")
    reasons = [f"{reason} ({_uncertainty(held_out, best)})" for reason in reasons]
    return reasons + _against_first_days(held_out)


def _against_first_days(held_out: Mapping[str, Any]) -> list[str]:
    """Why the lists of one day's history do not suffice, where most users have no more."""
    if not _mostly_once(held_out):
        return []
    found = held_out[FIRST_DAY]
    best = best_source(found)
    if not _clearly_under(held_out, FIRST_DAY, best):
        return []
    return [
        f"NDCG@10 of the last items of a first day {found['model'][MEASURE]:.3f} is clearly under "
        f"{found[best][MEASURE]:.3f} of {best} ({held_out['users_first_day']} users)"
    ]


def _better_than_popularity(held_out: Mapping[str, Any]) -> bool:
    """On the week, where most users come once on first days, or with a session."""
    paired = held_out["paired"]
    judged = [paired[deciding(held_out)][POPULARITY], held_out["session"]]
    if _mostly_once(held_out):
        judged.append(paired[FIRST_DAY][POPULARITY])
    return any(_in_errors(one["difference"], one) > BETTER for one in judged)


def _clearly_under(held_out: Mapping[str, Any], reading: str, name: str) -> bool:
    found = held_out[reading]
    gap = found["model"][MEASURE] - found[name][MEASURE]
    return _in_errors(gap, held_out["paired"][reading][name]) < -WORSE


def _mostly_once(held_out: Mapping[str, Any]) -> bool:
    return bool(held_out["once_share"] > MOST_ONCE and held_out["users_first_day"])


def _in_errors(gap: float, paired: Mapping[str, Any]) -> float:
    """The gap in standard errors; 0 where there is none to divide it by."""
    error = paired["standard_error"]
    return gap / error if error else 0.0


def measure_of(held_out: Mapping[str, Any]) -> str:
    """The measure by the deciding reading."""
    return "NDCG@10" if deciding(held_out) == "all" else "NDCG@10 of what is new"


def _uncertainty(held_out: Mapping[str, Any], name: str) -> str:
    paired = held_out["paired"][deciding(held_out)][name]
    error = paired["standard_error"]
    by = "unknown" if error is None else f"{error:.3f}"
    return (
        f"{users_of(held_out)} users; difference {paired['difference']:+.3f} from {name}, "
        f"standard error {by}"
    )


def against_champion(held_out: Mapping[str, Any], compared: Mapping[str, Any]) -> list[str]:
    """Why the challenger is not as good as the champion; empty where it is."""
    if compared["why_not"]:
        return [] if compared["other_features"] else [compared["why_not"]]
    reading = deciding(held_out)
    ours, theirs = held_out[reading]["model"][MEASURE], compared[reading][MEASURE]
    if ours >= CLEARLY * theirs:
        return []
    return [f"{measure_of(held_out)} {ours:.3f} is clearly under the champion's {theirs:.3f}"]


def _with_champion(
    read: Callable[[], Events],
    challenger: Artifact,
    champion: Artifact,
    progress: Progress,
) -> dict[str, Any]:
    """The champion's measures on the week held out, or why there are none."""
    held_out = challenger.manifest["evidence"]
    found: dict[str, Any] = {
        "version": champion.version,
        "trained_through": champion.manifest["trained_through"],
        "why_not": "",
        "other_features": [one["name"] for one in champion.manifest["features"]] != list(FEATURES),
    }
    if found["other_features"]:
        # It cannot be served any more either, so it does not block a challenger.
        return found | {"why_not": f"{champion.version} was trained on other features"}
    as_of = date.fromisoformat(held_out["as_of"])
    through = date.fromisoformat(found["trained_through"])
    if champion.engine != "none" and through > as_of:  # a baseline has seen no label
        return found | {
            "why_not": f"the week after {as_of} is not later than what {champion.version} was "
            f"trained on (through {found['trained_through']}), so they cannot be compared"
        }
    progress(f"Asking the champion {champion.version} for its lists of {as_of}")
    events = read()
    # The champion's own numbers, and the challenger's window.
    window = Numbers.of(challenger.manifest).window_days
    numbers = replace(Numbers.of(champion.manifest), window_days=window)
    day = day_of(events, (as_of - EPOCH).days, Learned.from_bytes(champion.files[FILE]), numbers)
    most = int(challenger.manifest["params"]["judged_users"])
    week = held_out_lists(events, day, most=most, seed=int(challenger.manifest["seed"]))
    lists = model_lister(margins_by(champion), week.at, champion.manifest)
    measured = evaluate(week.at, week.asked, {"champion": lists})
    return found | {reading: pooled([of["champion"]]) for reading, of in measured.items()}


def _headline(held_out: Mapping[str, Any]) -> Headline | None:
    if not users_of(held_out):
        return None
    found = held_out[deciding(held_out)]
    best = best_source(found)
    return Headline(measure_of(held_out), found["model"][MEASURE], best, found[best][MEASURE])


def _praise(held_out: Mapping[str, Any], champion: Artifact | None) -> str:
    found = held_out[deciding(held_out)]
    best = best_source(found)
    ours, theirs = found["model"][MEASURE], found[best][MEASURE]
    gain = f"{ours / theirs - 1:+.1%} against {best}" if theirs else f"{best} has none"
    beside = "" if champion is None else f", not clearly under {champion.version}"
    return (
        f"{measure_of(held_out)} {ours:.3f}, {gain} ({_uncertainty(held_out, best)}){beside}; "
        f"held out: the week after {held_out['as_of']}."
    )
