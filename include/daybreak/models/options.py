"""Options that a caller sets by name, over a model's defaults, within bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daybreak.errors import InvalidRequest


@dataclass(frozen=True)
class Option:
    """A number that may be set: its default, and the least and the most that it may be."""

    default: float
    least: float = -math.inf
    most: float = math.inf
    whole: bool = False

    @property
    def bounds(self) -> str:
        """In words."""
        kind = "a whole number" if self.whole else "a number"
        if math.isinf(self.least) and math.isinf(self.most):
            return kind
        if math.isinf(self.most):
            return f"{kind}, {self.least:g} or more"
        return f"{kind} from {self.least:g} to {self.most:g}"

    def check(self, name: str, given: float) -> float:
        """``given`` as it is used. Raises ``InvalidRequest`` for what it may not be."""
        fits = math.isfinite(given) and self.least <= given <= self.most
        if not fits or (self.whole and given != int(given)):
            raise InvalidRequest(
                f"The option {name} is {given}; it has to be {self.bounds}.",
                remedy=f"Give {name} {self.bounds} (default {self.default:g}).",
                field=name,
                given=str(given),
            )
        return int(given) if self.whole else float(given)


def chosen(options: Mapping[str, float], defaults: Mapping[str, float | Option]) -> dict[str, Any]:
    """``defaults`` with ``options`` over them; ``int`` where a whole number is wanted.

    A default that is a plain number has no bounds, and is a whole number if it is an ``int``.
    Raises ``InvalidRequest``, naming the option, for one unknown and for a value out of bounds.
    """
    known = {
        name: one if isinstance(one, Option) else Option(one, whole=isinstance(one, int))
        for name, one in defaults.items()
    }
    unknown = sorted(options.keys() - known.keys())
    if unknown:
        listing = ", ".join(
            f"{name} ({one.bounds}, default {one.default:g})" for name, one in known.items()
        )
        raise InvalidRequest(
            f"There is no option {', '.join(unknown)} here.",
            remedy=f"The options are: {listing}." if known else "There are none; leave it out.",
            field=unknown[0],
            options={name: one.default for name, one in known.items()},
        )
    return {name: one.check(name, options.get(name, one.default)) for name, one in known.items()}
