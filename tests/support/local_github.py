"""A machine for the command line whose github.com is a folder with a small ComfyUI and a node pack in it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tests.support.cli_projects import CARD, COMFYUI, Place
from tests.support.repositories import commit

COMFYUI_URL, CARD_URL = "https://github.com/comfyanonymous/ComfyUI", "https://github.com/ann/card"
PROMPT = {"1": {"class_type": "HelloCard", "inputs": {"text": "hi"}}, "2": {"class_type": "SaveImage", "inputs": {}}}
"""A workflow in API format that needs the pack."""


@dataclasses.dataclass(frozen=True)
class LocalGitHub(Place):
    """`comfyui` and `card` are commits; the pack's is not its newest."""

    comfyui: str = ""
    card: str = ""

    @property
    def comfyui_folder(self) -> Path:
        """ComfyUI's repository."""
        return _folder(self.root) / "comfyanonymous" / "ComfyUI"


def make_local_github(root: Path, env: Mapping[str, str]) -> LocalGitHub:
    """An empty place in `root`, with these variables."""
    folder = _folder(root)
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{folder}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    place = LocalGitHub.new(root, {**env, **redirect})
    place = dataclasses.replace(
        place,
        comfyui=commit(folder / "comfyanonymous" / "ComfyUI", COMFYUI, date="2025-05-01T00:00:00Z"),
        card=commit(folder / "ann" / "card", {"__init__.py": CARD}, date="2025-05-01T00:00:00Z"),
    )
    commit(folder / "ann" / "card", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"}, date="2025-05-02T00:00:00Z")
    return place


def _folder(root: Path) -> Path:
    return root / "github"
