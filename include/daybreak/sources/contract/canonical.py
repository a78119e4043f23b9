"""The canonical columns: what each section of a data set can fill, and of which kind it is.

The kind decides how a source value is parsed; nothing else in a data set file says types.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

LONGEST_KEY = 200
"""Characters of an id: what a request to the endpoint takes, and what an index can hold."""


class Kind(StrEnum):
    """How the values of a column are parsed and what the warehouse holds."""

    DATE = "date"
    INSTANT = "instant"
    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TEXTS = "texts"

    @property
    def wording(self) -> str:
        """The kind as a message names it."""
        return _WORDINGS[self]


_WORDINGS = {
    Kind.DATE: "a date",
    Kind.INSTANT: "a date with time",
    Kind.TEXT: "text",
    Kind.NUMBER: "a number",
    Kind.FLAG: "yes or no",
    Kind.TEXTS: "text or a list of texts",
}


@dataclass(frozen=True)
class CanonicalColumn:
    """A column that a section may fill. ``required``: mapped, and never null in a row.

    ``key``: what rows are found by; a text among them has ``LONGEST_KEY`` characters at most.
    """

    name: str
    kind: Kind
    required: bool = False
    key: bool = False
    non_negative: bool = False


_DAY = CanonicalColumn("business_date", Kind.DATE, required=True, key=True)
_STORE = CanonicalColumn("store_id", Kind.TEXT, required=True, key=True)
_ITEM = CanonicalColumn("item_id", Kind.TEXT, required=True, key=True)
_PRICE = CanonicalColumn("price", Kind.NUMBER, non_negative=True)
_KNOWN_FROM = CanonicalColumn("known_from", Kind.DATE)

COVARIATES = (
    _PRICE,
    CanonicalColumn("promotion", Kind.NUMBER, non_negative=True),
    CanonicalColumn("open", Kind.FLAG),
    CanonicalColumn("holiday", Kind.NUMBER, non_negative=True),
)
"""Covariates with a column of their own in the warehouse; others go to ``covariates``."""

STORE_LEVEL = frozenset({"open", "holiday"})
"""Covariates that hold for a whole store: their plan has item_id ''."""

SECTIONS = MappingProxyType(
    {
        "sales": (_DAY, _STORE, _ITEM, CanonicalColumn("units", Kind.NUMBER, True), *COVARIATES),
        "plan": (
            _DAY,
            _STORE,
            CanonicalColumn("item_id", Kind.TEXT, key=True),
            *COVARIATES,
            CanonicalColumn("known_at", Kind.INSTANT),
        ),
        "items": (
            _ITEM,
            CanonicalColumn("name", Kind.TEXT),
            CanonicalColumn("category", Kind.TEXT),
            CanonicalColumn("categories", Kind.TEXTS),
            _KNOWN_FROM,
        ),
        "stores": (
            _STORE,
            CanonicalColumn("name", Kind.TEXT),
            CanonicalColumn("region", Kind.TEXT),
            _KNOWN_FROM,
        ),
        "interactions": (
            CanonicalColumn("event_at", Kind.INSTANT, required=True),
            CanonicalColumn("user_id", Kind.TEXT, key=True),
            _ITEM,
            CanonicalColumn("kind", Kind.TEXT, required=True),
            CanonicalColumn("basket_id", Kind.TEXT, key=True),
            CanonicalColumn("quantity", Kind.NUMBER),
            _PRICE,
        ),
    }
)
"""Section -> its columns in order. Sections are loaded in this order too."""


def extra_covariate(name: str) -> CanonicalColumn:
    """A covariate that only this data set has: a number, kept by name."""
    return CanonicalColumn(name, Kind.NUMBER)
