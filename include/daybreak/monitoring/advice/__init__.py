"""Batch, real time or both: what was measured, what each way costs, and which is best."""
