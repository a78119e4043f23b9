"""One package a model: what it learns from, what it scores, how a request becomes a row."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from daybreak.errors import NotFound

if TYPE_CHECKING:
    from daybreak.models.base import Model

MODELS = {"sales_forecast": "daybreak.models.sales_forecast"}
"""Name to the module whose ``MODEL`` it is; imported when first asked for."""


def model_names() -> tuple[str, ...]:
    """Every model, by name."""
    return tuple(sorted(MODELS))


def get_model(name: str) -> Model:
    """Raises ``NotFound``, naming the models that exist."""
    if name not in MODELS:
        known = ", ".join(model_names())
        raise NotFound(
            f"There is no model {name!r}.",
            remedy=f"The models are: {known}.",
            field="model",
            models=list(model_names()),
        )
    model: Model = import_module(MODELS[name]).MODEL
    return model
