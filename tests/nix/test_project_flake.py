"""The flake of an emitted project: everything offline, without nixpkgs, on every Nix from 2.8."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import find_loaded, image_tag, write_archive
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root
from tests.nix.test_image import small_lock
from tests.support.engines import engine_or_skip
from tests.support.nix_projects import Workshop, built
from tests.support.other_nix import Nix, own_nix

FEATURES = ("--extra-experimental-features", "nix-command flakes")
DEAD = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9") | {"no_proxy": "127.0.0.1"}
"""Proxies that refuse every connection: whoever needs the network fails. What a test serves can be had."""


@pytest.fixture
def project(workshop: Workshop, root: Root) -> Path:
    return workshop.project(small_lock(workshop, root), "a pröject")


def call(nix: Nix, settings: NixSettings, folder: Path, *arguments: str) -> str:
    """What `nix` prints, called in `folder`, without a network and with an empty cache."""
    environment = {**os.environ, **DEAD, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    command = nix.command("nix", *settings.options(), *FEATURES, *arguments)
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_show_and_check_need_nothing_but_the_project(nix: Nix, empty: NixSettings, project: Path) -> None:
    shown = json.loads(call(nix, empty, project, "flake", "show", "--json"))
    shown = shown.get("inventory", shown)  # a later Nix's
    assert shown["packages"]["x86_64-linux"].keys() == {"default", "oci", "oci-amd64"}
    assert "aarch64-linux" not in shown["packages"], "that platform is not locked"
    call(nix, empty, project, "flake", "check")
    names = {path.name[33:] for path in empty.local_path("/nix/store").iterdir() if not path.name.startswith(".")}
    assert not any(name.endswith(("nixpkgs", "debian-root-amd64")) for name in names), "nothing was fetched, nor built"
    assert (project / "flake.lock").read_bytes() == Path("templates/project/flake.lock").read_bytes()


def test_the_default_is_the_image_that_pycomfy_builds(
    nix: Nix, workshop: Workshop, root_store: NixSettings, root: Root
) -> None:
    there = workshop.with_settings(root_store)
    project = there.project(small_lock(there, root), "a pröject")
    call(nix, root_store, project, "build", "--out-link", "made")
    made = (project / "made").readlink()
    assert made == built(there, project, attribute="oci")
    assert read_layout(root_store.local_path(str(made))).layer_names[-1] == "workflow"


SCRIPTS = [str(nix_folder() / file) for file in ("programs/image.py", "builders/image_tar.py")]


def program(settings: NixSettings, project: Path, name: str) -> list[str]:
    """The command that `nix run .#NAME` is."""
    return [*own_nix().command("nix", *settings.options(), *FEATURES, "run", f".#{name}", "--")]


def test_load_puts_the_image_into_the_engine_with_its_own_id(settings: NixSettings, project: Path) -> None:
    engine = engine_or_skip()
    command = program(settings, project, "load")
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    call(own_nix(), settings, project, "build", "--out-link", "made")
    image = read_layout(project / "made")
    try:
        tag, identity = done.stdout.split()
        assert tag == image_tag("small") and identity in image.config_digest
        assert find_loaded(engine, image) == identity
        again = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
        assert again.stdout == done.stdout and "Loading" in done.stderr and "Loading" not in again.stderr
        ran = subprocess.run(
            [
                *program(settings, project, "run"),
                "--port=0",
                "--data=small-flake-test",
                "--gpus=none",
                "--",
                "object-info",
            ],
            cwd=project,
            check=False,
            capture_output=True,
            text=True,
        )
        assert json.loads(ran.stdout)["error"], ran.stderr  # its ComfyUI is none
    finally:
        subprocess.run(engine.command("volume", "rm", "--force", "small-flake-test"), check=False, capture_output=True)
        subprocess.run(engine.command("rmi", "--force", image.config_digest.removeprefix("sha256:")), check=False)


def test_what_docker_gets_is_what_pycomfy_gives_it(workshop: Workshop, project: Path) -> None:
    """With a `docker` that keeps its input: the same bytes as pycomfy's own, which tests with real engines load."""
    layout = built(workshop, project)
    image = read_layout(layout)
    folder = workshop.folder / "bin"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\ncase $1 in load) cat >$KEPT;; image) test -e $KEPT;; esac\n")
    (folder / "docker").chmod(0o755)
    kept = workshop.folder / "kept.tar"
    command = [sys.executable, "-I", *SCRIPTS, str(layout), "small", "load"]
    environment = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin", "KEPT": str(kept)}
    done = subprocess.run([*command, "--engine", "docker"], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [image_tag("small"), image.config_digest]
    expected = io.BytesIO()
    write_archive(image, image_tag("small"), expected)
    assert kept.read_bytes() == expected.getvalue()


def test_without_an_engine_it_says_so(workshop: Workshop, project: Path) -> None:
    layout = built(workshop, project)
    command = [sys.executable, "-I", *SCRIPTS, str(layout), "small", "load"]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: neither podman nor docker is on PATH\n")


def test_a_lock_for_two_platforms_has_both_on_each_machine(
    nix: Nix, workshop: Workshop, root: Root, arm_root: Root, empty: NixSettings
) -> None:
    project = workshop.project(small_lock(workshop, root, arm=arm_root))
    shown = json.loads(
        call(nix, empty, project, "flake", "show", "--json", *([] if nix.tree is None else ["--all-systems"]))
    )
    shown = shown.get("inventory", shown)
    for system in ("x86_64-linux", "aarch64-linux"):
        assert shown["packages"][system].keys() == {"default", "oci", "oci-amd64", "oci-arm64"}
        assert shown["apps"][system].keys() == {"default", "load", "run"}


def test_what_a_build_leaves_is_ignored_by_git(project: Path) -> None:
    names = ["result", "result-1", "debian-root-amd64", "debian-compilers-arm64"]
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    done = subprocess.run(["git", "check-ignore", *names], cwd=project, check=True, capture_output=True, text=True)
    assert done.stdout.split() == names
    own = subprocess.run(["git", "check-ignore", "flake.nix", "nix/oci.nix"], cwd=project, check=False)
    assert own.returncode == 1, "the project itself is not"
