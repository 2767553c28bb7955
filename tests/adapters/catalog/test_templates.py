"""ComfyUI's official templates, the newest on the Python index, against the real catalog."""

import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.database import Catalog
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.nodes.pack_resolution import Knowledge, PackPreferences, UnresolvedType
from pycomfy.core.nodes.pack_resolver import resolve_packs
from pycomfy.core.nodes.provenance import pack_references
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import running_types
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadWorkflow, NetworkError, NotFound

TEMPLATES = "comfyui-workflow-templates-json"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("templates")
    paths = Paths(folder, folder / "cache")
    try:
        update_catalog(paths, repository=str(folder / "nowhere"))
    except NetworkError as e:
        pytest.skip(f"no Python index: {e.what}")
    return paths


@pytest.fixture(scope="module")
def templates(paths: Paths) -> dict[str, dict[str, list[RequiredNode]]]:
    """File -> the types that run, with their nodes."""
    try:
        wheel, _ = pin_wheel(TEMPLATES, Target("linux/amd64", "3.11"), paths.cache)
    except (NetworkError, NotFound) as e:
        pytest.skip(f"no templates: {e.what}")
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, cache=paths.cache)
    found: dict[str, dict[str, list[RequiredNode]]] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json") and not Path(name).name.startswith("index"):
                try:
                    found[name] = running_types(
                        collect_requirements(parse_workflow(archive.read(name), where=name)).nodes
                    )
                except BadWorkflow:
                    continue  # an index or a setting, not a template
    return found


def test_official_templates_are_of_comfyui_alone(
    paths: Paths, templates: dict[str, dict[str, list[RequiredNode]]]
) -> None:
    """A type is ComfyUI's if the workflow or the catalog says so, whichever ComfyUI has it. A few templates do use
    other packs, and some nodes are too new for every list: those must be questions, or that pack."""
    alone, taken = 0, {}
    with Catalog(paths) as catalog:
        for name, types in templates.items():
            wanted = [UnresolvedType(type_, tuple(nodes)) for type_, nodes in types.items()]
            said = {r: p for w in wanted for r in pack_references(w.nodes) if (p := catalog.find(r)) is not None}
            chosen = resolve_packs(wanted, Knowledge(catalog.claims(types), said), PackPreferences())
            taken.update({choice.type: name for choice in chosen.choices})
            alone += not chosen.choices and all(q.core is not None for q in chosen.questions)
        core = {n.type for types in templates.values() for nodes in types.values() for n in nodes if _says_core(n)}
        assert len(templates) > 500 and alone / len(templates) > 0.98
        assert not taken.keys() & core
        assert len(taken) <= 5, taken


def _says_core(node: RequiredNode) -> bool:
    return node.pack is not None and node.pack.cnr_id == "comfy-core"
