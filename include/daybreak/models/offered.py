"""Which models a data set can carry: those whose sections it has.

A model that needs sections which the data set lacks is left out, with the reason; that is not a
fault of the data set. Imports nothing heavy: the DAG files ask this whenever Airflow parses them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from daybreak.errors import ConfigError, NotCarried
from daybreak.models import schedules
from daybreak.models.schedule import Schedule
from daybreak.sources.contract.outline import keys_of


@dataclass(frozen=True)
class Offer:
    """A model, and the kinds of sections that the data set lacks for it, in the table's order."""

    model: str
    lacks: tuple[str, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why it is not carried, as lists show it: ``needs sales and items``; else None."""
        return f"needs {_listing(self.lacks)}" if self.lacks else None


def offers(needs: Mapping[str, Collection[str]], sections: Collection[str]) -> tuple[Offer, ...]:
    """One offer a model of ``needs`` (model to the kinds of sections it needs), in its order.

    ``sections``: the kinds that the data set has. Raises ``ConfigError`` where a model needs what
    is not a kind of section.
    """
    return tuple(Offer(model, _lacking(model, kinds, sections)) for model, kinds in needs.items())


def carried(found: Mapping[str, Schedule], dataset: str) -> dict[str, Schedule]:
    """Those schedules whose models the data set can carry; all where its file cannot be read."""
    sections = keys_of(dataset)
    needs = needs_of(found)
    return {
        model: schedule
        for model, schedule in found.items()
        if sections is None or needs[model] <= sections
    }


def absent(dataset: str) -> dict[str, str]:
    """The models that the data set cannot carry, each with the reason as lists show it.

    None of them where its file cannot be read, which the load reports. Raises ``ConfigError``
    as ``offers`` does.
    """
    sections = keys_of(dataset)
    if sections is None:
        return {}
    needs = needs_of(schedules())
    return {offer.model: offer.reason for offer in offers(needs, sections) if offer.reason}


def expect_carried(model: str, dataset: str) -> None:
    """Raises ``NotCarried`` where the data set lacks a section that the model needs."""
    reason = absent(dataset).get(model)
    if reason is not None:
        raise NotCarried(
            f"{model} {reason}, which the data set {dataset!r} lacks.",
            remedy="Add the section to the data set's file (docs/data-contract.md), or choose a "
            "model that it can carry: `daybreak models list`.",
            model=model,
            dataset=dataset,
        )


def needs_of(found: Mapping[str, Schedule]) -> dict[str, frozenset[str]]:
    """What each model needs, and what those need whose scores it stands on."""
    return {model: frozenset(_needed(model, found, set())) for model in found}


def _needed(model: str, found: Mapping[str, Schedule], seen: set[str]) -> set[str]:
    if model in seen or model not in found:
        return set()
    seen.add(model)
    needed = set(found[model].needs)
    for one in found[model].inputs:
        needed |= _needed(one.model, found, seen)
    return needed


def _lacking(model: str, needed: Collection[str], sections: Collection[str]) -> tuple[str, ...]:
    if set(needed) <= set(sections):
        return ()
    # What a kind is, only the tables of the warehouse say, which are heavy to import.
    from daybreak.sources.sections.table import BY_NAME  # noqa: PLC0415

    for kind in needed:
        if kind not in BY_NAME:
            close = get_close_matches(kind, BY_NAME, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"The model {model!r} needs {kind!r}, which is not a kind of section.",
                remedy=f"{hint}The kinds are: {', '.join(BY_NAME)}.",
                model=model,
                field=kind,
            )
    return tuple(kind for kind in BY_NAME if kind in needed and kind not in sections)


def _listing(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
