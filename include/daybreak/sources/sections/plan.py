"""Plans: covariates with a clock of their own, known ahead of their date. Rows of ``raw.plan``."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import ClassVar, Self

from pydantic import model_validator
from sqlalchemy import Table

from daybreak.sources.contract.canonical import COVARIATES, DAY, STORE, CanonicalColumn, Kind
from daybreak.sources.contract.durations import Duration, write_duration
from daybreak.sources.contract.section import WithCovariates
from daybreak.sources.merging.plan_rows import KEYS, append_plan, append_vintages
from daybreak.sources.merging.shared import Merge, Merged, dates_of
from daybreak.sources.sections.kind import SectionKind, days_after
from daybreak.warehouse.tables import plan


class Plan(WithCovariates):
    """Covariates with a clock of their own: prices, promotions, opening days known ahead.

    Without ``item_id`` a row holds for the whole store. The moment it became known is either a
    column ``known_at`` or ``known_ahead`` before its date.
    """

    kind: ClassVar[str] = "plan"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        STORE,
        CanonicalColumn("item_id", Kind.TEXT, key=True),
        *COVARIATES,
        CanonicalColumn("known_at", Kind.INSTANT),
    )

    known_ahead: Duration | None = None

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if not self.generator and (self.known_ahead is None) == ("known_at" not in self.columns):
            raise ValueError("give either `known_ahead` or a column for `known_at`")
        return self

    def known(self, _covariate: str) -> str:
        """When what this section plans is known."""
        return f"{write_duration(self.known_ahead)} ahead" if self.known_ahead else "from known_at"


def merge_plan(merge: Merge, section: Plan, staged: Table) -> Merged:
    """Append a plan section's new rows."""
    names = [column.name for column in section.canonical if column.name in staged.c]
    covariates = [name for name in names if name not in (*KEYS, "known_at")]
    if section.known_ahead is None:
        loaded = append_vintages(merge, staged, covariates, section.covariates)
    else:
        loaded = append_plan(merge, staged, covariates, section.covariates, section.known_ahead)
    dates = dates_of(merge.conn, staged)
    return Merged(loaded, 0, min(dates, default=None), max(dates, default=None))


def _unique(_: Plan, columns: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in (*KEYS, "known_at") if name in columns)


def _last_date(section: Plan, through: date) -> date | None:
    """Rows with a ``known_at`` of their own are distinguished as they are merged."""
    return None if section.known_ahead is None else days_after(through, section.known_ahead)


# No section of facts: what is planned for a day says nothing about whether the day is over.
PLAN = SectionKind(
    model=Plan,
    table=plan,
    merge=merge_plan,
    date_column="business_date",
    by_period=True,
    unique=_unique,
    last_date=_last_date,
    several=True,
)
