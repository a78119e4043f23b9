"""What all tables have in common."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, MetaData

metadata = MetaData()

Instant = DateTime(timezone=True)

SCHEMAS = ("raw", "feature", "score", "ops", "report")
READER_ROLE = "daybreak_reader"
SERVICE_ROLE = "daybreak_service"
WRITER_ROLE = "daybreak_writer"


def lineage() -> list[Column[Any]]:
    """The load of the row, and when it became known."""
    return [
        Column("load_id", BigInteger, nullable=False),
        Column("loaded_at", Instant, nullable=False),
    ]
