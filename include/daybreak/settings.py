"""All settings, read once from the environment (prefix ``DAYBREAK_``) into one frozen object.

Every name here is documented in ``docs/settings.md``; a test keeps the two alike.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import time, timedelta
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from daybreak.errors import ConfigError
from daybreak.interval import WRITTEN, Interval

PREFIX = "DAYBREAK_"
SOCKET_PATH_LIMIT = 103

DATASET_SUFFIXES = (".yaml", ".yml")
"""What a data set that is given by the path of its file ends with."""

OTHER_NAMES = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("DEBUG", "PLATFORM"),  # the command line; the mark of every process that `up` starts
        *("VERSION", "TEST_DATA"),  # docker-compose.yaml; the tests
        "ONLINE_RETAIL",  # the data sets that ship here
        *(f"SYNTHETIC_{name}" for name in ("SEED", "STORES", "ITEMS", "START", "END")),
        *(f"SYNTHETIC_{name}" for name in ("USERS", "BASKETS")),
        *(f"PAYMENTS_{name}" for name in ("SEED", "CARDS", "TERMINALS", "START", "END")),
    )
)
"""Names with the prefix that are no settings, so that they are not taken for misspelt ones."""

MISSPELT = 0.8
"""How alike a name has to be to a setting to count as one misspelt: TIME_ZONE and WAREHOUSE are,
HOST and WORKERS are not."""

logger = logging.getLogger(__name__)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London") from error
    return name


def _written_time(value: object) -> object:
    """pydantic takes 6 for six seconds after midnight."""
    if isinstance(value, time) or (isinstance(value, str) and ":" in value):
        return value
    raise ValueError("a local time is written as 06:00")


def _local(moment: time) -> time:
    if moment.tzinfo is not None:
        raise ValueError("a local time without an offset is wanted, such as 06:00")
    return moment


def _whole_minute(value: time) -> time:
    if value.second or value.microsecond:
        raise ValueError("the schedule knows whole minutes only, such as 02:30")
    return value


def _interval(value: object) -> Interval:
    if isinstance(value, Interval):
        return value
    if not isinstance(value, str):
        raise ValueError(WRITTEN)
    return Interval.parse(value)


TimeZone = Annotated[str, AfterValidator(_known_zone)]
LocalTime = Annotated[time, BeforeValidator(_written_time), AfterValidator(_local)]
WholeMinute = Annotated[LocalTime, AfterValidator(_whole_minute)]
ScoredOn = Annotated[Interval, PlainValidator(_interval), PlainSerializer(str)]

Part = Literal["jobs", "service", "migrations", "reports"]
"""What connects to the warehouse, each with rights of its own."""

_EMBEDDED_USERS: dict[Part, str] = {
    "jobs": "daybreak_writer",
    "service": "daybreak_service",
    "migrations": "postgres",
    "reports": "daybreak_reader",
}


class Settings(BaseSettings):
    """One frozen object; secrets are ``SecretStr`` and never show in ``repr`` or logs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    home: Path = Field(Path(".daybreak"), description="Folder with all state of the platform.")
    dataset: str = Field("synthetic", description="Data set that this warehouse holds.")
    dataset_path: str | None = Field(
        None, description="Overrides where the data set's main file is (path, glob or s3://)."
    )

    warehouse_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the warehouse; default: the embedded server."
    )
    warehouse_owner_url: SecretStr | None = Field(
        None, description="The same for who migrates and owns the tables; default: warehouse_url."
    )
    warehouse_service_url: SecretStr | None = Field(
        None, description="The same for the prediction service; default: warehouse_url."
    )
    warehouse_reader_url: SecretStr | None = Field(
        None, description="The same for the page, which reads reports; default: the service's."
    )
    airflow_database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of Airflow's metadata; default: the embedded server."
    )
    registry_url: str | None = Field(
        None, description="Where versions live: a folder or s3://bucket/prefix."
    )
    s3_endpoint_url: str | None = Field(
        None, description="Endpoint of an S3-compatible store; default: AWS."
    )

    timezone: TimeZone = Field("UTC", description="Time zone of the schedule and the due time.")
    run_at: WholeMinute = Field(time(2, 0), description="When the nightly run starts, local time.")
    due: LocalTime = Field(
        time(6, 0), description="When scores are due on the day after, local time."
    )
    due_by_model: dict[str, LocalTime] = Field(
        default_factory=dict,
        description='Due times that differ by model, as JSON: {"name":"05:30"}',
    )
    schedule_by_model: dict[str, ScoredOn] = Field(
        default_factory=dict,
        description='When models are scored, as JSON: {"name": "weekly:sunday"}',
    )
    model_options: dict[str, dict[str, int | float]] = Field(
        default_factory=dict,
        description='Options by model, as JSON: {"name": {"option": 1}}',
    )
    wait_limit_minutes: float = Field(
        180, gt=0, description="How long a run waits for its business day to be closed."
    )
    poll_seconds: float = Field(30, gt=0, description="How often a waiting run looks again.")

    statsd_host: str | None = Field(None, description="statsd daemon; default: no metrics sent.")
    statsd_port: int = Field(8125, ge=1, le=65535, description="UDP port of the statsd daemon.")

    schedule: bool = Field(
        True, description="Whether the clock starts runs; off where the data end in the past."
    )
    train_on_drift: bool = Field(
        False, description="Whether an alarm of drift starts a training of its model."
    )
    api_host: str = Field(
        "127.0.0.1", description="Address that the prediction service and Airflow's UI bind to."
    )
    api_port: int = Field(8793, ge=0, le=65535, description="Port of the prediction service.")
    api_workers: int = Field(2, ge=1, description="gunicorn workers of the prediction service.")
    api_threads: int = Field(
        8, ge=1, description="Threads of each: one answers, others wait for the warehouse."
    )
    api_queue: int = Field(
        64,
        ge=1,
        description="Requests that wait in a worker for a thread; more get a 503.",
    )
    api_rate: float = Field(
        0, ge=0, description="Requests a second that one key may send; 0 is any number."
    )
    api_log_requests: bool = Field(
        False, description="Whether each request is logged, as a line of JSON."
    )
    airflow_port: int = Field(8080, ge=0, le=65535, description="Port of Airflow's API server.")
    page_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs logins of the page; default: made at each start, which ends them.",
    )
    airflow_url: str | None = Field(
        None, description="Address of Airflow's UI, which the page links to."
    )
    max_body_bytes: int = Field(
        1024 * 1024, gt=0, description="Longest request body accepted, also when decoded."
    )
    refresh_seconds: float = Field(
        5,
        gt=0,
        description="Within what time the service follows publications, promotions and keys.",
    )
    stale_seconds: float = Field(
        60,
        ge=0,
        description="How long the service answers from memory while the warehouse is down.",
    )
    spool_dir: Path | None = Field(
        None,
        description="Folder of decisions that are on their way to the warehouse; default: `spool` "
        "in the home. Processes that share it write what others of them left behind.",
    )

    report_days: bool = Field(
        True, description="Whether each published day gets a report; weeks always do."
    )
    report_mail_to: str | None = Field(
        None, description="Who gets a mail of each report, with commas; default: nobody."
    )
    report_mail_connection: str = Field(
        "smtp_default", description="Airflow's connection to the mail server."
    )
    report_slack_channel: str | None = Field(
        None, description="Slack channel that each report is posted to; default: none."
    )
    report_slack_connection: str = Field(
        "slack_api_default", description="Airflow's connection to Slack."
    )

    entities_per_shard: int = Field(2000, ge=1, description="Entities scored by one mapped task.")
    threads: int = Field(0, ge=0, description="Threads for training and scoring; 0: all cores.")

    keep_generations_days: int = Field(
        90, ge=1, description="Days that superseded and rolled-back generations keep their rows."
    )
    keep_snapshots: int = Field(
        60, ge=2, description="Published business dates of a model whose snapshots are kept."
    )
    keep_versions_days: int = Field(
        365, ge=1, description="Days that the files of versions are kept which nothing needs."
    )
    keep_events_days: int = Field(
        400, ge=1, description="Days that events of streams are kept; older ones are not taken."
    )
    keep_reports_days: int = Field(400, ge=1, description="Days that reports of periods are kept.")
    keep_logs_days: int = Field(
        30, ge=1, description="Days that Airflow's task logs and metadata are kept."
    )

    @property
    def state(self) -> Path:
        """``home`` as an absolute path."""
        return self.home.expanduser().absolute()

    @property
    def postgres_dir(self) -> Path:
        """Data folder of the embedded server."""
        return self.state / "pg"

    @property
    def postgres_socket_dir(self) -> Path:
        """Folder of the embedded server's Unix socket: the data folder where the path allows.

        A socket's path may have 107 bytes on Linux and 103 on macOS; below a deep state folder
        the socket is in a private folder of /tmp instead.
        """
        if len(os.fsencode(self.postgres_dir / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT:
            return self.postgres_dir
        name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Path("/tmp") / f"daybreak-{name}"  # noqa: S108 -- made private before use

    @property
    def warehouse_database(self) -> str:
        """Name of the embedded database that holds the data set."""
        name = Path(self.dataset)
        by_file = self.dataset.endswith(DATASET_SUFFIXES)
        return f"warehouse_{name.stem if by_file else self.dataset}"

    @property
    def warehouse_dsn(self) -> str:
        """SQLAlchemy URL of the warehouse (psycopg 3). Holds the password: never log it."""
        return self.dsn_for("jobs")

    def dsn_for(self, part: Part) -> str:
        """The same for one part of Daybreak: each connects as a user with the rights it needs.

        On the embedded server that is the superuser for migrations, and a role for each other
        part (``warehouse/roles.py``); with a URL of one's own, whom the URL names.
        """
        own = {
            "jobs": None,
            "migrations": self.warehouse_owner_url,
            "service": self.warehouse_service_url,
            "reports": self.warehouse_reader_url or self.warehouse_service_url,
        }[part]
        url = own or self.warehouse_url
        if url is None:
            return self._embedded("psycopg", self.warehouse_database, _EMBEDDED_USERS[part])
        return _with_driver(url.get_secret_value(), "psycopg")

    @property
    def airflow_dsn(self) -> str:
        """SQLAlchemy URL of Airflow's metadata (psycopg2). Holds the password: never log it."""
        if self.airflow_database_url is None:
            return self._embedded("psycopg2", "airflow", "airflow")
        return _with_driver(self.airflow_database_url.get_secret_value(), "psycopg2")

    @property
    def lead(self) -> timedelta:
        """From a publication or promotion to the moment at which all workers change over to it.

        Time for them to see it, and to have what is new ready.
        """
        return timedelta(seconds=0.8 * self.refresh_seconds)

    @property
    def registry_location(self) -> str:
        """Folder or ``s3://`` URL that holds every version."""
        return self.registry_url or str(self.state / "registry")

    @property
    def spool(self) -> Path:
        """Folder of decisions that are on their way to the warehouse."""
        return self.spool_dir.expanduser().absolute() if self.spool_dir else self.state / "spool"

    def anchored(self) -> Settings:
        """The same settings for a process in another folder: relative paths become absolute."""
        moved: dict[str, Any] = {"home": self.state}
        if self.dataset.endswith(DATASET_SUFFIXES):
            moved["dataset"] = _absolute(self.dataset)
        if self.spool_dir is not None:
            moved["spool_dir"] = self.spool
        for name in ("dataset_path", "registry_url"):
            value = getattr(self, name)
            if value is not None and "://" not in value:
                moved[name] = _absolute(value)
        return self.model_copy(update=moved)

    def as_environment(self) -> dict[str, str]:
        """Every setting by the name of its variable: a process that reads these has the same ones.

        What is the default is empty, which counts as absent: whether a default was written out
        makes no difference to a running component. Holds passwords: never log it.
        """
        values = self.model_dump(mode="json")
        env = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value == field.get_default(call_default_factory=True):
                text = ""
            elif isinstance(value, SecretStr):
                text = value.get_secret_value()
            elif isinstance(value, str):
                text = value
            else:
                plain = values[name]
                text = plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)
            env[f"{PREFIX}{name.upper()}"] = text
        return env

    def due_for(self, model: str) -> time:
        """Local time on the day after the business date at which ``model`` has to be out."""
        return self.due_by_model.get(model, self.due)

    def _embedded(self, driver: str, database: str, user: str) -> str:
        host = quote(str(self.postgres_socket_dir), safe="/")
        return f"postgresql+{driver}://{user}@/{quote(database, safe='')}?host={host}"


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _with_driver(url: str, driver: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigError(
            "A database URL does not start with postgresql://.",
            remedy="Daybreak's warehouse is PostgreSQL: postgresql://user@host/database.",
        )
    return f"postgresql+{driver}://{rest}"


def load_settings() -> Settings:
    """Read the environment; every wrong name is reported at once, values are not repeated.

    A name that looks like a misspelt setting is as wrong as a wrong value: what was wanted
    to set would be passed over. Other unknown names are warned of, once a process.
    """
    faults = {}
    for name, closest in unknown_names(os.environ).items():
        if closest in OTHER_NAMES or closest is None:
            _warn(name, closest)
        else:
            faults[name] = f"there is no such setting; did you mean {closest}?"
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name, *keys = map(str, fault["loc"])
            place = f"{keys[0]}: " if keys else ""  # what of a JSON object is wrong
            faults[PREFIX + name.upper()] = place + fault["msg"]
    except SettingsError as error:  # what takes JSON and holds none
        field = re.search(r'field "(\w+)"', str(error))
        faults[PREFIX + (field[1].upper() if field else "…")] = "it is not JSON"
    if faults:
        listing = "; ".join(f"{name}: {message}" for name, message in faults.items())
        raise ConfigError(
            f"{len(faults)} setting(s) are wrong: {listing}.",
            remedy="docs/settings.md says what each one takes.",
            fields=sorted(faults),
        )
    return settings


def unknown_names(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Names that begin like settings and are none, each with the name that it was meant to be.

    None where no known name is close. An empty value counts as absent.
    """
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known = {name.removeprefix(PREFIX) for name in settings | OTHER_NAMES}
    found: dict[str, str | None] = {}
    for name, value in sorted(environment.items()):
        plain = name.upper().removeprefix(PREFIX)
        if value and name.upper().startswith(PREFIX) and plain not in known:
            close = get_close_matches(plain, known, n=1, cutoff=MISSPELT)
            found[name] = f"{PREFIX}{close[0]}" if close else None
    return found


@cache
def _warn(name: str, closest: str | None) -> None:
    hint = f"did you mean {closest}?" if closest else "docs/settings.md lists them."
    logger.warning("%s is not a setting of Daybreak: %s", name, hint)
