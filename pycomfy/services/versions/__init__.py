"""List, compare, name and share versions."""
