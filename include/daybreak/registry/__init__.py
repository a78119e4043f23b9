"""Model versions that never change, on disk or S3."""
