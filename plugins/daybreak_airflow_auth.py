"""Airflow's own login as an authenticator of the prediction endpoint, and its roles as scopes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.models import DagModel
from flask import Request
from jwt import InvalidTokenError

from daybreak.errors import Unauthenticated
from daybreak.models import schedules
from daybreak.serving.http.auth import Caller

if TYPE_CHECKING:
    from daybreak.serving.http.keys import Scope

_SAFE = {"GET", "HEAD", "OPTIONS"}
_ON_DAG: dict[Scope, Literal["GET", "PUT"]] = {
    "predict": "GET",
    "explain": "GET",
    "events": "PUT",
    "admin": "PUT",
}
"""What a user has to be allowed with the DAG of a model, to be allowed what a scope says with the
model: to see it, or to edit it."""


class AirflowLogin:
    """Any user that Airflow knows, by its token; what the user may do follows from its role.

    Plugin routes are anonymous unless the plugin asks (apache/airflow#72655), so this does. The
    header is always good. The browser sends the cookie by itself, also when another site makes
    it: alone it opens only what changes nothing, or what comes from a page of this server.
    """

    def authenticate(self, request: Request) -> Caller:
        """The user's name in Airflow. Raises ``Unauthenticated``."""
        token = _token(request)
        if not token:
            raise _refused()
        try:
            user = asyncio.run(get_auth_manager().get_user_from_token(token))
        except InvalidTokenError:
            raise _refused() from None
        return Caller(user.get_name(), str(user.get_id()), partial(_may, user))


def _may(user: Any, scope: Scope, model: str | None) -> bool:
    """Whether Airflow allows the user as much with the model's DAG; where it has none, with any."""
    manager, method = get_auth_manager(), _ON_DAG[scope]
    schedule = schedules().get(model or "")
    if schedule is None:
        # Some managers mean all DAGs where none is named.
        return manager.is_authorized_dag(method=method, user=user) or bool(
            manager.get_authorized_dag_ids(method=method, user=user)
        )
    dag_id = schedule.dag_id_of(model)
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return manager.is_authorized_dag(method=method, user=user, details=details)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if request.method in _SAFE or _from_this_server(request):
        return request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    return ""


def _from_this_server(request: Request) -> bool:
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "This request carries no valid Airflow login.",
        remedy="POST /auth/token gives a token; send Authorization: Bearer <token>.",
    )
