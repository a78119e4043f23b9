"""Reads of facts, each bounded by both clocks: sales as panels, interactions as columns."""
