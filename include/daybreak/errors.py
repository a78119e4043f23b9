"""Every error that Daybreak raises on purpose.

One base class carries an HTTP status, a stable code and the remedy. A task lets an error
raise, the command line prints it in two lines, the endpoint turns it into one JSON shape.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DaybreakError(Exception):
    """What went wrong (``message``), where (``details``) and what to do about it (``remedy``).

    ``details`` holds JSON-serialisable values only (field, row, file ...) and never a secret.

    ``final``: trying again in a few minutes ends the same way, until a person has done something.
    A task that raises such an error is not retried.

    ``exit_code``: of a command that it ends. README lists them.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    final: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_json(self) -> dict[str, Any]:
        """The one JSON error shape: ``{"error": {code, message, remedy, details}}``."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "remedy": self.remedy,
                "details": self.details,
            }
        }


# Settings and data set files


class ConfigError(DaybreakError):
    """A setting is missing, malformed, or two of them contradict each other."""

    code = "config_error"
    final = True


class DatasetError(DaybreakError):
    """A data set file, or the shape of the data it names, is wrong as a whole."""

    status = 422
    code = "dataset_error"
    final = True


# Requests


class InvalidRequest(DaybreakError):
    """A request does not have the form that the model asks for."""

    status = 400
    code = "invalid_request"
    final = True


class Unauthenticated(DaybreakError):
    """No credential, or one that is unknown, revoked or expired."""

    status = 401
    code = "unauthenticated"
    final = True


class Forbidden(DaybreakError):
    """The caller is known but may not do this."""

    status = 403
    code = "forbidden"
    final = True


class NotFound(DaybreakError):
    """There is no such model, version, item, generation or page."""

    status = 404
    code = "not_found"
    final = True


class MethodNotAllowed(DaybreakError):
    """The route exists, but not with this HTTP method."""

    status = 405
    code = "method_not_allowed"
    final = True


class Conflict(DaybreakError):
    """The thing exists already with other content, or is in another state."""

    status = 409
    code = "conflict"
    final = True


class RequestTimeout(DaybreakError):
    """The client did not send its request in time."""

    status = 408
    code = "request_timeout"


class TooManyRequests(DaybreakError):
    """A caller asks more often than it may."""

    status = 429
    code = "too_many_requests"


class HeadersTooLarge(DaybreakError):
    """The header of a request, or its address, is longer than any that the service needs."""

    status = 431
    code = "headers_too_large"
    final = True


class RequestTooLarge(DaybreakError):
    """The body of a request is longer than the limit."""

    status = 413
    code = "request_too_large"
    final = True


class UnsupportedMediaType(DaybreakError):
    """The body of a request is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"
    final = True


class Overloaded(DaybreakError):
    """As many requests wait as can be answered in time."""

    status = 503
    code = "overloaded"


class OutsideHorizon(DaybreakError):
    """The date asked for is not within the days that the published business date covers."""

    status = 422
    code = "outside_horizon"
    final = True


class InvalidEvent(DaybreakError):
    """An event has what its stream does not, or happened when none is taken of."""

    status = 422
    code = "invalid_event"
    final = True


class NotReady(DaybreakError):
    """The service lives, but something it needs to answer predictions is missing."""

    status = 503
    code = "not_ready"


# Artifacts and the champion ledger


class NoChampion(DaybreakError):
    """No version of the model was in force at the moment asked about."""

    status = 503
    code = "no_champion"
    final = True


class NotPublished(DaybreakError):
    """The model has no published generation yet."""

    status = 503
    code = "not_published"


class ArtifactMissing(DaybreakError):
    """A file of a registered version is not where the registry put it."""

    status = 503
    code = "artifact_missing"


class ArtifactAltered(DaybreakError):
    """A file of a registered version does not have the sha256 that the ledger holds."""

    status = 503
    code = "artifact_altered"
    final = True


class InvalidBooster(DaybreakError):
    """The bytes of a booster are not one that can be loaded and asked safely."""

    status = 503
    code = "invalid_booster"
    final = True


class GoldenRowsDiffer(DaybreakError):
    """A version does not give the margins here that it gave when it was registered."""

    status = 503
    code = "golden_rows_differ"
    final = True


class RegistryUnavailable(DaybreakError):
    """The place where versions live does not answer, or refuses this user."""

    status = 503
    code = "registry_unavailable"


class GateRefused(DaybreakError):
    """A challenger did not pass the gate and does not become champion."""

    status = 409
    code = "gate_refused"
    final = True
    exit_code = 3


class StorageFull(DaybreakError):
    """The registry or the warehouse could not write: no space is left."""

    status = 507
    code = "storage_full"


# Scoring


class WarehouseUnavailable(DaybreakError):
    """The warehouse does not answer, or refuses the connection."""

    status = 503
    code = "warehouse_unavailable"


class WarehouseOverloaded(WarehouseUnavailable):
    """The warehouse has no memory, connections or other resources left for this."""

    code = "warehouse_overloaded"


class NoData(DaybreakError):
    """There are no facts within the bounds of both clocks to work with."""

    status = 422
    code = "no_data"
    final = True


class NotCarried(NoData):
    """The data set lacks a section that the model needs, so the model is absent here."""

    code = "not_carried"


class PeriodOpen(DaybreakError):
    """A report is asked for of a period whose days are not all over and closed."""

    status = 409
    code = "period_open"
    final = True


class InputsLate(DaybreakError):
    """The business day was not closed within the time a run may wait for it."""

    code = "inputs_late"
    final = True


class InputsNotComing(DaybreakError):
    """A run that a person started would wait for facts that do not come by themselves."""

    status = 409
    code = "inputs_not_coming"
    final = True


class NoBusinessDate(DaybreakError):
    """A run has neither a logical date nor a business date in its configuration."""

    status = 422
    code = "no_business_date"
    final = True


class IllegalTransition(DaybreakError):
    """A generation cannot go from its state to the one asked for."""

    status = 409
    code = "illegal_transition"
    final = True


class ApprovalNeeded(DaybreakError):
    """What was scored waits for a person who agrees to it."""

    status = 409
    code = "approval_needed"
    final = True


class AlreadyDecided(DaybreakError):
    """Somebody else has decided about it, and otherwise."""

    status = 409
    code = "already_decided"
    final = True


class AuditFailed(DaybreakError):
    """A staged generation breaks a rule that published scores must keep."""

    code = "audit_failed"
    final = True


class DecisionsDiffer(DaybreakError):
    """Decisions, or the tiles that they are made from, are not what the log makes of them."""

    code = "decisions_differ"
    final = True


# The embedded platform


class PlatformError(DaybreakError):
    """A component of the embedded platform did not start, stop or answer."""

    code = "platform_error"
