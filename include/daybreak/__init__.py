"""Daybreak scores machine-learning models on two clocks, batch and real time, from one artifact."""

__version__ = "0.1.0"
