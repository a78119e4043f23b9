"""``/ui/login`` and ``/ui/logout``: a session by an API key, where Airflow does not log in."""

from __future__ import annotations

import re

from flask import Response, request

from daybreak.errors import NotFound, Unauthenticated
from daybreak.serving.http.auth import needs, public
from daybreak.serving.page.frame import blueprint, html, logged_out, page_of_app, to
from daybreak.serving.page.sessions import Sessions
from daybreak.serving.turn import pass_on

_WITHIN = re.compile(r"(?:[a-z]+(?:\?[^\\\s#]*)?)?")
"""A view with its query, which leads nowhere else: no scheme, no host, no step up."""


@blueprint.get("/login")
@public
def login_form() -> Response:
    """Asks for a key."""
    if page_of_app().sessions is None:
        return logged_out("Airflow's login opens this page.", 200)
    back = request.args.get("back", "")
    return html("login.html", "Log in", message="", back=back if _WITHIN.fullmatch(back) else "")


@blueprint.post("/login")
@public
def log_in() -> Response:
    """Opens a session, and goes on to where one was."""
    pass_on()
    back = request.form.get("back", "")
    back = back if _WITHIN.fullmatch(back) else ""
    response = Response(status=303, headers={"Location": to(back)})
    try:
        _sessions().open(request.form.get("key", "").strip(), request, response)
    except Unauthenticated:
        message = "This key opens nothing: it is unknown, revoked or expired."
        return html("login.html", "Log in", 401, message=message, back=back)
    return response


@blueprint.post("/logout")
@needs("predict")
def log_out() -> Response:
    """Ends the session."""
    response = Response(status=303, headers={"Location": to("login")})
    _sessions().end(request, response)
    return response


def _sessions() -> Sessions:
    sessions = page_of_app().sessions
    if sessions is None:
        raise NotFound("Airflow logs in and out here.", remedy="Use its own login.")
    return sessions
