"""Scoring what was inferred already."""
