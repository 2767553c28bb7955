"""ComfyUI-Manager and comfy-cli themselves read what we export, and we import what they write.

They are installed from the Python index, at the versions and hashes here. github.com is a folder; the ComfyUI that they
work on is no more than what the Manager imports of one.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from uv import find_uv_bin

from pycomfy.core.lockfile.schema import ComfyUI, ModelFile, Pack, UrlModel, render_lock
from pycomfy.core.sources.git import GitSource
from tests.support.cli_projects import Place
from tests.support.repositories import commit
from tests.support.service_projects import TREE, make_lock
from tests.support.waiting import HANG

TOOLS = """
comfyui-manager==4.3 \
 --hash=sha256:1ad7f30d8058e2c0eb1d6a8e92d9fb2ce76c935ec16507f998645ea0cdf29555 \
 --hash=sha256:521f76f564edebbf494396c30f9802c33f88189aebbf832119076b74ba8c6d8b
comfy-cli==1.23.0 \
 --hash=sha256:3cd4bf80dd93b759e910fa825951c154781b8b95e526da59155ab96656483b31 \
 --hash=sha256:7bfd3babd5c93e59e7762a17a522657610c8e89055eef8e09d04c6890daf2ab6
"""
NEEDED = (
    "aiohttp blake3 certifi chardet charset-normalizer gitpython httpx huggingface-hub nh3 packaging pathspec pip"
    " psutil pygithub pyyaml questionary requests rich semver toml tomlkit typer typing-extensions"
)
COMFYUI = {
    "main.py": "",
    "nodes.py": "",
    "utils/__init__.py": "",
    "utils/extra_config.py": "def load_extra_path_config(path): pass\n",
    "comfy/__init__.py": "",
    "comfy/cli_args.py": "class Args:\n    def __getattr__(self, name): return None\nargs = Args()\n",
    "folder_paths.py": """
import os
base_path = os.path.dirname(os.path.realpath(__file__))
def get_folder_paths(name): return [os.path.join(base_path, name)]
def get_user_directory(): return os.path.join(base_path, "user")
def set_user_directory(folder): pass
def get_system_user_directory(name): return os.path.join(base_path, "user", "__" + name)
""",
}
VALIDATE = """
import json, sys
from comfy_cli.command.build_paths import InstallOverrides, resolve_build_paths
from comfy_cli.command.build_spec import read_build_spec
from comfy_cli.command.build_validation import validate_local_build_spec
paths = resolve_build_paths(sys.argv[1], overrides=InstallOverrides.from_options(None, None))
print(json.dumps(validate_local_build_spec(read_build_spec(paths.spec_file), paths)))
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that has them."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "tools.txt").write_text(TOOLS)
    python = folder / "venv" / "bin" / "python"
    uv = find_uv_bin()
    install = [uv, "pip", "install", "--quiet", f"--python={python}", "--only-binary=:all:"]
    steps = [
        [uv, "venv", "--quiet", f"--python={sys.executable}", str(folder / "venv")],
        [*install, "--no-deps", "-r", str(folder / "tools.txt")],
        [*install, "--exclude-newer=2026-11-20", *NEEDED.split()],
    ]
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, timeout=HANG)
        except (subprocess.SubprocessError, OSError) as e:
            pytest.skip(f"the tools cannot be installed from the Python index here: {e}")
    return python.parent


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    """What stands for github.com: a node pack with two commits."""
    for text in ("NODE_CLASS_MAPPINGS = {}\n", "NODE_CLASS_MAPPINGS = {}  # 2\n"):
        commit(tmp_path / "forge" / "ann" / "card", {"__init__.py": text})
    return tmp_path / "forge"


@pytest.fixture
def place(tmp_path: Path, forge: Path) -> Place:
    """A lock of that pack, without a Debian archive or an index: nothing is resolved here."""
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), "DO_NOT_TRACK": "1"}
    env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{forge}/.insteadOf"}
    place = Place.new(tmp_path / "place", env | {"GIT_CONFIG_VALUE_0": "https://github.com/"})
    core = commit(tmp_path / "ComfyUI", COMFYUI)
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir()
    card = commit(forge / "ann" / "card", {"__init__.py": "NODE_CLASS_MAPPINGS = {}  # 3\n"})
    workflow = json.dumps({"1": {"class_type": "A", "inputs": {}}}).encode()
    lock = make_lock("portrait", workflow).model_copy(
        update={
            "comfyui": ComfyUI(
                version="0.3.75",
                source=GitSource(url="https://github.com/comfyanonymous/ComfyUI", commit=core, tree=TREE),
            ),
            "packs": (Pack(name="card", source=GitSource(url="https://github.com/ann/card", commit=card, tree=TREE)),),
            "models": (
                ModelFile(
                    folder="loras",
                    name="sub/x.safetensors",
                    sha256="5" * 64,
                    sources=(UrlModel(url="https://x.test/x.safetensors"),),
                ),
            ),
        }
    )
    place.write("portrait/pycomfy.lock", render_lock(lock))
    place.write("portrait/workflow.json", workflow)
    return place


def manager(tools: Path, place: Place, tmp_path: Path, *arguments: str) -> str:
    env = {**place.env, "PATH": f"{tools}:/usr/bin:/bin", "COMFYUI_PATH": str(tmp_path / "ComfyUI")}
    return run([str(tools / "cm-cli"), *arguments], place.work, env)


def run(command: list[str], folder: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_manager_restores_what_we_export_and_we_import_what_it_saves(
    tools: Path, place: Place, tmp_path: Path, suffix: str
) -> None:
    file = f"snapshot.{suffix}"
    assert place.run("export", "portrait/", "--format", "manager-snapshot", "-o", file).status == 0
    told = manager(tools, place, tmp_path, "restore-snapshot", file)
    assert "[ INSTALLED ] card" in told
    manager(tools, place, tmp_path, "save-snapshot", "--output", str(place.work / f"saved.{suffix}"))
    done = place.run("import", f"saved.{suffix}", "--json")
    assert done.status == 0, done.err
    assert done.json() | {"packages": 0} == {
        "schema_version": 1,
        "folder": "saved",
        "format": "manager-snapshot",
        "workflow": False,
        "packs": 1,
        "packages": 0,
        "models": 0,
        "inputs": 0,
        "files": [],
        "notes": [],
    }
    ours = place.run("import", file, "--to", "ours")
    assert ours.status == 0
    sections = [
        (place.work / folder / "pycomfy.toml").read_text().partition("[comfyui]")[2] for folder in ("ours", "saved")
    ]
    assert sections[0] == sections[1] and "[packs.card]" in sections[0]


def test_comfy_cli_finds_no_fault_in_what_we_export(tools: Path, place: Place) -> None:
    assert place.run("export", "portrait/", "--format", "comfy-cli", "-o", "comfy-build.json").status == 0
    told = run([str(tools / "python"), "-c", VALIDATE, "comfy-build.json"], place.work, place.env)
    definition = json.loads(told.strip().splitlines()[-1])
    assert definition["customNodes"][0]["repository"] == "https://github.com/ann/card"
    assert definition["models"][0] == {
        "type": "loras/sub",
        "filename": "x.safetensors",
        "sha256": "5" * 64,
        "sourceUri": "https://x.test/x.safetensors",
    }
