"""Every error has a stable code and status of its own, and one JSON shape."""

from __future__ import annotations

import inspect
import json

import pytest

from daybreak import errors
from daybreak.errors import DaybreakError

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, DaybreakError)
]


def test_codes_are_unique_and_follow_the_class_name() -> None:
    codes = [error.code for error in CLASSES]

    assert len(set(codes)) == len(codes)
    for error in CLASSES:
        if error is not DaybreakError:
            assert error.code == "".join(
                f"_{letter.lower()}" if letter.isupper() else letter for letter in error.__name__
            ).lstrip("_")


@pytest.mark.parametrize("error", CLASSES)
def test_status_is_an_http_error_and_the_class_says_when_it_is_raised(
    error: type[DaybreakError],
) -> None:
    assert 400 <= error.status < 600
    assert error.__doc__


# A task that fails is tried again in seconds to minutes. Does that help, without a person's doing?
TRY_AGAIN = {
    "ArtifactMissing": "a share or bucket may be on its way back",
    "DaybreakError": "its cause is unknown",
    "NotPublished": "the night may publish meanwhile",
    "Overloaded": "other requests may be done",
    "NotReady": "the service may be starting",
    "PlatformError": "a component may be starting",
    "RegistryUnavailable": "the network may be back",
    "RequestTimeout": "the client's network may be quicker",
    "StorageFull": "a job that ends gives space back",
    "TooManyRequests": "time passes",
    "WarehouseOverloaded": "other work may be done",
    "WarehouseUnavailable": "the server may be restarting",
}
A_PERSON_FIRST = {
    "PeriodOpen",
    "ArtifactAltered",
    "AuditFailed",
    "ConfigError",
    "Conflict",
    "DatasetError",
    "AlreadyDecided",
    "ApprovalNeeded",
    "DecisionsDiffer",
    "Forbidden",
    "GateRefused",
    "GoldenRowsDiffer",
    "HeadersTooLarge",
    "IllegalTransition",
    "InputsLate",
    "InputsNotComing",
    "InvalidBooster",
    "InvalidEvent",
    "InvalidRequest",
    "MethodNotAllowed",
    "NoBusinessDate",
    "NoChampion",
    "NoData",
    "NotCarried",
    "NotFound",
    "OutsideHorizon",
    "RequestTooLarge",
    "Unauthenticated",
    "UnsupportedMediaType",
}


def test_every_error_says_whether_trying_again_helps() -> None:
    assert {error.__name__ for error in CLASSES if error.final} == A_PERSON_FIRST
    assert {error.__name__ for error in CLASSES if not error.final} == TRY_AGAIN.keys()


def test_one_json_shape() -> None:
    error = errors.NotFound("No item '85123A'.", remedy="See /v1/models.", field="item")

    assert json.loads(json.dumps(error.as_json())) == {
        "error": {
            "code": "not_found",
            "message": "No item '85123A'.",
            "remedy": "See /v1/models.",
            "details": {"field": "item"},
        }
    }
    assert str(error) == "No item '85123A'. See /v1/models."
    assert str(errors.NotFound("Nothing.")) == "Nothing."
