"""Merging canonical rows with what the warehouse has."""
