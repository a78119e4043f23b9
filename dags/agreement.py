"""The task of a nightly run that waits for a person. Holds no DAG."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

APPROVE, CAP, REJECT = "Approve", "Approve a part", "Keep what is published"
_ANSWERS = {APPROVE: "approve", CAP: "cap", REJECT: "reject"}
FORM = {
    "most": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        title="At most",
        description=f"How much of it, with «{CAP}».",
    ),
    "reason": Param("", type="string", title="Reason", description="Kept with the answer."),
}


class Agreement(HITLOperator):
    """Shows what a run proposes, and parks until somebody answers; else it ends at once.

    Without an answer in time nothing is published. ``asked``: as ``jobs.approving.ask`` gives it.
    """

    template_fields = ("asked",)

    def __init__(self, *, asked, **kwargs):
        super().__init__(
            subject="A run waits for somebody who agrees to it",
            options=[APPROVE, CAP, REJECT],
            defaults=REJECT,
            **kwargs,
        )
        self.asked = asked

    def execute(self, context):
        """Ask, where there is something to ask."""
        asked = self.asked
        if not asked["subject"]:
            return {}
        self.subject, self.body = asked["subject"], asked["body"]
        self.response_timeout = timedelta(hours=asked["hours"])
        if not asked["cap"]:
            self.options = [APPROVE, REJECT]
        return super().execute(context)


def answer_of(given):
    """What a person chose, for ``jobs.approving.decide``; nothing where nobody was asked."""
    if not given:
        return {}
    person = given["responded_by_user"]
    if person is None:  # the time was over, and Airflow took the default
        return {"answer": "expire"}
    (chosen,) = given["chosen_options"]
    form = given["params_input"]
    return {
        "answer": _ANSWERS[chosen],
        "person": person["name"],
        "reason": form.get("reason") or "",
        "most": form.get("most"),
    }
