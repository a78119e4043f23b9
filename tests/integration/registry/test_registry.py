"""Versions and champions: what is registered stays as it was, and a replay gets its champion."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xgboost
from sqlalchemy import Engine, func, select, update

from daybreak.errors import (
    ArtifactAltered,
    ArtifactMissing,
    ConfigError,
    Conflict,
    InvalidBooster,
    InvalidRequest,
    NoChampion,
    NotFound,
    StorageFull,
)
from daybreak.ledger.champions import champion_at, history, promote
from daybreak.registry.disk import DiskStore
from daybreak.registry.registry import Registry, canonical_json, sha256
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import champion, model_version

NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
MANIFEST = {"trained_through": "2026-01-31", "features": ["b", "a"], "metrics": {"wape": 0.25}}


@cache
def small_booster(rounds: int) -> bytes:
    X = np.arange(20, dtype=np.float32).reshape(10, 2)
    trained = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, X[:, 0]), rounds)
    return bytes(trained.save_raw("ubj"))


TREES = small_booster(2)


@pytest.fixture
def registry(warehouse: Engine, tmp_path: Path) -> Registry:
    return Registry(DiskStore(tmp_path / "registry"), warehouse, lambda: NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "toy"


def test_a_version_comes_back_as_it_was_registered(registry: Registry, folder: Path) -> None:
    version = registry.register("toy", TREES, MANIFEST, {"items.bin": b"\x00\x01"})

    assert version.startswith("2026-01-31-")
    assert len(version.removeprefix("2026-01-31-")) == 8
    artifact = registry.load("toy", version)
    assert artifact.booster == TREES
    assert artifact.files == {"items.bin": b"\x00\x01"}
    assert artifact.manifest.items() >= MANIFEST.items()
    assert (artifact.manifest["name"], artifact.manifest["version"]) == ("toy", version)
    assert artifact.manifest["sha256"] == {
        "model.ubj": sha256(TREES),
        "items.bin": sha256(b"\x00\x01"),
    }
    assert artifact.manifest["libraries"]["numpy"] == np.__version__
    written = (folder / version / "manifest.json").read_bytes()
    assert written == canonical_json(json.loads(written)), "the manifest has one byte form"

    (listed,) = registry.versions("toy")
    assert listed["version"] == version
    assert listed["trained_through"] == date(2026, 1, 31)
    assert listed["registered_at"] == NOW
    assert listed["uri"] == (folder / version).as_uri()
    assert listed["files"]["manifest.json"] == sha256(written)


def test_registering_twice_changes_nothing(registry: Registry) -> None:
    first = registry.register("toy", TREES, MANIFEST)
    again = registry.register("toy", TREES, dict(reversed(MANIFEST.items())))
    assert first == again
    assert len(registry.versions("toy")) == 1


def test_a_manifest_read_back_can_be_registered_again(registry: Registry) -> None:
    version = registry.register("toy", TREES, MANIFEST)
    assert registry.register("toy", TREES, registry.load("toy", version).manifest) == version


@pytest.mark.parametrize("change", [{"metrics": {"wape": 0.26}}, {"trained_through": "2026-02-01"}])
def test_other_content_is_another_version(registry: Registry, change: dict[str, object]) -> None:
    first = registry.register("toy", TREES, MANIFEST)
    assert registry.register("toy", TREES, MANIFEST | change) != first
    assert registry.register("toy", small_booster(3), MANIFEST) != first
    assert len(registry.versions("toy")) == 3


def test_a_changed_byte_is_found_on_load(registry: Registry, folder: Path) -> None:
    version = registry.register("toy", TREES, MANIFEST)
    for name in ("model.ubj", "manifest.json"):
        file = folder / version / name
        original = file.read_bytes()
        file.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(ArtifactAltered, match=name) as caught:
            registry.load("toy", version)
        assert caught.value.status == 503
        assert caught.value.details["path"] == f"toy/{version}/{name}"
        file.write_bytes(original)
    registry.load("toy", version)


def test_a_file_and_its_own_manifest_altered_together_are_found(
    registry: Registry, folder: Path
) -> None:
    """What the folder says of itself proves nothing: the ledger is asked."""
    version = registry.register("toy", TREES, MANIFEST)
    file = folder / version / "manifest.json"
    manifest = json.loads(file.read_bytes())
    manifest["sha256"]["model.ubj"] = sha256(b"poisoned")
    file.write_bytes(canonical_json(manifest))
    (folder / version / "model.ubj").write_bytes(b"poisoned")
    with pytest.raises(ArtifactAltered):
        registry.load("toy", version)


def test_a_missing_file_is_named(registry: Registry, folder: Path) -> None:
    version = registry.register("toy", TREES, MANIFEST)
    (folder / version / "model.ubj").unlink()
    with pytest.raises(ArtifactMissing, match=r"model\.ubj"):
        registry.load("toy", version)


def test_what_was_never_registered_is_not_found(registry: Registry, folder: Path) -> None:
    (folder / "2026-01-31-00000000").mkdir(parents=True)
    (folder / "2026-01-31-00000000" / "model.ubj").write_bytes(b"left by hand")
    for version in ("2026-01-31-00000000", "../../etc/passwd"):
        with pytest.raises(NotFound, match="daybreak models list toy"):
            registry.load("toy", version)


def test_a_registration_cut_short_is_not_there_and_can_be_repeated(
    warehouse: Engine, tmp_path: Path
) -> None:
    class FullBeforeManifest(DiskStore):
        def write(self, path: str, data: bytes) -> None:
            if path.endswith("manifest.json"):
                raise StorageFull("No space.")
            super().write(path, data)

    root = tmp_path / "registry"
    with pytest.raises(StorageFull):
        Registry(FullBeforeManifest(root), warehouse, lambda: NOW).register("toy", TREES, MANIFEST)
    registry = Registry(DiskStore(root), warehouse, lambda: NOW)
    assert registry.versions("toy") == []
    registry.load("toy", registry.register("toy", TREES, MANIFEST))


@pytest.mark.parametrize(
    ("model", "manifest", "field"),
    [
        ("../toy", MANIFEST, "model"),
        ("Toy", MANIFEST, "model"),
        ("toy", {}, "trained_through"),
        ("toy", {"trained_through": "yesterday"}, "trained_through"),
        ("toy", MANIFEST | {"wape": float("nan")}, "manifest"),
        ("toy", MANIFEST | {"model": object()}, "manifest"),
    ],
)
def test_a_candidate_that_cannot_be_described_is_refused(
    registry: Registry, model: str, manifest: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        registry.register(model, TREES, manifest)
    assert caught.value.details["field"] == field
    assert not Path(registry.store.root).exists()  # type: ignore[attr-defined]  # a DiskStore here


@pytest.mark.parametrize("broken", [b"", TREES[:100], b"trees", TREES + b"!"])
def test_a_booster_that_nobody_could_load_is_not_registered(
    registry: Registry, broken: bytes
) -> None:
    with pytest.raises(InvalidBooster, match="the new version of toy"):
        registry.register("toy", broken, MANIFEST)
    assert registry.versions("toy") == []
    assert not Path(registry.store.root).exists()  # type: ignore[attr-defined]  # a DiskStore here


@pytest.mark.parametrize(
    ("booster", "manifest", "files", "field", "fault"),
    [
        (None, MANIFEST, {}, "booster", "has no booster"),
        (TREES, MANIFEST | {"engine": "none"}, {}, "engine", "has a booster, and its engine is"),
        (None, MANIFEST | {"engine": "gpu"}, {}, "engine", "The manifest's engine is 'gpu'"),
        (None, MANIFEST | {"engine": "none"}, {"model.ubj": b""}, "files", "own model.ubj"),
        (TREES, MANIFEST, {"manifest.json": b"{}"}, "files", "own manifest.json"),
    ],
)
def test_trees_are_there_where_the_engine_needs_them_and_only_there(  # noqa: PLR0917
    registry: Registry,
    booster: bytes | None,
    manifest: dict[str, object],
    files: dict[str, bytes],
    field: str,
    fault: str,
) -> None:
    with pytest.raises(InvalidRequest, match=fault) as caught:
        registry.register("toy", booster, manifest, files)
    assert caught.value.details["field"] == field
    assert caught.value.remedy
    assert registry.versions("toy") == []


def test_a_formula_comes_back_as_it_was_registered(registry: Registry, folder: Path) -> None:
    manifest = MANIFEST | {"engine": "none", "limit": 500}
    version = registry.register("toy", None, manifest, {"limits.csv": b"B1,900"})
    artifact = registry.load("toy", version)
    assert (artifact.engine, artifact.booster) == ("none", b"")
    assert artifact.files == {"limits.csv": b"B1,900"}
    assert artifact.manifest["limit"] == 500
    assert artifact.manifest["libraries"].keys() == {"daybreak", "numpy", "python"}
    assert {file.name for file in (folder / version).iterdir()} == {"manifest.json", "limits.csv"}


def test_a_collision_in_the_ledger_is_refused(registry: Registry) -> None:
    version = registry.register("toy", TREES, MANIFEST)
    with begin(registry.engine) as conn:
        conn.execute(update(model_version).values(files={"model.ubj": "0" * 64}))
    with pytest.raises(Conflict, match=version):
        registry.register("toy", TREES, MANIFEST)


# The champion ledger


def enter(engine: Engine, version: str, day: int, now: datetime = NOW) -> bool:
    with begin(engine) as conn:
        return promote(
            conn,
            model="toy",
            version=version,
            effective_from=datetime(2026, 1, day, tzinfo=UTC),
            reason="beats the champion",
            evidence={"wape": 0.25},
            actor="gate",
            now=now,
        )


def in_force(engine: Engine, day: float) -> str:
    with connect(engine) as conn:
        return champion_at(conn, "toy", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day - 1))


@pytest.fixture
def versions(registry: Registry) -> tuple[str, str]:
    return (
        registry.register("toy", TREES, MANIFEST),
        registry.register("toy", small_booster(3), MANIFEST),
    )


def test_the_champion_is_the_one_in_force_at_the_cutoff(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    first, second = versions
    assert enter(warehouse, first, 10)
    assert enter(warehouse, second, 20)
    assert in_force(warehouse, 10) == first
    assert in_force(warehouse, 19.99) == first
    assert in_force(warehouse, 20) == second
    assert in_force(warehouse, 400) == second
    with pytest.raises(NoChampion, match=r"as of 2026-01-09") as caught:
        in_force(warehouse, 9)
    assert caught.value.status == 503


def test_an_entry_written_later_for_an_earlier_moment_leaves_the_later_one_in_force(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    first, second = versions
    enter(warehouse, second, 20)
    enter(warehouse, first, 10)
    assert in_force(warehouse, 15) == first
    assert in_force(warehouse, 25) == second


def test_of_two_entries_for_one_moment_the_later_one_counts(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    first, second = versions
    enter(warehouse, second, 10)
    enter(warehouse, first, 10)
    assert in_force(warehouse, 10) == first


def test_promoting_what_is_in_force_changes_nothing(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    first, second = versions
    assert enter(warehouse, first, 10)
    assert not enter(warehouse, first, 10)
    assert not enter(warehouse, first, 15)
    assert enter(warehouse, second, 20)
    assert enter(warehouse, first, 21), "going back is an entry of its own"


def test_history_says_until_when_each_was_in_force(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    first, second = versions
    enter(warehouse, second, 20)
    enter(warehouse, first, 10, now=NOW + timedelta(hours=1))  # recorded later, in force earlier
    with connect(warehouse) as conn:
        entries = history(conn, "toy")
    assert [entry["version"] for entry in entries] == [first, second]
    assert [entry["until"] for entry in entries] == [datetime(2026, 1, 20, tzinfo=UTC), None]
    assert entries[0]["recorded_at"] == NOW + timedelta(hours=1)
    assert entries[0]["evidence"] == {"wape": 0.25}
    assert (entries[0]["actor"], entries[0]["reason"]) == ("gate", "beats the champion")


def test_many_promotions_at_once_leave_one_entry(
    warehouse: Engine, versions: tuple[str, str]
) -> None:
    with ThreadPoolExecutor(5) as pool:
        written = list(pool.map(lambda _: enter(warehouse, versions[0], 10), range(10)))
    assert written.count(True) == 1
    with connect(warehouse) as conn:
        assert conn.scalar(select(func.count()).select_from(champion)) == 1


def test_only_a_registered_version_becomes_champion(warehouse: Engine) -> None:
    with pytest.raises(NotFound, match="so it cannot answer"):
        enter(warehouse, "2026-01-31-00000000", 10)


def test_a_moment_without_a_time_zone_is_refused(warehouse: Engine) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 (the fault that is tested)
    with connect(warehouse) as conn, pytest.raises(ConfigError, match="no time zone"):
        champion_at(conn, "toy", naive)


def test_the_runtime_opens_a_registry_in_its_home(
    make_runtime: Callable[..., object], tmp_path: Path
) -> None:
    registry: Registry = make_runtime().registry  # type: ignore[attr-defined]  # a Runtime
    version = registry.register("toy", TREES, MANIFEST)
    assert (tmp_path / "home" / "registry" / "toy" / version / "model.ubj").exists()
