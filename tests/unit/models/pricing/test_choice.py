"""What is chosen, why not more, and what happens when time is short; by hand.

Random rules are in ``test_solve.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.optimize import milp

from daybreak.models.pricing.choice import knapsack, programme
from daybreak.models.pricing.choice import solve as solving
from daybreak.models.pricing.choice.groups import groups_of
from daybreak.models.pricing.choice.offers import Offers
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import Rails, Rule, rails_of
from daybreak.models.pricing.choice.solution import KEEP, Solution, Status
from daybreak.models.pricing.choice.solve import solve
from daybreak.models.pricing.choice.stop import Stop
from daybreak.models.pricing.choice.trail import binding
from daybreak.prices.rules import Rules
from price_cases import offers, rules

NAN = np.nan


def chosen(
    shop: Offers, said: Rules, values: Sequence[Sequence[float]], **more: Any
) -> tuple[Rails, Solution]:
    """Values at the five points; that of the price as it is counts where it stays."""
    rails = rails_of(shop, said)
    worth = np.array(values, float)
    keep = np.where(rails.at >= 0, worth[np.arange(len(shop)), rails.at], 0.0)
    given = {"budget": said.changes_a_night} | more
    return rails, solve(rails, groups_of(shop, said), worth, keep, **given)


def labels(codes: Any) -> list[str]:
    return [Rule(code).label for code in codes]


def test_the_best_point_of_each_is_taken() -> None:
    rails, solution = chosen(
        offers({}, {}, {"price": 95}),
        rules(),
        [[1, 2, 3, 9, 4], [9, 8, 7.5, 8, 9], [-1, -2, -3, 0, 0]],
    )

    assert solution.choice.tolist() == [3, 0, KEEP], "of equal gains as far away the lower price"
    assert (solution.gain, solution.changes) == (7500, 2)
    assert rails.at.tolist() == [2, 2, -1]
    assert solution.parts == ()
    assert labels(solution.held) == ["", "", ""]


def test_staying_and_the_shorter_way_break_ties() -> None:
    _, solution = chosen(offers({}, {}), rules(), [[5, 5, 5, 5, 5], [6, 5, 5, 6, 5]])

    assert solution.choice.tolist() == [KEEP, 3]


def test_less_than_half_a_thousandth_is_a_tie() -> None:
    _, solution = chosen(offers({}, {}), rules(), [[1, 1, 1, 1.0004, 1], [1, 1, 1, 1.0006, 1]])

    assert solution.choice.tolist() == [KEEP, 3]
    assert solution.gain == 1


def test_the_budget_goes_to_those_that_gain_most() -> None:
    values = [[0, 0, 0, 5, 0], [0, 0, 0, 9, 0], [0, 0, 0, 7, 0]]
    _, solution = chosen(offers({}, {}, {}), rules(changes_a_night=2), values)

    assert solution.choice.tolist() == [KEEP, 3, 3]
    assert labels(solution.held) == ["changes_a_night", "", ""]
    _, solution = chosen(offers({}, {}, {}), rules(changes_a_night=0), values)
    assert (solution.choice.tolist(), solution.gain) == ([KEEP] * 3, 0)


def test_a_group_counts_each_price_that_changes() -> None:
    """Two that gain 10 together against one that gains 6."""
    values = [[0, 0, 0, 5, 0], [0, 0, 0, 5, 0], [0, 0, 0, 6, 0]]
    together = [{"name": "g", "items": ["a", "b"], "how": "same_step"}]
    for budget, choice in ((1, [KEEP, KEEP, 3]), (2, [3, 3, KEEP]), (3, [3, 3, 3])):
        said = rules(together=together, changes_a_night=budget)
        _, solution = chosen(offers({}, {}, {}), said, values)
        assert solution.choice.tolist() == choice


def test_a_group_of_one_price_comes_to_one_or_stays_apart() -> None:
    together = [{"name": "g", "items": ["a", "b"], "how": "same_price"}]
    shop = offers({"price": 90}, {"price": 110})
    rails, solution = chosen(shop, rules(together=together), [[0, 5, 9, 0, 0], [0, 9, 4, 5, 0]])

    assert solution.choice.tolist() == [KEEP, 1], "a stands where b goes"
    assert labels(solution.held) == ["together", ""]
    assert labels(groups_of(shop, rules(together=together)).outside(rails)) == ["together"] * 2
    _, solution = chosen(shop, rules(together=together), [[0, 9, 0, 0, 0], [0, 0, 0, 9, 0]])
    assert solution.choice.tolist() == [KEEP, KEEP]


def test_one_step_from_a_price_off_the_ladder_is_to_the_next_point() -> None:
    together = [{"name": "g", "items": ["a", "b"], "how": "same_step"}]
    _, solution = chosen(
        offers({"price": 95}, {"price": 110}), rules(together=together), [[0, 0, 9, 0, 0]] * 2
    )

    assert solution.choice.tolist() == [1, 2]
    assert solution.gain == 9000


def test_sizes_stay_in_order() -> None:
    together = [{"name": "g", "items": ["a", "b", "c"], "how": "ascending"}]
    shop = offers({"price": 90}, {"price": 100}, {"price": 110})
    values = [[0, 0, 0, 9, 0], [0, 5, 0, 0, 0], [0, 0, 8, 0, 0]]
    _, solution = chosen(shop, rules(together=together), values)

    assert solution.choice.tolist() == [KEEP, 1, 2]
    assert labels(solution.held) == ["ascending", "", ""]


def test_what_is_out_of_order_stays_or_comes_into_order() -> None:
    together = [{"name": "g", "items": ["a", "b"], "how": "ascending"}]
    shop = offers({"price": 120}, {"price": 90})
    for said in (Limits(), Limits(cells=0)):
        rails, solution = chosen(
            shop, rules(together=together), [[0, 0, 3, 0, 0], [0, 0, 0, 9, 0]], limits=said
        )
        assert solution.choice.tolist() == [2, 3]
        assert labels(groups_of(shop, rules(together=together)).outside(rails)) == ["ascending"] * 2
        _, solution = chosen(
            shop, rules(together=together), [[0, 0, 0, 0, 0], [0, 0, 0, 9, 0]], limits=said
        )
        assert solution.choice.tolist() == [3, 3], "a gains nothing, but lets b move"
        _, solution = chosen(
            shop, rules(together=together), [[0, 0, 0, 0, 9], [0, 0, 9, 0, 0]], limits=said
        )
        assert solution.choice.tolist() == [KEEP, KEEP]


@pytest.mark.parametrize(
    ("how", "said", "shop", "conflict"),
    [
        ("same_price", {"blocked": {"items": ["b"]}}, [{}, {}], ["blocked", "together"]),
        (
            "same_price",
            {"largest_rise": 0.15},
            [{"price": 80}, {"cost": 95}],
            ["largest_change", "loss_floor"],
        ),
        (
            "same_step",
            {"largest_fall": 0.0},
            [{}, {"price": 120}],
            ["ladder", "largest_change"],  # b is on the last point, and none may fall
        ),
        ("same_step", {}, [{}, {"cost": 999}], ["ladder", "loss_floor"]),
    ],
)
def test_why_a_group_cannot_move(
    how: str, said: dict[str, Any], shop: list[dict[str, Any]], conflict: list[str]
) -> None:
    group = {"name": "g", "items": ["a", "b"], "how": how}
    values = [[1, 2, 0, 3, 4], [1, 2, 0, 3, 4]]
    _, solution = chosen(offers(*shop), rules(together=[group], **said), values)

    assert solution.choice.tolist() == [KEEP, KEEP]
    assert labels(solution.conflict[0]) == conflict
    assert Rule(solution.held[0]) is Rule.TOGETHER


def test_the_rule_that_stops_a_price_on_its_way() -> None:
    shop = offers({}, {}, {}, {"since": 1}, {})
    said = rules(largest_rise=0.1, margin_floor=0.4, least_days=3, changes_a_night=3)
    values = [[0, 0, 1, 8, 9], [8, 7, 1, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 0, 9], [0, 0, 0, 1, 0]]
    rails, solution = chosen(shop, said, values)
    wanted = np.array([4, 0, KEEP, 4, 3])

    assert solution.choice.tolist() == [3, 1, KEEP, KEEP, 3]
    assert labels(binding(rails, solution, wanted)) == [
        *("largest_change", "margin_floor", "", "least_days", "")
    ]
    rails, solution = chosen(shop, rules(changes_a_night=1, largest_rise=0.1), values)
    assert labels(binding(rails, solution, wanted))[4] == "changes_a_night"


def test_what_has_no_value_is_no_choice() -> None:
    values = np.array([[NAN, NAN, 1, NAN, 2], [1, 2, 3, 4, np.inf], [0, 0, 0, 0, 9]])
    shop, said = offers({}, {}, {}), rules()
    rails = rails_of(shop, said)
    solution = solve(rails, groups_of(shop, said), values, np.array([1, 3, NAN]))

    assert solution.choice.tolist() == [4, 3, KEEP]
    assert labels(solution.held) == ["", "", "no_value"]


def test_a_part_of_the_ladder_is_enough() -> None:
    random = np.random.default_rng(5)
    shop = offers(*({"price": 80 + 10 * (n % 5), "item": f"i{n}"} for n in range(30)))
    said = rules(largest_rise=0.15, largest_fall=0.15, changes_a_night=9)
    rails, groups = rails_of(shop, said), groups_of(shop, said)
    values, keep = random.integers(-9, 9, (30, 5)).astype(float), np.zeros(30)
    first = np.minimum(rails.low, 2)
    part = np.stack([values[n, first[n] : first[n] + 3] for n in range(30)])

    whole = solve(rails, groups, values, keep, budget=9)
    windows = solve(rails, groups, part, keep, first=first, budget=9)

    assert windows.choice.tolist() == whole.choice.tolist()
    assert windows.gain == whole.gain > 0


def test_nothing_to_price() -> None:
    said = rules(
        changes_a_night=5, together=[{"name": "g", "across": "stores", "how": "same_step"}]
    )
    shop = offers()
    solution = solve(rails_of(shop, said), groups_of(shop, said), np.zeros((0, 5)), np.zeros(0))

    assert (solution.choice.tolist(), solution.gain, solution.optimal) == ([], 0, True)


# --- time is short ----------------------------------------------------------------------------

TANGLED = [
    {"name": "first", "items": ["a"], "across": "stores", "how": "same_price"},
    {"name": "last", "items": ["c"], "across": "stores", "how": "same_price"},
    {"name": "sizes", "items": ["a", "b", "c"], "how": "ascending"},
]
"""Two stores: a and c have one price in both, b lies between them in each. No tree."""


def tangled(budget: int | None, limits: Limits | None) -> Solution:
    shop = offers(
        *(
            {"store": store, "item": item, "price": price}
            for store in ("S", "T")
            for item, price in (("a", 90), ("b", 100), ("c", 110), ("d", 100))
        )
    )
    said = rules(together=TANGLED, changes_a_night=budget)
    values = [[0, 0, 0, 9, 0], [0, 2, 0, 5, 0], [0, 0, 8, 0, 9], [0, 0, 0, 0, 3]] * 2
    return chosen(shop, said, values, limits=limits)[1]


def test_what_is_tangled_is_a_programme() -> None:
    solution = tangled(None, None)

    assert solution.choice.tolist() == [3, 3, 4, 4] * 2
    (part,) = solution.parts
    assert (part.status, part.gain, part.gap) == (Status.OPTIMAL, 46_000, 0.0)
    assert part.stop is Stop.NONE
    assert part.rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert solution.gain == 52_000


def test_without_time_what_is_tangled_stays_and_says_so() -> None:
    solution = tangled(None, Limits(seconds=0))

    assert solution.choice.tolist() == [KEEP, KEEP, KEEP, 4] * 2
    (part,) = solution.parts
    assert (part.status, part.gain, part.gap) == (Status.KEPT, 0, 1.0)
    assert part.stop is Stop.SECONDS
    assert part.bound >= 46_000
    assert labels(solution.held) == ["out_of_time"] * 3 + [""] + ["out_of_time"] * 3 + [""]
    assert not solution.optimal


def test_without_time_and_within_a_budget_the_best_found_is_taken() -> None:
    best = tangled(1, None)
    solution = tangled(1, Limits(seconds=0))

    assert (best.gain, best.changes, best.optimal) == (5000, 1, True)
    assert (solution.gain, solution.changes) == (3000, 1)
    (part,) = solution.parts
    assert (part.status, part.stop) == (Status.BEST_FOUND, Stop.SECONDS)
    assert 0 < part.gap < 1


@pytest.mark.parametrize("budget", [None, 5])
def test_what_was_found_before_the_end_is_taken_with_its_gap(
    monkeypatch: pytest.MonkeyPatch, budget: int | None
) -> None:
    """HiGHS says that it ran out of time with a choice in hand, and how good another could be."""

    def out_of_time(*given: Any, **more: Any) -> Any:
        found = milp(*given, **more)
        found.status, found.mip_dual_bound = 1, 2 * found.fun
        return found

    monkeypatch.setattr(programme, "milp", out_of_time)
    solution = tangled(budget, None)

    (part,) = solution.parts
    assert (part.status, part.stop) == (Status.BEST_FOUND, Stop.SECONDS)
    assert 0 < part.gap <= 0.5
    assert solution.gain == tangled_best(monkeypatch, budget)


def test_the_limit_of_nodes_is_another_end_than_that_of_time() -> None:
    draw, items = np.random.default_rng(3), list("abcdefghijkl")
    shop = offers(
        *(
            {"store": store, "item": item, "price": int(draw.choice([80, 90, 100, 110, 120]))}
            for store in "STU"
            for item in items
        )
    )
    alike = [
        {"name": item, "items": [item], "across": "stores", "how": "same_price"} for item in items
    ]
    orders = [
        {"name": name, "items": order, "how": "ascending"}
        for name, order in (("up", items), ("down", items[:-6:-1]))
    ]
    values = draw.integers(0, 90, (len(shop), 5)).tolist()
    for nodes, ends in ((0, (Status.KEPT, Stop.NODES)), (9, (Status.OPTIMAL, Stop.NONE))):
        limits = Limits(nodes=nodes, cells=0)
        _, found = chosen(shop, rules(together=[*alike, *orders]), values, limits=limits)
        (part,) = found.parts
        assert (part.status, part.stop) == ends


def test_a_table_that_no_machine_holds_is_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "table_of", lambda *_: None)
    (part,) = tangled(1, None).parts
    assert (part.status, part.stop) == (Status.BEST_FOUND, Stop.CELLS)


def tangled_best(monkeypatch: pytest.MonkeyPatch, budget: int | None) -> int:
    monkeypatch.setattr(programme, "milp", milp)
    return tangled(budget, None).gain


def test_a_choice_that_breaks_a_rule_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the solver says: its rows are checked again in whole numbers."""

    def wrong(*given: Any, **more: Any) -> Any:
        found = milp(*given, **more)
        found.x = np.ones_like(found.x)
        return found

    monkeypatch.setattr(programme, "milp", wrong)

    assert tangled(None, None).choice.tolist() == [KEEP, KEEP, KEEP, 4] * 2


@pytest.mark.parametrize("cells", [0, 4])
def test_where_the_table_would_be_too_large_the_best_by_gain_is_found(
    monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    """Not even the table of groups has room, or not what single prices add to it."""
    monkeypatch.setattr(knapsack, "MOST_CELLS", cells)
    said = rules(
        together=[{"name": "g", "items": ["a", "b"], "how": "same_step"}], changes_a_night=3
    )
    values = [[0, 0, 0, 5, 0], [0, 0, 0, 5, 0], *([[0, 0, 0, 4, 0]] * 45)]
    _, solution = chosen(offers(*({"item": name} for name in "ab"), *({},) * 45), said, values)

    assert (solution.gain, solution.changes) == (14_000, 3)
    (part,) = solution.parts
    assert part.status is Status.BEST_FOUND
    assert part.bound >= solution.gain


def test_gains_of_billions_still_add_up() -> None:
    """There is no room for distances beside them, and none is needed."""
    said = rules(
        together=[{"name": "g", "items": ["a", "b", "c"], "how": "ascending"}], changes_a_night=40
    )
    most = 9e9
    values = [[0, 0, 0, most, 0]] * 3 + [[0, most, 0, 0, 0]] * 60
    for limits in (Limits(), Limits(cells=0)):
        _, solution = chosen(offers(*({},) * 63), said, values, limits=limits)
        assert (solution.gain, solution.changes) == (40 * int(most) * 1000, 40)
