"""What a text names: a version or a path, by one rule for every command that takes either."""

import shutil
from pathlib import Path

import pytest

from pycomfy.core.versions.reference import MAKE_FIRST, Reference
from pycomfy.errors import BadInput, Fix, NotFound, Placeholder, suggest
from pycomfy.services.interchange.export_file import ExportRequest, export_file
from pycomfy.services.lock_request import LockRequest, read_requested_workflow
from pycomfy.services.models.needed import models_status
from pycomfy.services.versions.log import log
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.versions.target import find_lock, find_target
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.operations import listening
from tests.support.service_projects import make_files, record


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """With the version hello@1; in the working folder, two folders with projects that were not built."""
    paths = new_paths(tmp_path)
    record(paths, make_files("hello"), "first")
    work = tmp_path / "work"
    for name in ("hello", "out"):
        (work / name).mkdir(parents=True)
        for file in ("workflow.json", "pycomfy.lock"):
            (work / name / file).write_bytes(make_files(name)[file])
    (work / "my flow.json").write_text("{}")
    monkeypatch.chdir(work)
    return Workspace(paths)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("hello", Reference("hello")),
        ("hello@1", Reference("hello", 1)),
        ("hello@stable", Reference("hello", revision="stable")),
        ("hello/", Path("hello")),
        ("./hello", Path("hello")),
        ("out", Path("out")),
        ("out/pycomfy.lock", Path("out/pycomfy.lock")),
        ("pycomfy.lock", Path("pycomfy.lock")),
        ("my flow.json", Path("my flow.json")),
        ("nowhere/", Path("nowhere")),
        (".", Path()),
        ("..", Path("..")),
    ],
)
def test_a_slash_makes_a_path_and_a_workflow_goes_before_a_folder_of_its_name(
    workspace: Workspace, text: str, target: Reference | Path
) -> None:
    assert find_target(workspace, text) == target


def test_a_remark_says_how_to_name_the_folder_where_both_exist(workspace: Workspace) -> None:
    with listening() as heard:
        find_target(workspace, "hello")
        find_target(workspace, "hello@1")
        find_target(workspace, "out")
    assert heard.remarks == ['note: "hello" is taken as the name of a workflow; or for the path write hello/']


def test_what_is_neither_is_not_found(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match='no workflow "nope"') as e:
        find_target(workspace, "nope")
    assert e.value.fixes == (suggest("log", "lists all: hello"),)
    with pytest.raises(NotFound, match="no such version, file or folder"):
        find_target(workspace, "no such.json")
    with pytest.raises(NotFound) as e:
        find_target(Workspace(new_paths(tmp_path / "empty")), "nope")
    assert e.value.fixes == (MAKE_FIRST,)


def test_a_lock_is_found_by_itself_its_folder_or_its_workflow(workspace: Workspace) -> None:
    for path in ("out", "out/pycomfy.lock", "out/workflow.json"):
        assert find_lock(Path(path)) == Path("out/pycomfy.lock")
    with pytest.raises(NotFound, match="no such file or folder"):
        find_lock(Path("nowhere"))


@pytest.mark.parametrize("text", ["out", "out/", "./out", "out/pycomfy.lock", "out/workflow.json"])
def test_a_lock_is_exported_for_another_tool_by_any_of_its_names(workspace: Workspace, text: str) -> None:
    made = export_file(workspace, ExportRequest(text, Path("made.toml"), "pylock"))
    assert made.label == "out/pycomfy.lock"


def test_a_bundle_is_made_of_versions_alone(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="of a version that was built") as e:
        export_file(workspace, ExportRequest("out", Path("made.tar.zst")))
    assert e.value.fixes[0] == suggest("build", "then export its version", workflow="out")


def test_the_models_are_those_of_the_version_or_of_the_folder(workspace: Workspace) -> None:
    Path("hello/pycomfy.lock").write_text("{}")
    assert models_status(workspace, "hello") == []
    with pytest.raises(BadInput, match="the lock lacks"):
        models_status(workspace, "hello/")


def test_an_unknown_name_with_a_file_of_that_name_is_built_first(workspace: Workspace) -> None:
    Path("card.json").write_text("{}")
    for action in (
        lambda: find_target(workspace, "card@1"),
        lambda: find_image(workspace, Reference("card")),
        lambda: log(workspace, "card"),
    ):
        with pytest.raises(NotFound, match='no workflow "card"') as caught:
            action()
        assert caught.value.fixes[0] == suggest("build", "makes the first version", workflow="card.json")
    with pytest.raises(NotFound) as other:
        find_image(workspace, Reference("other"))
    assert [f.action for f in other.value.fixes if isinstance(f, Fix)] == ["log"]


def test_a_name_in_place_of_a_file_is_explained(workspace: Workspace) -> None:
    Path("card.json").write_text("{}")
    with pytest.raises(NotFound, match='"card" is the name of a workflow, not its file') as caught:
        read_requested_workflow(workspace, LockRequest(Path("card")))
    assert caught.value.fixes == (suggest("retry", "its file", workflow="card.json"),)
    shutil.rmtree("hello")
    with pytest.raises(NotFound, match='"hello" is the name of a workflow') as built:
        read_requested_workflow(workspace, LockRequest(Path("hello")))
    checkout = suggest("checkout", "then again with DIR", reference="hello", to=Placeholder("DIR"))
    assert built.value.fixes == (checkout,)
    with pytest.raises(NotFound, match="no such workflow"):
        read_requested_workflow(workspace, LockRequest(Path("nothing")))
