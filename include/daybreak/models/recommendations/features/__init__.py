"""Features of the recommendations: the day's catalogue, histories, candidates and their rows."""
