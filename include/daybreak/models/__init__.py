"""One package a model: what it learns from, what it scores, how a request becomes a row."""
