"""Training, its evidence and the gate, on small shops."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import threadpoolctl
import xgboost as xgb

from daybreak.errors import NoData
from daybreak.facts.events import Events
from daybreak.histogram import Name
from daybreak.models.base import Trained
from daybreak.models.recommendations.features.assemble import FEATURES, assemble
from daybreak.models.recommendations.features.candidates import (
    candidates,
    record_column,
    record_user,
)
from daybreak.models.recommendations.features.catalogue import (
    EPOCH,
    Catalogue,
    build_catalogue,
    item_days,
)
from daybreak.models.recommendations.features.cells import row_numbers, until, where
from daybreak.models.recommendations.features.histories import LAYOUT, RECORD, histories
from daybreak.models.recommendations.features.learned import FILE, Learned
from daybreak.models.recommendations.formulas import HISTORIES
from daybreak.models.recommendations.learn import baselines as baselines_module
from daybreak.models.recommendations.learn import nights as nights_module
from daybreak.models.recommendations.learn import train as train_module
from daybreak.models.recommendations.learn.baselines import BASELINES, LENGTH, baselines
from daybreak.models.recommendations.learn.day import Day, day_of
from daybreak.models.recommendations.learn.evaluate import (
    MEASURES,
    ceiling,
    differences,
    evaluate,
    model_lister,
    pooled,
    trees,
)
from daybreak.models.recommendations.learn.gate import (
    against_baselines,
    best_source,
    deciding,
    judge,
)
from daybreak.models.recommendations.learn.held_out import readings
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from daybreak.models.recommendations.learn.nights import as_a_night
from daybreak.models.recommendations.learn.popularity import Popularity
from daybreak.models.recommendations.learn.train import (
    Options,
    Ranker,
    choose,
    grow,
    list_days,
    train_events,
)
from daybreak.models.recommendations.lists import best, square
from daybreak.models.recommendations.model import MODEL
from daybreak.models.recommendations.numbers import published
from daybreak.monitoring.drift.figures import Figure, Night, figures_of
from daybreak.monitoring.drift.reference import from_manifest, to_manifest
from daybreak.registry.artifact import Artifact
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.histograms import of_nights
from random_events import DAY, TODAY, ago, firsts_only, purchases, random_events, with_later

pytestmark = pytest.mark.slow  # trains

WINDOW = 7

QUICK = Options(
    weeks=3,
    enough=0,
    negatives=10,
    sessions=10,
    threads=1,
    kernels=Kernels(neighbours=8),
    ranker=Ranker(rounds=8, least_rounds=4, patience=2, depths=(3,), least_weight=1.0),
)


@pytest.fixture(scope="module")
def events() -> Events:
    return random_events(51, users=40, items=40, events=3000)


@pytest.fixture(scope="module")
def trained(events: Events) -> Trained:
    return train_events(events, TODAY, options=QUICK)


@pytest.fixture(scope="module")
def at(events: Events, trained: Trained) -> Day:
    return day_of(events, DAY, Learned.from_bytes(trained.files[FILE]))


def artifact(trained: Trained, version: str = "v1", **changes: Any) -> Artifact:
    manifest = copy.deepcopy(trained.manifest) | changes
    return Artifact("recommendations", version, trained.booster, manifest, trained.files)


def test_the_same_events_give_the_same_bytes(events: Events, trained: Trained) -> None:
    again = train_events(events, TODAY, options=QUICK)
    assert again.booster == trained.booster
    assert again.files == trained.files
    assert json.dumps(again.manifest) == json.dumps(trained.manifest)


def test_nights_are_what_the_days_of_the_lists_knew(events: Events, trained: Trained) -> None:
    first = TODAY - timedelta(days=WINDOW)
    expected = [first - timedelta(days=WINDOW * n) for n in range(QUICK.weeks)]
    assert [day.business_date for day, _ in trained.nights] == expected
    for day, rows in trained.nights:
        assert day.business_date is not None
        known = until(events, (day.business_date - EPOCH).days)
        catalogue = build_catalogue(item_days(known), day.business_date)
        assert Catalogue.from_context(day.context).item_id.tolist() == catalogue.item_id.tolist()
        whole = histories(known, day.business_date)
        assert rows.keys[0].tolist() == whole.keys[0].tolist(), "there are fewer than are kept"
        assert rows.values.tobytes() == whole.values.tobytes()
        assert rows.records.tobytes() == whole.records.tobytes()


def test_of_many_users_of_a_night_some_are_kept(at: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights_module, "USERS_OF_A_NIGHT", 10)
    (_, some), (_, again) = (as_a_night(at, published({}), 7) for _ in range(2))
    place = [at.rows.keys[0].tolist().index(user) for user in some.keys[0]]
    assert len(place) == len(set(place)) == 10
    assert place == sorted(place) != list(range(10))
    assert some.keys[0].tolist() == again.keys[0].tolist()
    assert some.records.tobytes() == at.rows.rows_at(place).records.tobytes()


def test_a_night_is_compared_with_the_training(trained: Trained, at: Day) -> None:
    """What is as it was is near; a price in another unit is far, and an alarm at once."""
    engine = Predictor(artifact(trained), threads=1)
    kept = to_manifest(of_nights(MODEL, engine, trained.nights))
    training = from_manifest({"drift": [one for one in kept if one["kind"] != "key"]})
    names = {name.name for name in training if name.kind == "feature"}
    assert names == {*LAYOUT, *(f"record_{name}" for name in RECORD)}
    assert {name.name for name in training if name.kind == "row"} == {*FEATURES}
    assert Name("score", "score") in training

    def of(price: float) -> dict[Name, Figure]:
        rows = replace(at.rows, values=at.rows.values.copy())
        rows.values[:, LAYOUT.index("user_price")] *= price
        day, _ = as_a_night(at, published({}), 7)
        night = Night(len(rows), of_nights(MODEL, engine, [(day, rows)]))
        return {Name(one.kind, one.name): one for one in figures_of(night, [], training, {})}

    usual, far = of(1.0), of(1000.0)
    price, score = Name("feature", "user_price"), Name("score", "score")
    assert usual[price].psi_training is not None
    assert usual[price].psi_training < 0.5
    assert (far[price].psi_training or 0) > 5
    assert usual[score].psi_training is not None
    assert (usual[price].state, far[price].state) == ("quiet", "alarm")


def test_who_does_not_ask_for_evidence_gets_the_same_trees(
    events: Events, trained: Trained
) -> None:
    unjudged = train_events(events, TODAY, options=QUICK, judge=False)
    assert unjudged.booster == trained.booster
    assert unjudged.manifest["evidence"] == {}
    assert trained.manifest["evidence"] != {}


def test_events_after_the_day_change_nothing(events: Events, trained: Trained) -> None:
    again = train_events(with_later(events, 52), TODAY, options=QUICK)
    assert again.booster == trained.booster
    assert again.files == trained.files
    assert again.manifest == trained.manifest


def test_the_manifest_says_what_was_learned(trained: Trained) -> None:
    manifest = json.loads(json.dumps(trained.manifest))
    assert manifest["features"] == [{"name": name, "dtype": "float32"} for name in FEATURES]
    assert manifest["layout"]["values"] == list(LAYOUT)
    assert manifest["layout"]["record"] == list(RECORD)
    assert manifest["objective"]["base_score"] == 0
    assert manifest["trained_through"] == TODAY.isoformat()
    assert manifest["window"]["last_list"] == ago(WINDOW).isoformat()
    assert manifest["params"]["kernels"]["neighbours"] == 8
    assert list(manifest["guard"]) == list(HISTORIES)
    session = manifest["evidence"]["session"]
    assert session["baskets"] > 40
    assert session["difference"] == pytest.approx(session["model"] - session["popularity"])
    assert manifest["evidence"]["users_first_day"] == 0, "nobody comes for the first time there"
    assert manifest["popularity"]["ndcg@10"].keys() == {"3", "7", "14", "28", "90"}
    learned = Learned.from_bytes(trained.files[FILE])
    assert manifest["popularity"]["days"] == learned.popular_days
    assert set(manifest["evidence"]["all"]) == {"model", *BASELINES}
    assert set(manifest["metrics"]["held_out"]["new"]["model"]) == set(MEASURES)


def test_the_booster_has_no_base_of_its_own(trained: Trained, at: Day) -> None:
    booster = xgb.Booster(model_file=bytearray(trained.booster))
    assert booster.feature_names == list(FEATURES)
    found = candidates(at.rows, at.catalogue, at.learned)
    features = assemble(at.rows, at.catalogue, at.learned, found)[:50]
    margins = booster.inplace_predict(features, predict_type="margin")
    leaves = booster.predict(xgb.DMatrix(features, feature_names=list(FEATURES)), pred_leaf=True)
    trees = booster.trees_to_dataframe()
    values = {
        (tree, node): gain
        for tree, node, gain in zip(trees["Tree"], trees["Node"], trees["Gain"], strict=True)
    }
    summed = [
        sum(values[tree, int(leaf)] for tree, leaf in enumerate(np.atleast_1d(row)))
        for row in leaves
    ]
    np.testing.assert_allclose(margins, summed, atol=1e-5)


def test_too_little_history_is_refused(events: Events) -> None:
    short = where(events, events.day > DAY - 20)
    with pytest.raises(NoData, match="learn from 36 or more"):
        train_events(short, TODAY, options=QUICK)
    for days, weeks in ((36, 3), (35, 0)):
        known = where(events, events.day > DAY - days)
        assert known.day.min() == DAY - days + 1
        if weeks:
            assert len(list_days(known, DAY, 5)) == weeks
        else:
            with pytest.raises(NoData, match=f"There are {days} days"):
                list_days(known, DAY, 5)
    assert list_days(events, DAY, 3) == [DAY - 21, DAY - 14, DAY - 7]


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_weeks_in_which_nobody_came_back_are_refused(events: Events, empty: int) -> None:
    first = DAY - (empty + 1) * WINDOW  # of three weeks to learn from, to choose and to judge by
    known = where(events, (events.day <= first) | (events.day > first + WINDOW))
    with pytest.raises(NoData, match=r"In the last week up to .* no known user bought"):
        train_events(known, TODAY, options=replace(QUICK, sessions=0))


def test_no_week_judges_the_trees_that_it_chose(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    chose: list[tuple[int, int]] = []
    grown: list[tuple[int, int, int]] = []

    def choosing(parts: Any, held_out: Any, *args: Any, **kw: Any) -> Any:
        chose.append((len(parts), len(held_out)))
        return choose(parts, held_out, *args, **kw)

    def growing(parts: Any, *args: Any, depth: int, rounds: int, **kw: Any) -> Any:
        grown.append((len(parts), depth, rounds))
        return grow(parts, *args, depth=depth, rounds=rounds, **kw)

    monkeypatch.setattr(train_module, "choose", choosing)
    monkeypatch.setattr(train_module, "grow", growing)
    ranker = replace(QUICK.ranker, depths=(4, 2), rounds=60, least_rounds=1, patience=4)
    options = replace(QUICK, ranker=ranker)
    found = train_events(events, TODAY, options=options).manifest
    depth, rounds = found["params"]["depth"], found["params"]["rounds"]
    assert depth in {4, 2}
    assert 1 <= rounds < 60
    assert [parts for parts, _ in chose] == [1]
    assert grown == [(2, depth, rounds), (3, depth, rounds)]

    late = events.day > DAY - WINDOW
    other = replace(events, item=np.where(late, events.item[::-1], events.item))
    again = train_events(other, TODAY, options=options).manifest
    assert (again["params"]["depth"], again["params"]["rounds"]) == (depth, rounds)
    assert again["evidence"]["all"]["model"] != found["evidence"]["all"]["model"]


def test_the_depth_is_the_one_that_does_best_on_the_week_before_the_last(events: Events) -> None:
    popularity = Popularity(events, QUICK.numbers)
    days = [
        train_module._examples_of(
            events, train_module._day(events, popularity, day, QUICK), 7, QUICK
        )
        for day in list_days(events, DAY, 3)
    ]
    *learned_from, check = days

    def best(*depths: int) -> tuple[int, int, float]:
        options = replace(QUICK, ranker=replace(QUICK.ranker, depths=depths))
        return choose(learned_from, check, options, seed=7)[:3]

    deep, shallow = best(5), best(1)
    assert deep[2] != shallow[2]
    assert best(5, 1) == best(1, 5) == max(deep, shallow, key=lambda one: one[2])


def test_a_shop_of_few_customers_is_learned_from_over_more_weeks(events: Events) -> None:
    def weeks(**options: int) -> tuple[int, int]:
        window = train_events(events, TODAY, options=replace(QUICK, **options)).manifest["window"]
        first, last = (date.fromisoformat(window[name]) for name in ("first_list", "last_list"))
        return (last - first).days // 7 + 1, window["lists"]

    few, lists = weeks()
    assert few == QUICK.weeks
    assert weeks(enough=lists)[0] == few
    assert weeks(enough=lists + 1, lists=lists + 1)[0] == few + 1
    more, found = weeks(enough=lists + 1, lists=lists * 5 // 3)
    assert few + 1 < more < 6
    assert found >= lists * 5 // 3
    assert weeks(enough=10**9, lists=10**9, most_weeks=5)[0] == 5
    assert weeks(enough=10**9, lists=10**9)[0] == 6, "as many as there are"


def test_a_shop_whose_buyers_nobody_knows_teaches_nothing(events: Events) -> None:
    nobody = where(events, events.user < 0)
    with pytest.raises(NoData, match="There are 0 days of purchases of known users"):
        train_events(nobody, TODAY, options=replace(QUICK, sessions=0))


def test_equal_margins_stand_in_order_of_item(at: Day) -> None:
    found = candidates(at.rows, at.catalogue, at.learned)
    margins = np.round(np.sin(np.arange(len(found))), 1).astype(np.float32)
    items = square(found, best(found, margins, 7), 7)
    user = row_numbers(found.offsets)
    for place in range(len(at.rows)):
        mine = np.flatnonzero(user == place)
        order = sorted(mine, key=lambda row: (-margins[row], found.item[row]))[:7]
        assert items[place].tolist() == found.item[order].tolist()


def test_single_sources_do_what_their_names_say(events: Events, at: Day) -> None:
    listers = baselines(events, at, seed=7, threads=1)
    assert set(listers) == set(BASELINES)
    users = np.arange(len(at.rows))
    eligible = set(np.flatnonzero(at.catalogue.eligible).tolist())
    assert at.rows.offsets is not None
    owner = row_numbers(at.rows.offsets)
    item = record_column(at.rows, "item").astype(int)
    bought = record_column(at.rows, "bought") > 0
    by_sales = at.catalogue.popular_in(at.learned.popular_days).tolist()
    had = {u: set(item[(owner == u) & bought].tolist()) for u in users}
    for name, lister in listers.items():
        for new_only in (False, True):
            items = lister(users, new_only)
            assert items.shape == (len(users), LENGTH)
            for user, row in zip(users, items.tolist(), strict=True):
                mine = had[user] & eligible
                shown = [one for one in row if one >= 0]
                assert len(set(shown)) == len(shown)
                assert set(shown) <= eligible
                left = eligible - mine if new_only else eligible
                assert len(shown) == min(LENGTH, len(left)), "best sellers fill it up"
                if new_only:
                    assert not set(shown) & mine
                elif name.startswith("repeat"):
                    own = min(LENGTH, len(mine))
                    assert set(shown[:own]) <= mine
                    filled = [one for one in by_sales if one not in mine][: LENGTH - own]
                    assert shown[own:] == filled
    last = record_column(at.rows, "last")
    first_shown = listers["repeat_last"](users, False)[:, 0]
    for user, shown in zip(users, first_shown, strict=True):
        mine = (owner == user) & bought & at.catalogue.eligible[item]
        if mine.any():
            assert last[mine & (item == shown)][0] == last[mine].min()
    buyers = at.catalogue.statistic(f"item_buyers_{at.learned.popular_days}")
    assert (np.diff(buyers[by_sales]) <= 0).all()
    assert listers["popularity"](users, False).tolist() == [by_sales[:LENGTH]] * len(users)


def test_what_was_bought_alike_stands_in_order_of_sales() -> None:
    """Worked by hand: one user bought a, b and c on one day; b sold best since, then c, then d."""
    bought = [("u", item, 10) for item in "abc"]
    bought += [(f"v{n}", item, 3) for item, times in zip("bcd", (3, 2, 1), strict=True)
               for n in range(times)]  # fmt: skip
    known = purchases(bought)
    day = day_of(known, DAY, learn(known, QUICK.kernels, threads=1))
    names = day.catalogue.item_id
    user = np.flatnonzero(day.rows.keys[0] == "u")
    lists = baselines(known, day, seed=7, threads=1)
    for name in ("repeat", "repeat_last"):
        assert names[lists[name](user, False)[0][:4]].tolist() == ["b", "c", "a", "d"]
        new = lists[name](user, True)[0]
        assert names[new[new >= 0]].tolist() == ["d"]


def test_single_sources_know_nothing_of_later_days(events: Events, at: Day) -> None:
    users = np.arange(len(at.rows))
    now = baselines(events, at, seed=7, threads=1)
    then = baselines(with_later(events, 53), at, seed=7, threads=1)
    for name in BASELINES:
        assert now[name](users, False).tolist() == then[name](users, False).tolist()


def test_als_multiplies_on_one_thread_of_blas(
    events: Events, at: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several threads add up in another order, and equal scores then stand in another order."""
    limits: list[tuple[Any, ...]] = []

    def watched(*args: Any) -> Any:
        limits.append(args)
        return threadpoolctl.ThreadpoolController().limit(limits=args[0], user_api=args[1])

    monkeypatch.setattr(baselines_module, "threadpool_limits", watched)
    lister = baselines(events, at, seed=7, threads=1)["als"]
    limits.clear()
    lister(np.arange(3), False)
    assert limits == [(1, "blas")]


def test_measures_pool_users_and_the_ceiling_is_a_recall(events: Events) -> None:
    known = until(events, DAY - WINDOW)
    learned = Learned.from_bytes(train_events(known, ago(WINDOW), options=QUICK).files[FILE])
    before = day_of(known, DAY - WINDOW, learned)
    listers = baselines(known, before, seed=7, threads=1)
    found = evaluate(before, readings(events, before), listers)
    few = evaluate(before, readings(events, before, 5), listers)
    most = ceiling(before, events)
    for reading in ("all", "new"):
        assert len(found[reading]["als"]["ndcg@10"]) == len(most[reading])
        assert len(few[reading]["als"]["ndcg@10"]) == 5
        assert 0 < most[reading].mean() <= 1
        for name in BASELINES:
            # No list of items on sale holds more than all candidates do.
            assert pooled([found[reading][name]])["recall@20"] <= most[reading].mean() + 1e-9
    both = pooled([found["all"]["als"], few["all"]["als"]])
    values = [found["all"]["als"]["map@12"], few["all"]["als"]["map@12"]]
    assert both["map@12"] == pytest.approx(np.concatenate(values).mean())


def test_a_lister_of_the_model_says_what_its_margins_say(trained: Trained, at: Day) -> None:
    booster = xgb.Booster(model_file=bytearray(trained.booster))
    users = np.array([4, 1])
    items = model_lister(trees(booster), at)(users, False)
    alone = model_lister(trees(booster), at)(users[1:], False)
    assert items.shape == (2, LENGTH)
    assert items[1].tolist() == alone[0].tolist()

    new = model_lister(trees(booster), at)(users, True)
    for user, row in zip(users, new, strict=True):
        mine = record_user(at.rows) == user
        had = record_column(at.rows, "item")[mine & (record_column(at.rows, "bought") > 0)]
        assert not set(row.tolist()) & set(had.astype(int).tolist())


def evidence(trained: Trained, **ndcg: float) -> dict[str, Any]:
    """What the version's own week says, with NDCG@10 of ``all`` set by name."""
    found = copy.deepcopy(trained.manifest["evidence"])
    for name, value in ndcg.items():
        found["all"][name]["ndcg@10"] = value
    for name in BASELINES:
        gap = found["all"]["model"]["ndcg@10"] - found["all"][name]["ndcg@10"]
        found["paired"]["all"][name] = {"difference": gap, "standard_error": 0.01}
    found["session"] |= {"difference": 0.0}
    return found


def test_the_gate_lets_the_first_good_version_pass(events: Events, trained: Trained) -> None:
    found = evidence(trained, model=1.0)
    verdict = judge(lambda: events, TODAY, artifact(trained, evidence=found), None)
    assert verdict.passed
    assert "NDCG@10 1.000" in verdict.reason
    assert f"{found['users']} users" in verdict.reason
    assert "standard error 0." in verdict.reason
    json.dumps(verdict.evidence)


def test_the_gate_refuses_what_a_single_source_beats(events: Events, trained: Trained) -> None:
    found = evidence(trained, model=0.5, als=0.99)
    verdict = judge(lambda: events, TODAY, artifact(trained, evidence=found), None)
    assert not verdict.passed
    assert "NDCG@10 0.500 is clearly under 0.990 of als" in verdict.reason


@pytest.mark.parametrize(("als", "passes"), [(0.515, True), (0.519, True), (0.521, False)])
def test_the_gate_does_not_refuse_what_is_uncertain(
    events: Events, trained: Trained, als: float, passes: bool
) -> None:
    others = dict.fromkeys(BASELINES, 0.3)
    found = evidence(trained, model=0.5, **(others | {"als": als}))
    assert (against_baselines(found) == []) == passes


@pytest.mark.parametrize(
    ("gap", "error", "passes"),
    [(0.02, 0.01, True), (0.01, 0.01, False), (0.0, 0.0, False), (0.5, None, False)],
)
@pytest.mark.parametrize("with_session", [0.02, 0.01])
def test_the_gate_refuses_what_is_not_clearly_better_than_popularity(
    trained: Trained, gap: float, error: float | None, passes: bool, with_session: float
) -> None:
    found = evidence(trained, model=1.0)
    found["session"] |= {"difference": with_session, "standard_error": 0.01}
    found["paired"]["all"]["popularity"] = {"difference": gap, "standard_error": error}
    reasons = against_baselines(found)
    assert (reasons == []) == (passes or with_session > 0.01)
    assert not reasons or "not clearly above" in reasons[0]


def test_where_nothing_is_bought_twice_what_is_new_decides(
    events: Events, trained: Trained
) -> None:
    assert trained.manifest["evidence"]["repeat_share"] > 0.05
    found = evidence(trained, model=1.0, als=0.0) | {"repeat_share": 0.0}
    found["new"]["model"]["ndcg@10"], found["new"]["als"]["ndcg@10"] = 0.5, 0.6
    found["paired"]["new"]["als"] = {"difference": -0.1, "standard_error": 0.04}
    refused = judge(lambda: events, TODAY, artifact(trained, evidence=found), None)
    assert not refused.passed
    assert "NDCG@10 of what is new 0.500 is clearly under 0.600 of als" in refused.reason
    assert f"{found['users_new']} users" in refused.reason
    assert refused.headline is not None
    assert (refused.headline.value, refused.headline.baseline) == (0.5, "als")

    same = {name: dict.fromkeys(MEASURES, 0.4) for name in ("model", *BASELINES)}
    assert best_source(same) == "popularity"

    first = firsts_only(events)
    once = train_events(first, TODAY, options=QUICK).manifest["evidence"]
    assert once["repeat_share"] == 0.0
    assert deciding(once) == "new"
    assert once["users"] == once["users_new"]


def of_first_days(trained: Trained, once: float, gap: float, popular: float) -> dict[str, Any]:
    """Ours and BM25's lists of first days differ by ``gap``, those of all from popularity's."""
    found = evidence(trained, model=1.0) | {"once_share": once, "users_first_day": 30}
    found["first_day"] = {name: dict.fromkeys(MEASURES, 0.2) for name in ("model", *BASELINES)}
    found["first_day"]["bm25"]["ndcg@10"] = 0.2 - gap
    for name in BASELINES:
        found["paired"]["first_day"][name] = {"difference": gap, "standard_error": 0.01}
    found["paired"]["all"]["popularity"] = {"difference": popular, "standard_error": 0.01}
    return found


@pytest.mark.parametrize(
    ("once", "gap", "popular", "why_not"),
    [
        (0.6, -0.021, 0.5, "last items of a first day 0.200 is clearly under 0.221 of bm25"),
        (0.4, -0.021, 0.5, ""),
        (0.6, -0.019, 0.5, ""),
        (0.6, 0.1, 0.005, ""),  # as good as popularity, and clearly better on first days
        (0.4, 0.1, 0.005, "not clearly above"),
        (0.6, 0.0, 0.005, "not clearly above"),
    ],
)
def test_where_users_come_once_lists_of_first_days_are_judged_too(
    trained: Trained, once: float, gap: float, popular: float, why_not: str
) -> None:
    reasons = against_baselines(of_first_days(trained, once, gap, popular))
    assert len(reasons) == bool(why_not)
    assert why_not in "".join(reasons)


def test_the_evidence_pairs_the_lists_of_each_user() -> None:
    """Worked by hand: gaps 0.3, -0.1 and 0.1 have a mean of 0.1 and a deviation of 0.2."""
    ours, theirs = np.array([0.5, 0.2, 0.4]), np.array([0.2, 0.3, 0.3])
    found = differences({"model": {"ndcg@10": ours}, "als": {"ndcg@10": theirs}})
    assert found.keys() == {"als"}
    assert found["als"]["difference"] == pytest.approx(0.1)
    assert found["als"]["standard_error"] == pytest.approx(0.2 / 3**0.5)
    lone = differences({"model": {"ndcg@10": ours[:1]}, "als": {"ndcg@10": theirs[:1]}})
    assert lone["als"]["standard_error"] is None


def test_the_gate_compares_only_on_weeks_new_to_the_champion(
    events: Events, trained: Trained
) -> None:
    good = evidence(trained, model=1.0)
    challenger = artifact(trained, "v2", evidence=good)
    verdict = judge(lambda: events, TODAY, challenger, artifact(trained))
    assert not verdict.passed
    assert "they cannot be compared" in verdict.reason

    older = train_events(events, ago(WINDOW), options=QUICK)
    verdict = judge(lambda: events, TODAY, challenger, artifact(older))
    assert verdict.passed
    against = verdict.evidence["against_champion"]
    assert against["version"] == "v1"
    assert 0 < against["all"]["ndcg@10"] < 1

    best_single = max(good["all"][name]["ndcg@10"] for name in BASELINES)
    theirs = against["all"]["ndcg@10"]
    good["all"]["model"]["ndcg@10"] = 0.9 * theirs
    for name in BASELINES:
        good["all"][name]["ndcg@10"] = min(best_single, 0.5 * theirs)
    verdict = judge(lambda: events, TODAY, artifact(trained, "v2", evidence=good), artifact(older))
    assert not verdict.passed
    assert "clearly under the champion's" in verdict.reason


def test_a_champion_of_other_features_does_not_stand_in_the_way(
    events: Events, trained: Trained
) -> None:
    good = evidence(trained, model=1.0)
    old = artifact(trained, "v0", features=[{"name": "x", "dtype": "float32"}])
    verdict = judge(lambda: events, TODAY, artifact(trained, "v2", evidence=good), old)
    assert verdict.passed
    assert "other features" in verdict.evidence["against_champion"]["why_not"]


def test_a_week_without_known_buyers_proves_nothing(events: Events, trained: Trained) -> None:
    found = trained.manifest["evidence"] | {"users": 0, "users_new": 0}
    verdict = judge(lambda: events, TODAY, artifact(trained, evidence=found), None)
    assert not verdict.passed
    assert "no known user bought" in verdict.reason
