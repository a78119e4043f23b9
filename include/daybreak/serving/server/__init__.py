"""The HTTP server: requests are read whole, within a deadline, before the app sees them."""
