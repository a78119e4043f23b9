"""The history of the warehouse's tables, one file a revision, run by ``warehouse/migrate.py``.

A revision writes its DDL out rather than calling on ``tables``, so that what it did stays
what it does. A test proves that all of them together give what ``tables`` describes. Report
views are no part of this history: ``warehouse/reports`` puts them in place after the last one.
"""

from __future__ import annotations

from typing import Any

VERSION_SCHEMA = "ops"

VERSION_OPTIONS: dict[str, Any] = {
    "version_table": "schema_version",
    "version_table_schema": VERSION_SCHEMA,
}
"""Where the database remembers its revision, as Alembic takes it."""
