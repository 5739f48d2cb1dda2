"""Engines: what answers questions. `declared` makes them, `engine` and `child` run them, the rest are children."""
