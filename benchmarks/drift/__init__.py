"""Whether planted drifts are found and quiet days are left alone."""
