"""What is answered of a price: the night's choice, and other points of it for a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from daybreak.models.base import Day, Given, Questions, SnapshotRows
from daybreak.models.pricing.choice.stop import Stop
from daybreak.models.pricing.layout import VALUES
from daybreak.models.pricing.night import Night
from daybreak.models.pricing.request import PriceRequest
from daybreak.models.pricing.scorer import CHANGES, PriceRows, PricingScorer
from daybreak.registry.artifact import Artifact
from price_cases import DAY, offers, rules
from price_nights import demand, night

KEEP = {"engine": "none", "baseline": "keep"}
THREE = night(offers({}, {}, {}), demand(-0.5, -0.5, -0.5), rules())
"""All rise from 1.00 to 1.20."""
EACH = tuple({"item_id": item} for item in "abc")
WHAT_IF = "It is a what-if: nobody else gets this price."
OUTSIDE = "No price of the night is in the corridor around the competitor's."


def rows(
    found: Night, *asked: dict[str, Any], manifest: dict[str, Any] | None = None, **terms: float
) -> PriceRows:
    """Questions about items a, b, c … of a night."""
    items = np.array([chr(97 + n) for n in range(len(found.values))], object)
    stores = np.full(len(items), "S", object)
    snapshot = SnapshotRows((stores, items), found.values, found.records, found.offsets)
    given = [{"store_id": "S", "item_id": "a"} | one for one in asked]
    entity = np.array([ord(one["item_id"]) - 97 for one in given])
    requests = [PriceRequest.model_validate(one) for one in given]
    artifact = Artifact("pricing", "v", b"", manifest or {"engine": "none"})
    scorer = PricingScorer(artifact, Day(DAY, found.context, terms=terms))
    return scorer.rows(Given(snapshot), Questions.of(requests, entity))


def answered(made: PriceRows, name: str = "price") -> list[Any]:
    nothing = np.empty((len(made.chosen), 0), np.float32)
    return list(made.answers(nothing).columns[name])


def reasons(made: PriceRows, question: int) -> list[str]:
    found: list[str] = made.remarks(question).notes["reasons"]
    return found


def test_without_a_word_the_answer_is_what_the_night_chose() -> None:
    made = rows(THREE, *EACH)
    assert answered(made) == [120, 120, 120]
    assert answered(made, "place") == [1, 2, 3]
    assert made.remarks(0).source == "published"
    assert made.remarks(0).notes["valid_on"] == "2026-03-02"


def test_a_person_may_agree_to_the_first_changes() -> None:
    made = rows(THREE, *EACH, **{CHANGES: 2})
    assert answered(made) == [120, 120, 100]
    assert answered(made, "place") == [1, 2, 0]
    assert answered(made, "rule") == ["", "", "changes_a_night"]
    assert reasons(made, 2)[0].startswith("It stays: other changes gain more")


def test_the_baseline_keeps_every_price_whatever_it_is_told() -> None:
    made = rows(THREE, *EACH, {"competitor_price": 80}, {"stock": 1.0}, manifest=KEEP)
    assert set(answered(made)) == {100}


def test_what_is_left_to_sell_moves_the_price_as_far_as_the_best_one() -> None:
    """59 units would be sold at 0.80, 41 at 0.90 and 30 at 1.00: 35 bring most at 0.90."""
    falling = night(offers({}), demand(-3.0), rules())
    made = rows(falling, {}, {"stock": 35.0}, {"stock": 5.0}, {"demand": 2.0})
    assert answered(made) == [80, 90, 120, 80]
    assert answered(made, "units")[1:3] == [35, 5]
    assert answered(made, "units")[3] == pytest.approx(2 * answered(made, "units")[0])
    assert [made.remarks(n).source for n in range(4)] == [
        "published",
        "what_if",
        "what_if",
        "what_if",
    ]
    assert reasons(made, 1) == ["What the request says moves it up.", WHAT_IF]
    assert reasons(made, 3) == ["What the request says does not move it.", WHAT_IF]
    assert [made.remarks(n).notes["valid_until"] for n in (0, 1)] == [
        "2026-03-03T00:00:00+00:00",
        None,
    ]


def test_what_the_night_held_back_is_held_back() -> None:
    """The budget left b and c at 1.00. With hardly any stock the best point is where it was."""
    capped = night(offers({}, {}, {}), demand(-0.5, -0.5, -0.5), rules(changes_a_night=1))
    made = rows(capped, *({**one, "stock": 1.0} for one in EACH))
    assert answered(made) == [120, 100, 100]


def test_a_price_off_the_ladder_steps_to_the_next_point() -> None:
    kept = night(offers({"price": 105}), demand(-3.0), rules(changes_a_night=0))
    made = rows(kept, {}, {"stock": 35.0})
    assert answered(made) == [105, 110]


@pytest.mark.parametrize(
    ("competitor", "price"), [(110, 120), (105, 110), (100, 110), (95, 100), (200, 120), (50, 120)]
)
def test_a_price_goes_into_the_corridor_around_a_competitor(competitor: int, price: int) -> None:
    """10 % around it: 1.05 admits 1.155 at most. Where no point is within, the price stays."""
    corridor = rules(competitor={"below": 0.1, "above": 0.1})
    made = rows(night(offers({}), demand(-0.5), corridor), {"competitor_price": competitor})
    assert answered(made) == [price]
    assert (OUTSIDE in reasons(made, 0)) == (competitor in {200, 50})


def test_what_moves_with_a_group_does_not_move_for_a_question() -> None:
    said = rules(
        together=[{"name": "g", "items": ["a", "b"], "how": "same_step"}],
        competitor={"above": 0.0},
    )
    grouped = night(offers({}, {}, {}), demand(-0.5, -0.5, -0.5), said)
    made = rows(grouped, *({**one, "competitor_price": 100} for one in EACH))
    assert answered(made) == [120, 120, 100]


def test_every_answer_is_a_point_that_the_rules_left() -> None:
    said = rules(largest_rise=0.1, largest_fall=0.1, competitor={"above": 0.2, "below": 0.2})
    made_by = night(offers({}, {}), demand(-3.0, -0.5), said)
    draw = np.random.default_rng(1)
    asked = [
        {
            "item_id": "ab"[draw.integers(2)],
            "competitor_price": int(draw.integers(50, 300)),
            "stock": float(draw.integers(0, 60)),
            "demand": float(draw.uniform(0, 3)),
        }
        for _ in range(200)
    ]
    assert set(answered(rows(made_by, *asked))) == {90, 100, 110}


def test_an_answer_says_by_which_days_it_is_judged_and_how_well_it_was_solved() -> None:
    free = np.array([[True, False, True], [False, False, False]])
    made = rows(night(offers({}, {}), demand(-0.5, -0.5, free=free), rules()), *EACH[:2])
    assert answered(made, "judged_by") == ["101", ""]
    assert answered(made, "stopped") == ["", ""]
    assert answered(made, "gap") == [0, 0]
    found = night(offers({}), demand(-0.5), rules())
    found.values[:, VALUES.index("stop")] = Stop.SECONDS
    assert answered(rows(found, {}), "stopped") == ["seconds"]


def test_two_rules_that_leave_nothing_are_both_named() -> None:
    asked = offers({"cost": 115, "competitor": 100, "age": 1})
    stuck = night(asked, demand(-0.5), rules(competitor={"above": 0.1}))
    made = rows(stuck, {})
    assert answered(made, "rule") == ["loss_floor and competitor"]
    assert reasons(made, 0) == ["It stays: two rules leave no price between them."]
