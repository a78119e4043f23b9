"""Rows as they lie in files, objects and queries, in batches of bounded size."""
