"""The forms of the protocol's requests and answers, as its own OpenAPI document has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from daybreak.serving.schemas import Form, example

MOST_TENSORS = 200
"""Inputs or outputs of a request."""
MOST_VALUES = 2**31 - 1
"""Of one dimension; a body is too long before it has as many."""

Datatype: TypeAlias = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Value: TypeAlias = str | bool | int | float | None
Size = Annotated[int, Field(ge=0, le=MOST_VALUES)]
Parameters: TypeAlias = dict[str, Any]
_PASSED_OVER = "What a client may say beside; passed over."


def _tensor(name: str, datatype: Datatype, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


class Asked(BaseModel):
    """Base of what is sent."""

    model_config = ConfigDict(extra="forbid")


class Input(Asked):
    """A field of the model's requests, for all rows."""

    name: str
    datatype: Datatype
    shape: list[Size] = Field(
        min_length=1,
        max_length=2,
        description='[n] or [n, 1] for n rows; [n, k] of a list with k places, "" fills up.',
    )
    # Of a list, here and below, the first wrong element is named: a body has room for many.
    data: list[Value | list[Value]] = Field(
        fail_fast=True, description="Row by row, flat or nested."
    )
    parameters: Parameters = Field(default_factory=dict, description=_PASSED_OVER)


class RequestedOutput(Asked):
    """A column of the answer."""

    name: str
    parameters: Parameters = Field(default_factory=dict, description=_PASSED_OVER)


class InferRequest(Asked):
    """Up to 1,000 rows. Names, datatypes and shapes are those of the model's metadata."""

    model_config = example(
        {
            "inputs": [
                _tensor("store_id", "BYTES", ["S001", "S001"]),
                _tensor("item_id", "BYTES", ["I0001", "I0002"]),
                _tensor("target_date", "BYTES", ["2026-07-02", "2026-07-02"]),
                _tensor("price", "FP64", [2.49, None]),
            ],
            "outputs": [{"name": "p50"}],
        }
    )

    id: str | None = None
    inputs: list[Input] = Field(max_length=MOST_TENSORS, fail_fast=True)
    outputs: (
        Annotated[list[RequestedOutput], Field(max_length=MOST_TENSORS, fail_fast=True)] | None
    ) = Field(None, description="Which columns to answer with; left out: all.")
    parameters: Parameters = Field(default_factory=dict, description=_PASSED_OVER)


class Output(Form):
    """A column of the answer, for all rows of it."""

    name: str
    datatype: Datatype
    shape: list[int]
    data: list[Value]


class InferAnswer(Form):
    """Rows in the order of the request."""

    model_config = example(
        {
            "model_name": "a_model",
            "model_version": "2026-06-23-5f0c2ab9",
            "parameters": {"gate": "passed", "generation": 7, "business_date": "2026-06-30"},
            "outputs": [_tensor("p50", "FP32", [9.0, 4.0])],
        }
    )

    model_name: str
    model_version: str
    id: str | None = Field(None, description="That of the request, if it had one.")
    parameters: Parameters = Field(
        description="gate, and generation and business_date, or watermark, as in other answers."
    )
    outputs: list[Output]


class Tensor(Form):
    """Name, datatype and shape; -1 is any size."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(Form):
    """What to ask a model with, and what it answers with."""

    model_config = example(
        {
            "name": "a_model",
            "versions": ["2026-06-23-5f0c2ab9"],
            "platform": "daybreak",
            "inputs": [{"name": "store_id", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "p50", "datatype": "FP32", "shape": [-1]}],
        }
    )

    name: str
    versions: list[str] = Field(description="The version in force, which alone answers.")
    platform: Literal["daybreak"] = "daybreak"
    inputs: list[Tensor]
    outputs: list[Tensor]


class ServerMetadata(Form):
    """What answers."""

    model_config = example({"name": "daybreak", "version": "0.1.0", "extensions": []})

    name: Literal["daybreak"] = "daybreak"
    version: str
    extensions: list[str] = Field(default_factory=list)


class ServerLive(Form):
    """The process lives."""

    model_config = example({"live": True})

    live: Literal[True] = True


class ServerReady(Form):
    """Every model can be asked."""

    model_config = example({"ready": True})

    ready: Literal[True] = True


class ModelReady(Form):
    """The model can be asked."""

    model_config = example({"name": "a_model", "ready": True})

    name: str
    ready: Literal[True] = True


class InferenceFailure(Form):
    """What went wrong, as a text; the rest is that of other routes' errors."""

    error: str
    code: str
    message: str
    remedy: str
    details: dict[str, Any]
