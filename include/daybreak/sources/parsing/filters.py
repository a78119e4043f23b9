"""The rows that a condition of the data set file holds for."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from daybreak.sources.arrow import Array, Mask, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.section import Condition, scalar_text
from daybreak.sources.parsing.convert import plain, to_choice, to_number, to_text

_COMPARE = {
    "below": pc.less,
    "at_most": pc.less_equal,
    "above": pc.greater,
    "at_least": pc.greater_equal,
}


def holds(condition: Condition, values: Array) -> Mask:
    """Where ``condition`` holds for ``values`` (n source values of its column): bool (n,).

    A null, and a text that is not a number where numbers are compared, satisfies only ``is_null``.
    """
    (test, wanted), *_ = condition.tests.items()
    return as_mask(_evaluate(test, wanted, plain(values)))


def _evaluate(test: str, wanted: Any, values: Array) -> Array:
    if test in _COMPARE:
        return _COMPARE[test](to_number(values), float(wanted))
    if test == "is_null":
        return pc.is_null(to_text(values)) if wanted else pc.is_valid(to_text(values))
    if test == "matches":
        return pc.match_substring_regex(to_text(values), f"^(?:{wanted})$")
    choices = [wanted] if test == "equals" else wanted
    return pc.is_in(
        to_choice(values), value_set=pa.array([scalar_text(choice) for choice in choices])
    )
