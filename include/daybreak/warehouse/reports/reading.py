"""How report views are read: read-only, with the rights of the reader, all of one moment."""

from __future__ import annotations

from sqlalchemy import Connection, text

from daybreak.warehouse.tables import READER_ROLE

_BEGIN = text(
    """
    SELECT
        set_config('transaction_read_only', 'on', true),
        set_config('statement_timeout', :timeout, true),
        set_config('jit', 'off', true),
        -- Planned for the days and stores that are asked for, which takes 1 ms. What a connection
        -- asks for the tenth time would be planned for any: 28 days of forecasts in 2.8 s, not 1.
        set_config('plan_cache_mode', 'force_custom_plan', true),
        -- A user with more rights gives them up; one that is no member has its own alone.
        set_config(
            'role',
            CASE
                WHEN pg_has_role(
                    current_user,
                    :reader,
                    CASE
                        WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER'
                        ELSE 'SET'
                    END
                ) THEN :reader
                ELSE current_user
            END,
            true
        )
    """
)


def begin_reading(conn: Connection, seconds: float | None = None) -> None:
    """Make the transaction, which has just begun, one that reads as the reader.

    ``seconds``: that a statement may take; None: any time.
    """
    timeout = str(round((seconds or 0) * 1000))
    conn.execute(_BEGIN, {"timeout": timeout, "reader": READER_ROLE})
