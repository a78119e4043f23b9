"""Where the bytes of versions live: the protocol, and how a location becomes a store."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import unquote, urlsplit

from daybreak.errors import ConfigError
from daybreak.registry.disk import DiskStore


class ArtifactStore(Protocol):
    """Files that are created once and never change. Every implementation passes one contract."""

    def write(self, path: str, data: bytes) -> None:
        """Create ``path``. Raises ``Conflict``, ``StorageFull``, ``RegistryUnavailable``."""
        ...

    def read(self, path: str) -> bytes:
        """All bytes of ``path``. Raises ``ArtifactMissing``, ``RegistryUnavailable``."""
        ...

    def exists(self, path: str) -> bool:
        """Whether ``path`` was written wholly."""
        ...

    def delete(self, path: str) -> None:
        """Remove ``path``, for retention only; a missing one is no error."""
        ...

    def uri(self, path: str) -> str:
        """Where ``path`` is, for people and for the ledger."""
        ...


def open_store(location: str, endpoint_url: str | None = None) -> ArtifactStore:
    """The store at ``location``: a folder, ``file://…`` or ``s3://bucket/prefix``.

    Connects to nothing. Raises ``ConfigError`` for any other scheme.
    """
    parts = urlsplit(location)
    if parts.scheme == "s3" and parts.netloc:
        # boto3 takes 0.3 s to import, and most registries are folders.
        from daybreak.registry.s3 import S3Store  # noqa: PLC0415

        return S3Store(parts.netloc, parts.path, endpoint_url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return DiskStore(unquote(parts.path))
    if "://" in location:
        raise ConfigError(
            f"The registry cannot live at {parts.scheme}://{parts.hostname or ''}.",
            remedy="Set DAYBREAK_REGISTRY_URL to a folder, file:///folder or s3://bucket/prefix.",
            field="registry_url",
        )
    return DiskStore(location)
