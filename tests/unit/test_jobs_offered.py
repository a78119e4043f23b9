"""Which of the installed models a data set can carry, and why others are left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ConfigError
from daybreak.jobs.offered import Offer, carried, offers
from daybreak.sources.contract.spec import load_spec, sections_of
from daybreak.sources.sections.table import BY_NAME

NEEDS = {
    "sales_forecast": ("sales",),
    "recommendations": ("interactions",),
    "pricing": {"stores", "items", "sales"},
    "clockwork": (),
}


def test_a_model_whose_sections_are_there_is_carried() -> None:
    sections = sections_of(load_spec("synthetic"))

    assert carried(NEEDS, sections) == tuple(NEEDS)
    assert all(offer.reason is None for offer in offers(NEEDS, sections))


def test_ratings_alone_carry_what_needs_no_more() -> None:
    assert offers(NEEDS, {"interactions"}) == (
        Offer("sales_forecast", ("sales",)),
        Offer("recommendations"),
        Offer("pricing", ("sales", "items", "stores")),
        Offer("clockwork"),
    )


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"interactions"}, "needs sales, items and stores"),
        ({"sales"}, "needs items and stores"),
        ({"sales", "items", "plan"}, "needs stores"),
        ({"sales", "items", "stores"}, None),
    ],
)
def test_the_reason_names_every_section_that_is_missing(
    sections: set[str], reason: str | None
) -> None:
    (offer,) = offers({"pricing": NEEDS["pricing"]}, sections)

    assert offer.reason == reason
    assert offer.carried == (reason is None)


def test_a_need_that_is_no_section_is_refused_with_a_close_one() -> None:
    with pytest.raises(ConfigError, match=r"'mine' needs 'sale', which is no kind") as caught:
        offers({"mine": ("sale",)}, {"sales"})

    assert "Did you mean 'sales'? The kinds are: sales, plan, items" in caught.value.remedy


KINDS = st.sets(st.sampled_from(list(BY_NAME)))


@given(needed=KINDS, sections=KINDS)
def test_carried_is_that_nothing_is_lacking(needed: set[str], sections: set[str]) -> None:
    (offer,) = offers({"model": needed}, sections)

    assert set(offer.lacks) == needed - sections
    assert offer.carried == (needed <= sections)
    assert carried({"model": needed}, sections) == (("model",) if needed <= sections else ())
