"""Finding packs: the catalog, the repositories and git are real; only github.com is a folder of the test's."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, WorkflowPin
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_resolution import UnresolvedType
from pycomfy.core.requirements.model import Provenance, RequiredNode
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSpec
from pycomfy.errors import AmbiguousNode, ErrorGroup, NotFound, UnknownNode, UnpinnedPack
from pycomfy.operation import Operation, Question
from pycomfy.services.lock.node_packs import FoundPacks, search_packs
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import CORE, A, B, C, code, lists
from tests.support.http_server import serve_folder
from tests.support.package_index import serve
from tests.support.repositories import commit, git


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A catalog of three packs, whose repositories are below `forge`. Nobody answers for the registry."""
    forge = tmp_path / "forge"
    commit(forge / "ann" / "ComfyUI-A", {"__init__.py": code("X", "Y")}, date="2025-02-01T00:00:00Z")
    commit(forge / "bob" / "ComfyUI-B", {"__init__.py": code("Y", "Old")}, date="2025-02-01T00:00:00Z")
    commit(forge / "bob" / "ComfyUI-B", {"__init__.py": code("Y", "Fresh")}, date="2025-03-01T00:00:00Z")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{forge}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    packs = {
        CORE: (["KSampler"],),
        A: (["X", "Y"],),
        B: (["Y", "Old", "Fresh", "Gone"],),
        C: (["Dead"],),
    }
    listed = [{"reference": A, "files": [A], "install_type": "git-clone", "id": "pack-a"}]
    commit(tmp_path / "manager", lists(packs, listed, {A: {"stars": 7}}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    return paths


def find(*types: str, packs: Sequence[Provenance] = (), **more: object) -> PackSearch:
    said = dict(zip(types, packs, strict=False))
    wanted = [
        UnresolvedType(t, (RequiredNode(str(i), t, t, "runs", said.get(t)),)) for i, t in enumerate(types, start=1)
    ]
    return replace(PackSearch(wanted, "w.json"), **more)  # type: ignore[arg-type]


def rev(found: FoundPacks, name: str) -> str | None:
    spec = found.specs[name]
    assert isinstance(spec, GitSpec)
    return spec.rev


def test_a_pack_is_found_pinned_and_explained(paths: Paths) -> None:
    found = search_packs(Workspace(paths), find("X"))
    assert list(found.specs) == ["ComfyUI-A"] and found.commits == {"ComfyUI-A": "the newest commit"}
    source = found.sources["ComfyUI-A"].source
    assert isinstance(source, GitSource) and source.url == A and source.commit == rev(found, "ComfyUI-A")
    assert [(c.type, c.reason) for c in found.choices] == [("X", "only-pack")]


def test_all_questions_are_told_at_once_and_nothing_is_fetched(paths: Paths) -> None:
    with pytest.raises(ErrorGroup) as e:
        search_packs(Workspace(paths), find("Y", "Nobody's", "KSampler"))
    assert [type(p) for p in e.value.problems] == [UnknownNode, UnknownNode, AmbiguousNode]
    assert not any("ComfyUI" in p.name for p in (paths.cache / "git").glob("*/ComfyUI*"))


def test_a_preference_settles_a_question(paths: Paths) -> None:
    for name in (A, "ann/comfyui-a", "pack-a"):
        assert list(search_packs(Workspace(paths), find("Y", prefer=(name,))).specs) == ["ComfyUI-A"]
    with pytest.raises(AmbiguousNode):
        search_packs(Workspace(paths), find("Y", prefer=("no-such-id",)))


def test_an_answer_settles_it_and_says_how_to_keep_it(paths: Paths) -> None:
    asked: list[Question] = []

    def ask(question: Question) -> int | None:
        asked.append(question)
        return len(question.options) - 1

    with Operation(ask=ask).running():
        found = search_packs(Workspace(paths), find("Y"))
    assert [q.subject for q in asked] == ["Y"] and list(found.specs) == ["ComfyUI-B"]
    assert f'prefer = ["{B}"]' in found.notes[0]


def test_a_pack_that_another_type_needs_is_taken_without_a_question(paths: Paths) -> None:
    found = search_packs(Workspace(paths), find("Y", "X"))
    assert list(found.specs) == ["ComfyUI-A"]
    assert [(c.type, c.reason) for c in found.choices] == [("X", "only-pack"), ("Y", "together")]
    stated = [Provenance("somebody-elses"), None]
    with pytest.raises(AmbiguousNode, match="which is not known") as e:
        search_packs(Workspace(paths), find("Y", "X", packs=stated))  # type: ignore[arg-type]
    assert "needed anyway" in e.value.fix and "also has X of this workflow" in e.value.fix


def test_one_answer_settles_all_types_of_a_pack(paths: Paths, tmp_path: Path) -> None:
    both = ["P", "Q", "R"]
    commit(tmp_path / "forge" / "ann" / "ComfyUI-A", {"__init__.py": code(*both, "Own")})
    commit(tmp_path / "manager", lists({A: ([*both, "S"],), B: (["P", "Q"],), C: (["S"],)}, (), {B: {"stars": 9}}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    with pytest.raises(AmbiguousNode) as e:
        search_packs(Workspace(paths), find("P", "Q"))
    assert e.value.what.startswith('ambiguous node types "P", "Q": 2 known node packs provide')
    assert "node 1 of w.json" not in e.value.where and e.value.where == "node 1, node 2 of w.json"
    assert e.value.as_dict()["types"] == ["P", "Q"] and e.value.as_dict()["type"] == "P"
    assert "has all 2 types" in e.value.fix
    asked: list[Question] = []

    def ask(question: Question) -> int | None:
        asked.append(question)
        return [option.label for option in question.options].index("ann/ComfyUI-A")

    with Operation(ask=ask).running():
        found = search_packs(Workspace(paths), find("P", "Q"))
    assert [q.subject for q in asked] == ["P, Q"] and list(found.specs) == ["ComfyUI-A"]
    assert found.notes[0].count(A) == 1 and {c.reason for c in found.choices} == {"preference"}


def test_a_class_that_was_renamed_is_taken_from_the_commit_that_last_had_it(paths: Paths) -> None:
    found = search_packs(Workspace(paths), find("Old"))
    assert "lacks Old" in found.commits["ComfyUI-B"]
    assert "'Old'" in found.sources["ComfyUI-B"].files["__init__.py"]


def test_a_type_that_no_commit_has_is_an_error_that_names_the_pack(paths: Paths) -> None:
    with pytest.raises(UnknownNode, match="ComfyUI-B does not have") as e:
        search_packs(Workspace(paths), find("Gone", "Fresh"))
    assert e.value.where == "node 1 of w.json"


def test_the_workflows_own_commit_is_taken(paths: Paths) -> None:
    newest = search_packs(Workspace(paths), find("Fresh"))
    old = search_packs(Workspace(paths), find("Old"))
    said = Provenance(None, "bob/ComfyUI-B", rev(old, "ComfyUI-B"))
    found = search_packs(Workspace(paths), find("Y", packs=[said]))
    assert rev(found, "ComfyUI-B") == rev(old, "ComfyUI-B") != rev(newest, "ComfyUI-B")
    assert found.choices[0].reason == "workflow"


@pytest.fixture
def versions(paths: Paths, tmp_path: Path) -> list[str]:
    """Three commits of B: 1.0.0 by its pyproject.toml, 1.1.0 by a tag, and the newest. The catalog knows no id of it,
    and the registry does not answer."""
    folder = tmp_path / "forge" / "bob" / "ComfyUI-B"
    project = '[project]\nname = "comfyui-b"\nversion = "1.0.0"\n'
    commits = [commit(folder, {"pyproject.toml": project}, date="2025-04-01T00:00:00Z")]
    commits += [commit(folder, {"a.py": "", "pyproject.toml": ""}, date="2025-05-01T00:00:00Z")]
    git(folder, "tag", "v1.1.0")
    return [*commits, commit(folder, {"b.py": ""}, date="2025-06-01T00:00:00Z")]


def test_a_version_beside_an_unknown_id_is_taken(paths: Paths, versions: list[str]) -> None:
    stated = (("1.0.0", 0), ("1.1.0", 1), (versions[0], 0), (versions[1][:9], 1), (None, 2))
    for id_ in ("comfyui-b", "ComfyUI_B"):
        for version, place in stated:
            found = search_packs(Workspace(paths), find("Fresh", packs=[Provenance(id_, None, version)]))
            assert rev(found, "ComfyUI-B") == versions[place], (id_, version)
            assert found.choices[0].reason == "workflow" and "unknown" not in str(found.notes)


def test_a_version_that_no_commit_has_is_told(paths: Paths, versions: list[str]) -> None:
    found = search_packs(Workspace(paths), find("Fresh", packs=[Provenance("comfyui-b", None, "9.9.9")]))
    assert rev(found, "ComfyUI-B") == versions[2] and any("9.9.9" in note for note in found.notes)


def test_a_commit_that_the_pack_does_not_have_is_asked_for(paths: Paths) -> None:
    with pytest.raises(UnpinnedPack, match="the workflow names version 0123") as e:
        search_packs(Workspace(paths), find("Fresh", packs=[Provenance("comfyui-b", None, "0123456789" * 4)]))
    assert "pack=ComfyUI-B=https://github.com/bob/ComfyUI-B" in e.value.fix


def test_a_listed_repository_that_is_gone_is_asked_for(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "forge" / "bob" / "ComfyUI-B").rename(tmp_path / "away")
    with pytest.raises(NotFound) as e:
        search_packs(Workspace(paths), find("Fresh", packs=[Provenance("comfyui-b", None, None)]))
    assert "pack=ComfyUI-B=URL" in e.value.fix and "the address that it has now" in e.value.fix


def test_a_pack_is_not_moved_from_the_version_that_the_workflow_names_for_a_type_that_may_be_anothers(
    paths: Paths, tmp_path: Path
) -> None:
    folder = tmp_path / "forge" / "ann" / "ComfyUI-A"
    old = commit(folder, {"a.py": ""}, date="2025-03-01T00:00:00Z")
    new = commit(folder, {"__init__.py": code("X", "Y", "New")}, date="2025-04-01T00:00:00Z")
    commit(tmp_path / "forge" / "bob" / "ComfyUI-B", {"__init__.py": code("New")})
    commit(tmp_path / "manager", lists({A: (["X", "Y", "New"],), B: (["New"],)}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    stated = [Provenance(None, "ann/ComfyUI-A", old)]
    with pytest.raises(UnknownNode, match="the version of it that the workflow names does not have that") as e:
        search_packs(Workspace(paths), find("X", "New", packs=stated))
    assert "prefer=PACK" in e.value.fix and f"pack=ComfyUI-A={A}@{new}" in e.value.fix
    found = search_packs(Workspace(paths), find("X", "New", packs=stated, prefer=(B,)))
    assert rev(found, "ComfyUI-A") == old and "ComfyUI-B" in found.specs
    assert rev(search_packs(Workspace(paths), find("X", "Y", packs=stated)), "ComfyUI-A") == old


def test_a_version_of_an_unknown_pack_is_told_where_another_one_is_taken(paths: Paths, versions: list[str]) -> None:
    stated = [Provenance("somebody-elses", None, "1.0.0")]
    found = search_packs(Workspace(paths), find("Fresh", packs=stated, prefer=(B,)))
    assert rev(found, "ComfyUI-B") == versions[2]
    assert any("names version 1.0.0 of the unknown pack" in note for note in found.notes)


def test_an_answer_takes_the_version_that_the_workflow_names(paths: Paths, tmp_path: Path, versions: list[str]) -> None:
    listed = {B: (["Fresh"],), "https://github.com/eve/ComfyUI-B": (["Fresh"],)}
    commit(tmp_path / "manager", lists(listed, (), {B: {"stars": 9}}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    with Operation(ask=lambda question: 0).running():
        found = search_packs(Workspace(paths), find("Fresh", packs=[Provenance("comfyui-b", None, "1.1.0")]))
    assert found.choices[0].reason == "preference" and rev(found, "ComfyUI-B") == versions[1]


def lock_of(found: FoundPacks) -> Lock:
    packs = tuple(Pack(name=name, source=pinned.source, types=()) for name, pinned in found.sources.items())
    place = PathSource(path="x", tree="sha256-" + "A" * 43 + "=")
    return Lock(
        name="x",
        as_of="2025-01-01T00:00:00Z",
        workflow=WorkflowPin(sha256="0" * 64),
        comfyui=ComfyUI(version="1", source=place),
        packs=(*packs, Pack(name="local", source=PathSource(path="bob/ComfyUI-B", tree=place.tree))),
        platforms={},
    )


def test_a_lock_keeps_commits_and_answers_until_an_update_is_asked(paths: Paths, tmp_path: Path) -> None:
    before = search_packs(Workspace(paths), find("Y", prefer=("pack-a",)))
    after = commit(tmp_path / "forge" / "ann" / "ComfyUI-A", {"new.py": "x = 1\n"})
    kept = search_packs(Workspace(paths), find("Y", policy=UpdatePolicy(lock_of(before))))
    assert rev(kept, "ComfyUI-A") == rev(before, "ComfyUI-A") != after
    assert kept.choices[0].reason == "lock" and kept.commits == {"ComfyUI-A": "the lock's commit"}
    wish = find("Y", prefer=("pack-a",), policy=UpdatePolicy(lock_of(before), frozenset({"comfyui-a"})))
    assert rev(search_packs(Workspace(paths), wish), "ComfyUI-A") == after


def test_a_pack_that_is_there_at_the_wrong_commit_is_not_taken_twice(paths: Paths) -> None:
    taken = {"mine": GitSpec(git="git@github.com:ann/ComfyUI-A.git")}
    with pytest.raises(UnknownNode, match="the node pack mine should have"):
        search_packs(Workspace(paths), find("X", configured=taken))


def test_two_packs_of_one_name_get_different_folders(paths: Paths, tmp_path: Path) -> None:
    commit(tmp_path / "forge" / "zoe" / "ComfyUI-A", {"__init__.py": code("Other")})
    said = Provenance(None, "zoe/ComfyUI-A")
    found = search_packs(Workspace(paths), find("Other", "X", packs=[said]))
    assert sorted(found.specs) == ["ComfyUI-A", "ComfyUI-A-zoe"]
    again = search_packs(Workspace(paths), find("X", "Other", packs=[Provenance(None, A), said]))
    assert again.specs == found.specs


def test_a_fork_of_comfyui_itself_does_not_take_its_name(paths: Paths, tmp_path: Path) -> None:
    commit(tmp_path / "forge" / "zoe" / "ComfyUI", {"__init__.py": code("Other")})
    found = search_packs(Workspace(paths), find("Other", packs=[Provenance(None, "zoe/ComfyUI")]))
    assert list(found.specs) == ["ComfyUI-zoe"]


def test_without_any_catalog_the_workflows_own_address_is_enough(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Paths(tmp_path / "bare", tmp_path / "bare" / "cache")
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        found = search_packs(Workspace(bare), find("X", packs=[Provenance(None, "ann/ComfyUI-A.git")]))
    assert list(found.specs) == ["ComfyUI-A"] and any("no catalog" in note for note in found.notes)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server with a certificate of its own, and the folder it serves."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    key, folder = tmp_path / "key.pem", tmp_path / "web"
    folder.mkdir()
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(key)]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(key))
    with serve_folder(folder, certificate=key) as address:
        yield address, folder


def test_a_pack_of_single_files_is_pinned_file_by_file(paths: Paths, tmp_path: Path, web: tuple[str, Path]) -> None:
    address, folder = web
    (folder / "some nodes.py").write_text(code("One", "Two"))
    update = commit(tmp_path / "manager", lists({f"{address}/some%20nodes.py": (["One", "Two", "Three"],)}))
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    found = search_packs(Workspace(paths), find("One", "Two"))
    (spec,) = found.specs.values()
    assert isinstance(spec, UrlSpec) and spec.url.startswith(address) and update
    assert list(found.specs) == ["some-nodes"] and "One" in found.sources["some-nodes"].files["__init__.py"]
    with pytest.raises(UnknownNode, match='node type "Three"'):
        search_packs(Workspace(paths), find("Three"))


def test_a_catalog_that_cannot_be_read_is_made_anew_or_told(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths.data / "catalog.db").write_bytes(b"no database")
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        found = search_packs(Workspace(paths), find("X", packs=[Provenance(None, "ann/ComfyUI-A")]))
    assert list(found.specs) == ["ComfyUI-A"] and any("no catalog" in note for note in found.notes)


def test_it_is_the_same_from_another_cache_and_in_another_order(paths: Paths, tmp_path: Path) -> None:
    other = Paths(paths.data, tmp_path / "other")
    first = search_packs(Workspace(paths), find("X", "Old", "Y", prefer=("pack-a",)))
    second = search_packs(Workspace(other), find("Y", "X", "Old", prefer=("pack-a",)))
    assert first.specs == second.specs and list(first.specs) == list(second.specs)
    assert {n: p.source for n, p in first.sources.items()} == {n: p.source for n, p in second.sources.items()}
