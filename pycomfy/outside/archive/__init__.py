"""The archive: a Nix binary cache with every source of every version, and what is done with it."""

from pycomfy.outside.archive.archive import Archive, Removed, find_archive
from pycomfy.outside.archive.check import Damage, check_archive, check_entry

__all__ = ["Archive", "Damage", "Removed", "check_archive", "check_entry", "find_archive"]
