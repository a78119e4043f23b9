"""Airflow's own login as an authenticator of the prediction endpoint."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from flask import Request
from jwt import InvalidTokenError

from daybreak.errors import Unauthenticated
from daybreak.serving.http.auth import Caller

_SAFE = {"GET", "HEAD", "OPTIONS"}


class AirflowLogin:
    """Any user that Airflow knows, by its token.

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
        return Caller(user.get_name(), str(user.get_id()))


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
