"""The forms in which a version is restored, as far as they need no Nix."""

from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.archive.restore import RestoredProject, restore
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, record


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = new_paths(tmp_path)
    record(paths, make_files("hello"), "first")
    return paths


def test_a_project_is_written_as_it_was(paths: Paths, tmp_path: Path) -> None:
    request = RestoreRequest("hello@1", project=tmp_path / "project")
    result = restore(Workspace(paths), request)
    assert isinstance(result, RestoredProject)
    assert (result.version, result.project) == ("hello@1", tmp_path / "project")
    for path, data in make_files("hello").items():
        assert (tmp_path / "project" / path).read_bytes() == data
    with pytest.raises(BadInput, match="not an empty folder"):
        restore(Workspace(paths), request)


def test_two_forms_at_a_time_are_refused(paths: Paths, tmp_path: Path) -> None:
    request = RestoreRequest("hello", to=tmp_path / "folder", project=tmp_path / "project")
    with pytest.raises(BadInput, match="one form"):
        restore(Workspace(paths), request)
    assert not (tmp_path / "folder").exists() and not (tmp_path / "project").exists()


def test_a_version_that_does_not_exist_leaves_no_folder(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        restore(Workspace(paths), RestoreRequest("hello@7", project=tmp_path / "project"))
    assert not (tmp_path / "project").exists()
