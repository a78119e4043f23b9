"""What is measured of a week, and in which classes of users a formula has a say."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.facts.events import Events
from daybreak.models.base import Float32
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.candidates import record_offsets
from daybreak.models.recommendations.features.cells import until, where
from daybreak.models.recommendations.features.histories import LAYOUT
from daybreak.models.recommendations.formulas import FORMULAS, HISTORIES
from daybreak.models.recommendations.learn import guard as guard_module
from daybreak.models.recommendations.learn.baselines import baselines
from daybreak.models.recommendations.learn.day import Day, bought_after, day_of
from daybreak.models.recommendations.learn.evaluate import evaluate, model_lister, with_sessions
from daybreak.models.recommendations.learn.first_days import first_days, newcomers
from daybreak.models.recommendations.learn.guard import guard_of
from daybreak.models.recommendations.learn.held_out import HeldOut, held_out, readings
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import DAY, random_events

BEFORE = DAY - 7
KERNELS = Kernels(neighbours=8)


@pytest.fixture(scope="module")
def events() -> Events:
    """Of 90 users, a third came in the window only, a third on one day before it, and again.

    Of the others a half came on three days before it.
    """
    found = random_events(81, users=90, items=40, events=20_000)
    kind = found.user % 3
    kept = (found.user < 0) | ((kind == 2) & (found.user % 2 == 0))
    kept |= (kind == 2) & ((found.day > BEFORE) | (found.day % 17 == 3))
    kept |= (kind == 0) & (found.day > BEFORE)
    kept |= (kind == 1) & ((found.day == DAY - 8 - found.user % 40) | (found.day > DAY - 3))
    return where(found, kept)


@pytest.fixture(scope="module")
def at(events: Events) -> Day:
    known = until(events, BEFORE)
    return day_of(known, BEFORE, learn(known, KERNELS, threads=1))


@pytest.fixture(scope="module")
def week(events: Events, at: Day) -> HeldOut:
    return held_out(events, at, most=1000, seed=7)


def lists_of(week: HeldOut, reading: str) -> list[tuple[str, list[int]]]:
    asked = week.asked[reading]
    wanted = np.split(asked.relevant.item, asked.relevant.offsets[1:-1])
    names = week.at.rows.keys[0][asked.users]
    return [(str(name), items.tolist()) for name, items in zip(names, wanted, strict=True)]


def test_all_who_bought_are_measured(events: Events, at: Day, week: HeldOut) -> None:
    for reading, new_only in (("all", False), ("new", True)):
        again = bought_after(events, at, new_only=new_only)
        back = [
            (str(name), items.tolist())
            for name, items in zip(
                at.rows.keys[0], np.split(again.item, again.offsets[1:-1]), strict=True
            )
            if len(items)
        ]
        _, wanted = newcomers(events, at, 1000, np.random.default_rng(0))
        first = [("", items.tolist()) for items in np.split(wanted.item, wanted.offsets[1:-1])]
        assert len(back) > 20
        assert len(first) > 20
        assert lists_of(week, reading) == back + first
    rows, _ = first_days(events, at, 1000, np.random.default_rng([7, BEFORE]))
    assert [name for name, _ in lists_of(week, "first_day")] == rows.keys[0].tolist()
    visits = week.at.rows.values[:, LAYOUT.index("user_visits")]
    assert set(visits[week.asked["first_day"].users]) == {1}
    assert week.once_share == pytest.approx((visits[: len(at.rows)] == 1).mean(), abs=0.02)


def test_a_day_s_users_keep_their_records_among_the_others(at: Day, week: HeldOut) -> None:
    count, records = len(at.rows), len(at.rows.records)
    assert week.at.rows.values[:count].tobytes() == at.rows.values.tobytes()
    assert week.at.rows.records[:records].tobytes() == at.rows.records.tobytes()
    offsets = record_offsets(week.at.rows)
    assert offsets[: count + 1].tolist() == record_offsets(at.rows).tolist()
    assert offsets[-1] == offsets[-2] == len(week.at.rows.records)
    assert (np.diff(offsets)[count:-1] > 0).all()


def test_single_sources_know_the_histories_of_first_days(week: HeldOut) -> None:
    listers = baselines(week.known, week.at, seed=7, threads=1)
    users = week.asked["first_day"].users
    popular = listers["popularity"](users, True).tolist()
    assert listers["bm25"](users, True).tolist() != popular
    repeated = listers["repeat"](users, False)
    offsets = record_offsets(week.at.rows)
    for user, listed in zip(users, repeated, strict=True):
        mine = week.at.rows.records[offsets[user] : offsets[user + 1], 0]
        own = [item for item in mine.astype(int) if week.at.catalogue.eligible[item]]
        assert set(listed[: len(own)].tolist()) == set(own)


def test_only_so_many_lists_of_a_kind_are_measured(events: Events, at: Day) -> None:
    few = held_out(events, at, most=9, seed=7)
    assert len(few.asked["all"]) == 18
    assert len(few.asked["first_day"]) == round(9 * few.once_share)
    assert len(readings(events, at, 9)["new"]) == 9


def test_lists_for_sessions_are_measured_beside_what_is_popular(week: HeldOut) -> None:
    rows, begun, wanted = week.sessions
    found = with_sessions(week, lambda features: by("popular", features), {})
    assert found["model"]["ndcg@10"].tolist() == found["popularity"]["ndcg@10"].tolist()
    assert len(found["model"]["ndcg@10"]) == len(rows) > 50
    popular = week.at.catalogue.popular_in(week.at.learned.popular_days).tolist()
    for place in range(len(rows)):
        seen, rest = (
            of.item[of.offsets[place] : of.offsets[place + 1]].tolist() for of in (begun, wanted)
        )
        listed = [item for item in popular if item not in seen][:10]
        gain = sum(1 / np.log2(2 + n) for n, item in enumerate(listed) if item in rest)
        best = sum(1 / np.log2(2 + n) for n in range(min(len(rest), 10)))
        assert found["popularity"]["ndcg@10"][place] == pytest.approx(gain / best)


def test_nobody_came_for_the_first_time(events: Events, at: Day) -> None:
    known = np.isin(events.user, np.unique(events.user[events.day <= BEFORE]))
    week = held_out(where(events, known), at, most=1000, seed=7)
    assert len(week.asked["first_day"]) == 0
    assert "" not in dict(lists_of(week, "all"))
    users = sum(of["users"] for of in guard_of(week, "all", backwards).values())
    assert users == len(week.asked["all"])


def by(source: str, features: Float32) -> Float32:
    """As good as the source itself: what it names first, then what is popular."""
    rank, popular = (
        np.nan_to_num(features[:, FEATURES.index(f"rank_{name}")], nan=1e4)
        for name in (source, "popular")
    )
    return -(rank * 1e4 + popular)[:, None]


def backwards(features: Float32) -> Float32:
    return -by("popular", features)


def test_trees_that_are_worse_than_a_formula_leave_the_lists_to_it(week: HeldOut) -> None:
    guard = guard_of(week, "all", backwards)
    assert list(guard) == list(HISTORIES)
    for name, of in guard.items():
        assert of["users"] > 5, name
        assert of["baseline"] in FORMULAS
        assert of["trees"] < 0.5
        clear = of["standard_error"] is not None and of["difference"] > 2 * of["standard_error"]
        assert clear or name == "none", "there popularity has to be beaten, and is taken"
    manifest = {"guard": guard}
    found = evaluate(
        week.at,
        week.asked,
        {
            "guarded": model_lister(backwards, week.at, manifest),
            "alone": model_lister(backwards, week.at),
        },
    )
    for of in found.values():
        assert of["guarded"]["ndcg@10"].mean() > of["alone"]["ndcg@10"].mean()
    lists = sum(len(week.asked[name]) for name in ("all", "first_day"))
    assert sum(of["users"] for of in guard.values()) == lists


def test_trees_as_good_as_a_formula_are_left_alone(week: HeldOut) -> None:
    for source, name in (("popular", "popularity"), ("bm25", "bm25")):
        guard = guard_of(week, "all", lambda features, source=source: by(source, features))
        nobody = guard.pop("none")
        assert (nobody["baseline"], nobody["trees"], nobody["difference"]) == ("popularity", 0, 0)
        assert any(of["trees"] == 1 for of in guard.values())
        for of in guard.values():
            assert (of["trees"] == 1) == (of["difference"] == 0)
            assert of["trees"] == 1 or of["baseline"] != name


@pytest.mark.parametrize(
    ("back", "first", "trees"),
    [(0.1, 0.1, 0.5), (0.1, -0.01, 1.0), (-0.01, 0.1, 1.0), (0.1, None, 0.5), (None, 0.1, 0.5)],
)
def test_no_mixture_is_taken_that_loses_on_first_days_or_on_those_who_came_back(
    back: float | None, first: float | None, trees: float
) -> None:
    parts = [(gain, came) for gain, came in ((back, True), (first, False)) if gain is not None]
    came_back = np.repeat([came for _, came in parts], 50)
    gains = np.repeat([gain for gain, _ in parts], 50) + np.tile([0.005, -0.005], len(parts) * 25)
    alone = np.full(len(gains), 0.3)
    values = {("popularity", 1.0): alone, ("bm25", 0.5): alone + gains}
    found = guard_module._choice(values, came_back, "1 day")
    assert found["trees"] == trees
    assert found["users"] == len(gains)
    assert found["difference"] == pytest.approx(gains.mean() if trees < 1 else 0.0)


def test_with_a_history_a_mixture_has_to_be_clearly_better() -> None:
    """Worked by hand: gains of 0.3 and -0.1 by turns: a mean of 0.1, of 18 an error of 0.049."""
    alone, came_back = np.full(18, 0.3), np.ones(18, bool)
    values = {("popularity", 1.0): alone, ("popularity", 0.0): alone + np.tile([0.3, -0.1], 9)}
    clear = guard_module._choice(values, came_back, "2-5 days")
    assert (clear["trees"], clear["baseline"]) == (0.0, "popularity")
    assert clear["standard_error"] == pytest.approx(0.2 * (18 / 17) ** 0.5 / 18**0.5)
    fewer = {key: of[:16] for key, of in values.items()}
    assert guard_module._choice(fewer, came_back[:16], "2-5 days")["trees"] == 1
    one = {key: of[:1] for key, of in values.items()}
    assert guard_module._choice(one, came_back[:1], "1 day")["trees"] == 1


def test_of_one_day_popularity_is_taken_where_it_is_likely_better() -> None:
    """Gains of 0.25 and -0.15 by turns: a mean of 0.05, of 18 an error of 0.0485."""
    alone, came_back = np.full(18, 0.3), np.ones(18, bool)
    likely = alone + np.tile([0.25, -0.15], 9)

    def chosen(formula: str, name: str, count: int = 18) -> float:
        values = {("popularity", 1.0): alone, (formula, 0.5): likely}
        values = {key: of[:count] for key, of in values.items()}
        found = guard_module._choice(values, came_back[:count], name)
        assert (found["standard_error"] is None) == (found["trees"] == 1)
        return float(found["trees"])

    assert chosen("popularity", "1 day") == 0.5
    assert chosen("popularity", "1 day", 16) == 1, "an error of 0.0516"
    assert chosen("bm25", "1 day") == 1
    assert chosen("popularity", "2-5 days") == 1


def test_without_a_history_popularity_has_to_be_clearly_beaten() -> None:
    popular, back = np.full(18, 0.3), np.ones(18, bool)
    better = popular + np.tile([0.3, -0.1], 9)

    def chosen(trees: np.ndarray, half: np.ndarray, count: int = 18) -> tuple[str, float]:
        values = {
            ("popularity", 1.0): trees,
            ("popularity", 0.5): half,
            ("popularity", 0.0): popular,
            ("bm25", 0.0): popular + 0.5,
        }
        values = {key: of[:count] for key, of in values.items()}
        found = guard_module._choice(values, back[:count], "none")
        return found["baseline"], found["trees"]

    assert chosen(better, popular) == ("popularity", 1.0)
    assert chosen(popular, better) == ("popularity", 0.5)
    for count in (16, 1, 0):
        assert chosen(better, popular, count) == ("popularity", 0.0)
    assert chosen(popular - 0.1, popular - 0.1) == ("popularity", 0.0)
