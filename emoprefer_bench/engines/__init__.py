"""Judges: what a fixture declares, and the session in which its questions are answered."""
