from collections.abc import Iterator

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.load import load, read_layout
from pycomfy.adapters.io import process
from tests.support.tiny_image import write_layout


@pytest.fixture(scope="session")
def shell(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The id of an image with this machine's shell, loaded into the real engine."""
    layout = write_layout(tmp_path_factory.mktemp("tiny") / "layout", linked=True)
    identity = load(engine, read_layout(layout), "pycomfy-test")
    yield identity
    process.run(engine.command("rmi", "--force", identity))
