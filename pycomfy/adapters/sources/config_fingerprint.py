"""What pycomfy.toml said when a lock was made: remembered on this machine, so that a later change of it is noticed.

Not in the lock, which says what is taken and not why; and a checked-out version has another pycomfy.toml that makes the
same lock.
"""

import hashlib
import re

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths


def save_config_fingerprint(lock: str, meaning: str, paths: Paths) -> None:
    """Remember the `meaning` of the configuration that the text of a lock was made with."""
    write_file(paths.cache / "asked" / _key(lock), meaning)


def load_config_fingerprint(lock: str, paths: Paths) -> str | None:
    """The meaning that was remembered last; None if the lock is another machine's."""
    try:
        found = (paths.cache / "asked" / _key(lock)).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return found if re.fullmatch(r"[0-9a-f]{64}", found) else None


def _key(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest()
