"""The layers of a version's image, and what the version before has of them."""

from pathlib import Path

import pytest

from pycomfy.errors import NotFound
from pycomfy.services.studio.images import describe_image
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, make_image, record, with_steps


def test_layers_of_the_version_before_are_shared_and_an_image_that_is_gone_has_no_sizes(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("sky"), "first", make_image("root", "workflow:1"))
    record(workspace.paths, make_files("sky", with_steps(30)), "second", make_image("root", "workflow:2"))
    first, second = describe_image(workspace, "sky", 1), describe_image(workspace, "sky", 2)
    assert [(layer.name, layer.shared) for layer in first.layers] == [("root", False), ("workflow", False)]
    assert [(layer.name, layer.shared) for layer in second.layers] == [("root", True), ("workflow", False)]
    assert not second.here and {layer.size for layer in second.layers} == {None}
    assert (first.before, second.before, second.new_size) == (None, 1, None)
    assert [layer.shared for layer in describe_image(workspace, "sky", 1, 2).layers] == [True, False]
    assert describe_image(workspace, "sky", 2, 7).before is None


def test_a_version_without_an_image_says_so(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("sky"))
    with pytest.raises(NotFound, match="no image"):
        describe_image(workspace, "sky", 1)
