"""The binary caches of the user's nix.conf: asked for what can be had there, except where that would prove nothing."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root
from pycomfy.errors import PycomfyError
from pycomfy.services.project import Project
from pycomfy.services.realise import realise
from pycomfy.services.workspace import Workspace
from tests.support.nix_projects import Workshop, bucket_of, built, requisites


def test_a_teams_cache_stands_in_for_servers_that_are_gone(
    workshop: Workshop, root_store: NixSettings, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of its own: where a build in another store fails, Nix 2.8 moves what there is of its files into the machine's
    # store, over those of the same path, which other tests have.
    mark = str(tmp_path).encode()
    greeter = workshop.pack("greeter", {"__init__.py": ""})
    lock = workshop.lock({"linux/amd64": root}, [workshop.wheel("one", {"one.py": mark})], [greeter], {"mark": mark})
    project = workshop.project(lock)
    expected = built(workshop, project)
    ours = f"file://{tmp_path}/team?compression=none"
    paths = requisites(workshop.settings, str(expected))
    paths += _sources(workshop, project)
    copy = ("--extra-experimental-features", "nix-command", "copy", "--no-check-sigs", "--to", ours)
    subprocess.run(workshop.settings.command("nix", *copy, *paths), check=True, capture_output=True)
    for wheel in workshop.folder.glob("*.whl"):
        wheel.unlink()

    here = Project(project, lock, "linux/amd64", workshop.folder)
    work = Workspace(Paths(tmp_path / "home", tmp_path / "cache"), root_store)
    with pytest.raises(PycomfyError):
        realise(work, here, log=tmp_path / "log")
    monkeypatch.setenv("NIX_CONFIG", f"substituters = https://cache.nixos.org/ {ours}\nrequire-sigs = false")
    with pytest.raises(PycomfyError, match=r"offline|network|fetch"):
        realise(work, dataclasses.replace(here, offline=True), log=tmp_path / "log")
    again = realise(work, here, log=tmp_path / "log", rebuild=True)
    assert again.oci == expected
    assert {bucket_of("one"), "comfyui", "pack-greeter"} <= again.built, "no layer did"


def _sources(workshop: Workshop, project: Path) -> list[str]:
    command = workshop.settings.command("nix-build", project, "-A", "sources", "--no-out-link")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
