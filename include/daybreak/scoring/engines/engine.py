"""What turns rows of features into margins, whichever the version's manifest names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from daybreak.errors import NotReady
from daybreak.models.base import Day
from daybreak.registry.artifact import Artifact
from daybreak.types import Float32

EngineName = Literal["twin", "booster", "none"]


class Engine(Protocol):
    """A version's features, float32 (m, F), to its margins, float32 (m, K)."""

    artifact: Artifact

    @property
    def name(self) -> EngineName:
        """What answers ``single``."""
        ...

    def batch(self, X: Float32) -> Float32:
        """Margins of many rows."""
        ...

    def single(self, X: Float32) -> Float32:
        """Margins of a few rows: bit for bit those of ``batch``."""
        ...

    def contributions(self, X: Float32) -> Float32:
        """What each feature adds to the margins, float32 (m, K, F + 1); the last one is the base.

        They add up to the margins but for rounding.
        """
        ...

    def path_contributions(self, X: Float32) -> Float32:
        """The same in a hundredth of the time, along the path of each tree alone."""
        ...


def expect_features(artifact: Artifact, names: Sequence[str]) -> None:
    """Check that the version was trained on the features that this code makes, in this order.

    Raises ``NotReady``: numbers in the wrong columns would give scores that look right.
    """
    differing = differing_features(artifact.manifest, names)
    if not differing:
        return
    raise NotReady(
        f"{artifact.model} {artifact.version} was trained on other features than "
        f"this code makes: {', '.join(differing)}.",
        remedy="Train a version with this code, or go back to the code that trained it.",
        model=artifact.model,
        version=artifact.version,
        features=differing,
    )


def expect_options(artifact: Artifact, day: Day) -> None:
    """Check that a day was built with the options that the version was trained with.

    Raises ``NotReady``: its rows would be those of another horizon.
    """
    trained = artifact.manifest.get("options", {})
    differing = sorted(name for name in trained if day.options.get(name) != trained[name])
    if differing:
        raise NotReady(
            f"{artifact.model} {artifact.version} was trained with another "
            f"{', '.join(differing)} than the published day was built with.",
            remedy="Promote it and score the day again, or train a version with these options.",
            model=artifact.model,
            version=artifact.version,
            options=differing,
        )


def differing_features(manifest: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """What of the manifest's features is not as ``names`` says; empty where all is."""
    trained = feature_names(manifest)
    if trained == list(names):
        return []
    return sorted(set(trained) ^ set(names)) or ["their order"]


def feature_names(manifest: Mapping[str, Any]) -> list[str]:
    """The features of a version, in order, listed with their dtype or as names only."""
    listed = manifest.get("features", [])
    if not isinstance(listed, list):  # people write manifests too
        listed = [listed]
    return [str(each.get("name") if isinstance(each, Mapping) else each) for each in listed]
