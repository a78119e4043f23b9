"""Source values to canonical values, a whole Arrow column at a time.

Each parser returns the canonical array, null where the source is null *or* cannot be read; the
``Converted.faults`` marks the rows that cannot be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from math import isnan
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from daybreak.sources.arrow import Array, Mask, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.section import Source, scalar_text
from daybreak.sources.parsing.local_time import Micros, to_local, to_utc

_NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?))$"
_WHOLE_FLOAT = r"^(?:(-?[1-9][0-9]{0,15}|0)|-(0))\.0$"
"""How programs write a whole number that they hold as a float, because its column has gaps."""
_BOOLEANS = pa.array(["True", "False", "TRUE", "FALSE"])
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TRUE = pa.array(["true", "1", "yes", "t", "y"])
_ABSENT = pa.array(["", "nan"])
_FALSE = pa.array(["false", "0", "no", "f", "n"])
_MICROSECOND = pa.timestamp("us")
_UTC_MICROSECOND = pa.timestamp("us", tz="UTC")
_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 1, 1)

TYPES = {
    Kind.DATE: pa.date32(),
    Kind.INSTANT: _UTC_MICROSECOND,
    Kind.TEXT: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXTS: pa.string(),  # a JSON list
}
"""The Arrow type of each kind."""


class WrongTypeError(Exception):
    """The type of a source column cannot be read as the kind asked for."""


@dataclass(frozen=True)
class Converted:
    """``values``: n canonical values. ``faults``: (rows, reason); the first one of a row counts."""

    values: Array
    faults: tuple[tuple[Mask, str], ...] = ()


def convert(values: Array, column: CanonicalColumn, source: Source, zone: ZoneInfo) -> Converted:
    """Read ``values`` as ``column`` says. Raises ``WrongTypeError`` for e.g. a list as a number."""
    values = plain(values)
    present = _present(values)
    reason = f"is not {column.kind.wording}"
    if source.values is not None:
        values = _looked_up(to_choice(values), source.values)
        reason = f"is none of {sorted(source.values)}"
    parsed = _PARSERS[column.kind](values, source, zone)
    faults = [(present & as_mask(pc.is_null(parsed)), reason)]
    if column.kind is Kind.TEXTS:  # an empty list is valid
        faults = [(as_mask(pc.match_substring(parsed, "\\u0000")), "has a NUL character")]
    elif column.kind is Kind.TEXT:
        faults.append((as_mask(pc.match_substring(parsed, "\0")), "has a NUL character"))
    elif column.kind is Kind.NUMBER:
        faults.append((as_mask(pc.is_inf(parsed)), "is not finite"))
    elif column.kind in (Kind.DATE, Kind.INSTANT):
        faults.append((_out_of_range(parsed), "is outside 1900 to 2199"))
    return Converted(parsed, tuple(fault for fault in faults if fault[0].any()))


def plain(values: Array) -> Array:
    """Dictionaries and large or view strings as ordinary ones."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = pc.cast(values, pa.string())
    return values


def to_text(values: Array) -> Array:
    """Any scalar column as trimmed text; ``""`` is null.

    A whole number that is written as a float is written whole, be it a number or text: 17850.0
    is ``"17850"``. Other floats and truth values are written as pandas writes them into a CSV.
    """
    kind = values.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise WrongTypeError
    if pa.types.is_floating(kind):
        text = _floats_as_text(values)
    elif pa.types.is_boolean(kind):
        text = pc.if_else(values, "True", "False")
    else:
        text = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    if pc.any(pc.ends_with(text, ".0")).as_py():
        text = pc.replace_substring_regex(text, _WHOLE_FLOAT, r"\1\2")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def to_choice(values: Array) -> Array:
    """``to_text``, truth values in lower case, to be compared with a YAML scalar."""
    text = to_text(values)
    spelled = pc.is_in(text, value_set=_BOOLEANS)
    return pc.if_else(spelled, pc.utf8_lower(text), text) if pc.any(spelled).as_py() else text


def _floats_as_text(values: Array) -> Array:
    """As Python writes them; NaN is null."""
    if values.type != pa.float64():
        return pc.cast(pc.if_else(pc.is_nan(values), None, values), pa.string())
    distinct = values.dictionary_encode()
    words = [
        None if number is None or isnan(number) else repr(number)
        for number in distinct.dictionary.to_pylist()
    ]
    return pa.array(words, pa.string()).take(distinct.indices)


def to_number(values: Array) -> Array:
    """Any scalar column as float64; NaN and what is not a number become null."""
    kind = values.type
    if pa.types.is_string(kind):
        text = pc.utf8_trim_whitespace(values)
        try:
            parsed = pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            good = pc.match_substring_regex(text, _NUMBER)
            digits = pc.utf8_ltrim(text, "+")
            numbers = pc.cast(pc.if_else(good, digits, pa.scalar(None, pa.string())), pa.float64())
            parsed = pc.coalesce(numbers, pc.cast(_true_or_false(text), pa.float64()))
    elif pa.types.is_decimal(kind) or kind in (pa.float32(), pa.float16()):
        # Arrow's cast of 0.29 as a decimal is a bit away from the number nearest to it, and a
        # float32 means the shortest decimal that it is written as: what a CSV has of either.
        parsed = pc.cast(pc.cast(values, pa.string()), pa.float64())
    elif _is_numeric(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        whole = pc.cast(values, pa.int8()) if pa.types.is_boolean(kind) else values
        parsed = pc.cast(whole, pa.float64(), safe=False)
    else:
        raise WrongTypeError
    return pc.if_else(pc.is_nan(parsed), pa.scalar(None, pa.float64()), parsed)


def _text(values: Array, source: Source, _zone: ZoneInfo) -> Array:
    text = to_text(values)
    if source.case:
        text = pc.utf8_upper(text) if source.case == "upper" else pc.utf8_lower(text)
    return text


def _texts(values: Array, source: Source, zone: ZoneInfo) -> Array:
    """Lists, or texts that ``source.separator`` cuts: each value once, null where there is none."""
    if not _is_list(values.type):
        text = to_text(values)
        sign = source.separator
        # Without one a text is a single value; a NUL, which no good text has, cuts none.
        values = pc.split_pattern(text, pattern="\0" if sign is None else sign)
    words = iter(_text(plain(pc.list_flatten(values)), source, zone).to_pylist())
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_pylist()
    lists = [list(dict.fromkeys(filter(None, islice(words, length)))) for length in lengths]
    return pa.array(
        [json.dumps(names, ensure_ascii=False) if names else None for names in lists], pa.string()
    )


def _number(values: Array, _source: Source, _zone: ZoneInfo) -> Array:
    return to_number(values)


def _true_or_false(text: Array) -> Array:
    """1 and 0 where a text says true or false, null where it says neither."""
    lower = pc.utf8_lower(text)
    return pc.case_when(
        pc.make_struct(pc.equal(lower, "true"), pc.equal(lower, "false")),
        pa.scalar(1, pa.int8()),
        pa.scalar(0, pa.int8()),
    )


def _flag(values: Array, _source: Source, _zone: ZoneInfo) -> Array:
    if pa.types.is_boolean(values.type):
        return values
    text = pc.utf8_lower(to_text(values))
    yes = pc.is_in(text, value_set=_TRUE)
    known = pc.or_(yes, pc.is_in(text, value_set=_FALSE))
    return pc.if_else(known, yes, pa.scalar(None, pa.bool_()))


def _date(values: Array, source: Source, zone: ZoneInfo) -> Array:
    if pa.types.is_date(values.type):
        return pc.cast(values, pa.date32())
    moments = _moments(values, source.format, lambda moment: _local(moment, zone))
    if moments.type.tz:
        moments = _shifted(moments, _MICROSECOND, lambda utc: to_local(utc, zone))
    return pc.cast(pc.floor_temporal(moments, unit="day"), pa.date32())


def _instant(values: Array, source: Source, zone: ZoneInfo) -> Array:
    if pa.types.is_date(values.type):
        values = pc.cast(values, _MICROSECOND)
    moments = _moments(values, source.format, lambda moment: _utc(moment, zone))
    if not moments.type.tz:
        moments = _shifted(moments, _UTC_MICROSECOND, lambda local: to_utc(local, zone))
    return pc.cast(moments, _UTC_MICROSECOND)


def _shifted(moments: Array, kind: pa.DataType, shift: Callable[[Micros], Micros]) -> Array:
    """``shift`` of the microseconds (n,) of timestamps; null stays null."""
    missing = pc.is_null(moments)
    micros = pc.fill_null(pc.cast(moments, pa.int64()), 0).to_numpy(zero_copy_only=False)
    shifted = pa.array(shift(micros), mask=as_mask(missing))
    return pc.cast(shifted, kind)


_PARSERS: dict[Kind, Callable[[Array, Source, ZoneInfo], Array]] = {
    Kind.DATE: _date,
    Kind.INSTANT: _instant,
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.TEXTS: _texts,
}


def _moments(values: Array, form: str | None, settle: Callable[[datetime], datetime]) -> Array:
    """Timestamps in microseconds, naive or UTC, from timestamps or from text.

    ``settle`` turns what Python's parser found, naive or not, into all naive or all UTC.
    """
    kind = values.type
    if pa.types.is_timestamp(kind):
        return pc.cast(values, pa.timestamp("us", tz=kind.tz), safe=False)
    if pa.types.is_null(kind):
        return pc.cast(values, _MICROSECOND)
    if not (pa.types.is_string(kind) or (form and _is_numeric(kind))):
        raise WrongTypeError
    text = to_text(values) if form else pc.utf8_trim_whitespace(values)
    quick = _quickly(text, form)
    return quick if quick is not None else _one_by_one(text, form, settle)


def _quickly(text: Array, form: str | None) -> Array | None:
    """All of them in Arrow, or None where any needs a closer look."""
    try:
        if form is None:
            return pc.cast(text, _MICROSECOND)
        parsed = pc.strptime(text, format=form, unit="us", error_is_null=True)
        # Arrow reads 2011-02-30 as 2 March; only what is written back the same was a date.
        same = pc.equal(pc.strftime(pc.cast(parsed, pa.timestamp("s")), format=form), text)
    except pa.ArrowInvalid:
        return None
    return parsed if pc.all(pc.or_kleene(same, pc.is_null(text))).as_py() else None


def _one_by_one(text: Array, form: str | None, settle: Callable[[datetime], datetime]) -> Array:
    """Distinct texts by Python's own parser: slower, exact, offsets included."""
    encoded = text.dictionary_encode()
    moments = [_moment(word, form, settle) for word in encoded.dictionary.to_pylist()]
    return pa.array(moments, _kind_of(moments)).take(encoded.indices)


def _kind_of(moments: list[datetime | None]) -> pa.DataType:
    aware = any(moment is not None and moment.tzinfo for moment in moments)
    return _UTC_MICROSECOND if aware else _MICROSECOND


def _moment(word: str, form: str | None, settle: Callable[[datetime], datetime]) -> datetime | None:
    if form is None and not _ISO_DAY.match(word):
        return None  # 20110203 and 2011-W05-4 are more likely an item code than a date
    try:
        found = datetime.strptime(word, form) if form else datetime.fromisoformat(word)  # noqa: DTZ007  settled next
        return settle(found)
    except (ValueError, OverflowError):
        return None


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock in ``zone``, naive."""
    return (moment.astimezone(zone) if moment.tzinfo else moment).replace(tzinfo=None)


def _utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _looked_up(text: Array, table: dict[str, Any]) -> Array:
    meanings = pa.array([scalar_text(value) for value in table.values()])
    return meanings.take(pc.index_in(text, value_set=pa.array(list(table))))


def _present(values: Array) -> Mask:
    """Rows that hold something: neither null nor blank nor NaN, which all mean absent."""
    if pa.types.is_floating(values.type):
        return as_mask(pc.is_valid(values)) & ~as_mask(pc.is_nan(values))
    if pa.types.is_string(values.type):
        text = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        return ~as_mask(pc.is_in(text, value_set=_ABSENT)) & as_mask(pc.is_valid(text))
    return as_mask(pc.is_valid(values))


def _out_of_range(parsed: Array) -> Mask:
    first: Any = _EARLIEST
    after: Any = _LATEST
    if pa.types.is_timestamp(parsed.type):
        first, after = (datetime(day.year, 1, 1, tzinfo=UTC) for day in (first, after))
    low, high = (pa.scalar(bound, parsed.type) for bound in (first, after))
    return as_mask(pc.or_(pc.less(parsed, low), pc.greater_equal(parsed, high)))


def _is_list(kind: Any) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_numeric(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
