"""Which models a data set can carry: those whose sections it has.

A model that needs sections which the data set lacks is left out, with the reason; it is no fault
of the data set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from daybreak.errors import ConfigError
from daybreak.sources.sections.table import BY_NAME


@dataclass(frozen=True)
class Offer:
    """A model, and the kinds of sections that the data set lacks for it, in the table's order."""

    model: str
    lacks: tuple[str, ...] = ()

    @property
    def carried(self) -> bool:
        """Whether the data set has all that the model needs."""
        return not self.lacks

    @property
    def reason(self) -> str | None:
        """Why it is not carried, as lists show it: ``needs sales and items``; else None."""
        return f"needs {_listing(self.lacks)}" if self.lacks else None


def offers(needs: Mapping[str, Collection[str]], sections: Collection[str]) -> tuple[Offer, ...]:
    """One offer a model of ``needs`` (model to the kinds of sections it needs), in its order.

    ``sections``: the kinds that the data set has (``sections_of``). Raises ``ConfigError`` where a
    model needs what is no kind of section.
    """
    return tuple(Offer(model, _lacking(model, kinds, sections)) for model, kinds in needs.items())


def carried(needs: Mapping[str, Collection[str]], sections: Collection[str]) -> tuple[str, ...]:
    """The names of the models that the data set can carry, in the order of ``needs``."""
    return tuple(offer.model for offer in offers(needs, sections) if offer.carried)


def _lacking(model: str, needed: Collection[str], sections: Collection[str]) -> tuple[str, ...]:
    for kind in needed:
        if kind not in BY_NAME:
            close = get_close_matches(kind, BY_NAME, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"The model {model!r} needs {kind!r}, which is no kind of section.",
                remedy=f"{hint}The kinds are: {', '.join(BY_NAME)}.",
                model=model,
                field=kind,
            )
    return tuple(kind for kind in BY_NAME if kind in needed and kind not in sections)


def _listing(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
