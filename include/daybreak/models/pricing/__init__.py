"""Prices: proposed under rules, each with the reason why it is not another."""
