"""Build an image from a lock."""
