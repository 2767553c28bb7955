"""The promise, for real: old versions run again after everything that they came from is gone, without a network.

Gone are: this machine's Nix store (an empty one is mounted in its place), the node pack's repository, the projects,
every cache, the images in the engine, and the network; and in the end the database, too.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.services.project import host_platform
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workspace import Workspace
from tests.stories.conftest import ROOT, Demo, picture

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces and mount a folder over /nix"),
]

NEEDS = 26e9  # bytes of disk: the archive, an empty store's sources and layers, and the images in the engine
MAX_RATIO = 1.6  # bytes on the disk, for each byte of the image
INKS = ('fill="white", spacing', 'fill="#ffe08a", spacing')  # in the node pack
TITLES = ("Hello from a pinned image", "Hello from another branch")  # in the workflow

_CUT_OFF = 'mount --bind "$0" /nix && exec "$@"'


@dataclass(frozen=True)
class Past:
    """A version as it was when it was built: what `build` said, and what it painted."""

    build: dict[str, Any]
    picture: bytes

    @property
    def label(self) -> str:
        return f"{self.build['name']}@{self.build['version']}"


@dataclass(frozen=True)
class Kept:
    """Three versions, of which the last is on a branch of its own. Nothing that they came from is there."""

    demo: Demo
    versions: tuple[Past, ...]

    def cut_off(self, store: Path, *arguments: str) -> Any:
        """The JSON of a command that has no network, and for a Nix store the folder `store`."""
        command = [str(ROOT / ".venv/bin/pycomfy"), *arguments, "--json"]
        (store / "nix").mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", _CUT_OFF, store / "nix", *command],
            env=self.demo.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def forget_images(self) -> None:
        """Take them from the engine. Layers that other images share stay in it, and are of no use to anybody else."""
        for version in self.versions:
            engine_id = version.build["config_digest"].removeprefix("sha256:")
            subprocess.run(["podman", "rmi", "--force", engine_id], check=False, capture_output=True)

    def check_that_they_come_back(self, versions: Sequence[Past], store: Path, out: Path) -> None:
        for version in versions:
            restored = self.cut_off(store, "restore", version.label, "--offline")
            assert (restored["manifest_digest"], restored["same"]) == (version.build["manifest_digest"], True)
            run = self.cut_off(store, "run", version.label, "--output", str(out))
            assert picture(run).read_bytes() == version.picture


@pytest.fixture(scope="module")
def kept(demo: Demo, made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Only small layers are built: the demo's image has the large ones."""
    place = tmp_path_factory.mktemp("kept")
    if (free := shutil.disk_usage(place).free) < NEEDS:
        pytest.skip(f"{free / 1e9:.0f} GB free, the story needs {NEEDS / 1e9:.0f}")
    folder, source = place / "hello", place / "hello-card"
    shutil.copytree(ROOT / "examples/packs/hello-card", source)
    folder.mkdir()
    for name in ("workflow.json", "pycomfy.toml"):
        shutil.copy(demo.folder / name, folder)

    def build(name: str) -> Past:
        demo.pycomfy("lock", str(folder), "--name", name)
        built = demo.pycomfy("build", str(folder))
        run = demo.pycomfy("run", name, "--output", str(place / "out"))
        assert built["new"] and built["archived"]
        return Past(built, picture(run).read_bytes())

    def change(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def make_pack() -> None:
        subprocess.run([ROOT / "scripts/make-pack.sh", source, folder / "packs/hello-card"], check=True)

    make_pack()
    versions = [build("kept")]
    change(source / "card.py", *INKS)
    make_pack()
    versions.append(build("kept"))
    demo.pycomfy("branch", "elsewhere", "kept@2")
    change(folder / "workflow.json", *TITLES)
    versions.append(build("elsewhere"))
    found = Kept(demo, tuple(versions))
    for path in (folder, source, Path(demo.environment["HOME"], ".cache")):
        shutil.rmtree(path)
    found.forget_images()
    yield found
    found.forget_images()


@contextlib.contextmanager
def empty_store(factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = factory.mktemp("store")
    yield folder
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def store(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty one for the first restore; the second finds what that one made."""
    with empty_store(tmp_path_factory) as folder:
        yield folder


@pytest.fixture
def other_store(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty one."""
    with empty_store(tmp_path_factory) as folder:
        yield folder


def test_they_are_three_versions_on_two_branches(kept: Kept) -> None:
    assert [version.label for version in kept.versions] == ["kept@1", "kept@2", "elsewhere@3"]
    assert len({version.build["manifest_digest"] for version in kept.versions}) == 3
    assert len({version.picture for version in kept.versions}) == 3
    found = kept.demo.pycomfy("diff", "kept@2", "elsewhere")
    assert TITLES[1] in json.dumps(found)


def test_everything_is_in_the_archive(kept: Kept) -> None:
    status = kept.demo.pycomfy("archive", "status")
    assert status["missing"] == [] and status["needed"] == status["present"] > 80
    checked = kept.demo.pycomfy("archive", "verify")
    assert checked["damage"] == [] and checked["paths"] >= status["needed"]


def test_the_disk_has_the_images_once_and_their_sources_once(kept: Kept) -> None:
    """Three versions of one environment: their layers in the Nix store, and what these are made of in the archive."""
    usage = kept.demo.pycomfy("disk")
    (layers,) = [w["size"] for w in usage["workflows"] if (w["name"], w["images"]) == ("elsewhere", 3)]
    (twice,) = [use["size"] for use in usage["uses"] if use["title"] == "sources that the archive has, too"] or [0]
    # The same archive has the sources of other stories' versions.
    home = Path(kept.demo.environment["HOME"])
    workspace = Workspace(Paths(home / ".local/share/pycomfy", home / ".cache/pycomfy"))
    locks = [find_recorded_version(workspace, version.label).lock for version in kept.versions]
    needed = {r.path: r for lock in locks for r in list_requisites(lock, {host_platform()})}
    archived = sum(workspace.archive.size_of(r.output) for r in needed.values() if workspace.archive.has(r.output))
    assert archived > 4e9
    ratio = (layers + twice + archived) / kept.versions[-1].build["size"]
    print(f"{ratio:.2f} times the image: {layers} bytes of layers, {twice} of sources twice, {archived} in the archive")
    assert ratio <= MAX_RATIO


def test_an_old_version_runs_without_nix_and_containers(kept: Kept, other_store: Path, tmp_path: Path) -> None:
    """From the archive alone: Nix finds an empty store."""
    folder = tmp_path / "ComfyUI"
    plain = kept.cut_off(other_store, "restore", "kept@1", "--offline", "--to", str(folder))
    assert plain["packs"] == ["hello-card"] and plain["packages"] > 70
    assert (folder / "user/default/workflows/kept.json").is_file()
    started = subprocess.run(
        ["unshare", "--net", folder / ".venv/bin/python", "main.py", "--cpu", "--quick-test-for-ci"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert started.returncode == 0, started.stderr
    assert "hello-card" in started.stderr and "IMPORT FAILED" not in started.stderr
    shutil.rmtree(folder)


def test_old_versions_come_back_and_paint_the_same_pictures(kept: Kept, store: Path, tmp_path: Path) -> None:
    kept.check_that_they_come_back(kept.versions, store, tmp_path / "out")


def test_after_the_database_is_lost_too_they_come_back_again(kept: Kept, store: Path, tmp_path: Path) -> None:
    kept.forget_images()
    before = kept.demo.pycomfy("log")
    database = Path(kept.demo.environment["HOME"], ".local/share/pycomfy/pycomfy.db")
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    told = kept.cut_off(store, "reindex")
    assert told["versions"] == len(before) and database.is_file()
    assert kept.cut_off(store, "log") == before
    kept.check_that_they_come_back(kept.versions[-1:], store, tmp_path / "out")  # of all, the record says the same
