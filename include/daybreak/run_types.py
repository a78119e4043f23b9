"""How runs are started, in Airflow's words; a run of the command line is of the type ``cli``."""

from __future__ import annotations

BY_ASSET = "asset_triggered"

FROM_THE_TIMETABLE = frozenset({"scheduled", "backfill"})
"""Runs whose logical date the timetable made, as opposed to one that a person typed."""

BY_ITSELF = frozenset({"scheduled", BY_ASSET})
"""Runs that no person started: the clock did, or what another run published."""
