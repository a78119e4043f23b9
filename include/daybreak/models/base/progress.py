"""Who listens to how far long work is."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


def quiet(_message: str) -> None:
    """A progress listener that says nothing."""


def logged(message: str) -> None:
    """A progress listener that writes to the log, which is where a task of Airflow shows it."""
    logger.info("%s", message)
