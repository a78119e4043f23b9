"""Canonical rows into the warehouse, beside what it knows already."""
