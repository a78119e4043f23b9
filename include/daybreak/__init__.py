"""Daybreak scores machine-learning models on two clocks, batch and real time, from one artifact."""
