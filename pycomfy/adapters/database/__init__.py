"""Keep the index of versions, images, sources, builds and runs in SQLite."""
