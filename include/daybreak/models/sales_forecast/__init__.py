"""Units of each item and store for the coming days: P10, P50, P90 and the mean."""
