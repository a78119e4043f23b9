"""The views of the schema ``report``, one ``.sql`` file each: the analysts' door."""

from __future__ import annotations

from sqlalchemy import Connection


def apply_views(connection: Connection) -> None:
    """Put every view in place."""


def views_are_current(connection: Connection) -> bool:
    """Whether the views of the database are those of this version."""
    return True
