"""One package a model: what it learns from, what it scores, how a request becomes a row.

A model is found by its entry point in the group ``daybreak.models``, whose name is the model's;
those that ship here come in by the same door as those of other packages.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from daybreak.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from sqlalchemy import Table

    from daybreak.models.base import Model

GROUP = "daybreak.models"


@cache
def _installed() -> dict[str, EntryPoint]:
    """Entry points by name. Nothing is imported, so that this is light enough for a DAG file."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        known = found.setdefault(point.name, point)
        if known.value != point.value:
            raise ConfigError(
                f"Two packages bring a model {point.name!r}: {known.value} and {point.value}.",
                remedy=f"Rename one of the entry points in the group {GROUP}.",
                model=point.name,
            )
    return found


def model_names() -> tuple[str, ...]:
    """Every model, by name."""
    return tuple(sorted(_installed()))


def get_model(name: str) -> Model:
    """The model of that name; its package is imported when it is first asked for.

    Raises ``NotFound``, naming the models that exist, and ``ConfigError`` where an entry point
    leads to something else.
    """
    point = _installed().get(name)
    if point is None:
        known = ", ".join(model_names())
        raise NotFound(
            f"There is no model {name!r}.",
            remedy=f"The models are: {known}.",
            field="model",
            models=list(model_names()),
        )
    try:
        model: Model = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"The model {name!r} cannot be loaded from {point.value}: {error}.",
            remedy=f"Mend the entry point {name} in the group {GROUP}, or uninstall its package.",
            model=name,
        ) from error
    if getattr(model, "name", None) != name:
        raise ConfigError(
            f"The entry point {name!r} leads to {point.value}, which is no model of that name.",
            remedy="Let it name an object whose attribute `name` is the entry point's name.",
            model=name,
        )
    return model


def model_tables() -> list[Table]:
    """The tables that all models keep their snapshots and scores in; imports every model."""
    models = map(get_model, model_names())
    return [table for model in models for table in (model.snapshot_table, model.score_table)]
