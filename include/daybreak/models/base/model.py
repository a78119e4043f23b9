"""A name and the facets that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias

from daybreak.errors import NotFound
from daybreak.models.base.endpoint import Endpoint, RequestT
from daybreak.models.base.nightly import Nightly
from daybreak.models.base.rows import Columns, Day, Key, SnapshotRows
from daybreak.models.base.scorers import Scorer
from daybreak.models.schedule import ScoresOf
from daybreak.prices.curve import Curve
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.reports.section import Section
from daybreak.warehouse.reports.view import View

CurveOf = Callable[[SnapshotRows, Columns, Day], Curve]


@dataclass(frozen=True)
class Model(Generic[RequestT]):
    """A name and facets. Stateless: all that a model learned is in the artifact of a version.

    ``scorer``: makes the scorer of a version and a day; called once for each, may be costly.
    ``features``: names of the F features of the engine, in order; none for a formula. A function
    of a version's manifest where they follow from it.
    ``learning``: ``package.module:OBJECT`` of the facet ``Learning``, imported where it is used.
    ``decides``: its requests are events of a stream (``signals.incoming.DecisionForm``) and its
    scorer is a ``DecidingScorer``. Each answer is kept with what it was made from, and the night
    makes it again from the log by the batch fold: same features, same answer, bit for bit. The
    version in force answers; no business date has to be published.
    ``curve``: of a model that sets prices: the demand curve of an entity (n=1), with its published
    row of the score table, (1,) each. ``views``: its report views. ``sections``: what its period
    reports have beside what those of every model have. ``reads``: the inputs of a model that is not
    scored nightly; else its schedule has them.
    """

    name: str
    endpoint: Endpoint[RequestT]
    scorer: Callable[[Artifact, Day], Scorer]
    features: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]] = ()
    nightly: Nightly | None = None
    decides: bool = False
    learning: str | None = None
    curve: CurveOf | None = None
    views: tuple[View, ...] = ()
    sections: tuple[Section, ...] = ()
    reads: tuple[ScoresOf, ...] = ()

    def __post_init__(self) -> None:
        if self.nightly is not None and self.reads:
            raise ValueError(f"{self.name} is scored nightly: its schedule says what it reads")
        if self.nightly is not None and self.nightly.schedule.proves != self.decides:
            raise ValueError(f"`proves` of the schedule of {self.name} is to be as it `decides`")
        if self.nightly is not None:
            asks = type(self.nightly).proposal is not Nightly.proposal
            if self.nightly.schedule.asks != asks:
                raise ValueError(f"`asks` of the schedule of {self.name} is to be as `proposal`")

    @property
    def night(self) -> Nightly:
        """The facet ``nightly``. Raises ``NotFound`` where the model has none."""
        if self.nightly is None:
            raise NotFound(
                f"{self.name} is not scored nightly: it only answers requests.",
                remedy="Ask the endpoint; `daybreak models list` shows its versions.",
                field="model",
                model=self.name,
            )
        return self.nightly

    def features_of(self, manifest: Mapping[str, Any]) -> tuple[str, ...]:
        """The features that a version has to have been trained on."""
        return self.features(manifest) if callable(self.features) else self.features

    @property
    def answers_from_a_day(self) -> bool:
        """Whether requests are about a published business date, whose version answers them."""
        return self.nightly is not None and not self.decides

    @property
    def inputs(self) -> tuple[ScoresOf, ...]:
        """Other models' scores that it stands on: by its schedule, or by request."""
        return self.nightly.schedule.inputs if self.nightly else self.reads

    @property
    def keys(self) -> Key:
        """Columns that name an entity; none where requests are about no entity."""
        return self.nightly.keys if self.nightly else ()


AnyModel: TypeAlias = Model[Any]
