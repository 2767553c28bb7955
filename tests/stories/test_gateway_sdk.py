"""The official SDK before an image's gateway, and before comfy-api-proxy with the same image's bare ComfyUI."""

import json
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.relay import bind_port
from tests.stories.conftest import ROOT
from tests.stories.gateway import sdk
from tests.stories.gateway.container import bare_comfyui, run_client, serving

pytestmark = pytest.mark.story

SCRIPT = Path(sdk.__file__).with_name("sdk_path.py")
TABLE = ROOT / "docs/reference/comfy-api.md"
IMAGE, TEXT = (
    {"type": "image", "content_type": "image/png", "sized": True},
    {"type": "text", "content_type": "text/plain", "sized": True},
)


@pytest.fixture(scope="module")
def ours(
    engine: Engine, hello_image: StartableImage, sdk_programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = tmp_path_factory.mktemp("ours")
    with serving(engine, hello_image, folder) as container, container.on_port() as address:
        return run_client(sdk_programs / "python", SCRIPT, address)


def test_the_sdk_gets_what_the_contract_says(ours: dict[str, Any]) -> None:
    expected = json.loads(Path(sdk.__file__).with_name("sdk_path.json").read_text())
    assert {name: ours.get(name) for name in expected} == expected
    assert not set(ours) - set(expected)


def test_the_table_of_differences_to_the_proxy_is_true(
    engine: Engine, hello_image: StartableImage, sdk_programs: Path, ours: dict[str, Any], tmp_path: Path
) -> None:
    """Each line names a step of the path. What differs now and then only, as with events that the proxy misses, is no
    difference of the contract: it is one that stays when the path is walked again."""
    listed = {line.split("|")[1].strip() for line in TABLE.read_text().splitlines() if line.startswith("| ")}
    differences = set(ours)
    with bind_port(0) as listener:
        port = int(listener.getsockname()[1])
    with (
        bare_comfyui(engine, hello_image, tmp_path) as comfyui,
        sdk.proxy(sdk_programs, comfyui, port, tmp_path) as address,
    ):
        for _ in range(3):
            theirs = run_client(sdk_programs / "python", SCRIPT, address)
            differences &= {name for name in ours if ours[name] != theirs.get(name)}
            if differences <= listed:
                return
    assert differences <= listed, differences - listed
