"""Artifacts in S3 or a compatible store, created by conditional writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from daybreak.errors import ArtifactMissing, Conflict, RegistryUnavailable, StorageFull
from daybreak.registry.paths import checked_path

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_TAKEN = "PreconditionFailed"
_RACE = "ConditionalRequestConflict"
_MISSING = {"NoSuchKey", "404"}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "507"}
_ATTEMPTS = 5


class S3Store:
    """An ``ArtifactStore`` below ``s3://bucket/prefix``. Credentials come from the environment."""

    def __init__(self, bucket: str, prefix: str = "", endpoint_url: str | None = None) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.endpoint_url = endpoint_url

    @cached_property
    def _client(self) -> S3Client:
        # Made on first use, so that a forked worker has connections of its own. The sha256 in
        # the ledger covers what the newer default checksums do, and those are refused by some
        # compatible stores.
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 3},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def write(self, path: str, data: bytes) -> None:
        """Create ``path``; the same bytes again are fine, other bytes raise ``Conflict``.

        ``If-None-Match: *`` lets the store decide which of two writers came first.
        """
        key = self._key(path)
        with self._failures(path):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._client.put_object(Bucket=self.bucket, Key=key, Body=data, IfNoneMatch="*")
                except ClientError as error:
                    if _code(error) == _RACE and attempt < _ATTEMPTS:
                        continue  # another writer is at it: S3 asks to try again
                    if _code(error) != _TAKEN:
                        raise
                    self._check_same(path, data)
                return

    def read(self, path: str) -> bytes:
        """All bytes of ``path``; raises ``ArtifactMissing``."""
        key = self._key(path)
        with self._failures(path):
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def exists(self, path: str) -> bool:
        """Whether ``path`` was written wholly."""
        key = self._key(path)
        with self._failures(path):
            try:
                self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
            return True

    def delete(self, path: str) -> None:
        """Remove ``path``; S3 takes what is not there for removed."""
        key = self._key(path)
        with self._failures(path):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def uri(self, path: str) -> str:
        """Where ``path`` is, for people and for the ledger."""
        return f"s3://{self.bucket}/{self._key(path)}"

    def _key(self, path: str) -> str:
        return "/".join(filter(None, (self.prefix, checked_path(path))))

    def _check_same(self, path: str, data: bytes) -> None:
        if self.read(path) != data:
            raise Conflict(
                f"{path} exists in the registry with other content.",
                remedy="A version never changes: register the new bytes as a new version.",
                path=path,
            )

    @contextmanager
    def _failures(self, path: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = _code(error)
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if code in _MISSING:
                raise ArtifactMissing(
                    f"{path} is not in the registry at {self.uri(path)}.",
                    remedy="Restore it from a backup, or promote another version.",
                    path=path,
                ) from error
            if code in _FULL or status == 507:
                raise StorageFull(
                    f"No space for {path} in the registry at s3://{self.bucket} ({code}).",
                    remedy="Free space, raise the quota or set DAYBREAK_REGISTRY_URL to a larger "
                    "place, then run again; nothing was left half written.",
                    path=path,
                ) from error
            raise self._unavailable(path, code) from error
        except BotoCoreError as error:
            raise self._unavailable(path, type(error).__name__) from error

    def _unavailable(self, path: str, reason: str) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"The registry at s3://{self.bucket} refuses {path} ({reason}).",
            remedy="Check the bucket, the credentials and DAYBREAK_S3_ENDPOINT_URL.",
            path=path,
        )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
