"""The sections of a data set file: where rows come from and how they become canonical.

A closed, declarative vocabulary: what is not named here is refused, and nothing here runs code.
``docs/data-contract.md`` explains it by example.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from daybreak.sources.contract.canonical import SECTIONS, CanonicalColumn, Kind, extra_covariate
from daybreak.sources.contract.durations import Duration

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType({"view": 0.1, "cart": 0.5, "purchase": 1.0})


def _weighable(weight: float) -> float:
    if not (isfinite(weight) and weight >= 0):
        raise ValueError(f"{weight} is no weight: give a finite number from 0 up")
    return weight


def _separates(sign: str) -> str:
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0':
        raise ValueError(f"{sign!r} is no delimiter: give one ASCII sign such as ; or \\t")
    return sign


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"There is no encoding {name!r}: give utf-8, latin-1 ...") from None
    return name


Delimiter = Annotated[str, AfterValidator(_separates)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Scalar = str | int | float | bool
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Weight = Annotated[float, AfterValidator(_weighable)]
Reduction = Literal["first", "last", "max", "min", "mean", "sum", "weighted_mean"]


def scalar_text(value: Scalar) -> str:
    """A YAML scalar as source data are compared: ``true``, ``1``, ``0.5``; also for ``"1.0"``."""
    if isinstance(value, bool) or value in ("True", "False", "TRUE", "FALSE"):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    whole = re.fullmatch(r"(-?[1-9][0-9]{0,15}|0)\.0", str(value))
    return whole[1] if whole else str(value)


class Strict(BaseModel):
    """Unknown keys are refused, so that a typo never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """One source column, or one constant, and how its values are read."""

    column: str | None = None
    const: Scalar | None = None
    format: str | None = Field(None, description="strptime format of dates written as text")
    case: Literal["upper", "lower"] | None = None
    separator: str | None = Field(
        None, min_length=1, description="what stands between several values of one cell"
    )
    values: dict[str, Scalar] | None = Field(
        None, description="source value -> value; any other value is a bad row"
    )
    null_values: list[str] | None = Field(
        None, description="words of a CSV column that mean absent, instead of `csv.null_values`"
    )

    @field_validator("values", mode="before")
    @classmethod
    def _keys_as_text(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {scalar_text(key): value for key, value in values.items()}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.const is None):
            raise ValueError("give either `column` or `const`")
        others = ("format", "case", "separator", "values", "null_values")
        if self.const is not None and any(getattr(self, name) is not None for name in others):
            raise ValueError(f"a constant takes none of {', '.join(map('`{}`'.format, others))}")
        return self


class Condition(Strict):
    """A test of one source column. A null satisfies only ``is_null: true``."""

    column: str
    matches: str | None = Field(None, description="regular expression over the whole value")
    is_in: list[Scalar] | None = Field(None, alias="in")
    equals: Scalar | None = None
    is_null: bool | None = None
    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if len(self.tests) != 1:
            raise ValueError(
                "give exactly one of matches, in, equals, is_null, below, at_most, above, at_least"
            )
        return self

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    @property
    def compares_numbers(self) -> bool:
        """Whether values are compared as numbers, not as text."""
        return not {"below", "at_most", "above", "at_least"}.isdisjoint(self.tests)

    @property
    def tests(self) -> dict[str, Any]:
        """The one test that is given, by name."""
        return {
            name: value
            for name in type(self).model_fields
            if name != "column" and (value := getattr(self, name)) is not None
        }


class Filter(Strict):
    """A named rule that drops rows. Filters run in order; each counts the rows it dropped."""

    name: Name
    drop: Condition | None = None
    keep: Condition | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.drop is None) == (self.keep is None):
            raise ValueError("give either `drop` or `keep`")
        return self

    @property
    def condition(self) -> Condition:
        """What is tested, whichever way the rule goes."""
        return self.drop or self.keep  # type: ignore[return-value]  # one of them is given


class Csv(Strict):
    """How a CSV file is written."""

    delimiter: Delimiter = ","
    encoding: Encoding = "utf-8"
    record_lines: int = Field(
        100, ge=1, description="lines of one record at most; more refuse the file"
    )
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    null_values: list[str] = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]

    @model_validator(mode="after")
    def _numbers_can_be_told(self) -> Self:
        # Either may be the delimiter too: such numbers stand in quotes, as in "1,299.50".
        if self.thousands == self.decimal:
            raise ValueError(f"`thousands` and `decimal` are both {self.decimal!r}")
        return self


class Aggregate(Strict):
    """Lines become one row a key. Units are summed; each covariate has its reduction, the mean
    where an extra one names none. For yes or no, ``max`` is any and ``min`` is all.

    ``first`` and ``last`` are in file order; ``weighted_mean`` weighs by units sold (lines with
    positive units only).
    """

    negative: Literal["net", "quarantine"] = Field(
        "quarantine",
        description="net: negative units cancel units of the same key; never below 0",
    )
    price: Reduction = "weighted_mean"
    promotion: Reduction = "max"
    open: Literal["first", "last", "max", "min"] = "max"
    holiday: Reduction = "max"
    covariates: dict[str, Reduction] = {}


class Section(Strict):
    """What all sections share: one origin of rows, the mapping, the filters, the patience."""

    kind: ClassVar[str]

    files: str | list[str] | None = Field(None, description="paths, globs or s3:// URLs")
    query: str | None = Field(None, description="SQL, run on the database that `url_env` names")
    url_env: str | None = Field(None, description="environment variable with the database's URL")
    generator: str | None = Field(None, description="name of a generator, as in `generators`")
    table: str | None = Field(None, description="table of the generator; default: the section")

    format: Literal["csv", "parquet"] | None = Field(None, description="default: by file suffix")
    csv: Csv = Csv()
    columns: dict[str, Source] = Field(
        default_factory=dict, description="canonical column -> source column or {const: ...}"
    )
    filters: list[Filter] = []
    max_bad_share: float = Field(0.01, ge=0, le=1, description="more bad rows refuse the file")
    longest_text: int = Field(
        10_000, ge=1, le=1_000_000, description="bytes (UTF-8) of a text; a longer one is a bad row"
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, columns: Any) -> Any:
        if not isinstance(columns, dict):
            return columns
        return {
            name: {"column": source} if isinstance(source, str) else source
            for name, source in columns.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        origins = [name for name in ("files", "query", "generator") if getattr(self, name)]
        if len(origins) != 1:
            raise ValueError("give exactly one of `files`, `query` and `generator`")
        if (self.query is None) != (self.url_env is None):
            raise ValueError("`query` and `url_env` go together")
        if self.table and not self.generator:
            raise ValueError("`table` goes with `generator`")
        known = {column.name: column for column in self.canonical}
        if unknown := sorted(set(self.columns) - set(known)):
            raise ValueError(f"`columns` has {unknown}; {self.kind} knows {sorted(known)}")
        for name, source in self.columns.items():
            if source.separator and known[name].kind is not Kind.TEXTS:
                raise ValueError(f"`{name}` has one value, so it takes no `separator`")
            if source.values and known[name].kind is Kind.TEXTS:
                raise ValueError(f"`{name}` takes no `values`")
        if not self.generator:
            required = [column.name for column in self.canonical if column.required]
            if missing := [name for name in required if name not in self.columns]:
                raise ValueError(f"`columns` lacks {missing}")
        words: dict[str | None, list[str] | None] = {}
        for source in self.columns.values():
            if words.setdefault(source.column, source.null_values) != source.null_values:
                raise ValueError(f"{source.column!r} is mapped twice, with other `null_values`")
        names = [rule.name for rule in self.filters]
        if len(set(names)) != len(names):
            raise ValueError("two filters have the same name")
        return self

    @property
    def canonical(self) -> tuple[CanonicalColumn, ...]:
        """The canonical columns this section may fill, extra covariates included."""
        extras = getattr(self, "covariates", ())
        return (*SECTIONS[self.kind], *(extra_covariate(name) for name in extras))

    @property
    def patterns(self) -> tuple[str, ...]:
        """``files`` as a tuple."""
        files = self.files or ()
        return (files,) if isinstance(files, str) else tuple(files)

    def reading(self) -> str:
        """Hash of everything but where the rows lie: the same bytes read so give the same rows."""
        text = self.model_dump_json(exclude={"files", "url_env"}, by_alias=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class _WithCovariates(Section):
    covariates: list[Name] = Field([], description="more covariates, each a number, by name")

    @field_validator("covariates")
    @classmethod
    def _new_names(cls, names: list[str]) -> list[str]:
        taken = {column.name for columns in SECTIONS.values() for column in columns}
        if clash := sorted(set(names) & taken):
            raise ValueError(f"{clash} are canonical columns and need no listing")
        return names


class Sales(_WithCovariates):
    """Facts: units sold a day, store and item."""

    kind: ClassVar[str] = "sales"

    aggregate: Aggregate | None = Field(
        None, description="default: each (date, store, item) stands once; a second one is bad"
    )
    known_ahead: dict[str, Duration] = Field(
        default_factory=dict,
        description="covariate -> how long before its date it was known; fills raw.plan",
    )
    complete_days: bool = Field(
        False, description="a key absent from a day and store of the file sold nothing"
    )

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        covariates = {column.name for column in self.canonical[4:]}
        if unknown := sorted(set(self.known_ahead) - covariates):
            raise ValueError(f"`known_ahead` has {unknown}; covariates are {sorted(covariates)}")
        if self.aggregate and (extra := set(self.aggregate.covariates) - set(self.covariates)):
            raise ValueError(f"`aggregate.covariates` has {sorted(extra)}, not in `covariates`")
        return self


class Plan(_WithCovariates):
    """Covariates with a clock of their own: prices, promotions, opening days known ahead.

    Without ``item_id`` a row holds for the whole store. The moment it became known is either a
    column ``known_at`` or ``known_ahead`` before its date.
    """

    kind: ClassVar[str] = "plan"

    known_ahead: Duration | None = None

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if not self.generator and (self.known_ahead is None) == ("known_at" not in self.columns):
            raise ValueError("give either `known_ahead` or a column for `known_at`")
        return self


class _Master(Section):
    duplicates: Literal["quarantine", "first", "last"] = Field(
        "quarantine", description="first, last: take that value of each column in file order"
    )


class Items(_Master):
    """What is sold. An item has one ``category``, or several ``categories``."""

    kind: ClassVar[str] = "items"

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if {"category", "categories"} <= set(self.columns):
            raise ValueError("give either `category` or `categories`, whose first one it is")
        return self


class Stores(_Master):
    """Where it is sold."""

    kind: ClassVar[str] = "stores"


class Interactions(Section):
    """Who did what with which item; the recommender learns from them."""

    kind: ClassVar[str] = "interactions"

    weights: dict[str, Weight] | None = Field(
        None,
        min_length=1,
        description="kind -> how much an event says, 1 or more being a purchase; another kind is "
        "a bad row. Default: view 0.1, cart 0.5, purchase 1",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _kinds_as_text(cls, weights: Any) -> Any:
        if not isinstance(weights, dict):
            return weights
        return {scalar_text(kind): weight for kind, weight in weights.items()}

    @model_validator(mode="after")
    def _constant_weighs(self) -> Self:
        kind = self.columns.get("kind")
        if kind and kind.const is not None and scalar_text(kind.const) not in self.weight_of:
            name = scalar_text(kind.const)
            named = "`weights` names" if self.weights else "without `weights` there are"
            raise ValueError(f"each kind is {name!r}, but {named} {sorted(self.weight_of)}")
        return self

    @property
    def weight_of(self) -> Mapping[str, float]:
        """Kind to weight. A row of a kind that is not there is bad."""
        return DEFAULT_WEIGHTS if self.weights is None else self.weights
