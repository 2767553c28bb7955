"""What the resolver is asked in tests."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.core.python.requirements import RequirementSet, make_requirement_set
from pycomfy.core.python.wheel_selection import Target

AMD64 = Target("linux/amd64", "3.11")
ARM64 = Target("linux/arm64", "3.11")
AS_OF = datetime(2025, 6, 1, tzinfo=UTC)


def no_cache() -> Path:
    """A folder of which nothing is known yet."""
    return Path(tempfile.mkdtemp(dir=os.environ["UV_CACHE_DIR"]))


def wants(origin: str, *lines: str) -> RequirementSet:
    return make_requirement_set(origin, lines, "requirements.txt")
