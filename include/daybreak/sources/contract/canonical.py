"""Canonical columns: what a section of a data set can fill, and of which kind a column is.

The kind decides how a source value is parsed; nothing else in a data set file says types. Here are
the columns that several sections share; each section's own are listed in its file of
``daybreak.sources.sections``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    ``counts``: whole things are counted in it, so it ends where float32 stops counting.
    """

    name: str
    kind: Kind
    required: bool = False
    key: bool = False
    non_negative: bool = False
    counts: bool = False


DAY = CanonicalColumn("business_date", Kind.DATE, required=True, key=True)
STORE = CanonicalColumn("store_id", Kind.TEXT, required=True, key=True)
ITEM = CanonicalColumn("item_id", Kind.TEXT, required=True, key=True)
NAME = CanonicalColumn("name", Kind.TEXT)
PRICE = CanonicalColumn("price", Kind.NUMBER, non_negative=True)
KNOWN_FROM = CanonicalColumn("known_from", Kind.DATE)

COVARIATES = (
    PRICE,
    CanonicalColumn("promotion", Kind.NUMBER, non_negative=True),
    CanonicalColumn("open", Kind.FLAG),
    CanonicalColumn("holiday", Kind.NUMBER, non_negative=True),
)
"""Covariates with a column of their own in the warehouse; others go to ``covariates``."""

STORE_LEVEL = frozenset({"open", "holiday"})
"""Covariates that hold for a whole store: their plan has item_id ''."""


def extra_covariate(name: str) -> CanonicalColumn:
    """A covariate that only this data set has: a number, kept by name."""
    return CanonicalColumn(name, Kind.NUMBER)
