"""Fraud: how likely an event of a stream is one that will be complained about, as it comes.

The model has no entry point yet: it is learned and judged here, and not served.
"""
