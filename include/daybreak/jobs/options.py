"""Options of a model from the settings."""

from __future__ import annotations

from daybreak.errors import ConfigError
from daybreak.models import model_names
from daybreak.models.base import Options
from daybreak.runtime import Runtime


def model_options(runtime: Runtime, model: str) -> Options:
    """The model's own of ``DAYBREAK_MODEL_OPTIONS``, which it checks itself.

    Raises ``ConfigError`` where the setting names a model that there is not.
    """
    given = runtime.settings.model_options
    unknown = sorted(given.keys() - set(model_names()))
    if unknown:
        raise ConfigError(
            f"DAYBREAK_MODEL_OPTIONS has options of {', '.join(unknown)}, which is not a model.",
            remedy=f"The models are: {', '.join(model_names())}.",
            field="DAYBREAK_MODEL_OPTIONS",
        )
    return given.get(model, {})
