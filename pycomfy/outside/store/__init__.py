"""The record: which version of which workflow was built when, from what, into which image; SQLite."""

from pycomfy.outside.store.records import (
    Build,
    ImageRecord,
    IndexedImage,
    Run,
    RunRecord,
    VersionEntry,
    VersionRecord,
)
from pycomfy.outside.store.store import Store, database_path

__all__ = [
    "Build",
    "ImageRecord",
    "IndexedImage",
    "Run",
    "RunRecord",
    "Store",
    "VersionEntry",
    "VersionRecord",
    "database_path",
]
