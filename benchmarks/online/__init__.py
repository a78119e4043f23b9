"""The endpoint under load: slow clients, peers. Loopback only, and for a bounded time."""
