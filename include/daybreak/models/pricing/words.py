"""Rules and reasons in words."""

from __future__ import annotations

from daybreak.models.pricing.choice.rails import Rule

_WORDS = {
    Rule.LADDER: "there is no other price on the ladder",
    Rule.LOSS_FLOOR: "it would be sold at a loss",
    Rule.NO_COST: "its cost is not known",
    Rule.MARKDOWN_FLOOR: "the markdown has a floor",
    Rule.BLOCKED: "it is blocked",
    Rule.LEAST_DAYS: "it changed a few days ago",
    Rule.MARGIN_FLOOR: "the margin would be too small",
    Rule.LARGEST_CHANGE: "the change would be too large",
    Rule.COMPETITOR: "the corridor around competitors ends there",
    Rule.TOGETHER: "it moves with its group",
    Rule.ASCENDING: "it keeps its order in its group",
    Rule.CHANGES_A_NIGHT: "other changes gain more, and the night has so many",
    Rule.CONFLICT: "two rules leave no price between them",
    Rule.NO_PRICE: "its price is not known",
    Rule.TOO_LARGE: "its price is too large",
    Rule.NO_VALUE: "what a price would do is not known",
    Rule.OUT_OF_TIME: "no better price was found in time",
}


def in_words(rule: Rule) -> str:
    """Why a price does not go further, or stays."""
    return _WORDS[rule]


def label(rule: float) -> str:
    """As a column has it: ``competitor``."""
    return Rule(int(rule)).label
