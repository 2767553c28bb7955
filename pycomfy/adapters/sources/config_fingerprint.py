"""Remember the fingerprint of the pycomfy.toml that a lock was made with, so that a later change is noticed.

It is kept on this machine, not in the lock: a lock says what is used, not why, and a version that was checked out has
another pycomfy.toml that makes the same lock.
"""

import hashlib
import re

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths


def save_config_fingerprint(lock: str, fingerprint: str, paths: Paths) -> None:
    """Remember the fingerprint of the configuration for a lock, which is given as text."""
    write_file(paths.cache / "asked" / _key(lock), fingerprint)


def load_config_fingerprint(lock: str, paths: Paths) -> str | None:
    """Return the fingerprint that was saved last for this lock; None if it was made on another machine."""
    try:
        found = (paths.cache / "asked" / _key(lock)).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return found if re.fullmatch(r"[0-9a-f]{64}", found) else None


def _key(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest()
