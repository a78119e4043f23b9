"""The facet ``Learning`` of the model."""

from __future__ import annotations

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.models.base import NO_OPTIONS, Learning, Options, Progress, Trained, Verdict, quiet
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.learn.examples import read_examples
from daybreak.models.fraud.learn.gate import judge
from daybreak.models.fraud.learn.hindsight import FraudHindsight
from daybreak.models.fraud.learn.lineage import grown_of, learned_through
from daybreak.models.fraud.learn.train import trained
from daybreak.models.fraud.options import OPTIONS
from daybreak.models.options import chosen
from daybreak.registry.artifact import Artifact


class FraudLearning(Learning):
    """Versions of the model, and which of them may become champion."""

    hindsight = FraudHindsight()

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Raises ``NoData`` where too little is known, and ``InvalidRequest``."""
        chosen(options, OPTIONS)
        examples = read_examples(warehouse, as_of, progress)
        return trained(examples, as_of.business_date, options, progress=progress)

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate, on the last of the days that the challenger learned from."""
        examples = read_examples(warehouse, as_of, progress)
        compared = None
        if champion is not None and Layout.from_manifest(champion.manifest) == examples.layout:
            compared = (champion.version, grown_of(champion), learned_through(champion))
        return judge(examples, as_of, compared, version=challenger.version, progress=progress)


LEARNING = FraudLearning()
