"""Learn the recommendations: neighbours of items, and a ranker of candidates of past days.

Two weeks are held out first, each for one purpose, so that none judges what it has chosen. The week
before the last chooses how deep the trees are and how many are grown. The last says how good the
lists are, beside those of each single source, of such trees that were grown on all weeks before it.
Then as many are grown again on all weeks, up to the business date. A shop of few customers is
learned from over more weeks, for the same number of lists. Neighbours are learned anew for each day
that lists are made of, from events up to that day only, so that no score has seen the purchase that
it has to predict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import xgboost as xgb

from daybreak.errors import NoData
from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events
from daybreak.models import base
from daybreak.models.base import NO_OPTIONS, Progress, Trained, quiet
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.cells import until
from daybreak.models.recommendations.features.learned import FILE, Learned
from daybreak.models.recommendations.formulas import GUARD
from daybreak.models.recommendations.learn.day import Day, day_of
from daybreak.models.recommendations.learn.evaluate import trees
from daybreak.models.recommendations.learn.evidence import evidence_of
from daybreak.models.recommendations.learn.examples import Examples, examples, joined
from daybreak.models.recommendations.learn.guard import guard_of
from daybreak.models.recommendations.learn.held_out import deciding_reading, held_out
from daybreak.models.recommendations.learn.lineage import described
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from daybreak.models.recommendations.learn.nights import NIGHTS, Night, as_a_night
from daybreak.models.recommendations.learn.popularity import Popularity
from daybreak.models.recommendations.numbers import DEFAULT, Numbers, published

SEED = 7
LEAST_WEEKS = 3
"""One week to learn from, one to choose by and one to judge by, beside the history before them."""
LEAST_HISTORY = 14
"""Days of events before the first list."""


@dataclass(frozen=True)
class Ranker:
    """How the trees are grown. All of it goes into the manifest.

    ``depths``: the week before the last chooses among them. Deep trees learn more from many lists,
    shallow ones repeat less of the chance in few.
    """

    depths: tuple[int, ...] = (6, 3)
    eta: float = 0.1
    rounds: int = 200
    least_rounds: int = 80
    patience: int = 20
    least_weight: float = 20.0
    row_share: float = 0.7
    feature_share: float = 0.3
    penalty: float = 1.0
    bins: int = 64
    pairs: int = 20

    def parameters(self, depth: int, seed: int, threads: int) -> dict[str, Any]:
        """XGBoost's names for them."""
        return {
            "objective": "rank:ndcg",
            "eval_metric": "ndcg@10",
            "lambdarank_pair_method": "topk",
            "lambdarank_num_pair_per_sample": self.pairs,
            "tree_method": "hist",
            "max_depth": depth,
            "eta": self.eta,
            "min_child_weight": self.least_weight,
            "subsample": self.row_share,
            "colsample_bytree": self.feature_share,
            "reg_lambda": self.penalty,
            "max_bin": self.bins,
            "base_score": 0.0,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        }


@dataclass(frozen=True)
class Options:
    """How much is learned from, and how. All of it goes into the manifest.

    ``weeks``: lists are made as of that many days, a week apart. Where these give fewer than
    ``enough``, earlier ones are made too, up to ``most_weeks``, until there are ``lists``: the
    weeks of such a shop are quickly made. On the synthetic one, whose 250 buyers a week make 430
    lists, trees of depth 3 had an NDCG@10 of 0.277 after 10 weeks and 0.290 after 25; on Online
    Retail, with 900 lists a week, 6 or 7 weeks did as well as 4. ``users``: most lists of a
    kind a week; more would not fit into memory, nor teach much. ``judged_users``: most users that
    the week held out is measured on. ``negatives``: candidates of a list that were not bought.
    ``sessions``: begun baskets a week. ``threads`` is a fixed number: sums of a histogram differ
    with it, and the same data must give the same version anywhere. It is one, because two wait for
    each other where a machine has more to do: 110 rounds took 26 s of a busy machine's time with
    two, and 9 s with one.
    """

    weeks: int = 5
    enough: int = 3000
    most_weeks: int = 26
    lists: int = 8000
    users: int = 2000
    judged_users: int = 5000
    negatives: int = 40
    sessions: int = 150
    threads: int = 1
    numbers: Numbers = field(default_factory=Numbers)
    kernels: Kernels = field(default_factory=Kernels)
    ranker: Ranker = field(default_factory=Ranker)

    def __post_init__(self) -> None:
        if self.weeks < LEAST_WEEKS:
            raise ValueError(f"weeks is {self.weeks}; {LEAST_WEEKS} is the least to learn from.")


def train_events(
    events: Events,
    business_date: date,
    *,
    seed: int = SEED,
    options: Options | None = None,
    judge: bool = True,
    lists: base.Options = NO_OPTIONS,
    progress: Progress = quiet,
) -> Trained:
    """Learn from events up to the business date. Pure; the same events, the same bytes.

    ``judge``: measure the last week's lists, which the gate asks for. A caller with later
    weeks to measure on leaves it out, and gets the same trees without evidence. ``lists``: what the
    operator set of published ones; later nights are compared with such lists.

    Raises ``NoData`` where there are too few weeks, or no user came back in those to learn from,
    in the one to choose by or in the one to judge by.
    """
    options = options or Options()
    today = (business_date - EPOCH).days
    events = until(events, today)
    popularity = Popularity(events, options.numbers)
    nights: list[Night] = []

    def noted(at: Day) -> None:
        if len(nights) < NIGHTS:
            nights.append(as_a_night(at, published(lists), seed))

    days, parts, (before, last) = _lists(
        events, popularity, today, seed=seed, options=options, progress=progress, noted=noted
    )
    _check(parts, business_date)

    progress("Finding the depth and the number of trees on the week before the last")
    depth, rounds, _, tested = choose(parts[:-2], parts[-2], options, seed=seed)
    progress("Looking there at which lists a formula does better")
    week = held_out(events, before, most=options.users, seed=seed)
    guard = guard_of(week, deciding_reading(week.repeat_share), trees(tested))
    evidence: dict[str, Any] = {}
    if judge:
        progress("Measuring the last week's lists beside the single sources")
        judged = grow(parts[:-1], options, seed=seed, depth=depth, rounds=rounds)
        evidence = evidence_of(
            events,
            last,
            judged,
            guard,
            most_users=options.judged_users,
            seed=seed,
            threads=options.threads,
        )
    progress(f"Growing {rounds} trees on all weeks")
    final = grow(parts, options, seed=seed, depth=depth, rounds=rounds)
    learned = _learn(events, popularity, today, options)
    manifest = {
        **described(events, business_date, options.numbers),
        **_learned_from(events, days, parts, options.numbers.window_days),
        "seed": seed,
        GUARD: guard,
        "popularity": {"days": learned.popular_days, "ndcg@10": popularity.scored(today)},
        "params": {**asdict(options), "depth": depth, "rounds": rounds},
        "metrics": {"held_out": {name: evidence.get(name, {}) for name in ("all", "new")}},
        "evidence": evidence,
    }
    files = {FILE: learned.to_bytes()}
    return Trained(bytes(final.save_raw("ubj")), manifest, files, parts[-1].features, nights)


def _lists(
    events: Events,
    popularity: Popularity,
    today: int,
    *,
    seed: int,
    options: Options,
    progress: Progress,
    noted: Callable[[Day], None],
) -> tuple[list[int], list[Examples], tuple[Day, Day]]:
    """The days, in order, the lists of each, and the last two days, which choose and judge.

    The newest first; more weeks than usual where these give too few lists. ``noted`` gets each day,
    which has all users and takes too much memory to be kept.
    """
    days = list_days(
        events, today, max(options.weeks, options.most_weeks), options.numbers.window_days
    )
    parts: list[Examples] = []
    newest: list[Day] = []
    for day in reversed(days):
        found = sum(part.returning for part in parts)
        wanted = options.enough if len(parts) == options.weeks else options.lists
        if len(parts) >= options.weeks and found >= wanted:
            break
        progress(f"Making lists of {EPOCH + timedelta(days=day)} ({found:,} so far)")
        at = _day(events, popularity, day, options)
        newest = [*newest, at][:2]
        noted(at)
        parts.append(_examples_of(events, at, seed, options))
    last, before = newest
    return days[-len(parts) :], parts[::-1], (before, last)


def list_days(
    events: Events, today: int, weeks: int, window: int = DEFAULT.window_days
) -> list[int]:
    """Days as of which lists are made, the last a window before today. Raises ``NoData``."""
    bought = events.day[(events.weight >= PURCHASE) & (events.user != UNKNOWN_USER)]
    first = int(bought.min()) if len(bought) else today + 1
    days_known = today - first + 1
    days = [today - window * (n + 1) for n in range(weeks)]
    days = [day for day in reversed(days) if day - first >= LEAST_HISTORY]
    if len(days) < LEAST_WEEKS:
        raise NoData(
            f"There are {days_known} days of purchases of known users up to "
            f"{EPOCH + timedelta(days=today)}; the recommendations learn from "
            f"{LEAST_HISTORY + LEAST_WEEKS * window + 1} or more.",
            remedy="Load more history, or choose a later business date.",
        )
    return days


def choose(
    parts: Sequence[Examples], held_out: Examples, options: Options, *, seed: int
) -> tuple[int, int, float, xgb.Booster]:
    """Depth and number of the trees that do best on ``held_out``, their NDCG@10, and these."""
    ranker = options.ranker
    data = _matrix(joined(parts), options)
    check = _matrix(held_out, options, data)
    found = []
    for depth in ranker.depths:
        parameters = ranker.parameters(depth, seed, options.threads)
        # One week is noisy and would stop training far too soon, so it is looked at late.
        sapling = xgb.train(parameters, data, ranker.least_rounds)
        grown = xgb.train(
            parameters,
            data,
            max(ranker.rounds - ranker.least_rounds, 1),
            xgb_model=sapling,
            evals=[(check, "held_out")],
            early_stopping_rounds=ranker.patience,
            verbose_eval=False,
        )
        rounds = grown.best_iteration + 1
        found.append((depth, rounds, float(grown.best_score), grown[:rounds]))
    return max(found, key=lambda one: one[2])


def grow(
    parts: Sequence[Examples], options: Options, *, seed: int, depth: int, rounds: int
) -> xgb.Booster:
    """Fit the ranker."""
    parameters = options.ranker.parameters(depth, seed, options.threads)
    return xgb.train(parameters, _matrix(joined(parts), options), rounds)


def _day(events: Events, popularity: Popularity, day: int, options: Options) -> Day:
    known = until(events, day)
    learned = _learn(known, popularity, day, options)
    return day_of(known, day, learned, options.numbers)


def _learn(known: Events, popularity: Popularity, day: int, options: Options) -> Learned:
    """From the events up to the day."""
    learned = learn(known, options.kernels, options.numbers, threads=options.threads)
    return replace(learned, popular_days=popularity.days(day))


def _examples_of(events: Events, at: Day, seed: int, options: Options) -> Examples:
    return examples(
        events,
        at,
        users=options.users,
        negatives=options.negatives,
        sessions=options.sessions,
        generator=np.random.default_rng([seed, at.day]),
    )


def _check(parts: Sequence[Examples], business_date: date) -> None:
    if not (len(parts[-1]) and len(parts[-2]) and any(len(part) for part in parts[:-2])):
        raise NoData(
            f"In the last week up to {business_date}, in the one before it, or in all weeks before "
            "these, no known user bought any candidate.",
            remedy="Load purchases of known users (`user_id`), or choose another business date.",
            business_date=business_date.isoformat(),
        )


def _matrix(
    rows: Examples, options: Options, ref: xgb.QuantileDMatrix | None = None
) -> xgb.QuantileDMatrix:
    return xgb.QuantileDMatrix(
        rows.features,
        rows.bought,
        group=rows.sizes,
        feature_names=list(FEATURES),
        max_bin=options.ranker.bins,
        nthread=options.threads,
        ref=ref,
    )


def _learned_from(
    events: Events, days: Sequence[int], parts: Sequence[Examples], window: int
) -> dict[str, Any]:
    return {
        "objective": {"name": "rank:ndcg", "base_score": 0, "target": "bought within the window"},
        "window": {
            "days": window,
            "first_list": (EPOCH + timedelta(days=days[0])).isoformat(),
            "last_list": (EPOCH + timedelta(days=days[-1])).isoformat(),
            "lists": int(sum(len(part.sizes) for part in parts)),
            "rows": int(sum(len(part) for part in parts)),
            "events": len(events),
            "users": len(np.unique(events.user[events.user != UNKNOWN_USER])),
            "items": len(events.item_ids),
        },
    }
