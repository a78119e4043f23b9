"""Pricing: the rules that prices keep, as data. Rows of ``ops.price_rules``."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from pydantic import model_validator
from sqlalchemy import Connection, Table

from daybreak.prices.money import decimals, written
from daybreak.prices.observed import observe
from daybreak.prices.rulebook import declare_rules
from daybreak.prices.rules import RANKED, Rules
from daybreak.sources.contract.canonical import CanonicalColumn
from daybreak.sources.contract.section import Section
from daybreak.sources.merging.shared import Merge, Merged
from daybreak.sources.sections.kind import Declared, SectionKind
from daybreak.warehouse.tables import price_rules


class PriceRules(Section, Rules):
    """The rules themselves; nothing is read from anywhere."""

    kind: ClassVar[str] = "pricing"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = ()
    may_be_empty: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _reads_nothing(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in Section.model_fields:
                if name in given:
                    raise ValueError(f"pricing reads no rows, so it takes no `{name}`")
        return given


def _declare(conn: Connection, section: PriceRules, declared: Declared) -> None:
    declare_rules(conn, section, declared.now, declared.timezone)


def _keep_past_prices(
    conn: Connection, section: PriceRules, declared: Declared, last_closed: date
) -> None:
    """Take what sales say of past prices into the ledger."""
    observe(
        conn,
        business_date=last_closed,
        cutoff=declared.now,
        currency=section.currency,
        decimals=decimals(section.currency),
        timezone=declared.timezone,
    )


def _no_rows(_merge: Merge, _section: PriceRules, _staged: Table) -> Merged:
    return Merged(0)


def _in_short(section: PriceRules) -> str:
    points = section.points
    lowest, highest = (written(int(point), section.currency) for point in points[[0, -1]])
    others = [name for name in Rules.model_fields if name in (*RANKED, *_FURTHER)]
    given = [name for name in others if getattr(section, name) != Rules.model_fields[name].default]
    return (
        f"{section.objective} of {section.days} days, {len(points):,} prices from {lowest} to "
        f"{highest}; {', '.join(given) or 'no further rule'}"
    )


_FURTHER = (
    *("largest_rise", "largest_fall", "changes_a_night", "together", "markdowns"),
    *("approval", "live"),
)

PRICING = SectionKind(
    model=PriceRules,
    table=price_rules,
    merge=_no_rows,
    declare=_declare,
    follow=_keep_past_prices,
    in_short=_in_short,
)
