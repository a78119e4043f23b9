"""Options that a caller sets by name, over a model's defaults."""

from __future__ import annotations

from collections.abc import Mapping

from daybreak.errors import InvalidRequest


def chosen(options: Mapping[str, int], defaults: Mapping[str, int]) -> dict[str, int]:
    """``defaults`` with ``options`` over them. Raises ``InvalidRequest`` for an unknown name."""
    unknown = sorted(options.keys() - defaults.keys())
    if unknown:
        known = ", ".join(f"{name} (default {value})" for name, value in defaults.items())
        raise InvalidRequest(
            f"There is no option {', '.join(unknown)} here.",
            remedy=f"The options are: {known}." if known else "There are no options; leave it out.",
            field=unknown[0],
            options=dict(defaults),
        )
    return {**defaults, **options}
