"""Asking: clip by clip, each question once, every answer stored the moment it exists."""
