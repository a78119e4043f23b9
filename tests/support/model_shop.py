"""A synthetic shop that every model finds its facts in, loaded as a day's data set is loaded.

What is known by the cutoff of ``DAY`` comes first. ``learn_more`` loads what a point-in-time
read must not see: the days after it, and corrections of the days before it that came too late.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

from sqlalchemy import Engine, text

from daybreak.clock import AsOf, scheduled_cutoff
from daybreak.models import model_relations
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, make_engine
from daybreak.warehouse.migrate import migrate
from daybreak.warehouse.tables import WRITER_ROLE

DAY = date(2026, 2, 14)
CUTOFF = scheduled_cutoff(DAY, Settings().run_at, Settings().timezone)
AS_OF = AsOf(DAY, CUTOFF)
AFTERWARDS = datetime(2026, 3, 9, tzinfo=UTC)

OPTIONS = {
    "SYNTHETIC_STORES": "2",
    "SYNTHETIC_ITEMS": "40",
    "SYNTHETIC_START": "2025-02-01",
    "SYNTHETIC_END": "2026-02-28",
    "SYNTHETIC_USERS": "120",
    "SYNTHETIC_BASKETS": "8",
    "PAYMENTS_CARDS": "20",
    "PAYMENTS_START": "2026-02-01",
    "PAYMENTS_END": "2026-02-28",
}

LATE_CORRECTIONS = (
    """
    INSERT INTO raw.sales (business_date, store_id, item_id, units, price, promotion, open,
        holiday, covariates, load_id, loaded_at)
    SELECT business_date, store_id, item_id, units + 7, price * 2, 1 - promotion, open, holiday,
        covariates, load_id, :known
    FROM raw.sales WHERE business_date > :day - 60
    """,
    """
    INSERT INTO raw.plan (business_date, store_id, item_id, price, promotion, open, holiday,
        covariates, load_id, loaded_at)
    SELECT business_date, store_id, item_id, price * 3, 1 - promotion, NOT open, holiday,
        covariates, load_id, :known
    FROM raw.plan WHERE business_date > :day - 60
    """,
    """
    INSERT INTO raw.interaction (event_at, business_date, user_id, item_id, kind, basket_id,
        weight, quantity, price, load_id, loaded_at)
    SELECT event_at - interval '1 second', business_date, user_id, item_id, 'purchase', basket_id,
        1, 9, price, load_id, :known
    FROM raw.interaction WHERE business_date > :day - 60
    """,
    """
    INSERT INTO raw.item (item_id, name, category, load_id, loaded_at)
    SELECT item_id, name, 'another', load_id, :known FROM raw.item
    """,
)


@contextmanager
def filled(postgres: Any) -> Iterator[str]:
    """Name of a database to be copied: the tables of every model, and the facts through ``DAY``."""
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        migrate(engine, relations=model_relations())
        engine.dispose()
        engine = make_engine(postgres.url(name, WRITER_ROLE))
        _load(engine, through=DAY)
        engine.dispose()  # PostgreSQL copies no database with open connections
        yield name


def learn_more(engine: Engine) -> None:
    """Load the days after ``DAY``, and correct every kind of fact a second after the cutoff."""
    _load(engine)
    with begin(engine) as conn:
        for statement in LATE_CORRECTIONS:
            known = {"day": DAY, "known": CUTOFF + timedelta(seconds=1)}
            assert conn.execute(text(statement), known).rowcount > 0, statement


def _load(engine: Engine, through: date | None = None) -> None:
    named = {f"DAYBREAK_{name}": value for name, value in OPTIONS.items()}
    with mock.patch.dict(os.environ, named):
        load_dataset(engine, load_spec("synthetic"), now=AFTERWARDS, through=through)
