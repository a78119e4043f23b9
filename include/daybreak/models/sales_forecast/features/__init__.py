"""Features of the sales forecast: facts to float32, pure functions on dense matrices."""
