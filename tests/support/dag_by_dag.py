"""An auth manager of Airflow that tells DAGs apart, as the production one does."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class DagByDag(SimpleAuthManager):
    """Who is called like a DAG sees that one only, the administrator all."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **asked: Any) -> bool:
        named = details is None or details.id is None or user.username in {"admin", details.id}
        return named and super().is_authorized_dag(user=user, details=details, **asked)
