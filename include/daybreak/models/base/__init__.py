"""What the platform asks of a model: a name, and the facets that it has.

Every model has an endpoint and a scorer. One that is scored nightly has the facet ``Nightly``, one
that learns has ``Learning``, in modules that neither scoring nor serving imports.
Nothing outside ``models/`` knows a model by name.

Shapes: ``n`` entities, ``S`` snapshot values, ``R`` values a record, ``q`` questions, ``m`` rows to
score, ``F`` features, ``K`` margins a row. Everything numeric is float32 from the snapshot to the
score.
"""

from __future__ import annotations

from daybreak.models.base.endpoint import Endpoint, Example, RequestT
from daybreak.models.base.learning import Baseline, Headline, Learning, Trained, Verdict
from daybreak.models.base.model import AnyModel, CurveOf, Model
from daybreak.models.base.nightly import Measured, Nightly, Part, Proposal, RowsOf, Shared, Span
from daybreak.models.base.progress import logged, quiet
from daybreak.models.base.rows import (
    NO_ENTITIES,
    NO_OPTIONS,
    Answers,
    AsOfDay,
    Columns,
    Context,
    Day,
    Given,
    Key,
    Moment,
    Options,
    Questions,
    Remarks,
    SnapshotRows,
    Source,
    rows_of,
)
from daybreak.models.base.scorers import (
    DecidingScorer,
    LooksAt,
    Moves,
    MovingScorer,
    Row,
    RowScorer,
    Scorer,
    ScoringRows,
)
from daybreak.models.schedule import DAILY, Schedule, ScoresOf
from daybreak.types import Float32, Progress

__all__ = [
    "DAILY",
    "NO_ENTITIES",
    "NO_OPTIONS",
    "Answers",
    "AnyModel",
    "AsOfDay",
    "Baseline",
    "Columns",
    "Context",
    "CurveOf",
    "Day",
    "DecidingScorer",
    "Endpoint",
    "Example",
    "Float32",
    "Given",
    "Headline",
    "Key",
    "Learning",
    "LooksAt",
    "Measured",
    "Model",
    "Moment",
    "Moves",
    "MovingScorer",
    "Nightly",
    "Options",
    "Part",
    "Progress",
    "Proposal",
    "Questions",
    "Remarks",
    "RequestT",
    "Row",
    "RowScorer",
    "RowsOf",
    "Schedule",
    "Scorer",
    "ScoresOf",
    "ScoringRows",
    "Shared",
    "SnapshotRows",
    "Source",
    "Span",
    "Trained",
    "Verdict",
    "logged",
    "quiet",
    "rows_of",
]
