"""Artifacts in a folder. A file appears whole and durable, or not at all, and never changes."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daybreak.errors import ArtifactMissing, Conflict, RegistryUnavailable, StorageFull
from daybreak.registry.paths import checked_path

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Disk full, quota used up, or the file larger than the filesystem or a limit allows."""


class DiskStore:
    """An ``ArtifactStore`` below one folder, which is created when first written to."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser().absolute()

    def write(self, path: str, data: bytes) -> None:
        """Create ``path``; the same bytes again are fine, other bytes raise ``Conflict``.

        The bytes are synced under a hidden name first and then linked to the real one. A hard
        link, unlike a rename, fails where the name is taken, so two writers cannot replace each
        other's file, and a crash leaves at most a hidden ``*.partial`` that nothing reads.
        """
        target = self.root / checked_path(path)
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
        with self._failures(path):
            _make_folders(target.parent)
            try:
                _write_synced(partial, data)
                os.link(partial, target)
                _sync_folder(target.parent)
            except FileExistsError:
                if target.read_bytes() != data:
                    raise Conflict(
                        f"{path} exists in the registry with other content.",
                        remedy="A version never changes: register the new bytes as a new version.",
                        path=path,
                    ) from None
            finally:
                partial.unlink(missing_ok=True)

    def read(self, path: str) -> bytes:
        """All bytes of ``path``; raises ``ArtifactMissing`` and ``RegistryUnavailable``."""
        target = self.root / checked_path(path)
        with self._failures(path):
            try:
                return target.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                if not self.root.is_dir():
                    raise  # the folder of all versions is gone, as where it was not mounted
                raise ArtifactMissing(
                    f"{path} is not in the registry at {self.root}.",
                    remedy="Restore it from a backup, or promote another version.",
                    path=path,
                ) from None

    def exists(self, path: str) -> bool:
        """Whether ``path`` was written wholly."""
        return (self.root / checked_path(path)).is_file()

    def delete(self, path: str) -> None:
        """Remove ``path`` and the folder that it leaves empty; a missing one is no error."""
        target = self.root / checked_path(path)
        with self._failures(path):
            target.unlink(missing_ok=True)
            with suppress(OSError):  # other files are in it, or it is gone
                target.parent.rmdir()

    def uri(self, path: str) -> str:
        """Where ``path`` is, for people and for the ledger."""
        return (self.root / checked_path(path)).as_uri()

    @contextmanager
    def _failures(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise StorageFull(
                    f"No space for {path} in the registry at {self.root} ({error.strerror}).",
                    remedy="Free space, raise the quota or set DAYBREAK_REGISTRY_URL to a larger "
                    "place, then run again; nothing was left half written.",
                    path=path,
                ) from error
            raise RegistryUnavailable(
                f"The registry at {self.root} refuses {path} ({error.strerror}).",
                remedy="Check that the folder exists and that this user may read and write it.",
                path=path,
            ) from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def _make_folders(folder: Path) -> None:
    """Create ``folder`` and its parents; each new name is synced in the folder that holds it."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
