"""The usual methods, as their libraries have them. Runs in an environment of its own (peers.py)."""
