"""Recommendations: which items a user is likely to buy next, ranked by one booster."""
