"""Prices: money in whole minor units, the rules that a price keeps, the points it may stand on."""
