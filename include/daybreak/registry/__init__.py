"""Model versions that never change, on disk or S3, and the ledger of which one is in force."""
