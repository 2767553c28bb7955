"""What the tests of the gateway share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.image import Image


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    made = Image(tmp_path)
    yield made
    found = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.stdout == "", "a ComfyUI was left behind"
