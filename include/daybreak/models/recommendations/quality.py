"""How good the published lists of a night were for who bought on the day after."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from daybreak.clock import AsOf
from daybreak.models.base import Measured

LEAST = 0.05
"""A change of either measure that is worth a word."""

LEAST_BUYERS = 20
"""Of fewer a share says nothing."""

_BUYERS = text(
    """
    WITH earlier AS (
        -- The newest that is published before the day, by what it knew.
        SELECT pointer.generation_id, pointer.business_date
        FROM ops.published AS pointer
        JOIN ops.generation AS scored_as ON scored_as.generation_id = pointer.generation_id
        WHERE pointer.model = 'recommendations' AND pointer.business_date < :day
            AND scored_as.cutoff <= :cutoff
        ORDER BY pointer.business_date DESC
        LIMIT 1
    ),
    bought AS (
        SELECT DISTINCT event.user_id, event.item_id
        FROM raw.interaction AS event
        WHERE event.business_date = :day AND event.loaded_at <= :cutoff
            AND event.weight >= 1 AND event.user_id <> ''
    ),
    of_buyer AS (
        SELECT buyer.user_id, found.lists > 0 AS has_list, found.met
        FROM (SELECT DISTINCT user_id FROM bought) AS buyer
        CROSS JOIN earlier
        CROSS JOIN LATERAL (
            SELECT count(*) AS lists, count(bought.item_id) AS met
            FROM score.recommendation AS score
            LEFT JOIN bought
                ON bought.user_id = score.user_id AND bought.item_id = score.item_id
            WHERE score.business_date = earlier.business_date
                AND score.generation_id = earlier.generation_id
                AND score.user_id = buyer.user_id
        ) AS found
    )
    SELECT
        count(*) AS buyers,
        count(*) FILTER (WHERE has_list) AS listed,
        count(*) FILTER (WHERE has_list AND met > 0) AS met
    FROM of_buyer
    """
)


def quality(warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
    """Of who bought on the business date, by what was known at the cutoff, and of the newest lists
    published before it. ``hit_rate``: the share of buyers with a list who bought from it.
    ``listed``: the share of buyers who had one. Nothing of fewer than ``LEAST_BUYERS``."""
    asked = {"day": as_of.business_date, "cutoff": as_of.cutoff}
    buyers, listed, met = warehouse.execute(_BUYERS, asked).one()
    found = {}
    if buyers >= LEAST_BUYERS:
        found["listed"] = Measured(listed / buyers, buyers, LEAST)
    if listed >= LEAST_BUYERS:
        found["hit_rate"] = Measured(met / listed, listed, LEAST)
    return found
