"""Keep versions, images, sources, builds and runs in SQLite."""
