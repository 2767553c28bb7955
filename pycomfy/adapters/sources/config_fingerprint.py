"""Remember the fingerprint of each pycomfy.toml that makes a lock, so that a later change is noticed.

They are kept on this machine, not in the lock: a lock says what is used, not why. Several make the same lock: a version
that was checked out has another pycomfy.toml.
"""

import hashlib
import re

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths

MAX_FINGERPRINTS = 100
"""Of one lock. Without one that was dropped, the workflow is locked anew, with the same result."""


def save_config_fingerprint(lock: str, fingerprint: str, paths: Paths) -> None:
    """Remember the fingerprint of a configuration for the lock that it makes, which is given as text."""
    known = load_config_fingerprints(lock, paths) - {fingerprint}
    newest = [*sorted(known)[: MAX_FINGERPRINTS - 1], fingerprint]
    write_file(paths.cache / "asked" / _key(lock), "\n".join(newest))


def load_config_fingerprints(lock: str, paths: Paths) -> frozenset[str]:
    """Return the fingerprints that were saved for this lock; none if it was made on another machine."""
    try:
        lines = (paths.cache / "asked" / _key(lock)).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(lines if all(re.fullmatch(r"[0-9a-f]{64}", line) for line in lines) else ())


def _key(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest()
