"""The demo data set: drawn faces, a synthetic voice, and descriptions whose truth is known by construction.

`python -m emoprefer_bench.demo` makes it. It measures the harness, not anybody's understanding of emotion.
"""
