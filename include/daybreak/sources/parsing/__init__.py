"""Source rows to canonical rows: values, filters, checks, counts."""
