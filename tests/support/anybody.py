"""An authenticator that lets every caller in, to everything."""

from flask import Request

from daybreak.serving.http.auth import Caller


class Anybody:
    """Implements ``serving.http.auth.Authenticator``."""

    def authenticate(self, request: Request) -> Caller:
        """Everybody is ``test``."""
        return Caller("test", "test", lambda scope, model: True)
