"""``/ui/reports``: reports of days, weeks and months; each is a page of its own, with its tables as
Parquet.

The page of a report has scripts in it, so it is served in a sandbox that lets them reach nothing.
"""

from __future__ import annotations

from flask import Response

from daybreak.charts.document import POLICY
from daybreak.errors import Forbidden, InvalidRequest, NotFound
from daybreak.period import Period
from daybreak.reporting.kept import PAGE, Report, find, read, reports
from daybreak.serving.http.auth import may, needs
from daybreak.serving.page.asked import text_of
from daybreak.serving.page.frame import blueprint, html, seen_models
from daybreak.serving.page.reading import connected
from daybreak.serving.service import current_service
from daybreak.serving.turn import pass_on

SHOWN = 200
NOT_FOUND = "There is no such report."


@blueprint.get("/reports")
@needs("predict")
def list_of_reports() -> Response:
    """The newest reports of the models that the caller may see, with their files."""
    seen, model = seen_models(), text_of("model")
    named = [model] if model in seen else seen
    with connected(current_service().runtime) as conn:
        found = reports(conn, named, most=SHOWN)
    return html(
        "reports.html",
        "Reports",
        active="reports",
        models=seen,
        model=model if model in seen else "",
        found=found,
        most=SHOWN,
    )


@blueprint.get("/reports/<model>/<period>/<made>")
@needs("predict")
def report(model: str, period: str, made: str) -> Response:
    """A report."""
    data = _file(_report(model, period, made), PAGE)
    response = Response(data, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/reports/<model>/<period>/<made>/<file>")
@needs("predict")
def table_of_report(model: str, period: str, made: str, file: str) -> Response:
    """A table of a report, as Parquet."""
    found = _report(model, period, made)
    if file not in found.tables:
        raise NotFound("The report has no such table.", remedy="The list of reports has them.")
    data = _file(found, file)
    response = Response(data, content_type="application/vnd.apache.parquet")
    saved_as = f"{found.model}-{found.period}-{file}"
    response.headers["Content-Disposition"] = f'attachment; filename="{saved_as}"'
    return response


def _report(model: str, period: str, name: str) -> Report:
    """As the list has it, so that no word of an address becomes part of a path. Raises ``NotFound``
    and ``Forbidden``."""
    if model not in current_service().models:
        raise NotFound(NOT_FOUND, remedy="The list of reports has those that are.")
    if not may("predict", model):
        raise Forbidden(
            f"You may not see {model}.", remedy="In Airflow, your role has to see the model's DAG."
        )
    try:
        Period.parse(period)
    except InvalidRequest:
        raise NotFound(NOT_FOUND, remedy="The list of reports has those that are.") from None
    with connected(current_service().runtime) as conn:
        return find(conn, model, period, name)


def _file(found: Report, name: str) -> bytes:
    pass_on()  # a file of some megabytes, that may come over a network
    return read(current_service().runtime.registry.store, found, name)
