"""Read git repositories that are not trusted: mirrors, files, large files, patches."""
