"""The corpus is measured without a network: workflows of our own, with the prompts that a real editor made."""

import json
from pathlib import Path

import pytest

from benchmarks.corpus import COLUMNS, Judges, measure, render
from pycomfy.adapters.catalog.database import Catalog
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.prompt.node_definitions import Definitions
from tests.support.catalog_maps import A, B, C, lists
from tests.support.graphs import OBJECT_INFO, definition, node, plain, ui
from tests.support.repositories import commit

RECORDED = json.loads((Path(__file__).parent / "core" / "prompt" / "frontend_cases.json").read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, case in enumerate(RECORDED["cases"].values()):
        file = tmp_path / "ours" / f"{number}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(case["workflow"]))
    (tmp_path / "ours" / "package.json").write_text("{}")
    return tmp_path


def test_every_workflow_of_ours_is_read_converted_and_equal_to_the_editor_s(folder: Path) -> None:
    prompts = {f"ours/{n}.json": case["prompt"] for n, case in enumerate(RECORDED["cases"].values())}
    counts = measure(folder, Judges(Definitions(RECORDED["object_info"]), prompts))["ours"]
    everyone = len(prompts)
    assert counts.different == []
    assert dict(counts.counts) == dict.fromkeys(("files", "read", "converted", "equal to the editor"), everyone)


def test_what_is_not_known_is_no_zero(folder: Path) -> None:
    table = render(measure(folder, Judges()), Judges().columns)
    (row,) = (line for line in table.splitlines() if line.startswith("| ours"))
    assert row.count("–") == len(COLUMNS) - 2


def test_what_cannot_be_read_or_differs_is_named(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.json").write_text('{"nodes": [{}], "links": []}')
    (tmp_path / "pack" / "b.json").write_text(json.dumps(plain()))
    (tmp_path / "pack" / "c.json").write_text(json.dumps(ui([node(1, "Unknown", outputs=["X"])], [])))
    judges = Judges(Definitions(OBJECT_INFO), {"pack/b.json": {}})
    counts = measure(tmp_path, judges)["pack"]
    assert [text.split(":")[0] for text in counts.different] == ["pack/a.json", "pack/b.json"]
    assert (counts.counts["files"], counts.counts["read"], counts.counts["converted"]) == (3, 2, 1)


def test_a_pack_is_chosen_asked_for_or_wrong(tmp_path: Path) -> None:
    packs = {A: (["Mine"],), B: (["Theirs"],), C: (["Both"],), "https://github.com/dan/D": (["Both"],)}
    commit(tmp_path / "manager", {name: data.decode() for name, data in lists(packs).items()})
    paths = Paths(tmp_path / "data", tmp_path / "cache")
    update_catalog(paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    for type_ in ("Mine", "Theirs", "Both"):
        file = tmp_path / "corpus" / "pack" / f"{type_}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(ui([node(1, type_)], [])))
    modules = {"Mine": "custom_nodes.ComfyUI-A", "Theirs": "custom_nodes.elsewhere", "Both": "custom_nodes.ComfyUI-C"}
    definitions = Definitions({type_: definition(python_module=module) for type_, module in modules.items()})
    with Catalog(paths) as catalog:
        counts = measure(tmp_path / "corpus", Judges(definitions, catalog=catalog))["pack"]
    assert {column: counts.counts[column] for column in ("locked without a question", "asked", "wrong")} == {
        "locked without a question": 1,
        "asked": 1,
        "wrong": 1,
    }
    assert counts.different == ["pack/Theirs.json: Theirs from github.com/bob/comfyui-b, not elsewhere"]
