"""Notices of a report by Airflow's notifiers: by mail and in Slack. Holds no DAG.

Off until a setting names who gets them; then the provider has to be installed, and is imported only
where a notice is sent.
"""

from __future__ import annotations

from html import escape
from typing import Any

from airflow.sdk import get_current_context

from common import SETTINGS
from daybreak.errors import ConfigError

WANTED = bool(SETTINGS.report_mail_to or SETTINGS.report_slack_channel)
"""Whether anybody gets notices."""


def send_notices(report: dict[str, Any]) -> None:
    """Send what is set up. ``report``: its address. Raises ``ConfigError`` without the provider."""
    for notifier in notifiers(report):
        notifier.notify(get_current_context())


def notifiers(report: dict[str, Any]) -> list[Any]:
    """The notifiers of a report, by the settings. Raises ``ConfigError`` without the provider."""
    subject = f"Report of {report['model']} over {report['period']}"
    dates = "business date" if report["nights"] == 1 else "business dates"
    known = f"as known at {report['known_at']}, {report['nights']} {dates} published"
    found: list[Any] = []
    if SETTINGS.report_mail_to:
        try:
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier
        except ImportError:
            raise _missing("smtp", "DAYBREAK_REPORT_MAIL_TO") from None
        link = escape(report["page"], quote=True)
        found.append(
            SmtpNotifier(
                to=[one.strip() for one in SETTINGS.report_mail_to.split(",") if one.strip()],
                subject=subject,
                html_content=f'<p>{escape(subject)}, {escape(known)}.</p><p><a href="{link}">'
                f"{link}</a></p>",
                smtp_conn_id=SETTINGS.report_mail_connection,
            )
        )
    if SETTINGS.report_slack_channel:
        try:
            from airflow.providers.slack.notifications.slack import SlackNotifier
        except ImportError:
            raise _missing("slack", "DAYBREAK_REPORT_SLACK_CHANNEL") from None
        found.append(
            SlackNotifier(
                slack_conn_id=SETTINGS.report_slack_connection,
                channel=SETTINGS.report_slack_channel,
                text=f"{subject}, {known}: {report['page']}",
            )
        )
    return found


def _missing(provider: str, setting: str) -> ConfigError:
    return ConfigError(
        f"{setting} is set, and Airflow's provider for it is not installed.",
        remedy=f"pip install apache-airflow-providers-{provider}, or clear the setting.",
        field=setting,
    )
