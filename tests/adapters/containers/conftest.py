from collections.abc import Iterator

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget, provide
from tests.support.tiny_image import write_layout


@pytest.fixture(scope="session")
def shell(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartableImage]:
    """An image with this machine's shell, for the real engine."""
    image = read_layout(write_layout(tmp_path_factory.mktemp("tiny") / "layout", linked=True))
    yield provide(engine, image, "pycomfy-test")
    forget(engine, image, "pycomfy-test")
