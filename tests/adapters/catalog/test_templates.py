"""ComfyUI's official templates, the newest on the Python index, against the real catalogue."""

import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.database import Catalogue
from pycomfy.adapters.catalog.update import update_catalogue
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Home
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.core.nodes.pack_resolution import Knowledge, Wanted, Wishes
from pycomfy.core.nodes.pack_resolver import choose
from pycomfy.core.nodes.provenance import references
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.requirements.collect import find_needs
from pycomfy.core.requirements.model import NeededNode
from pycomfy.core.requirements.providers import running_types
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadWorkflow, NotFound, Unreachable
from pycomfy.progress import Silent

TEMPLATES = "comfyui-workflow-templates-json"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("templates")
    home = Home(folder, folder / "cache")
    try:
        update_catalogue(home, Silent(), repository=str(folder / "nowhere"))
    except Unreachable as e:
        pytest.skip(f"no Python index: {e.what}")
    return home


@pytest.fixture(scope="module")
def templates(home: Home) -> dict[str, dict[str, list[NeededNode]]]:
    """File -> the types that run, with their nodes."""
    try:
        wheel, _ = pin_wheel(TEMPLATES, Target("linux/amd64", "3.11"), home.cache)
    except (Unreachable, NotFound) as e:
        pytest.skip(f"no templates: {e.what}")
    path = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, cache=home.cache)
    found: dict[str, dict[str, list[NeededNode]]] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json") and not Path(name).name.startswith("index"):
                try:
                    found[name] = running_types(find_needs(parse_workflow(archive.read(name), where=name)).nodes)
                except BadWorkflow:
                    continue  # an index or a setting, not a template
    return found


def test_official_templates_are_of_comfyui_alone(home: Home, templates: dict[str, dict[str, list[NeededNode]]]) -> None:
    """A type is ComfyUI's if the workflow or the catalogue says so, whichever ComfyUI has it. A few templates do use
    other packs, and some nodes are too new for every list: those must be questions, or that pack."""
    alone, taken = 0, {}
    with Catalogue(home) as catalogue:
        for name, types in templates.items():
            wanted = [Wanted(type_, tuple(nodes)) for type_, nodes in types.items()]
            said = {r: p for w in wanted for r in references(w.nodes) if (p := catalogue.find(r)) is not None}
            chosen = choose(wanted, Knowledge(catalogue.claims(types), said), Wishes())
            taken.update({choice.type: name for choice in chosen.choices})
            alone += not chosen.choices and all(q.core is not None for q in chosen.questions)
        core = {n.type for types in templates.values() for nodes in types.values() for n in nodes if _says_core(n)}
        assert len(templates) > 500 and alone / len(templates) > 0.98
        assert not taken.keys() & core
        assert len(taken) <= 5, taken


def _says_core(node: NeededNode) -> bool:
    return node.pack is not None and node.pack.cnr_id == "comfy-core"
