"""The one folder that holds everything the platform keeps: data, logs, records, secrets."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daybreak.errors import PlatformError

LOCK_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class StateFolder:
    """Paths below ``root`` (an absolute path). ``prepare`` makes them."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log a component; Airflow's task logs in ``tasks``."""
        return self.root / "logs"

    @property
    def records(self) -> Path:
        """What runs: one JSON file a component."""
        return self.root / "run"

    @property
    def airflow_home(self) -> Path:
        """``AIRFLOW_HOME``: with the generated password file."""
        return self.root / "airflow"

    def prepare(self) -> None:
        """Make the folders, closed to other users. Raises ``PlatformError`` if that fails."""
        # As root the server runs as a user of its own, who has to pass through the state folder.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.root.mkdir(mode=mode, parents=True, exist_ok=True)
            for folder in (self.logs, self.records, self.airflow_home, self.root / "secrets"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PlatformError(
                f"The state folder {self.root} cannot be made: {error.strerror}.",
                remedy="Set DAYBREAK_HOME to a folder that you may write to.",
                path=str(self.root),
            ) from error

    def secret(self, name: str) -> str:
        """A random text of 64 bytes, made once and kept with mode 600."""
        path = self.root / "secrets" / name
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(64))
        return path.read_text()

    @contextmanager
    def lock(self, patience: float = LOCK_PATIENCE_SECONDS) -> Iterator[None]:
        """Only one ``up`` or ``down`` works on a folder at a time; a second one waits."""
        with (self.records / "lock").open("a+") as file:
            give_up = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        file.seek(0)
                        raise PlatformError(
                            f"Process {file.read().strip()} is starting or stopping the platform "
                            f"in {self.root}.",
                            remedy="Wait until it is done, or end it, then try again.",
                        ) from None
                    time.sleep(0.1)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
