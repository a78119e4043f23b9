"""Recommendations: which items a user is likely to buy next, ranked by one booster."""

from daybreak.models.recommendations.model import MODEL

__all__ = ["MODEL"]
