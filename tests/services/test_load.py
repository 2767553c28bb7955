"""A version's image in the engine's own storage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.load import find_loaded, forget, image_tag
from pycomfy.adapters.io import process
from pycomfy.errors import NotFound
from pycomfy.services.load import load_version
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, record_layout
from tests.support.tiny_image import write_layout


@pytest.fixture
def image(engine: Engine, tmp_path: Path) -> Iterator[LayoutImage]:
    image = read_layout(write_layout(tmp_path / "layout", linked=True))
    yield image
    forget(engine, image, "pycomfy-load")


@pytest.fixture
def workspace(tmp_path: Path, image: LayoutImage) -> Workspace:
    """With the image as pycomfy-load@1."""
    paths = new_paths(tmp_path)
    record_layout(paths, make_files("pycomfy-load"), image)
    return Workspace(paths)


def test_the_engine_has_the_image_under_the_workflows_name(
    engine: Engine, image: LayoutImage, workspace: Workspace
) -> None:
    loaded = load_version(workspace, "pycomfy-load")
    assert (loaded.name, loaded.version, loaded.loaded) == ("pycomfy-load", 1, True)
    assert loaded.image == image_tag("pycomfy-load") and loaded.id == find_loaded(engine, image)
    command = engine.command("image", "inspect", "--format", "{{.Id}}", loaded.image)
    assert process.run(command).stdout.decode().strip().removeprefix("sha256:") == loaded.id.removeprefix("sha256:")


def test_an_image_that_is_loaded_is_not_read_again(image: LayoutImage, workspace: Workspace) -> None:
    first = load_version(workspace, "pycomfy-load@1")
    image.layout.rename(image.layout.parent / "away")
    again = load_version(workspace, "pycomfy-load@1")
    assert not again.loaded and again.id == first.id


def test_a_version_that_was_not_built_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFound):
        load_version(workspace, "another")
