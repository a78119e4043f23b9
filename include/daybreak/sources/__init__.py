"""Data coming in: files, SQL and the synthetic shop, described by one YAML a data set."""
