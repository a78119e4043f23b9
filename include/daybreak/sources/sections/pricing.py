"""Pricing: the rules that prices keep, as data. Rows of ``ops.price_rules``."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import model_validator
from sqlalchemy import Connection, Table

from daybreak.prices.money import written
from daybreak.prices.rulebook import declare_rules
from daybreak.prices.rules import RANKED, Rules
from daybreak.sources.contract.canonical import CanonicalColumn
from daybreak.sources.contract.section import Section
from daybreak.sources.merging.shared import Merge, Merged
from daybreak.sources.sections.kind import Declared, SectionKind
from daybreak.warehouse.tables import price_rules


class Pricing(Section, Rules):
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


def _declare(conn: Connection, section: Pricing, declared: Declared) -> None:
    declare_rules(conn, section, declared.now, declared.timezone)


def _no_rows(_merge: Merge, _section: Pricing, _staged: Table) -> Merged:
    return Merged(0)


def _in_short(section: Pricing) -> str:
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
    "approval",
)

PRICING = SectionKind(
    model=Pricing,
    table=price_rules,
    merge=_no_rows,
    declare=_declare,
    in_short=_in_short,
)
