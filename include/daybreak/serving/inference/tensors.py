"""Fields of a model's requests and columns of its answers as tensors, by their JSON Schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, NoReturn

from pydantic import BaseModel

from daybreak.errors import InvalidRequest
from daybreak.models.base import AnyModel
from daybreak.serving.forms import MOST_ROWS
from daybreak.serving.http.body import LONGEST_NAME, MOST_FAULTS
from daybreak.serving.inference.forms import Datatype, Input, Tensor
from daybreak.serving.schemas import answer_forms

Json = dict[str, Any]
ROW, SOURCE = "row", "source"
"""Outputs beside the columns: which row of the request it answers, and where it comes from."""

_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_TAKEN: Mapping[str, frozenset[str]] = {
    "BYTES": frozenset({"BYTES"}),
    "BOOL": frozenset({"BOOL"}),
    "INT64": _INTEGERS,
    "FP64": _INTEGERS | {"FP16", "FP32", "FP64"},
}
"""Datatypes that a client may send, by the one of the metadata; JSON writes all numbers alike."""


@dataclass(frozen=True)
class Field:
    """A field of a form that is a tensor: one value a row, or where it is ``listed`` a list."""

    name: str
    datatype: Datatype
    listed: bool
    required: bool

    @property
    def tensor(self) -> Tensor:
        """As metadata shows it."""
        shape = [-1, -1] if self.listed else [-1]
        return Tensor(name=self.name, datatype=self.datatype, shape=shape)


@cache
def inputs_of(form: type[BaseModel]) -> Mapping[str, Field]:
    """Fields of a request that are tensors, by name; what has fields of its own is none."""
    return {field.name: field for field in _fields(form.model_json_schema(), "FP64")}


@cache
def outputs_of(model: AnyModel) -> Mapping[str, Field]:
    """Columns of an answer, by name. Scores are float32."""
    schema = answer_forms(model)[0].model_json_schema(mode="serialization")
    row = schema["properties"]["predictions"]["items"]["$ref"].rpartition("/")[2]
    columns = _fields(schema["$defs"][row], "FP32")
    beside = (Field(ROW, "INT64", False, True), Field(SOURCE, "BYTES", False, True))
    return {field.name: field for field in (*columns, *beside)}


def _fields(schema: Json, number: Datatype) -> Iterator[Field]:
    datatypes: dict[str, Datatype] = {
        "string": "BYTES", "boolean": "BOOL", "integer": "INT64", "number": number,
    }  # fmt: skip
    required = schema.get("required", ())
    for name, said in schema.get("properties", {}).items():
        kinds = [one for one in said.get("anyOf", [said]) if one.get("type") != "null"]
        listed = kinds[0].get("type") == "array"
        kind = kinds[0]["items"] if listed else kinds[0]
        if said.get("deprecated"):
            continue
        if len(kinds) == 1 and (datatype := datatypes.get(kind.get("type", ""))):
            yield Field(name, datatype, listed, name in required)


def rows_of(form: type[BaseModel], inputs: Sequence[Input]) -> list[Json]:
    """Tensors to requests as JSON, not yet held against the form.

    Raises ``InvalidRequest``, which names the inputs that are unknown, missing, given twice, of
    another datatype or shape, or of another number of rows than the first.
    """
    fields = inputs_of(form)
    names = [one.name for one in inputs]
    if unknown := sorted({*names} - fields.keys())[:MOST_FAULTS]:
        _refuse("There is no such input", unknown, fields)
    missing = [name for name, field in fields.items() if field.required and name not in names]
    if missing:
        _refuse("This input is missing", missing, fields)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        _refuse("This input is given twice", twice, fields)
    columns = {one.name: _column(fields[one.name], one) for one in inputs}
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1 or not 1 <= (count := counts.pop()) <= MOST_ROWS:
        raise InvalidRequest(
            f"The inputs have not all the same number of rows, 1 to {MOST_ROWS}.",
            remedy="The first number of each shape is how many rows it has.",
            limit=MOST_ROWS,
        )
    return [{name: column[row] for name, column in columns.items()} for row in range(count)]


def _column(field: Field, given: Input) -> list[Any]:
    """One value, or list of values, a row."""
    if given.datatype not in _TAKEN[field.datatype]:
        _wrong(field, f"its datatype is {field.datatype}, not {given.datatype}")
    flat = [v for one in given.data for v in (one if isinstance(one, list) else [one])]
    if prod(given.shape) != len(flat):
        _wrong(field, f"its data are {len(flat)} values, which its shape does not have")
    match given.shape, field.listed:
        case (([_] | [_, 1]), False):
            return flat
        case [rows, places], True if rows <= MOST_ROWS:  # of no places, any number has no data
            cut = [flat[row * places : (row + 1) * places] for row in range(rows)]
            return [[value for value in values if value != ""] for values in cut]
    _wrong(
        field, f"its shape is {'[n, k]' if field.listed else '[n]'} for n rows, 1 to {MOST_ROWS}"
    )


def tensors_of(answers: Sequence[Json], columns: Sequence[Field]) -> list[Json]:
    """Answers to rows, in order, as these columns; a text that is null is empty."""
    rows = [
        {**prediction, ROW: row, SOURCE: answer["source"]}
        for row, answer in enumerate(answers)
        for prediction in answer["predictions"]
    ]
    return [
        {
            "name": column.name,
            "datatype": column.datatype,
            "shape": [len(rows)],
            "data": [_shown(row.get(column.name), column) for row in rows],
        }
        for column in columns
    ]


def _shown(value: Any, column: Field) -> Any:
    return "" if value is None and column.datatype == "BYTES" else value


def _wrong(field: Field, fault: str) -> NoReturn:
    raise InvalidRequest(
        f"The input {field.name} is wrong: {fault}.",
        remedy="GET /v2/models/<model> says what each input takes.",
        field=field.name,
    )


def _refuse(fault: str, names: Sequence[str], fields: Mapping[str, Field]) -> NoReturn:
    shown = [name[:LONGEST_NAME] for name in names]
    raise InvalidRequest(
        f"{fault}: {', '.join(shown)}.",
        remedy=f"The inputs are: {', '.join(fields)}.",
        fields=[{"field": name, "message": f"{fault}."} for name in shown],
    )
