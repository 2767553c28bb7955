from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings, check_store
from pycomfy.adapters.nix.store import fixed_path
from pycomfy.core.lockfile.schema import Pack
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.errors import PycomfyError
from pycomfy.services.build.pack_requirements import read_pack_requirements
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import TREE, make_lock


def test_node_packs_say_what_they_ask_of_python(tmp_path: Path) -> None:
    settings = NixSettings(store=tmp_path)
    try:
        check_store(settings)
    except PycomfyError as e:
        pytest.skip(f"no Nix here: {e.what}")
    hashes = {name: f"sha256-{letter * 43}=" for name, letter in (("good", "A"), ("bad", "B"), ("link", "C"))}
    packs = [Pack(name=n, source=GitSource(url="https://x.test/p", commit="a" * 40, tree=t)) for n, t in hashes.items()]
    packs.append(Pack(name="gone", source=GitSource(url="https://x.test/p", commit="a" * 40, tree=TREE)))
    packs.append(Pack(name="file", source=UrlSource(url="https://x.test/f.py", sha256="a" * 64, name="f.py")))
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    for name, tree in hashes.items():
        folder = tmp_path / fixed_path(settings, name, tree).lstrip("/")
        folder.mkdir(parents=True)
        if name == "link":
            (folder / "requirements.txt").symlink_to(secret)
        else:
            (folder / "requirements.txt").write_text({"good": "segno>=1.6\npillow\n", "bad": "-e evil\n"}[name])
    lock = make_lock("hello", b"").model_copy(update={"packs": tuple(packs)})
    assert read_pack_requirements(Workspace(Paths(tmp_path, tmp_path), settings), lock) == {
        "good": ("segno>=1.6", "pillow"),
        "link": (),
    }
