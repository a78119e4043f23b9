"""One package a model: what it learns from, what it scores, how a request becomes a row.

A model is found by its entry point in the group ``daybreak.models``, whose name is the model's;
those that ship here are found like those of other packages. One that is scored by
night has a second one of the same name in the group ``daybreak.schedules``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from daybreak.errors import ConfigError, NotFound
from daybreak.interval import DAILY, WEEKDAYS, Interval
from daybreak.models.schedule import Schedule
from daybreak.sources.contract.outline import last_weekday_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daybreak.models.base import AnyModel, Learning, Nightly
    from daybreak.settings import Settings
    from daybreak.warehouse.model_tables import ModelRelations

GROUP = "daybreak.models"
SCHEDULES = "daybreak.schedules"


@cache
def _installed(group: str = GROUP) -> dict[str, EntryPoint]:
    """Entry points by name. Nothing is imported, so that this is light enough for a DAG file."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        known = found.setdefault(point.name, point)
        if known.value != point.value:
            raise ConfigError(
                f"Two packages define a model {point.name!r}: {known.value} and {point.value}.",
                remedy=f"Rename one of the entry points in the group {group}.",
                model=point.name,
            )
    return found


def model_names() -> tuple[str, ...]:
    """Every model, by name."""
    return tuple(sorted(_installed()))


def schedules() -> dict[str, Schedule]:
    """The schedule of every model that is scored nightly, by the model's name, in its order.

    Imports the light module of each schedule and no model. Raises ``ConfigError`` where an entry
    point leads to something else.
    """
    found: dict[str, Schedule] = {}
    for name, point in sorted(_installed(SCHEDULES).items()):
        if name not in _installed():
            continue  # an entry point that outlived its package
        schedule = _load(point)
        if not isinstance(schedule, Schedule):
            raise ConfigError(
                f"The entry point {name!r} leads to {point.value}, which is not a schedule.",
                remedy=f"Let it name a Schedule, or take it out of the group {SCHEDULES}.",
                model=name,
            )
        found[name] = schedule
    return found


def interval_of(model: str, settings: Settings) -> Interval:
    """When a model is scored, by the settings or else by its schedule; imports no model.

    One that is scored daily, on scores of models that are not, has the interval of those. Where the
    data set has weeks, what is scored daily is scored on the last day of each. Raises
    ``ConfigError`` for another weekday there.
    """
    interval = _interval(model, settings, schedules(), set())
    last = last_weekday_of(settings.dataset)
    if last is None or interval.on_data or interval.weekday == last:
        return interval
    if interval != DAILY:
        raise ConfigError(
            f"{model} is to be scored {interval}, and the weeks of {settings.dataset} end on a "
            f"{WEEKDAYS[last]}.",
            remedy=f"Write weekly:{WEEKDAYS[last]} or on_data, or correct `week_starts` in the "
            "data set's file.",
            field="DAYBREAK_SCHEDULE_BY_MODEL",
        )
    return Interval(last)


def _interval(
    model: str, settings: Settings, known: dict[str, Schedule], seen: set[str]
) -> Interval:
    schedule = known.get(model, Schedule())
    own = settings.schedule_by_model.get(model, schedule.interval)
    seen.add(model)
    for upstream in (one.model for one in schedule.inputs):
        if own == DAILY and upstream not in seen:
            own = _interval(upstream, settings, known, seen)
    return own


def get_model(name: str) -> AnyModel:
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
    model: AnyModel = _load(point)
    if getattr(model, "name", None) != name:
        raise ConfigError(
            f"The entry point {name!r} leads to {point.value}, which is not a model of that name.",
            remedy="Let it name an object whose attribute `name` is the entry point's name.",
            model=name,
        )
    return model


def get_nightly(name: str) -> Nightly:
    """The facet of a model that is scored nightly. Raises ``NotFound`` where it has none."""
    return get_model(name).night


def get_learning(name: str) -> Learning:
    """The facet of a model that learns, imported now.

    Raises ``NotFound`` where it has none, ``ConfigError`` where ``learning`` leads to something
    else.
    """
    place = get_model(name).learning
    if place is None:
        raise NotFound(
            f"{name} does not learn: its versions are registered as they are.",
            remedy=f"`daybreak models register {name}` registers one.",
            field="model",
            model=name,
        )
    from daybreak.models.base import Learning  # noqa: PLC0415 - schedules are read without it

    module, _, attribute = place.partition(":")
    try:
        learning = getattr(import_module(module), attribute)
        if not isinstance(learning, Learning):
            raise TypeError("it is not a Learning")
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"How {name} learns cannot be loaded from {place}: {error}.",
            remedy=f"Correct `learning` of the model {name}, or install what it needs.",
            model=name,
        ) from error
    return learning


def nightly_models() -> list[AnyModel]:
    """Every model that is scored nightly, in order of name; imports every model."""
    return [model for model in map(get_model, model_names()) if model.nightly is not None]


def model_relations(models: Iterable[AnyModel] | None = None) -> ModelRelations:
    """Tables and report views of ``models`` (default: all, which imports each)."""
    # A DAG file imports this module, and SQLAlchemy is too heavy for it.
    from daybreak.warehouse.model_tables import ModelRelations  # noqa: PLC0415

    listed = list(models or map(get_model, model_names()))
    nights = [model.nightly for model in listed if model.nightly]
    return ModelRelations(
        tuple(table for each in nights for table in (each.snapshot_table, each.score_table)),
        tuple(view for model in listed for view in model.views),
    )


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"The model {point.name!r} cannot be loaded from {point.value}: {error}.",
            remedy=f"Correct the entry point {point.name} in the group {point.group}, or uninstall "
            "its package.",
            model=point.name,
        ) from error
