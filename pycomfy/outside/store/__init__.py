"""The record: which version of which workflow was built when, from what, into which image; SQLite."""

from pycomfy.outside.store.records import Build, BuildRecord, ImageRecord, Run, RunRecord, VersionRecord
from pycomfy.outside.store.store import Store, database_path

__all__ = ["Build", "BuildRecord", "ImageRecord", "Run", "RunRecord", "Store", "VersionRecord", "database_path"]
