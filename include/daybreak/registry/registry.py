"""Versions of models: registered once, never changed, and checked whenever they are loaded."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from importlib.metadata import version as installed
from typing import Any

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert

from daybreak.errors import ArtifactAltered, ArtifactMissing, Conflict, InvalidRequest, NotFound
from daybreak.registry.artifact import Artifact, engine_of
from daybreak.registry.booster import check_booster
from daybreak.registry.store import ArtifactStore
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import model_version

BOOSTER = "model.ubj"
MANIFEST = "manifest.json"
_ADDED = ("name", "version", "sha256", "libraries")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Registry:
    """Puts versions into a store and their sha256 into the warehouse's ledger.

    The ledger's row is written last: a version whose registration was cut short does not exist.
    """

    def __init__(self, store: ArtifactStore, engine: Engine, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.engine = engine
        self.clock = clock

    def register(
        self,
        model: str,
        booster: bytes | None,
        manifest: Mapping[str, Any],
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        """Store a candidate and return its version, ``<trained_through>-<8 hex of content>``.

        ``manifest`` needs ``trained_through`` (ISO date) and may hold JSON values only; name,
        version, sha256 of every file and library versions are added to it. ``booster``: None where
        the manifest's engine is ``none``. The same content gives the same version, so registering
        twice changes nothing. Raises ``InvalidRequest``, ``InvalidBooster``, ``Conflict``,
        ``StorageFull`` or ``RegistryUnavailable``.
        """
        if not _NAME.fullmatch(model):
            raise InvalidRequest(
                f"{model!r} is not a model name.",
                remedy="Use lower case letters, digits and '_', starting with a letter.",
                field="model",
            )
        trained_through = _trained_through(manifest)
        contents = dict(files or {})
        _check_names(contents)
        _check_engine(model, booster, manifest)
        if booster is not None:
            contents = {BOOSTER: booster, **contents}
        described = {
            **{name: value for name, value in manifest.items() if name not in _ADDED},
            "name": model,
            "sha256": {name: sha256(data) for name, data in contents.items()},
            "libraries": library_versions(trees=booster is not None),
        }
        digest = sha256(canonical_json(described))
        version = f"{trained_through.isoformat()}-{digest[:8]}"
        described["version"] = version
        contents[MANIFEST] = canonical_json(described)

        for name, data in contents.items():
            self.store.write(f"{model}/{version}/{name}", data)
        self._record(model, version, trained_through, contents)
        return version

    def load(self, model: str, version: str) -> Artifact:
        """Read a version and check the sha256 of every file against the ledger.

        Raises ``NotFound`` for a version that was never registered, ``ArtifactMissing``,
        ``ArtifactAltered`` or ``RegistryUnavailable``.
        """
        files = self._ledger(model, version)
        contents = {
            name: self._read_checked(f"{model}/{version}/{name}", expected)
            for name, expected in files.items()
        }
        booster = contents.pop(BOOSTER, b"")
        manifest = json.loads(contents.pop(MANIFEST))
        return Artifact(model, version, booster, manifest, contents)

    def versions(self, model: str) -> list[dict[str, Any]]:
        """Every registered version, newest first, with uri, files, manifest and both dates."""
        query = (
            select(model_version)
            .where(model_version.c.model == model, model_version.c.pruned_at.is_(None))
            .order_by(model_version.c.registered_at.desc(), model_version.c.version.desc())
        )
        with connect(self.engine) as conn:
            return [dict(row) for row in conn.execute(query).mappings()]

    def _record(
        self, model: str, version: str, trained_through: date, contents: Mapping[str, bytes]
    ) -> None:
        files = {name: sha256(data) for name, data in contents.items()}
        row = {
            "model": model,
            "version": version,
            "uri": self.store.uri(f"{model}/{version}"),
            "files": files,
            "manifest": json.loads(contents[MANIFEST]),
            "trained_through": trained_through,
            "registered_at": self.clock(),
        }
        with begin(self.engine) as conn:
            conn.execute(
                insert(model_version)
                .values(row)
                .on_conflict_do_update(  # one whose files went is back
                    index_elements=[model_version.c.model, model_version.c.version],
                    set_={"pruned_at": None},
                    where=model_version.c.pruned_at.is_not(None),
                )
            )
        if self._ledger(model, version) != files:
            raise Conflict(
                f"{model} {version} is in the ledger with other files.",
                remedy="Two trainings collide in 8 hex digits: change the seed and train again.",
                model=model,
                version=version,
            )

    def _ledger(self, model: str, version: str) -> dict[str, str]:
        """File name to sha256, as registered."""
        query = select(model_version.c.files, model_version.c.pruned_at).where(
            model_version.c.model == model, model_version.c.version == version
        )
        with connect(self.engine) as conn:
            found = conn.execute(query).one_or_none()
        if found is not None and found.pruned_at is not None:
            raise ArtifactMissing(
                f"The files of {model} {version} went on {found.pruned_at:%Y-%m-%d}: it was not "
                "champion, and nothing named it.",
                remedy="Train again as of its day, or promote another version.",
                model=model,
                version=version,
            )
        files: dict[str, str] | None = None if found is None else found.files
        if files is None:
            raise NotFound(
                f"{model} has no version {version}.",
                remedy=f"`daybreak models list {model}` shows those that are registered.",
                model=model,
                version=version,
            )
        return files

    def _read_checked(self, path: str, expected: str) -> bytes:
        data = self.store.read(path)
        found = sha256(data)
        if found != expected:
            raise ArtifactAltered(
                f"{path} is not what was registered: its sha256 begins {found[:12]}, "
                f"the ledger's {expected[:12]}.",
                remedy="Restore the file from a backup, or promote another version.",
                path=path,
                expected=expected,
                found=found,
            )
        return data


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """The one byte form of a JSON object: sorted keys, UTF-8, indented for people.

    Raises ``InvalidRequest`` for what JSON cannot hold, NaN and infinity included.
    """
    try:
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        return f"{text}\n".encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"The manifest holds what JSON cannot ({error}).",
            remedy="Give text, finite numbers, booleans, null, lists and objects only.",
            field="manifest",
        ) from error


def library_versions(*, trees: bool) -> dict[str, str]:
    """Versions of what the bits of a score depend on."""
    libraries = {
        "daybreak": installed("daybreak"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if trees:
        # Training has imported xgboost already; loading never pays for it.
        # Its distribution has two names (xgboost-cpu, xgboost), the module knows its version.
        import xgboost  # noqa: PLC0415

        libraries["xgboost"] = xgboost.__version__
    return libraries


def _check_names(files: Mapping[str, bytes]) -> None:
    """No file stands in the place of the booster, which is checked, or of the manifest."""
    taken = sorted({BOOSTER, MANIFEST} & files.keys())
    if taken:
        raise InvalidRequest(
            f"A version's own {' and '.join(taken)} cannot be among its files.",
            remedy="Pass the booster and the manifest as such, and name the files otherwise.",
            field="files",
        )


def _check_engine(model: str, booster: bytes | None, manifest: Mapping[str, Any]) -> None:
    """Trees where the manifest's engine needs them, and only there."""
    trees = engine_of(manifest) == "xgboost"
    if trees and booster is not None:
        check_booster(booster, manifest, f"the new version of {model}")
    elif trees:
        raise InvalidRequest(
            f"The new version of {model} has no booster.",
            remedy='Give the bytes of model.ubj, or let the manifest say "engine": "none".',
            field="booster",
        )
    elif booster is not None:
        raise InvalidRequest(
            f"The new version of {model} has a booster, and its engine is none.",
            remedy='Leave the booster out, or leave "engine" out of the manifest.',
            field="engine",
        )


def _trained_through(manifest: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(manifest["trained_through"])
    except (KeyError, TypeError, ValueError):
        raise InvalidRequest(
            "The manifest does not say through which date the version was trained.",
            remedy='Add "trained_through" as an ISO date, such as "2026-01-31".',
            field="trained_through",
        ) from None
