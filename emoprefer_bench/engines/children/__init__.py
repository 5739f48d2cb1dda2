"""What runs in a child process. Nothing here is imported by the parent, but for settings that it must know."""
