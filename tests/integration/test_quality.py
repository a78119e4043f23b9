"""The bench of many shops: its numbers on a tiny one, and its simple methods by hand."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.quality import naives, report_lists
from benchmarks.quality.__main__ import SETS, tables
from benchmarks.quality.compare import beside, compare
from benchmarks.quality.known import Known, read_forecast, read_known, write_forecast
from benchmarks.quality.measures import added, effect_error, of_json, scored_cells, sums
from benchmarks.quality.outside import lists
from benchmarks.quality.past import SIMPLE, Asked, Past, lists_of, ndcg
from benchmarks.quality.report import BASELINE, OURS, TREES, TRUTH, pooled, ranks
from benchmarks.quality.report_lists import pooled as lists_pooled
from benchmarks.quality.run import measure_sales
from benchmarks.quality.run_lists import behind, measure_lists, past_of, questions
from benchmarks.quality.sets import ListsSet, SalesSet
from benchmarks.quality.sets.chains import Chain, prepare
from benchmarks.quality.warehouse import server
from scipy import sparse

from daybreak.facts.events import Events

ABOUT = {"date": "", "commit": "", "machine": ""}
TINY = SalesSet(
    "tiny", partial(prepare, Chain(1, stores=3, items=2, days=170, price=-1.0)), origins=2, apart=42
)


@pytest.mark.slow  # a PostgreSQL of its own
def test_a_shop_is_measured_from_its_files_on(tmp_path: Path) -> None:
    said: list[str] = []
    with server(tmp_path / "home") as running:
        found = measure_sales(TINY, running, tmp_path, tmp_path, said.append, methods=naives.NAIVES)
        loaded = [line for line in said if "rows read" in line]
        again = measure_sales(TINY, running, tmp_path, tmp_path, said.append, methods=())
        young = measure_sales(
            TINY, running, tmp_path, tmp_path, said.append, methods=("last_56",), history=70
        )

    assert [one["origin"] for one in found["origins"]] == ["2025-04-20", "2025-06-01"]
    measured = pooled(found)
    assert {OURS, TRUTH, *naives.NAIVES} <= set(measured)
    assert measured[TRUTH]["rows"] == 2 * 6 * 28
    assert all(measured[TRUTH]["wape"] < measured[name]["wape"] for name in naives.NAIVES)
    assert abs(found["origins"][0]["methods"][TRUTH]["promotion"]) < 1e-9
    # Too short to learn from: the best baseline answers, and no set is without a forecast.
    early, late = (one["methods"] for one in found["origins"])
    assert (early[OURS]["about"]["passed"], early[OURS]["about"]["baseline"]) == (
        False,
        "weekday_56",
    )
    assert TREES not in early
    assert early[OURS]["sums"] == early[BASELINE]["sums"]
    # Then the gate lets the trees through.
    assert late[OURS]["about"]["passed"]
    assert late[OURS]["sums"] == late[TREES]["sums"] != late[BASELINE]["sums"]
    # Ten weeks are too short to learn from at any origin, and others know no more of them.
    assert all(TREES not in one["methods"] for one in young["origins"])
    assert pooled(young)[OURS]["rows"] == measured[OURS]["rows"]
    assert pooled(young)["last_56"] == measured["last_56"], "it looks at no more"
    # What was loaded is not loaded twice.
    assert loaded == [line for line in said if "rows read" in line]
    assert pooled(again)[OURS] == measured[OURS]

    result = {"about": ABOUT, "sets": {"tiny": found}}
    json.dumps(result, allow_nan=False)
    assert tables(result).count("\n| ") > 12
    assert "| tiny | +0.0% | +0.0% | +0.0% |" in compare(result, result)


def few_people(folder: Path, data: Path) -> str:
    """Six weeks of 120 users; who bought bread and butter buys them again."""
    rng = np.random.default_rng(3)
    user, day = np.repeat(np.arange(120), 6), rng.integers(0, 45, 720)
    taste = user % 8
    item = np.where(rng.random(720) < 0.7, taste * 3 + rng.integers(0, 3, 720), 24 + user % 10)
    moment = np.datetime64("2025-01-01T12:00") + day.astype("m8[D]")
    frame = pd.DataFrame({"user": user, "item": item, "at": moment})
    frame["basket"] = frame["user"].astype(str) + "-" + day.astype(str)
    frame.drop_duplicates().to_parquet(folder / "events.parquet", index=False)
    columns = "event_at: at, user_id: user, item_id: item, basket_id: basket"
    return f"""\
name: few
interactions:
  files: ${{HERE}}/events.parquet
  columns: {{{columns}, kind: {{const: purchase}}}}
"""


@pytest.mark.slow  # a PostgreSQL of its own
def test_lists_are_measured_from_files_on(tmp_path: Path) -> None:
    few = ListsSet("few", few_people, windows=1)
    with server(tmp_path / "home") as running:
        found = measure_lists(few, running, tmp_path, tmp_path, lambda _: None, methods=SIMPLE)

    measured = lists_pooled(found)
    assert found["windows"][0]["as_of"] == "2025-02-07"
    assert found["windows"][0]["baskets"] > 3
    assert measured["repeat"]["all"] > measured["popularity_28"]["all"] > 0
    # Who buys the same again is listed it where it counts, and not where only what is new does.
    assert measured[OURS]["all"] > measured["repeat"]["all"]
    assert measured[OURS]["new"] > measured["repeat"]["new"]
    # Who is nobody has bought nothing before: what is popular.
    stranger = "session: stranger + session"
    assert measured["repeat"][stranger] == measured["popularity_28"][stranger]
    result = {"about": ABOUT, "sets": {"few": found}}
    json.dumps(result, allow_nan=False)
    assert tables(result).count("\n| ") > 8
    assert "| few | +0.0% | +0.0% |" in compare(result, result)


def test_lists_by_hand() -> None:
    # Items 0 to 3; user 0 had 0 and 1, user 1 had 1; nobody bought 3 within 90 days.
    columns = np.array([[0, 0, 90], [0, 1, 95], [1, 1, 99], [-1, 2, 99], [-1, 2, 99], [1, 3, 1]])
    user, item, day = columns.T
    basket = np.array([1, 2, 3, 4, 5, 6])
    past = Past(user, item, day, basket, 2, 4, 100, np.array([True, True, True, False]))
    assert past.buyers(28).tolist() == [1, 2, 2, 0]

    nothing = np.empty(0, np.int64)
    asked = Asked(np.array([0, 1, -1]), [nothing, nothing, np.array([1])], [], new=False)
    had = past.matrix()
    listed = lists_of(past, asked, SIMPLE["repeat"](past), had)
    assert listed[:, :3].tolist() == [[1, 0, 2], [1, 2, 0], [2, 0, -1]]
    new = Asked(asked.user, asked.session, [], new=True)
    assert lists_of(past, new, SIMPLE["popularity_28"](past), had)[0, 0] == 2

    # Bought first and third of two wanted: (1 + 1/2) / (1 + 1/log2 3).
    value = ndcg(np.array([[7, 1, 8, *range(10, 17)]]), [np.array([7, 8])])
    assert value[0] == pytest.approx(1.5 / (1 + 1 / np.log2(3)))


def test_what_is_asked_comes_after_what_is_known() -> None:
    """Users 0 and 1 of three; user 2 is new. The day is 2025-01-10, the week ends on the 17th."""
    day = (date(2025, 1, 10) - date(1970, 1, 1)).days
    rows = [  # user, item, days after, basket, weight
        *((-1, 4, 0, 9, 1.0), (0, 0, -3, 1, 1.0), (0, 1, 0, 1, 1.0), (0, 3, 0, 0, 0.3)),
        *((0, 1, 1, 2, 1.0), (0, 2, 1, 2, 1.0), (0, 3, 1, 2, 1.0), (0, 4, 8, 3, 1.0)),
        *((1, 2, -200, 4, 1.0), (1, 0, 7, 5, 1.0), (2, 1, 2, 6, 1.0), (2, 2, 2, 6, 1.0)),
    ]
    user, item, after, basket, weight = (np.array(column) for column in zip(*rows, strict=True))
    none = np.full(len(rows), np.nan)
    events = Events(
        *(np.array(list(names), object) for names in ("abc", "vwxyz", [""] * 5)),
        user.astype(np.int32),
        item.astype(np.int32),
        (day + after).astype(np.int32),
        (day + after) * np.int64(86_400_000_000),
        basket,
        weight,
        none,
        none,
    )

    past = past_of(events, date(2025, 1, 10))
    assert sorted(zip(past.user.tolist(), past.item.tolist(), strict=True)) == [
        *((-1, 4), (0, 0), (0, 1), (1, 2))  # neither what comes later nor a mere look
    ]
    assert np.flatnonzero(past.on_sale).tolist() == [0, 1, 4], "bought within 90 days"

    asked, groups = questions(events, past, users=10)
    of_all = {int(u): w.tolist() for u, w in zip([0, 1, 2], asked["all"].wanted, strict=True)}
    assert of_all == {0: [1, 2, 3], 1: [0], 2: [1, 2]}, "within a week"
    assert asked["all"].user.tolist() == [0, 1, -1], "nothing is known of who had not bought"
    assert groups["all"] == ["2-5 days", "1 day", "none"]
    assert [w.tolist() for w in asked["new"].wanted] == [[2, 3], [0], [1, 2]]
    session = asked["session: user + session"]
    assert session.user.tolist() == [0], "a basket of two items or more of a known user"
    assert set(session.session[0]) | set(session.wanted[0]) == {1, 2, 3}
    assert not set(session.session[0]) & set(session.wanted[0])
    assert len(session.session[0]) > 0 < len(session.wanted[0])
    assert asked["session: stranger + session"].user.tolist() == [-1]
    assert not len(asked["session: user alone"].session[0])


def test_the_highest_ndcg_has_the_first_rank() -> None:
    def of(**values: float) -> dict[str, Any]:
        methods = {name: {"ndcg": {"all": [value, 1]}} for name, value in values.items()}
        return {"windows": [{"methods": methods}]}

    sets = {
        "a": of(daybreak=0.3, ease=0.2, popularity_7=0.1, popularity_28=0.15),
        "b": of(daybreak=0.1, ease=0.2, popularity_7=0.3, popularity_28=0.15),
    }
    assert report_lists.ranks(sets, "all") == {
        "daybreak": 2.0,
        "ease": 2.0,
        "popularity_best": 2.0,
    }
    assert report_lists.ranks({"a": sets["a"]}, "all")["daybreak"] == 1.0


def test_lists_are_below_popularity_by_more_than_chance_or_not() -> None:
    """Eight lists: of known users ours are worse on each, of the others on one more than better."""
    ours = np.array([0.5, 0.4, 0.6, 0.5, 0.5, 0.2, 0.3, 0.6])
    popular = np.array([0.6, 0.5, 0.7, 0.6, 0.3, 0.5, 0.4, 0.5])
    groups = {"none": ours[4:], "1 day": ours[:4], "2-5 days": ours[:0], "more": ours[:0]}
    others = {"none": popular[4:], "1 day": popular[:4], "2-5 days": ours[:0], "more": ours[:0]}

    def method(whole: Any, parts: dict[str, Any]) -> dict[str, Any]:
        values = {"all": whole} | {f"all: {name}": of for name, of in parts.items()}
        values |= {name.replace("all", "new"): of for name, of in values.items()}
        return values

    mine, theirs = method(ours, groups), method(popular, others)
    sums = {
        name: {"ndcg": {q: [float(v.sum()), len(v)] for q, v in of.items()}}
        for name, of in (("daybreak", mine), ("popularity_7", theirs))
    }
    sums["popularity_7"]["behind"] = behind(mine, theirs)
    (line, again) = report_lists.group_lines("set", {"windows": [{"methods": sums}]})
    less = (popular - ours)[4:]
    error = less.std(ddof=1) / 2
    assert line == [
        "set, all",
        f"0.4000, 0.4250 (−0.0250 ± {error:.4f})",
        "0.5000, 0.6000 (−0.1000 ± 0.0000 ✗)",
        "",
        "",
    ]
    assert again == ["set, new", *line[1:]]


def few_purchases() -> Past:
    """Sixty users, eight items, two of which are always bought together."""
    rng = np.random.default_rng(5)
    user, item = np.nonzero(rng.random((60, 8)) < 0.3)
    both = np.unique(user[item == 1])
    user, item = np.append(user, both), np.append(item, np.full(len(both), 2))
    day = rng.integers(60, 100, len(user))
    return Past(user, item, day, day, 60, 8, 100, np.ones(8, bool))


def test_ease_is_the_ridge_regression_of_each_item_on_the_others() -> None:
    past = few_purchases()
    had = past.matrix()
    weight = lists.ease(past)(np.arange(8), sparse.identity(8, format="csr"))
    matrix = had.toarray()
    for item in range(8):
        others = np.arange(8) != item
        gram = matrix[:, others].T @ matrix[:, others] + lists.EASE_LAMBDA * np.eye(7)
        expected = np.linalg.solve(gram, matrix[:, others].T @ matrix[:, item])
        np.testing.assert_allclose(weight[others, item], expected, rtol=1e-8)


@pytest.mark.parametrize("method", ["bm25", "als", "ease"])
def test_what_is_bought_together_is_listed_first(method: str) -> None:
    past = few_purchases()
    asked = Asked(np.array([-1]), [np.array([1])], [])
    found = lists_of(past, asked, lists.METHODS[method](past), past.matrix())
    assert found[0, 0] == 2


def known(units: Any, *, ahead: int, promotion: Any = 0.0, is_open: Any = True) -> Known:
    """Series that begin on Monday 2024-01-01."""
    values = np.atleast_2d(np.asarray(units, float))
    wide = (len(values), values.shape[1] + ahead)
    return Known(
        {"store": np.array(["s"] * len(values), object)},
        date(2024, 1, 1),
        1,
        values,
        np.array(np.broadcast_to(is_open, wide)),
        {"promotion": np.array(np.broadcast_to(promotion, wide), float)},
    )


def test_naive_forecasts_by_hand() -> None:
    # Two weeks; the second Tuesday was closed, so that Tuesday is the first one's.
    is_open = np.ones(14 + 8, bool)
    is_open[8] = False
    given = known(np.arange(14.0), ahead=8, is_open=is_open)
    week, fortnight = naives.seasonal_naive(given), naives.seasonal_naive_long(given)
    assert week["mean"].tolist() == [[7, 1, 9, 10, 11, 12, 13, 7]]
    assert fortnight["mean"].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]

    flat = naives.last_28(given)
    kept = [one for one in range(14) if one != 8]
    assert flat["mean"][0, 0] == pytest.approx(sum(kept) / 13)
    assert flat["p50"][0, 3] == 6
    assert flat["p10"][0, 0] == pytest.approx(np.quantile(kept, 0.1))


def test_the_last_selling_days_are_counted_back_past_closed_ones() -> None:
    is_open = np.arange(60) % 2 == 0
    given = known(np.arange(58.0), ahead=2, is_open=is_open)
    assert naives.last_28(given)["mean"][0, 0] == np.mean(np.arange(2, 58, 2))


def test_the_profile_goes_by_weekday_and_promotion_together() -> None:
    units = np.arange(28.0)
    promotion = np.zeros(28 + 7)
    promotion[[0, 7, 8, 28, 29]] = 1  # two Mondays and a Tuesday; then a Monday and a Tuesday
    found = naives.weekday_promotion(known(units, ahead=7, promotion=promotion))["mean"][0]
    assert found[0] == (0 + 7) / 2  # Mondays that were promoted
    assert found[1] == (0 + 7 + 8) / 3  # one such Tuesday is too few: all that was promoted
    assert found[2] == (2 + 9 + 16 + 23) / 4


def test_measures_by_hand() -> None:
    given = known(np.ones((2, 7)), ahead=3, is_open=[True] * 7 + [True, False, True])
    actual = np.array([[1.0, 9.0, 4.0], [2.0, 9.0, np.nan]])
    cells = scored_cells(given, actual, horizon=1)
    assert cells.tolist() == [[True, False, False], [True, False, False]]
    cells = scored_cells(given, actual, horizon=2)
    assert cells.sum() == 3

    forecast = {
        name: np.full((2, 3), value)
        for name, value in {"p10": 1.0, "p50": 2.0, "p90": 3.0, "mean": 2.5}.items()
    }
    one = sums(forecast, actual, cells)  # y is 1, 4 and 2
    found = added([one, of_json(one.to_json())]).measures()
    assert found["wape"] == pytest.approx(3 / 7)
    assert found["rmse"] == pytest.approx(np.sqrt((1.5**2 + 1.5**2 + 0.5**2) / 3))
    assert found["bias"] == pytest.approx(7.5 / 7 - 1)
    assert (found["coverage"], found["inside"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert found["below_p50"] == pytest.approx(0.5)
    of_p10, of_p50, of_p90 = (0 + 0.3 + 0.1), (0.5 + 1 + 0), (0.2 + 0.9 + 0.1)
    assert found["pinball"] == pytest.approx((of_p10 + of_p50 + of_p90) / 3 / 3)
    with pytest.raises(ValueError, match="1 cells have no p50"):
        sums({**forecast, "p50": np.where(actual == 2, np.nan, 1.0)}, actual, cells)


def test_an_effect_is_compared_with_the_planted_one_whatever_the_level() -> None:
    promoted = np.array([True, True, False, False])
    true = np.array([30.0, 30.0, 20.0, 20.0])  # + 50 %
    assert effect_error(true * 3, true, promoted) == pytest.approx(0)
    flat = np.full(4, 24.0)
    assert effect_error(flat, true, promoted) == pytest.approx(1 / 1.5 - 1)
    assert effect_error(flat, true, ~np.zeros(4, bool)) is None


def test_ranks_are_means_over_sets_and_equals_share_one() -> None:
    def of(**wapes: float) -> dict[str, Any]:
        several = {
            name: {"sums": {**dict.fromkeys(_SUMS, 1.0), "error": value}}
            for name, value in wapes.items()
        }
        return {"origins": [{"origin": "2024-01-01", "methods": several}]}

    sets = {"a": of(daybreak=1, last_28=2, ets=2, truth=0.1), "b": of(daybreak=3, last_28=1, ets=2)}
    assert ranks(sets)["wape"] == {"daybreak": 2.0, "last_28": 1.75, "ets": 2.25}


def test_a_change_is_told_without_each_set() -> None:
    def of(**wapes: float) -> dict[str, Any]:
        return {
            "sets": {
                name: {
                    "kind": "sales",
                    "origins": [
                        {
                            "origin": "2024-01-01",
                            "methods": {OURS: {"sums": {**dict.fromkeys(_SUMS, 1.0), "error": v}}},
                        }
                    ],
                }
                for name, v in wapes.items()
            }
        }

    text = compare(of(a=1, b=1, c=1), of(a=0.9, b=0.9, c=2))
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1] for line in text.split("\n")}
    assert rows["a"] == "-10.0%"
    assert rows["without c"] == "-10.0%"
    assert rows["**mean**"] == f"{(0.9 * 0.9 * 2) ** (1 / 3) - 1:+.1%}"


def test_other_methods_of_an_earlier_run_stand_beside_ours() -> None:
    def of(origins: list[str], **methods: float) -> dict[str, Any]:
        days = [{"origin": day, "methods": dict(methods)} for day in origins]
        return {"sets": {"a": {"kind": "sales", "horizon": 7, "origins": days}}}

    found = beside(of(["2024-01-01", "2024-02-01"], ours=1, theta=2), of(["2024-02-01"], ours=3))

    assert found == of(["2024-02-01"], ours=3, theta=2)


def test_other_methods_read_and_write_what_is_known_as_files(tmp_path: Path) -> None:
    given = known(np.arange(14.0), ahead=2, promotion=np.arange(16) % 2)
    given.write(tmp_path / "known.parquet")
    read = read_known(tmp_path / "known.parquet")
    assert (read.origin, read.ahead) == (date(2024, 1, 14), 2)
    np.testing.assert_array_equal(read.units, given.units)
    np.testing.assert_array_equal(read.is_open, given.is_open)
    np.testing.assert_array_equal(read.plans["promotion"], given.plans["promotion"])

    made = naives.last_28(given)
    write_forecast(made, tmp_path / "forecast.parquet", seconds=2.0)
    found, about = read_forecast(tmp_path / "forecast.parquet")
    assert about == {"seconds": 2.0}
    np.testing.assert_array_equal(found["p90"], made["p90"])


def test_sets_have_names_of_their_own() -> None:
    names = [one.name for one in SETS]
    assert len(set(names)) == len(names)


_SUMS = (
    *("rows", "volume", "error", "squared", "forecast"),
    *("pinball", "within", "inside", "below_p50"),
)
