"""Locks with the real Debian archive."""

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import (
    NetworkError,
)
from pycomfy.services.lock.lock import LockResult, lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace


def run(request: LockRequest, paths: Paths) -> LockResult:
    """Lock with the real Debian archive; a machine that cannot reach it skips the test."""
    try:
        return lock(Workspace(paths), request)
    except NetworkError as e:
        pytest.skip(f"no Debian archive: {e.what}")
