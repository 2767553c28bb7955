"""Pin the sources of code, and write their files."""
