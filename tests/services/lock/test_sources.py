"""Packs that pycomfy.toml names: what their source shows, and what only running them tells. The repositories, git and
the catalog are real; only github.com is a folder of the test's."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.lockfile.config import Config, parse_config
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.requirements.model import Provenance, RequiredNode
from pycomfy.errors import AmbiguousNode, ErrorGroup, PycomfyError, UnknownNode
from pycomfy.services.lock.sources import CodeRequest, PinnedCode, pin_code
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import CORE, code, lists
from tests.support.repositories import commit

GITHUB = "https://github.com/"
KIT, SUITE, COPY = (GITHUB + name for name in ("ann/ComfyUI-Kit", "bob/suite", "eve/copy"))

MADE = """
class N: pass
CONFIG = {"Join": {"class": N}, "Split": {"class": N}}
def mappings(config):
    result = {}
    for name, entry in config.items():
        result[name] = entry["class"]
    return result
NODE_CLASS_MAPPINGS = mappings(CONFIG)
"""
"""As ComfyUI-KJNodes does it: the names stand in the source, the mappings are made."""

NAMED = """
from .names import full
class Seed:
    NAME = full("Seed")
NODE_CLASS_MAPPINGS = {Seed.NAME: Seed}
"""
"""As rgthree-comfy does it: no name stands in the source."""

FULL = 'import os\ndef full(name):\n    return os.environ.get("PREFIX", "") + name + " (suite)"\n'


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of github.com, with two packs that make their types while they run, and a ComfyUI beside it."""
    folder = tmp_path / "forge"
    commit(folder / "ann" / "ComfyUI-Kit", {"__init__.py": MADE})
    commit(folder / "bob" / "suite", {"__init__.py": NAMED, "names.py": FULL})
    commit(folder / "eve" / "copy", {"__init__.py": code("Join", "Seed (suite)", "Else")})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{folder}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", GITHUB)
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    (tmp_path / "ComfyUI").mkdir()
    (tmp_path / "ComfyUI" / "nodes.py").write_text(code("SaveImage"))
    return folder


def pin(
    forge: Path,
    packs: Mapping[str, str],
    types: Mapping[str, Provenance | None] | list[RequiredNode],
    listed: Mapping[str, tuple[list[str]]],
    top: str = "",
) -> PinnedCode:
    """`packs`: name -> its table in pycomfy.toml, `types`: the workflow's or its nodes, `listed`: the catalog."""
    base = forge.parent
    paths = Paths(base / "data", base / "data" / "cache")
    commit(base / "manager", lists({CORE: (["SaveImage"],), **listed}))
    update_catalog(paths, repository=str(base / "manager"), docs="not a pin!")
    tables = "".join(f"[packs.{name}]\n{table}\n" for name, table in packs.items())
    config: Config = parse_config(f'{top}\n[comfyui]\npath = "ComfyUI"\n{tables}', where="pycomfy.toml")
    if isinstance(types, list):
        nodes = types
    else:
        nodes = [RequiredNode(str(i), t, t, "runs", stated) for i, (t, stated) in enumerate(types.items(), start=1)]
    return pin_code(Workspace(paths), config, CodeRequest(nodes, "w.json", base, None, UpdatePolicy()))


BOTH = {"kit": f'git = "{KIT}"', "suite": f'git = "{SUITE}"'}
LISTED = {KIT: (["Join", "Split"],), SUITE: (["Seed (suite)"],), COPY: (["Join", "Seed (suite)", "Else"],)}


def rules(code: PinnedCode) -> dict[str, str]:
    return {choice.type: choice.reason for choice in code.found.choices}


def test_named_packs_that_make_their_types_are_taken_for_those_that_are_listed_with_them(forge: Path) -> None:
    found = pin(forge, BOTH, dict.fromkeys(["SaveImage", "Join", "Split", "Seed (suite)"]), LISTED)
    assert found.provided == {"kit": ("Join", "Split"), "suite": ("Seed (suite)",)}
    assert set(found.config.packs) == {"kit", "suite"} and set(rules(found).values()) == {"configured"}
    assert all("makes node types while it runs" in choice.evidence for choice in found.found.choices)


def test_without_naming_them_it_is_the_same_answer_with_a_preference(forge: Path) -> None:
    top = f'prefer = ["{KIT}", "{SUITE}"]'
    found = pin(forge, {}, dict.fromkeys(["Join", "Seed (suite)"]), LISTED, top)
    assert found.provided == {"ComfyUI-Kit": ("Join",), "suite": ("Seed (suite)",)}


def test_a_type_that_nothing_lists_is_of_the_named_pack_that_has_its_name(forge: Path) -> None:
    found = pin(forge, BOTH, dict.fromkeys(["Join"]), {})
    assert found.provided == {"kit": ("Join",), "suite": ()} and "its source has the name" in (
        found.found.choices[0].evidence
    )
    one = pin(forge, {"suite": BOTH["suite"]}, dict.fromkeys(["Seed (suite)"]), {})
    assert one.provided == {"suite": ("Seed (suite)",)}
    assert any("Seed (suite)" in note and "suite" in note for note in one.notes)


def test_a_type_that_several_named_packs_may_make_is_declared(forge: Path) -> None:
    with pytest.raises(UnknownNode, match="kit and suite make node types while they run") as e:
        pin(forge, BOTH, dict.fromkeys(["Seed (suite)"]), {})
    assert '[packs.suite] types = ["Seed (suite)"]' in e.value.fix
    declared = {**BOTH, "suite": f'{BOTH["suite"]}\ntypes = ["Seed (suite)"]'}
    assert pin(forge, declared, dict.fromkeys(["Seed (suite)"]), {}).provided["suite"] == ("Seed (suite)",)


def test_what_the_workflow_says_goes_before_a_named_pack(forge: Path) -> None:
    stated = {"Join": Provenance(None, "eve/copy")}
    assert pin(forge, BOTH, stated, LISTED).provided == {"copy": ("Join",), "kit": (), "suite": ()}
    stated = {"Seed (suite)": Provenance("Suite", None), "Split": Provenance("comfyui_kit", None)}
    assert pin(forge, BOTH, stated, {}).provided == {"kit": ("Split",), "suite": ("Seed (suite)",)}
    with pytest.raises(UnknownNode, match="which is not known"):
        pin(forge, BOTH, {"Join": Provenance("other", None)}, {})


def test_a_type_that_only_another_pack_has_is_not_taken_from_a_named_one(forge: Path) -> None:
    found = pin(forge, BOTH, dict.fromkeys(["Split", "Else"]), LISTED)
    assert found.provided == {"copy": ("Else",), "kit": ("Split",), "suite": ()}


def test_a_named_pack_in_a_folder_may_make_types_too(forge: Path) -> None:
    found = pin(forge, {"mine": 'path = "forge/bob/suite"'}, dict.fromkeys(["Seed (suite)"]), {})
    assert found.provided == {"mine": ("Seed (suite)",)}


def test_a_version_that_the_workflow_names_of_a_named_pack_is_told(forge: Path) -> None:
    old = commit(forge / "eve" / "copy", {"pyproject.toml": '[project]\nversion = "1.0.0"\n'})
    new = commit(forge / "eve" / "copy", {"pyproject.toml": '[project]\nversion = "2.0.0"\n'})

    def notes(version: str, more: str = "") -> str:
        stated = {"Else": Provenance("copy", None, version)}
        found = pin(forge, {"copy": f'git = "{COPY}"\n{more}'}, stated, LISTED)
        return "\n".join(found.notes)

    for version in ("2.0.0", new, new[:8]):
        assert not notes(version)
    assert 'registry = "copy", version = "1.0.0"' in notes("1.0.0") and f'rev = "{old}"' in notes(old)
    assert not notes("1.0.0", f'rev = "{new}"')


@pytest.fixture
def adapter(forge: Path) -> list[str]:
    """The commits of a pack that dropped the type Apply, and was renamed there since."""
    folder = forge / "cat" / "Adapter_plus"
    return [
        commit(folder, {"__init__.py": code("Apply", "Load")}, date="2025-01-01T00:00:00Z"),
        commit(folder, {"README": "more"}, date="2025-02-01T00:00:00Z"),
        commit(folder, {"__init__.py": code("Advanced", "Load"), "old.py": "# Apply\n"}, date="2025-03-01T00:00:00Z"),
    ]


ADAPTER = GITHUB + "cat/Adapter_plus"


def taken(found: PinnedCode, name: str) -> str | None:
    repository = found.sources[name].source.repository
    return repository.commit if repository is not None else None


def test_a_type_that_a_named_pack_dropped_is_taken_from_its_history(forge: Path, adapter: list[str]) -> None:
    packs = {"Adapter_plus": f'git = "{ADAPTER}"'}
    for stated in (None, Provenance("adapter-plus", None), Provenance(None, "cat/Adapter_plus")):
        for listed in ({}, {ADAPTER: (["Advanced", "Load"],)}, {ADAPTER: (["Advanced", "Load", "Apply"],)}):
            found = pin(forge, packs, {"Apply": stated, "Load": None}, listed)
            assert found.provided == {"Adapter_plus": ("Apply", "Load")}
            assert taken(found, "Adapter_plus") == adapter[1]
            assert any("the newest commit lacks Apply; the last commit with it is taken" in n for n in found.notes)


def test_a_type_that_a_needed_pack_dropped_is_taken_from_its_history(forge: Path, adapter: list[str]) -> None:
    found = pin(forge, {}, dict.fromkeys(["Apply", "Load"]), {ADAPTER: (["Advanced", "Load"],)})
    assert found.provided == {"Adapter_plus": ("Apply", "Load")} and taken(found, "Adapter_plus") == adapter[1]
    assert rules(found) == {"Load": "only-pack", "Apply": "together"}
    # With a type that only came when it was dropped, no commit has all.
    with pytest.raises(UnknownNode, match="no known node pack provides it"):
        pin(forge, {}, dict.fromkeys(["Apply", "Advanced"]), {ADAPTER: (["Advanced", "Load"],)})


def test_a_revision_that_you_name_is_kept_and_the_commit_with_the_type_is_proposed(
    forge: Path, adapter: list[str]
) -> None:
    packs = {"Adapter_plus": f'git = "{ADAPTER}"\nrev = "{adapter[2]}"'}
    with pytest.raises(UnknownNode, match="at its commit it does not") as e:
        pin(forge, packs, dict.fromkeys(["Apply", "Load"]), {})
    assert f"node=Adapter_plus={adapter[1]}" in e.value.fix
    packs = {"Adapter_plus": f'git = "{ADAPTER}"\nrev = "{adapter[1]}"'}
    assert pin(forge, packs, dict.fromkeys(["Apply", "Load"]), {}).provided == {"Adapter_plus": ("Apply", "Load")}


def test_a_type_that_a_pack_never_had_is_not_proposed_from_it(forge: Path, adapter: list[str]) -> None:
    packs = {"Adapter_plus": f'git = "{ADAPTER}"'}
    with pytest.raises(UnknownNode, match="no commit of its history defines it") as e:
        pin(forge, packs, {"Never": Provenance(None, "cat/Adapter_plus")}, {})
    assert "node=" not in e.value.fix
    with pytest.raises(UnknownNode, match="no known node pack provides it"):
        pin(forge, packs, dict.fromkeys(["Never", "Load"]), {})


def test_a_history_goes_before_a_named_pack_that_only_may_make_the_type(forge: Path, adapter: list[str]) -> None:
    packs = {**BOTH, "Adapter_plus": f'git = "{ADAPTER}"'}
    for named in (packs, {name: packs[name] for name in ("suite", "Adapter_plus")}):
        found = pin(forge, named, dict.fromkeys(["Apply", "Load"]), {})
        assert found.provided["Adapter_plus"] == ("Apply", "Load") and taken(found, "Adapter_plus") == adapter[1]
    found = pin(forge, {"suite": BOTH["suite"]}, dict.fromkeys(["Apply", "Load"]), {ADAPTER: (["Load"],)})
    assert found.provided == {"Adapter_plus": ("Apply", "Load"), "suite": ()}
    commit(forge / "bob" / "more", {"__init__.py": code("Apply", "Own")})
    both = {**packs, "more": f'git = "{GITHUB}bob/more"'}
    commit(forge / "bob" / "more", {"__init__.py": code("Own")})
    with pytest.raises(UnknownNode, match=r"the histories of .*more and .*Adapter_plus have it"):
        pin(forge, both, dict.fromkeys(["Apply", "Load"]), {})


def left(*types: str, apart: bool = True) -> list[RequiredNode]:
    """Nodes that nothing can be linked to."""
    return [RequiredNode(str(i), type_, type_, "runs", None, apart) for i, type_ in enumerate(types, start=1)]


def test_nodes_that_nothing_can_be_linked_to_are_no_reason_to_ask(forge: Path) -> None:
    types = ["SaveImage", "Join", "Note Plus (suite)", "Bookmark"]
    found = pin(forge, {}, left(*types), {KIT: (["Join"],), COPY: (["Join"],)})
    assert [node.type for node in found.nodes if node.state == "left-out"] == types[1:]
    (note,) = found.left_out
    assert "node 2 (Join), 3 (Note Plus (suite)), 4 (Bookmark)" in note and "name its pack" in note
    assert found.config.packs == {} and found.provided == {}
    with pytest.raises(ErrorGroup) as e:
        pin(forge, {}, left(*types, apart=False), {KIT: (["Join"],), COPY: (["Join"],)})
    assert {type(p) for p in e.value.problems} == {AmbiguousNode, UnknownNode}


def test_such_a_node_is_kept_where_its_pack_is_certain_and_defines_it(forge: Path) -> None:
    found = pin(forge, {}, left("Else"), {COPY: (["Else"],)})
    assert found.provided == {"copy": ("Else",)} and found.left_out == ()
    named = pin(forge, {"copy": f'git = "{COPY}"'}, left("Else"), {})
    assert named.provided == {"copy": ("Else",)}


def test_such_a_node_is_left_out_where_lists_have_the_type_of_an_editors_script(forge: Path) -> None:
    found = pin(forge, {}, left("Bookmark"), {COPY: (["Bookmark", "Else"],)})
    assert found.config.packs == {} and "Bookmark" in found.left_out[0]
    with_other = [*left("Bookmark"), RequiredNode("9", "Else", "Else", "runs")]
    assert pin(forge, {}, with_other, {COPY: (["Bookmark", "Else"],)}).provided == {"copy": ("Else",)}
    # A named pack that makes types while it runs may have it, but the build would refuse what it lacks.
    named = pin(forge, BOTH, left("Join", "Seed (suite)"), LISTED)
    assert named.provided == {"kit": (), "suite": ()} and len(named.left_out) == 1


def test_types_that_the_user_says_are_the_editors_are_left_out(forge: Path) -> None:
    top = '[accept]\neditor-only = ["Repeater", "SaveImage", "Gone"]'
    found = pin(forge, {}, left("SaveImage", "Repeater", apart=False), {}, top)
    assert [node.state for node in found.nodes] == ["runs", "left-out"]
    assert len(found.left_out) == 2
    assert "SaveImage, but ComfyUI or a node pack" in found.left_out[0] and "Gone, but no node" in found.left_out[1]


def test_a_former_type_of_comfyuis_is_no_question_about_packs(forge: Path) -> None:
    (forge.parent / "ComfyUI" / "nodes.py").write_text(code("SaveImage", "ControlNetLoader"))
    listed = {KIT: (["T2IAdapterLoader"],), COPY: (["T2IAdapterLoader"],)}
    with pytest.raises(UnknownNode, match='ComfyUI replaced it by "ControlNetLoader"') as e:
        pin(forge, {}, dict.fromkeys(["T2IAdapterLoader"]), listed)
    assert "let it replace the node" in e.value.fix and "prefer" not in e.value.fix
    stated = {"T2IAdapterLoader": Provenance(None, "eve/copy")}
    assert isinstance(pin_error(forge, stated, listed), UnknownNode)
    (forge.parent / "ComfyUI" / "nodes.py").write_text(code("SaveImage", "ControlNetLoader", "T2IAdapterLoader"))
    assert pin(forge, {}, dict.fromkeys(["T2IAdapterLoader"]), listed).provided == {}


def pin_error(
    forge: Path, types: Mapping[str, Provenance | None], listed: Mapping[str, tuple[list[str]]]
) -> PycomfyError:
    with pytest.raises(PycomfyError) as e:
        pin(forge, {}, types, listed)
    assert "replaced it" not in e.value.what
    return e.value
