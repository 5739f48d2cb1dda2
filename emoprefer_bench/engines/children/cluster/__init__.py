"""What runs on a Ray cluster, and the two programs that are its clients."""
