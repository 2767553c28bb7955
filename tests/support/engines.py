"""The container engine of this machine, for tests that need a real one."""

import pytest

from pycomfy.adapters.containers.engine import Engine, find_engine
from pycomfy.errors import MissingTool


def engine_or_skip() -> Engine:
    """Return the engine that pycomfy would use; skip the test where there is none that works."""
    try:
        return find_engine()
    except MissingTool as e:
        pytest.skip(f"no container engine: {e.what}")
