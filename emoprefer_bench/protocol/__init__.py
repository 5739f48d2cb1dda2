"""Child processes that speak lines of JSON (docs/protocol.md)."""
