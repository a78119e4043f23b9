"""What an operator may set of the fraud model. A version keeps what it was trained with."""

from __future__ import annotations

from daybreak.models.base import Options
from daybreak.models.options import Option, chosen

DELAY = "delay_days"
"""Days after which most frauds of a day are known: learned from the labels, kept by a version."""
_USUAL_DELAY = 7

OPTIONS: dict[str, float | Option] = {
    "review_cost": Option(5.0, least=0),
    "block_cost": Option(50.0, least=0),
    "alerts_per_day": Option(0, least=0, whole=True),
}
"""``review_cost``, ``block_cost``: of looking at a transaction, and of blocking a good one, in the
unit of the amount. ``alerts_per_day``: instead, so many transactions a day are reviewed; 0 is by
costs."""


def delay_of_day(options: Options) -> int:
    """The delay that a business date is built with.

    Raises ``InvalidRequest`` for an option that there is not.
    """
    known = OPTIONS | {DELAY: Option(_USUAL_DELAY, least=1, whole=True)}
    return int(chosen(options, known)[DELAY])
