"""A data set: one YAML file, checked as a whole before anything is read.

``load_spec("online_retail")`` takes a data set that ships with Daybreak,
``load_spec("path/to/mine.yaml")`` any other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from importlib.resources import files as package_files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from daybreak.errors import DatasetError
from daybreak.sources.contract.canonical import SECTIONS
from daybreak.sources.contract.durations import Duration
from daybreak.sources.contract.sections import (
    Interactions,
    Items,
    Name,
    Plan,
    Sales,
    Section,
    Stores,
    Strict,
)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")
_CLOSED = re.compile(r"(\d{4}-)?\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London") from error
    return name


def _known_country(code: str) -> str:
    if code not in holidays.list_supported_countries():
        raise ValueError(f"{code!r} has no public holidays known here; write an ISO code like GB")
    return code


def _closed_dates(value: object) -> str:
    text = str(value)  # YAML reads a bare 2011-12-25 as a date
    if not _CLOSED.fullmatch(text):
        raise ValueError(
            f"{text!r} is none of 2011-12-25, 12-25 (every year), 2011-12-24..2012-01-03"
        )
    try:
        for part in text.split(".."):
            date.fromisoformat(part if len(part) == 10 else f"2000-{part}")
    except ValueError as error:
        raise ValueError(f"{text!r} holds a date that does not exist") from error
    return text


class Calendar(Strict):
    """On which days the business as a whole is open, and whose holidays it lives with."""

    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    country: Annotated[str, AfterValidator(_known_country)] | None = None
    subdivision: str | None = Field(None, description="state or province, for its own holidays")
    closed_weekdays: list[Weekday] = Field([])
    closed_dates: list[Annotated[str, BeforeValidator(_closed_dates)]] = Field(
        [], description="2011-12-25, 12-25 (every year) or 2011-12-24..2012-01-03"
    )

    @model_validator(mode="after")
    def _known_subdivision(self) -> Self:
        if self.subdivision is not None:
            known = holidays.list_supported_countries().get(self.country or "", [])
            if self.subdivision not in known:
                raise ValueError(f"`subdivision` {self.subdivision!r} is none of {sorted(known)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which a business day begins and ends."""
        return ZoneInfo(self.timezone)


class DatasetSpec(Strict):
    """One data set. ``sections`` are in the order in which they are loaded."""

    name: Name
    description: str = ""
    calendar: Calendar = Calendar()
    arrival_lag: Duration = Field(
        timedelta(0), description="how long after its end a business day's facts were known"
    )
    generators: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="generator -> its options"
    )
    sales: Sales
    plan: list[Plan] = Field([], description="one, or a list where plans lie in several places")
    items: Items | None = None
    stores: Stores | None = None
    interactions: Interactions | None = None

    @field_validator("plan", mode="before")
    @classmethod
    def _one_plan(cls, plan: Any) -> Any:
        return [plan] if isinstance(plan, dict) else plan

    @model_validator(mode="after")
    def _known_generators(self) -> Self:
        used = {section.generator for section in self.sections if section.generator}
        if unused := sorted(set(self.generators) - used):
            raise ValueError(f"`generators` has {unused}, which no section uses")
        return self

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections that the file has."""
        found: list[Section] = []
        for name in SECTIONS:
            value = getattr(self, name)
            found += value if isinstance(value, list) else [value] if value else []
        return tuple(found)

    def at(self, path: str) -> DatasetSpec:
        """The same data set with its main file (that of ``sales``) somewhere else."""
        if not self.sales.files:
            raise DatasetError(
                f"The data set {self.name!r} reads its sales from no file, so its path cannot be "
                "overridden.",
                remedy="Unset DAYBREAK_DATASET_PATH.",
                dataset=self.name,
            )

        def move(value: Any) -> Any:
            if isinstance(value, list):
                return [move(inner) for inner in value]
            main = value is not None and value.files == self.sales.files
            return value.model_copy(update={"files": path}) if main else value

        return self.model_copy(update={name: move(getattr(self, name)) for name in SECTIONS})


def dataset_names() -> tuple[str, ...]:
    """The data sets that ship with Daybreak."""
    return tuple(sorted(path.stem for path in _shipped().glob("*.yaml")))


def load_spec(name_or_path: str | Path, *, path: str | None = None) -> DatasetSpec:
    """Read and check a data set by name, or by path where it ends in .yaml or .yml.

    ``path`` (``Settings.dataset_path``) overrides where the main file lies. Raises
    ``DatasetError`` that lists every fault with its place in the file.
    """
    file = _find(name_or_path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2011-02-30
        raise DatasetError(
            f"{file.name} is not YAML: {error}.", remedy="Mend the file.", file=str(file)
        ) from None
    if not isinstance(content, dict):
        raise DatasetError(
            f"{file.name} is not a mapping of names to values.",
            remedy="Begin with `name:`; docs/data-contract.md shows a whole file.",
            file=str(file),
        )
    variables = {**os.environ, "HERE": str(file.parent.absolute())}
    try:
        spec = DatasetSpec.model_validate(_expand(content, variables, file))
    except ValidationError as error:
        faults = [_fault(part["loc"], part["msg"]) for part in error.errors()]
        raise DatasetError(
            f"{file.name} has {len(faults)} fault(s): {'; '.join(faults)}.",
            remedy="docs/data-contract.md says what each key takes.",
            file=str(file),
            faults=faults,
        ) from None
    return spec.at(path) if path else spec


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        file = Path(text).expanduser()
        remedy = "Check the path."
    else:
        file = _shipped() / f"{text}.yaml"
        close = get_close_matches(text, dataset_names(), n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        remedy = f"{hint}Known: {', '.join(dataset_names())}; or give the path of a .yaml file."
    if not file.is_file():
        raise DatasetError(f"There is no data set {text!r}.", remedy=remedy, dataset=text)
    return file


def _shipped() -> Path:
    return Path(str(package_files("daybreak") / "datasets"))


def _expand(value: Any, variables: Mapping[str, str], file: Path) -> Any:
    """Replace ``${NAME}`` and ``${NAME:-default}`` in every string."""
    if isinstance(value, dict):
        return {key: _expand(inner, variables, file) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, variables, file) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = variables.get(match["name"]) or match["default"]
        if found is None:
            raise DatasetError(
                f"{file.name} needs the environment variable {match['name']}, which is not set.",
                remedy=f"Set it, or write ${{{match['name']}:-default}}.",
                file=str(file),
                field=match["name"],
            )
        return found

    return _VARIABLE.sub(replace, value)


def _fault(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place)
    return f"{where}: {message.removeprefix('Value error, ')}" if where else message
