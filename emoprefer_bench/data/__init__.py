"""Data sets: CSV files and their clips in, pairs out, with every fault in them."""
