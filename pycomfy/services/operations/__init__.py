"""Long work that somebody starts in a browser, and that goes on without it."""
