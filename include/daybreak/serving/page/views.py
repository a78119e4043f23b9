"""The views of the page, put into an app."""

from __future__ import annotations

from daybreak.serving.page import (
    accuracy,
    changes,
    data,
    forecast,
    fraud,
    lists,
    login,
    markdown,
    models,
    prices,
    reports,
    today,
)
from daybreak.serving.page.frame import attach

__all__ = [
    "accuracy",
    "attach",
    "changes",
    "data",
    "forecast",
    "fraud",
    "lists",
    "login",
    "markdown",
    "models",
    "prices",
    "reports",
    "today",
]
