"""The report: its types, its file, its schema, and reading it."""
