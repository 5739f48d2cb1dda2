"""How a model wants a clip, and decoding it ahead, in processes of their own."""
