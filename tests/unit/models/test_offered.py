"""Which of the installed models a data set can carry, and why others are left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ConfigError, NotCarried
from daybreak.models.offered import Offer, absent, carried, expect_carried, needs_of, offers
from daybreak.models.schedule import Schedule, ScoresOf
from daybreak.sources.contract.outline import dataset_names, keys_of
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.sections.table import BY_NAME

NEEDS = {
    "sales_forecast": ("sales",),
    "recommendations": ("interactions",),
    "pricing": {"stores", "items", "sales"},
    "clockwork": (),
}


def test_a_model_whose_sections_are_there_is_carried() -> None:
    sections = {section.kind for section in load_spec("synthetic").sections}

    assert sections <= (keys_of("synthetic") or set())
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


def test_a_need_that_is_no_section_is_refused_with_a_close_one() -> None:
    with pytest.raises(ConfigError, match=r"'mine' needs 'sale', which is not a kind") as caught:
        offers({"mine": ("sale",)}, {"sales"})

    assert "Did you mean 'sales'? The kinds are: sales, plan, items" in caught.value.remedy


KINDS = st.sets(st.sampled_from(list(BY_NAME)))


@given(needed=KINDS, sections=KINDS)
def test_carried_is_that_nothing_is_lacking(needed: set[str], sections: set[str]) -> None:
    (offer,) = offers({"model": needed}, sections)

    assert set(offer.lacks) == needed - sections
    assert (offer.reason is None) == (needed <= sections)


OWN = {
    "sales_forecast": Schedule(needs=("sales",)),
    "pricing": Schedule(inputs=(ScoresOf("sales_forecast"),), needs=("items",)),
    "recommendations": Schedule(needs=("interactions",)),
    "clockwork": Schedule(inputs=(ScoresOf("clockwork"), ScoresOf("unknown"))),
}


@pytest.fixture
def ratings(tmp_path: Path) -> str:
    """A data set of ratings, with a section that holds nothing."""
    file = tmp_path / "ratings.yaml"
    file.write_text("name: ratings\nsales: []\nitems: null\ninteractions: {files: ratings.csv}\n")
    return str(file)


@pytest.mark.parametrize("name", dataset_names())
def test_the_keys_of_a_data_set_are_those_that_reading_it_finds(name: str) -> None:
    kinds = {section.kind for section in load_spec(name).sections}

    assert (keys_of(name) or set()) & set(BY_NAME) == kinds


def test_a_model_needs_what_those_need_whose_scores_it_stands_on() -> None:
    assert needs_of(OWN) == {
        "sales_forecast": {"sales"},
        "pricing": {"sales", "items"},
        "recommendations": {"interactions"},
        "clockwork": set(),
    }


def test_only_what_the_data_set_can_carry_has_a_schedule(ratings: str) -> None:
    assert list(carried(OWN, ratings)) == ["recommendations", "clockwork"]
    assert absent(ratings) == {
        "fraud": "needs streams and labels",
        "pricing": "needs sales and pricing",
        "sales_forecast": "needs sales",
    }
    expect_carried("recommendations", ratings)
    with pytest.raises(NotCarried, match="sales_forecast needs sales, which the data set"):
        expect_carried("sales_forecast", ratings)


@pytest.mark.parametrize("text", ["sales: [", "just words", "\xff", None])
def test_where_the_data_set_cannot_be_read_every_model_stays(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))

    assert carried(OWN, str(file)) == OWN
    assert absent(str(file)) == {}
