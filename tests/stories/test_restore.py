"""The promise, for real: old versions run again after everything that they came from is gone, without a network.

Gone are: this machine's Nix store (an empty one is mounted in its place), the node pack's repository, every cache, the
images in the engine, and the network.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.stories.conftest import ROOT, Demo
from tests.stories.test_main_job import picture

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces and mount a folder over /nix"),
]

NEEDS = 26e9  # bytes of disk: the archive, an empty store's sources and layers, and the images in the engine

_CUT_OFF = 'mount --bind "$0" /nix && exec "$@"'


@dataclass(frozen=True)
class Kept:
    """Two versions of one workflow, with what their images were and what they painted."""

    demo: Demo
    builds: tuple[dict[str, Any], dict[str, Any]]
    pictures: tuple[bytes, bytes]

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


@pytest.fixture(scope="module")
def kept(demo: Demo, made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Kept:
    place = tmp_path_factory.mktemp("kept")
    if (free := shutil.disk_usage(place).free) < NEEDS:
        pytest.skip(f"{free / 1e9:.0f} GB free, the story needs {NEEDS / 1e9:.0f}")
    folder, source = place / "hello", place / "hello-card"
    shutil.copytree(ROOT / "examples/packs/hello-card", source)
    folder.mkdir()
    for name in ("workflow.json", "pycomfy.toml"):
        shutil.copy(demo.folder / name, folder)
    builds, pictures = [], []
    for number in (1, 2):
        with (source / "card.py").open("a") as f:
            f.write(f"\n# state {number}\n")
        subprocess.run([ROOT / "scripts/make-pack.sh", source, folder / "packs/hello-card"], check=True)
        demo.pycomfy("lock", str(folder), "--name", "kept")
        builds.append(demo.pycomfy("build", str(folder)))
        run = demo.pycomfy("run", f"kept@{number}", "--output", str(place / "out"))
        pictures.append(picture(run).read_bytes())
    assert all(build["archived"] for build in builds)
    for path in (folder, source, Path(demo.environment["HOME"], ".cache")):
        shutil.rmtree(path)
    return Kept(demo, (builds[0], builds[1]), (pictures[0], pictures[1]))


@pytest.fixture(scope="module")
def store(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("store")
    yield folder
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def test_everything_is_in_the_archive(kept: Kept) -> None:
    status = kept.demo.pycomfy("archive", "status")
    assert status["missing"] == [] and status["needed"] == status["present"] > 80
    checked = kept.demo.pycomfy("archive", "verify")
    assert checked["damage"] == [] and checked["paths"] >= status["needed"]


def test_old_versions_come_back_and_paint_the_same_pictures(kept: Kept, store: Path, tmp_path: Path) -> None:
    assert kept.builds[0]["manifest_digest"] != kept.builds[1]["manifest_digest"]
    for build in kept.builds:
        engine_id = build["config_digest"].removeprefix("sha256:")
        subprocess.run(["podman", "rmi", "--force", engine_id], check=False, capture_output=True)
    for number, build, before in zip((1, 2), kept.builds, kept.pictures, strict=True):
        restored = kept.cut_off(store, "restore", f"kept@{number}", "--offline")
        assert (restored["manifest_digest"], restored["same"]) == (build["manifest_digest"], True)
        run = kept.cut_off(store, "run", f"kept@{number}", "--output", str(tmp_path / "out"))
        assert picture(run).read_bytes() == before


def test_an_old_version_runs_without_nix_and_containers(kept: Kept, tmp_path: Path) -> None:
    """From the archive alone: Nix finds an empty store."""
    (tmp_path / "none").mkdir()
    folder = tmp_path / "ComfyUI"
    plain = kept.cut_off(tmp_path / "none", "restore", "kept@1", "--offline", "--to", str(folder))
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
