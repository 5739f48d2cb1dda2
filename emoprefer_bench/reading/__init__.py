"""Reading answers: what of them was said rather than thought, and what their words come to."""
