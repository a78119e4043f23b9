"""The metrics of the endpoint, from an app that has answered nothing."""

from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import Metric

from anybody import Anybody
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.metrics.exposition import Exposition
from daybreak.serving.service import service_of
from daybreak.settings import Settings


def exported_metrics() -> list[Metric]:
    """All of them, without values."""
    with TemporaryDirectory() as home:
        app = create_app(Runtime(Settings(home=Path(home))), authenticator=Anybody())
        return list(Exposition(service_of(app)).collect())
