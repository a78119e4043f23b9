"""Artifacts on disk or S3, manifests, the champion ledger."""
