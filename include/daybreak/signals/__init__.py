"""Streams: events that arrive one by one, and windows over their keys as of a moment.

``docs/signals.md`` is the contract: what a window holds, in which order, and what was known. The
same integers come out of the log for a single decision (``online``) and for many (``batch``).
"""
