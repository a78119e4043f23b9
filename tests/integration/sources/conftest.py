"""Fixtures of the tests that load a small data set of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import LoadReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SALES = "day,store,sku,qty\n2025-03-01,a,x,2\n2025-03-02,a,x,3\n"

Load = Callable[..., LoadReport]
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def load(warehouse: Engine, tmp_path: Path) -> Load:
    """Load sales and one more section: ``load(section_yaml, {file: content})``."""

    def run(section: str, files: dict[str, str], now: datetime = NOW, **how: Any) -> LoadReport:
        for name, content in ({"sales.csv": SALES} | files).items():
            (tmp_path / name).write_text(content)
        file = tmp_path / "mine.yaml"
        head = """\
        name: mine
        sales:
          files: ${HERE}/sales.csv
          columns: {business_date: day, store_id: store, item_id: sku, units: qty}
        """
        file.write_text(dedent(head) + dedent(section))
        return load_dataset(warehouse, load_spec(file), now=now, **how)

    return run


@pytest.fixture
def rows(warehouse: Engine) -> Rows:
    """Run a query on the warehouse."""

    def run(query: str) -> list[tuple[Any, ...]]:
        with warehouse.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    return run
