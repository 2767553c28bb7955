"""The demo's image, served with one more node pack, and a browser that has its editor open."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.core.prompt.node_definitions import Definitions
from tests.stories.frontend.chromium import Page, browsing, find_chromium
from tests.stories.frontend.comfyui import ComfyUI, serving

PACKS = {path.name: path for path in (Path(__file__).parent / "packs").iterdir() if path.is_dir()}
LIST_TEMPLATES = (
    "from comfyui_workflow_templates import iter_templates as i; print(*(t.template_id for t in i()), sep='\\n')"
)
READY = "window.app?.graph && LiteGraph.registered_node_types.KSampler && LiteGraph.registered_node_types.SetNode"


@pytest.fixture(scope="package")
def comfyui(engine: Engine, made: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    image = provide(engine, read_layout(Path(made["build"]["oci"])), "pycomfy-story")
    with serving(engine, image, tmp_path_factory.mktemp("comfyui"), PACKS) as server:
        yield server


@pytest.fixture(scope="package")
def definitions(comfyui: ComfyUI) -> Definitions:
    return Definitions(comfyui.get("/object_info"))


@pytest.fixture(scope="package")
def templates(comfyui: ComfyUI) -> dict[str, Any]:
    """Every template of the image's own comfyui-workflow-templates, as the server hands it to the editor."""
    names = [name for name in comfyui.python(LIST_TEMPLATES).splitlines() if not name.startswith("index")]
    return {name: comfyui.get(f"/templates/{name}.json") for name in names}


@pytest.fixture(scope="package")
def page(comfyui: ComfyUI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium: scripts/setup.sh story")
    with browsing(program, tmp_path_factory.mktemp("chromium") / "profile") as page:
        page.open(comfyui.url)
        page.wait_for(READY, 120)
        yield page
