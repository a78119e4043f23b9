"""Readers: rows of files, objects and queries, in batches of bounded size."""
