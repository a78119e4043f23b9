"""Units of each item and store for the next 28 days: P10, P50, P90 and the mean."""
