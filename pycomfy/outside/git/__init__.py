"""Git repositories of strangers: mirrors, trees, large files, histories and patches; nothing of theirs is run."""
