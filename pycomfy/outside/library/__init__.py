"""The library: a bare git repository with a branch per workflow and a commit per version."""

from pycomfy.outside.library.library import Committed, Library, Version, library_path

__all__ = ["Committed", "Library", "Version", "library_path"]
