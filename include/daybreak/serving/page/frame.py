"""What all views of the page share: its place in the app, its frame, its errors, its safety."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Request, Response, current_app, g, render_template, request
from werkzeug.exceptions import HTTPException

from daybreak.charts.tables import Table, as_csv, words
from daybreak.errors import DaybreakError, Forbidden, MethodNotAllowed, NotFound, Unauthenticated
from daybreak.models.base import AnyModel
from daybreak.serving.http.auth import Authenticator, Caller, may, needs
from daybreak.serving.http.envelope import logger
from daybreak.serving.page.acts import Acts
from daybreak.serving.page.files import add_files, file
from daybreak.serving.page.sessions import Sessions, from_this_server, has_header
from daybreak.serving.service import current_service

View = TypeVar("View", bound=Callable[..., Any])
_EXTENSION = "daybreak.page"

SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
"""No script but from this server. Plotly places what it draws by attributes of style."""

HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    # With no referrer at all, browsers do not say either where a form was sent from.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
}


@dataclass(frozen=True)
class Page:
    """What the app was given for the page. ``sessions``: None where who calls is known otherwise,
    as behind Airflow's login. ``acts``: None where nothing can be done from here.
    ``airflow_url``: where Airflow's UI is; it may be relative to the page's address."""

    sessions: Sessions | None = None
    acts: Acts | None = None
    airflow_url: str | None = None


@dataclass(frozen=True)
class Entry:
    """A view in the navigation. ``report``: the report view that a model has to bring for it."""

    path: str
    title: str
    report: str | None = None


NAVIGATION = (
    Entry("", "Today"),
    Entry("forecast", "Forecast", "forecast_actual"),
    Entry("lists", "Recommendations", "recommendation_hits"),
    Entry("fraud", "Fraud", "fraud_queue"),
    Entry("prices", "Prices", "price_proposals"),
    Entry("models", "Models"),
    Entry("data", "Data"),
    Entry("reports", "Reports"),
)

blueprint = Blueprint("page", __name__, template_folder="templates", url_prefix="/ui")
add_files(blueprint)


@dataclass(frozen=True)
class Doors:
    """Who calls: the page asks for a session, everything else for what a program sends."""

    sessions: Sessions
    others: Authenticator

    def authenticate(self, request: Request) -> Caller:
        """The caller. Raises ``Unauthenticated``."""
        of_page = request.path == "/ui" or request.path.startswith("/ui/")
        return (self.sessions if of_page else self.others).authenticate(request)


def attach(app: Flask, page: Page) -> None:
    """Give an app its page."""
    app.extensions[_EXTENSION] = page
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(blueprint)


@blueprint.get("/<path:_rest>")
@needs("predict")
def nowhere(_rest: str) -> Response:
    """Raises ``NotFound``, so that it is answered as a page."""
    raise NotFound("There is no such view.", remedy="The navigation has those that are.")


def page_of_app() -> Page:
    """What the app of this request was given."""
    found: Page = current_app.extensions[_EXTENSION]
    return found


def answered_by(report: str) -> AnyModel:
    """The model that brings a report view. Raises ``NotFound`` where none does on this data set,
    and ``Forbidden`` where the caller may not ask it."""
    model = _bringing(report)
    if model is None:
        raise NotFound(
            "There is no such view here: the data set does not carry its model.",
            remedy="`daybreak models list` says what it lacks.",
        )
    if not may("predict", model.name):
        raise Forbidden(
            f"You may not see {model.name}.",
            remedy="In Airflow, your role has to see the model's DAG.",
        )
    return model


def _bringing(report: str) -> AnyModel | None:
    service = current_service()
    for name, model in service.models.items():
        if name not in service.absent and any(view.name == report for view in model.views):
            return model
    return None


def _is_shown(entry: Entry) -> bool:
    if entry.report is None:
        return True
    model = _bringing(entry.report)
    return model is not None and may("predict", model.name)


def seen_models() -> list[str]:
    """Names of the models that the caller may see, of those that the data set carries."""
    service = current_service()
    return [name for name in service.models if name not in service.absent and may("predict", name)]


def may_act(model: str) -> bool:
    """Whether the caller may change what is in force of a model, and it can be done from here."""
    return page_of_app().acts is not None and may("admin", model)


def acting(model: str) -> Acts:
    """What does it, for who may. Raises ``Forbidden``."""
    acts = page_of_app().acts
    if acts is None:
        raise Forbidden(
            "Nothing can be changed from this page.",
            remedy="Use the page in Airflow, or the command `daybreak`.",
        )
    if not may("admin", model):
        raise Forbidden(
            f"You may see {model} and not change what is in force of it.",
            remedy="A key needs the scope admin; in Airflow, your role has to edit the model's "
            "DAG.",
        )
    return acts


def shown(template: str, title: str, tables: Iterable[Table] = (), **context: Any) -> Response:
    """The view as HTML; or one of its ``tables`` as CSV, where the address asks for it by
    ``csv=<id>``."""
    wanted = request.args.get("csv")
    if wanted is None:
        return html(template, title, **context)
    for table in tables:
        if table.id == wanted:
            response = Response(as_csv(table), content_type="text/csv; charset=utf-8")
            response.headers["Content-Disposition"] = f'attachment; filename="{table.id}.csv"'
            return response
    raise NotFound(
        "This view has no such table.", remedy="Follow the link CSV beneath a table of the view."
    )


def html(template: str, title: str, status: int = 200, **context: Any) -> Response:
    """A template in the frame of the page."""
    caller = g.get("caller")
    page = page_of_app()
    text = render_template(
        f"page/{template}",
        title=title,
        navigation=[entry for entry in NAVIGATION if _is_shown(entry)] if caller else [],
        here=request.path.removeprefix("/ui").strip("/"),
        caller=caller,
        can_log_out=page.sessions is not None and not has_header(request),
        **context,
    )
    return Response(text, status, content_type="text/html; charset=utf-8")


# Addresses: relative ones, as the page may be beneath any prefix.


@blueprint.app_template_global()
def to(path: str = "", **values: Any) -> str:
    """The relative address of a view, from whichever is answered."""
    depth = request.path.count("/")
    base = {1: "ui/"}.get(depth, "../" * (depth - 2))
    return (base + path or "./") + query(values)


@blueprint.app_template_global()
def file_at(name: str) -> str:
    """The address of a file of the page, another one when it has changed."""
    return to(name, v=file(name).etag[:8])


@blueprint.app_template_global()
def again(**values: Any) -> str:
    """The address that is answered, with other values of its query; None leaves one out."""
    kept = {name: given for name, given in request.args.items() if name not in values}
    return query({**kept, **values}) or "?"


def query(values: Mapping[str, Any]) -> str:
    """A query of those values that are given."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


@blueprint.app_template_global()
def airflow_run(run_key: str | None) -> str | None:
    """The address of a run in Airflow; None where it is none of Airflow's or nobody knows."""
    base = page_of_app().airflow_url
    dag, slash, run = (run_key or "").partition("/")
    if base is None or not slash or dag == "cli":
        return None
    return f"{base.rstrip('/')}/dags/{quote(dag, safe='')}/runs/{quote(run, safe='')}"


@blueprint.app_template_filter()
def moment(value: datetime | None) -> str:
    """A moment to the minute, UTC."""
    return f"{value:%Y-%m-%d %H:%M}" if value else "–"


@blueprint.app_template_filter()
def measure(value: float | None) -> str:
    """A measure of quality with three decimals; a dash for one that nobody knows."""
    return "–" if value is None or isnan(value) else f"{value:.3f}"


blueprint.add_app_template_filter(words)


# Safety


@blueprint.before_request
def expect_no_other_site() -> None:
    """What changes something comes from a page of this server, or from who sends a header: the
    cookie, which browsers send by themselves, is not enough. Raises ``Forbidden``."""
    if request.method == "POST" and not has_header(request) and not from_this_server(request):
        raise Forbidden(
            "This form was not sent from a page of this server.",
            remedy="Open the page and send it from there; behind a proxy, the header Host has to "
            "be the one that browsers see.",
        )


@blueprint.after_request
def guard(response: Response) -> Response:
    """Give every answer of the page its headers; one with a policy of its own keeps that."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


# Errors


@blueprint.errorhandler(DaybreakError)
def expected(error: DaybreakError) -> Response:
    """What went wrong and what to do, as a page."""
    if error.status == 500:
        return unexpected(error)
    g.code = error.code
    if isinstance(error, Unauthenticated):
        return logged_out(error.message)
    response = html("error.html", "Not possible", error.status, error=error)
    if "retry_after" in error.details:
        response.headers["Retry-After"] = str(error.details["retry_after"])
    return response


def logged_out(message: str, status: int = 401) -> Response:
    """The way to log in, as the answer to who is not."""
    g.pop("caller", None)
    page = page_of_app()
    asked_for = request.full_path.removeprefix("/ui").lstrip("/").rstrip("?")
    if page.sessions is None:
        return html("away.html", "Log in", status, message=message, airflow=page.airflow_url)
    back = asked_for if request.method == "GET" else ""
    return html("login.html", "Log in", status, message=message, back=back)


@blueprint.errorhandler(HTTPException)
def http(error: HTTPException) -> Response:
    """What Flask itself refuses."""
    if error.code == 405:
        refused: DaybreakError = MethodNotAllowed(
            f"This view does not answer {request.method}.", remedy="Open it from the navigation."
        )
    else:
        refused = NotFound("There is no such view.", remedy="The navigation has those that are.")
    return expected(refused)


@blueprint.errorhandler(Exception)
def unexpected(error: Exception) -> Response:
    """A fault of ours says nothing of the inside."""
    logger.error("request %s failed", g.request_id, exc_info=error)
    hidden = DaybreakError(
        "The page failed to answer.",
        remedy=f"The log has the cause under request {g.request_id}.",
    )
    g.code = hidden.code
    return html("error.html", "Failed", 500, error=hidden)
