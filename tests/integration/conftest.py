"""A small shop for tests that need facts: filled once a worker, cloned for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

import small_shop
from daybreak.warehouse.engine import make_engine


@pytest.fixture(scope="session")
def shop_template(postgres: Any) -> Iterator[str]:
    """Name of a database with the facts of ``small_shop``; nothing stays connected to it."""
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        small_shop.fill(engine)
        engine.dispose()
        yield name


@pytest.fixture
def shop(postgres: Any, shop_template: str) -> Iterator[Engine]:
    """Engine on a warehouse of this test's own, with the facts of ``small_shop``."""
    with postgres.database(shop_template) as name:
        engine = make_engine(postgres.url(name))
        yield engine
        engine.dispose()
