"""The contract of every artifact store, on a real disk and a real HTTP S3."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from daybreak.errors import (
    ArtifactMissing,
    ConfigError,
    Conflict,
    InvalidRequest,
    RegistryUnavailable,
    StorageFull,
)
from daybreak.registry.disk import DiskStore
from daybreak.registry.s3 import S3Store
from daybreak.registry.store import ArtifactStore, open_store

PATH = "toy/2026-01-31-0a1b2c3d/model.ubj"


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"bucket-{uuid4().hex}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=bucket)
    return S3Store(bucket, "models", s3_endpoint)


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return DiskStore(tmp_path / "registry")


def test_what_was_written_is_read(store: ArtifactStore) -> None:
    assert not store.exists(PATH)
    store.write(PATH, b"\x00bytes\xff")
    assert store.exists(PATH)
    assert store.read(PATH) == b"\x00bytes\xff"
    assert store.uri(PATH).endswith(PATH)


def test_the_same_bytes_again_are_fine_and_others_are_refused(store: ArtifactStore) -> None:
    store.write(PATH, b"first")
    store.write(PATH, b"first")
    with pytest.raises(Conflict) as caught:
        store.write(PATH, b"other")
    assert caught.value.details["path"] == PATH
    assert "new version" in caught.value.remedy
    assert store.read(PATH) == b"first"


def test_what_was_deleted_is_missing_and_may_be_written_again(store: ArtifactStore) -> None:
    store.delete(PATH)  # a missing one is no error
    store.write(PATH, b"first")
    store.delete(PATH)
    assert not store.exists(PATH)
    store.write(PATH, b"second")
    assert store.read(PATH) == b"second"


@pytest.mark.slow
def test_of_many_writers_one_wins_and_nobody_sees_a_mixture(store: ArtifactStore) -> None:
    def write(letter: int) -> bytes | None:
        data = bytes([letter]) * 50_000
        try:
            store.write(PATH, data)
        except Conflict:
            return None
        return data

    with ThreadPoolExecutor(8) as pool:
        winners = [data for data in pool.map(write, range(65, 73)) if data is not None]
    assert winners == [store.read(PATH)]


def test_what_is_not_there_is_missing(store: ArtifactStore) -> None:
    store.write(f"{PATH}.other", b"")
    with pytest.raises(ArtifactMissing, match=r"model\.ubj is not in the registry"):
        store.read(PATH)


def test_where_the_folder_of_all_versions_is_away_nothing_is_said_of_one(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "registry")
    store.write(PATH, b"x")
    store.root.rename(tmp_path / "away")
    with pytest.raises(RegistryUnavailable):
        store.read(PATH)
    (tmp_path / "away").rename(store.root)
    assert store.read(PATH) == b"x"


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".hidden", "a/.", "a\\b", "a\x00b", "a/b/"],
)
def test_a_path_cannot_leave_the_root(store: ArtifactStore, path: str) -> None:
    for act in (
        store.read,
        store.exists,
        store.uri,
        store.delete,
        lambda path: store.write(path, b""),
    ):
        with pytest.raises(InvalidRequest, match="not a path in the registry"):
            act(path)


@given(st.text(max_size=30))
def test_no_text_names_a_place_outside_the_root(path: str) -> None:
    root = Path("/registry/root")
    try:
        uri = DiskStore(root).uri(path)
    except InvalidRequest:
        return
    assert (root / path).resolve().is_relative_to(root)
    assert uri.startswith("file:///registry/root/")


# Disk only: what a crash and a full disk leave behind


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    store = DiskStore(tmp_path)
    (tmp_path / PATH).parent.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StorageFull, match="Free space") as caught:
            store.write(PATH, b"data")
    assert caught.value.status == 507
    assert list((tmp_path / PATH).parent.iterdir()) == []
    store.write(PATH, b"data")  # with space again, the same call succeeds
    assert store.read(PATH) == b"data"


def test_the_kernel_refusing_more_bytes_is_storage_full(tmp_path: Path) -> None:
    """A real refusal in the middle of a file: the process may write no more than 4 kB a file."""
    script = f"""
        import resource
        from daybreak.errors import StorageFull
        from daybreak.registry.disk import DiskStore
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        store = DiskStore({str(tmp_path)!r})
        try:
            store.write({PATH!r}, bytes(10_000))
        except StorageFull as error:
            print(error.code, store.exists({PATH!r}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["storage_full", "False"]
    assert list((tmp_path / PATH).parent.iterdir()) == []


def test_a_writer_killed_before_the_link_leaves_nothing_visible(tmp_path: Path) -> None:
    script = f"""
        import os
        from daybreak.registry.disk import DiskStore
        os.link = lambda *_: os._exit(9)
        DiskStore({str(tmp_path)!r}).write({PATH!r}, b"data")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == 9
    store = DiskStore(tmp_path)
    assert not store.exists(PATH)
    store.write(PATH, b"data")
    assert store.read(PATH) == b"data"


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("a file where a folder should be")
    store = DiskStore(tmp_path)
    with pytest.raises(RegistryUnavailable, match="this user may read and write"):
        store.write(PATH, b"data")
    with pytest.raises(ArtifactMissing):
        store.read(PATH)


# S3 only


def test_an_s3_that_does_not_answer_is_unavailable(s3: S3Store) -> None:
    missing = S3Store("no-such-bucket", "", s3.endpoint_url)
    with pytest.raises(RegistryUnavailable, match="NoSuchBucket"):
        missing.read(PATH)
    with pytest.raises(RegistryUnavailable, match="NoSuchBucket"):
        missing.write(PATH, b"data")


def test_an_s3_without_space_is_storage_full(s3: S3Store) -> None:
    """The store itself says 507: answered below boto3's parsing, as MinIO words it."""
    from botocore.awsrequest import AWSResponse

    class Body:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"

    def full(**_: object) -> AWSResponse:
        return AWSResponse("", 507, {}, Body())

    s3._client.meta.events.register("before-send.s3.PutObject", full)
    with pytest.raises(StorageFull, match="Free space"):
        s3.write(PATH, b"data")


# Locations


def test_a_location_becomes_a_store(tmp_path: Path) -> None:
    disk = open_store(str(tmp_path))
    assert isinstance(disk, DiskStore)
    assert disk.root == tmp_path
    assert open_store(tmp_path.as_uri()).uri("a") == disk.uri("a")
    s3 = open_store("s3://bucket/some/prefix/", "http://localhost:1")
    assert s3.uri(PATH) == f"s3://bucket/some/prefix/{PATH}"
    assert open_store("s3://bucket").uri("a") == "s3://bucket/a"


@pytest.mark.parametrize("location", ["gs://bucket", "s3://", "http://user:secret@host/x"])
def test_another_kind_of_location_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="DAYBREAK_REGISTRY_URL") as caught:
        open_store(location)
    assert "secret" not in str(caught.value)
