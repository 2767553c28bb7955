import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.errors import (
    BadConfig,
    BadWorkflow,
    ErrorGroup,
    NotFound,
    Placeholder,
    ResolutionImpossible,
    UnknownNode,
    Unresolved,
    suggest,
)
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.models.needed import models_status
from pycomfy.services.workspace import Workspace
from tests.support.locking import run
from tests.support.package_index import Index
from tests.support.repositories import commit
from tests.support.saved_nodes import saved_nodes

NODES = "class Save: pass\nclass Note: pass\nNODE_CLASS_MAPPINGS = {'SaveImage': Save}\n"
CARD = "class Card: pass\nNODE_CLASS_MAPPINGS = {'HelloCard': Card}\n"
CONFIG = """
as-of = 2025-06-01
platforms = ["linux/amd64"]
[comfyui]
path = "ComfyUI"
[packs.hello-card]
git = "packs/hello-card"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A workflow with a tiny ComfyUI and a node pack beside it."""
    folder = tmp_path / "hello"
    comfyui = folder / "ComfyUI"
    comfyui.mkdir(parents=True)
    (comfyui / "nodes.py").write_text(NODES)
    (comfyui / "requirements.txt").write_text("base>=1\n")
    (comfyui / "comfyui_version.py").write_text('# made by hand\n__version__ = "0.3.75"\n')
    commit(folder / "packs" / "hello-card", {"__init__.py": CARD, "requirements.txt": "extra\n"})
    (folder / "pycomfy.toml").write_text(CONFIG)
    write_workflow(folder, "HelloCard", "SaveImage")
    return folder


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


def write_workflow(folder: Path, *types: str) -> None:
    nodes = saved_nodes(types)
    nodes.append({"id": 99, "type": "Note", "mode": 0})
    nodes.append({"id": 98, "type": "NobodyHasThis", "mode": 2})
    (folder / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))


def test_a_lock_has_everything_and_is_written_once(project: Path, index: Index, debian: Path) -> None:
    paths = Paths(debian, debian / "cache")
    first = run(LockRequest(project), paths)
    made = first.lock
    assert (made.name, made.as_of, made.comfyui.version) == ("hello", "2025-06-01T00:00:00Z", "0.3.75")
    assert isinstance(made.comfyui.source, PathSource) and made.comfyui.source.path == "ComfyUI"
    (pack,) = made.packs
    assert isinstance(pack.source, GitSource) and pack.source.url == "packs/hello-card" and pack.types == ("HelloCard",)
    platform = made.platforms["linux/amd64"]
    assert [w.name for w in platform.wheels] == ["base", "extra"]
    assert platform.root.suite == "bookworm" and platform.root.packages
    assert first.changed and parse_lock(first.path.read_text()) == made
    assert str(project) not in first.path.read_text()
    before = first.path.stat()
    second = run(LockRequest(project), paths)
    assert not second.changed and second.path.stat().st_mtime_ns == before.st_mtime_ns
    elsewhere = run(LockRequest(project / "workflow.json", output=project / "locks" / "x.lock"), paths)
    assert isinstance(elsewhere.lock.packs[0].source, GitSource)
    assert elsewhere.lock.packs[0].source.url == "../packs/hello-card"


def test_code_for_the_editor_pins_a_browser_of_which_nothing_is_fetched(
    project: Path, index: Index, debian: Path
) -> None:
    paths = Paths(debian, debian / "cache")
    files = {"__init__.py": CARD + '\nWEB_DIRECTORY = "./web"\n', "web/docs/card.md": "# Help"}
    for harmless in ({"web/card.js": ""}, {**files, "web/card.js": None}):
        commit(project / "packs" / "hello-card", harmless)
        plain = run(LockRequest(project), paths).lock
        assert plain.platforms["linux/amd64"].browser is None
    commit(project / "packs" / "hello-card", {**files, "web/card.js": ""})
    made = run(LockRequest(project), paths)
    browser = made.lock.platforms["linux/amd64"].browser
    assert browser is not None and "chromium-headless-shell" in {p.name for p in browser.packages}
    (note,) = (note.text for note in made.notes if "hello-card has code for the editor" in note.text)
    assert re.search(r"Debian packages of \d+ MB, fetched by the first build that asks", note)
    assert not (paths.cache / "browsers").exists()
    (project / "pycomfy.toml").write_text(CONFIG + '\n[editor]\nuse = "never"\n')
    assert run(LockRequest(project), paths).lock.platforms["linux/amd64"].browser is None


def test_every_unknown_node_is_told_before_anything_is_resolved(project: Path, paths: Paths) -> None:
    write_workflow(project, "Mystery", "HelloCard", "Riddle")
    with pytest.raises(ErrorGroup) as e:
        lock(Workspace(paths), LockRequest(project))
    assert [type(p) for p in e.value.problems] == [UnknownNode, UnknownNode]
    assert "node 1 of" in e.value.problems[0].where
    assert not (project / "pycomfy.lock").exists()


def test_an_unknown_node_is_mended_by_a_pack_on_the_command_line(
    project: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workflow(project, "Mystery")
    commit(
        project.parent / "other", {"__init__.py": CARD.replace("HelloCard", "Mystery"), "requirements.txt": "-e .\n"}
    )
    monkeypatch.chdir(project.parent)
    request = LockRequest(project, packs={"other": "other@main"})
    # It comes as far as that pack's requirements.
    with pytest.raises(Unresolved, match="pack other: the option -e is refused"):
        lock(Workspace(paths), request)


def test_types_and_requirements_can_be_declared_for_a_source(project: Path, index: Index, paths: Paths) -> None:
    write_workflow(project, "MadeWhileItRuns")
    with (project / "pycomfy.toml").open("a") as config:
        config.write('types = ["MadeWhileItRuns"]\nrequirements = ["instead"]\n')
    with pytest.raises(ResolutionImpossible) as e:
        lock(Workspace(paths), LockRequest(project))
    assert e.value.where == "pack hello-card requires instead (pycomfy.toml)"


def test_what_is_wrong_with_the_question_is_told(project: Path, paths: Paths) -> None:
    with pytest.raises(NotFound, match="no such workflow"):
        lock(Workspace(paths), LockRequest(project / "nope.json"))
    with pytest.raises(NotFound, match="no such configuration"):
        lock(Workspace(paths), LockRequest(project, config=project / "nope.toml"))
    with pytest.raises(BadConfig, match="no node pack nope"):
        lock(Workspace(paths), LockRequest(project, nodes={"nope": "0" * 40}))
    with pytest.raises(BadConfig, match="is not a commit"):
        lock(Workspace(paths), LockRequest(project, nodes={"hello-card": "main"}))
    with pytest.raises(BadConfig, match="does not come from git"):
        lock(Workspace(paths), LockRequest(project, nodes={"comfyui": "0" * 40}))
    with pytest.raises(BadConfig):
        lock(Workspace(paths), LockRequest(project, packs={"../x": "https://h/x"}))
    with pytest.raises(BadConfig):
        lock(Workspace(paths), LockRequest(project, packs={"x": "ext::sh"}))
    (project / "workflow.json").write_text("{")
    with pytest.raises(BadWorkflow):
        lock(Workspace(paths), LockRequest(project))


def test_sources_without_a_date_ask_for_one(project: Path, paths: Paths) -> None:
    write_workflow(project, "SaveImage")
    (project / "pycomfy.toml").write_text('[comfyui]\npath = "ComfyUI"\n')
    with pytest.raises(BadConfig, match="no source has a date") as e:
        lock(Workspace(paths), LockRequest(project))
    assert suggest("lock", "like 2025-12-05", workflow=str(project), as_of=Placeholder("DATE")) in e.value.fixes


def test_all_sources_that_cannot_be_pinned_are_told(project: Path, paths: Paths) -> None:
    (project / "pycomfy.toml").write_text(
        '[comfyui]\npath = "gone"\n[packs.a]\ngit = "gone"\n[packs.b]\npath = "gone"\n'
    )
    with pytest.raises(ErrorGroup) as e:
        lock(Workspace(paths), LockRequest(project))
    assert len(e.value.problems) == 3 and all(isinstance(p, NotFound) for p in e.value.problems)


def test_without_a_date_packages_are_as_of_the_newest_source(project: Path, index: Index, debian: Path) -> None:
    text = (project / "pycomfy.toml").read_text().replace("as-of = 2025-06-01\n", "")
    (project / "pycomfy.toml").write_text(text)
    commit(project / "packs" / "hello-card", {"a.py": ""}, date="2025-07-01T02:00:00+02:00")
    assert run(LockRequest(project), Paths(debian, debian / "cache")).lock.as_of == "2025-07-01T00:00:00Z"
    moment = datetime(2025, 3, 1, 12, tzinfo=UTC)
    request = LockRequest(project, as_of=moment, name="Mein Bild")
    result = run(request, Paths(debian, debian / "cache"))
    assert result.lock.as_of == "2025-03-01T12:00:00Z" and result.lock.name == "mein-bild"
    assert any("mein-bild" in note.text for note in result.notes)
    late = LockRequest(project, as_of=datetime(2999, 1, 1, tzinfo=UTC))
    assert any("as-of is in the future" in note.text for note in run(late, Paths(debian, debian / "cache")).notes)


LOADER = """
import folder_paths
class Loader:
    @classmethod
    def INPUT_TYPES(s):
        files = folder_paths.get_filename_list("upscale_models")
        return {"required": {"model_name": (files,), "ckpt_name": (["a.pth"],)}}
NODE_CLASS_MAPPINGS = {"Loader": Loader}
"""


def test_model_folders_come_from_the_source_of_the_pack(project: Path, index: Index, debian: Path) -> None:
    commit(project / "packs" / "loader", {"__init__.py": LOADER})
    config = (project / "pycomfy.toml").read_text() + '[packs.loader]\ngit = "packs/loader"\n'
    (project / "pycomfy.toml").write_text(config)
    values = {"model_name": "4x.pth", "ckpt_name": "a.pth"}
    nodes = [{"id": 1, "type": "HelloCard"}, {"id": 2, "type": "Loader", "widgets_values": values}]
    (project / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    paths = Paths(debian, debian / "cache")
    made = run(LockRequest(project), paths)
    assert made.lock.model_inputs == {"Loader": {"ckpt_name": None, "model_name": "upscale_models"}}
    told = [note.text for note in made.notes if "4x.pth" in note.text or "ckpt_name" in note.text]
    assert [t.partition(":")[0] for t in told] == [
        "the model upscale_models/4x.pth is not pinned",
        "nodes of the type Loader fetch the files that ckpt_name names by themselves, into no folder of ComfyUI's "
        "models",
    ]
    assert [m.location for m in models_status(Workspace.open(debian), str(project))] == ["upscale_models/4x.pth"]
