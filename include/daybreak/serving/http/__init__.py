"""HTTP: authentication, bodies, JSON and errors."""
