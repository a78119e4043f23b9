"""Register a version from files: a formula, or trees that were trained elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

from daybreak.errors import InvalidRequest
from daybreak.jobs.drift import with_reference
from daybreak.models import get_model
from daybreak.models.base import Trained
from daybreak.registry.artifact import Artifact, EngineKind, engine_of
from daybreak.registry.booster import check_booster
from daybreak.registry.registry import BOOSTER, MANIFEST
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring.engines.engine import differing_features
from daybreak.scoring.engines.golden import FILE as GOLDEN
from daybreak.scoring.engines.golden import golden_rows


class Registration(TypedDict):
    """``new``: False where the same content was registered before."""

    model: str
    version: str
    engine: EngineKind
    new: bool


def register(
    model: str, manifest: Path, files: Iterable[Path] = (), runtime: Runtime | None = None
) -> Registration:
    """Register a version of ``model`` from a manifest and the files that belong to it.

    ``manifest``: a JSON object with ``trained_through``, and ``"engine": "none"`` where the version
    has no trees. ``files``: kept under their names; ``model.ubj`` is the booster. No gate judges
    the version; a person promotes it. Raises ``NotFound`` for an unknown model, ``InvalidRequest``
    for files that cannot be read or do not fit the model, and what ``Registry.register`` raises.
    """
    runtime = runtime or get_runtime()
    described = _manifest(manifest)
    features = get_model(model).features_of(described)
    contents = _contents(files)
    differing = differing_features(described, features)
    if differing:
        raise InvalidRequest(
            f"{manifest} lists other features than {model} makes: {', '.join(differing)}.",
            remedy=f'Let "features" be {json.dumps(list(features))}, and the trees be trained on '
            "them."
            if features
            else f'Leave "features" out: {model} is scored without trees.',
            field="features",
        )
    known = {entry["version"] for entry in runtime.registry.versions(model)}
    trained = Trained(contents.pop(BOOSTER, None), described, contents)
    version = register_trained(runtime, model, trained)
    return {
        "model": model,
        "version": version,
        "engine": engine_of(described),
        "new": version not in known,
    }


def register_trained(runtime: Runtime, model: str, trained: Trained) -> str:
    """Register a version with its golden rows; returns its name.

    They replace a file of that name that it brings along. Where it says which nights it learned
    from, its manifest gets bins and histograms of them. Raises what ``Registry.register`` raises.
    """
    manifest, files = with_reference(runtime, model, trained), trained.files
    if trained.booster is not None and engine_of(manifest) == "xgboost":
        check_booster(trained.booster, manifest, f"the new version of {model}")
        new = Artifact(model, "", trained.booster, manifest)
        files = files | {GOLDEN: golden_rows(new, trained.examples)}
    return runtime.registry.register(model, trained.booster, manifest, files)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path, "manifest"))
    except ValueError as error:
        raise InvalidRequest(
            f"{path} is not JSON: {error}.",
            remedy="Give a file with one JSON object, in UTF-8.",
            field="manifest",
        ) from error
    if not isinstance(found, dict):
        raise InvalidRequest(
            f"{path} holds no JSON object.",
            remedy='Write {"trained_through": "2026-01-31", "engine": "none"} and what explains '
            "the version.",
            field="manifest",
        )
    return found


def _contents(files: Iterable[Path]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for path in files:
        if path.name == MANIFEST or path.name in contents:
            raise InvalidRequest(
                f"{path} would be a second {path.name} of the version.",
                remedy="Give each file once, under a name of its own; the manifest is not one of "
                "them.",
                field="file",
            )
        contents[path.name] = _read(path, "file")
    return contents


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be read: {error.strerror}.",
            remedy="Give the path of a file that is there.",
            field=field,
        ) from error
