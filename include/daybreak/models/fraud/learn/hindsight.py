"""Decisions beside what was known as fraud later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.models.fraud.learn.measures import average_precision
from daybreak.models.fraud.options import delay_of_day
from daybreak.models.fraud.stream import stream_of_frauds
from daybreak.models.hindsight import Columns, Hindsight, Realised
from daybreak.signals.transactions import read_transactions


class FraudHindsight(Hindsight):
    """The measure is the gate's, average precision, of each day by itself."""

    measure = "average precision"
    higher_is_better = True
    unit = "fraud that was allowed"
    acted_on = ("decision",)

    def known_from(self, warehouse: Connection, day: date, manifest: Mapping[str, Any]) -> date:
        """So many days later as most frauds take to become known, as the version learned it."""
        return day + timedelta(days=delay_of_day(manifest.get("options", {})))

    def realised(self, warehouse: Connection, truth: AsOf, day: date, columns: Columns) -> Realised:
        """Units lost are frauds whose decision is to allow them. Weighed by the day's frauds."""
        stream = stream_of_frauds(warehouse, truth)
        found = read_transactions(warehouse, stream, day, day, truth.cutoff)
        frauds = set(found.event_id[found.fraud].tolist())
        fraud = np.array([one in frauds for one in columns["event_id"].tolist()], bool)
        allowed = int((fraud & (columns["decision"] == "allow")).sum())
        if not fraud.any():
            return Realised(0.0, 0.0, 0.0)
        value = average_precision(columns["probability"], fraud)
        return Realised(value, float(fraud.sum()), float(allowed))
