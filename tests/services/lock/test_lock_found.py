"""The story of a lock from nothing but a workflow: packs are found, questions asked, commits searched and kept."""

import json
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.sources.git import GitSource
from pycomfy.errors import AmbiguousNode, BadConfig, ErrorGroup, ResolutionImpossible, UnknownNode
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import CORE, A, B, C, code, lists
from tests.support.data_folders import share_downloads
from tests.support.locking import run
from tests.support.package_index import Index
from tests.support.repositories import commit
from tests.support.saved_nodes import saved_nodes

CONFIG = 'as-of = 2025-06-01\nplatforms = ["linux/amd64"]\n[comfyui]\npath = "ComfyUI"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow of nodes in three packs: Y is of A or B, C renamed Old and contradicts ComfyUI's requirements."""
    forge = tmp_path / "forge"
    commit(forge / "ann" / "ComfyUI-A", {"__init__.py": code("X", "Y"), "requirements.txt": "base>=1\n"})
    commit(forge / "bob" / "ComfyUI-B", {"__init__.py": code("Y", "Z")})
    commit(
        forge / "cid" / "ComfyUI-C",
        {"__init__.py": code("Old"), "requirements.txt": "extra<1\n"},
        date="2025-02-01T00:00:00Z",
    )
    commit(forge / "cid" / "ComfyUI-C", {"__init__.py": code("New")}, date="2025-03-01T00:00:00Z")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{forge}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    folder = tmp_path / "story"
    (folder / "ComfyUI").mkdir(parents=True)
    (folder / "ComfyUI" / "nodes.py").write_text(code("SaveImage"))
    (folder / "ComfyUI" / "requirements.txt").write_text("base>=1\nextra>=1\n")
    (folder / "pycomfy.toml").write_text(CONFIG)
    types = ("SaveImage", "X", "Y", "Old")
    nodes = saved_nodes(types)
    (folder / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    return folder


def fill(paths: Paths, folder: Path) -> Paths:
    packs = {CORE: (["SaveImage"],), A: (["X", "Y"],), B: (["Y", "Z"],), C: (["Old", "New"],)}
    commit(folder, lists(packs))
    update_catalog(paths, repository=str(folder), docs="not a pin!")
    return paths


def test_from_a_workflow_alone_to_a_lock(
    project: Path,
    index: Index,
    debian: Path,
    tmp_path: Path,
) -> None:
    paths = fill(Paths(tmp_path / "data", debian / "cache"), tmp_path / "manager")
    text = (project / "workflow.json").read_text()
    (project / "workflow.json").write_text(text.replace('"X"', '"SaveImage"'))
    with pytest.raises(AmbiguousNode) as e:
        lock(Workspace(paths), LockRequest(project))
    assert "prefer=ann/ComfyUI-A" in e.value.fix and "prefer=bob/ComfyUI-B" in e.value.fix
    (project / "workflow.json").write_text(text)
    with pytest.raises(ResolutionImpossible, match="extra"):
        # A is needed for X anyway, so that Y is no question.
        lock(Workspace(paths), LockRequest(project))
    with pytest.raises(BadConfig, match="several node packs have the node type 'Y': ComfyUI-A and ComfyUI-B"):
        lock(Workspace(paths), LockRequest(project, prefer=("bob/ComfyUI-B",)))
    with pytest.raises(ResolutionImpossible, match="extra") as contradiction:
        lock(Workspace(paths), LockRequest(project, prefer=("ann/ComfyUI-A",)))
    assert "pack ComfyUI-C requires extra<1" in contradiction.value.where
    (project / "pycomfy.toml").write_text('overrides = ["extra==1.0"]\n' + CONFIG)
    first = run(LockRequest(project, prefer=("ann/ComfyUI-A",)), paths)
    assert [p.name for p in first.lock.packs] == ["ComfyUI-A", "ComfyUI-C"]
    assert {r.type: (r.source, r.rule) for r in first.reasons} == {
        "SaveImage": ("ComfyUI", "built-in"),
        "X": ("ComfyUI-A", "preference"),
        "Y": ("ComfyUI-A", "preference"),
        "Old": ("ComfyUI-C", "only-pack"),
    }
    assert any("lacks Old" in r.commit for r in first.reasons) and first.changes == ()

    # Upstream moves on; the lock does not, until it is asked to.
    newer = commit(tmp_path / "forge" / "ann" / "ComfyUI-A", {"more.py": ""}, date="2025-05-01T00:00:00Z")
    again = run(LockRequest(project), paths)
    assert not again.changed and again.changes == ()
    assert {r.type: r.rule for r in again.reasons if r.rule != "built-in"} == {
        "X": "only-pack",
        "Y": "lock",
        "Old": "only-pack",
    }
    # Nor does it for a workflow that names another commit now; but that is told.
    held = again.lock.packs[0].source
    assert isinstance(held, GitSource)
    for stated, told in ((newer, True), (held.commit, False), (held.commit[:9], False), ("1.0.0", False)):
        (project / "workflow.json").write_text(
            text.replace('"X"', f'"X", "properties": {{"ver": "{stated}", "cnr_id": "a"}}')
        )
        kept = run(LockRequest(project), paths)
        assert kept.lock.packs == again.lock.packs
        notes = [n.text for n in kept.notes if "which stays until ComfyUI-A is updated" in n.text]
        assert [newer in note for note in notes] == [True] * told
    (project / "workflow.json").write_text(text)
    run(LockRequest(project), paths)
    # On another machine, which has seen nothing but Debian yet, it is the same.
    share_downloads(tmp_path / "other" / "cache")
    other = fill(Paths(tmp_path / "other", tmp_path / "other" / "cache"), tmp_path / "manager")
    elsewhere = LockRequest(project, prefer=("no-such-id", A + ".git"), output=project / "other.lock")
    renewed = run(LockRequest(project, update=("ComfyUI-A",)), paths)
    (line,) = renewed.changes
    assert renewed.changed and line.startswith("node pack ComfyUI-A: ") and newer[:12] in line
    run(elsewhere, other)
    assert (project / "other.lock").read_bytes() == renewed.path.read_bytes()
    source = renewed.lock.packs[0].source
    assert isinstance(source, GitSource) and source.url == A


def test_a_type_that_nobody_has_stops_with_all_others(project: Path, tmp_path: Path) -> None:
    paths = fill(Paths(tmp_path / "data", tmp_path / "data" / "cache"), tmp_path / "manager")
    text = (project / "workflow.json").read_text().replace('"X"', '"Nobody has this"')
    (project / "workflow.json").write_text(text)
    with pytest.raises(ErrorGroup) as e:
        lock(Workspace(paths), LockRequest(project))
    assert {type(p) for p in e.value.problems} == {UnknownNode, AmbiguousNode}
    assert not (project / "pycomfy.lock").exists()
