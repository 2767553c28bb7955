"""The builders' own bytecode, which is made once: every builder starts without compiling anything but its script."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import fixed_path
from pycomfy.core.lockfile.schema import Root

SCRIPTS = [
    "layer.py",
    "oci.py",
    "build_wheel.py",
    "copy_wheel.py",
    "run_steps.py",
    "image_tar.py",
    "layout.py",
    "git_tree.py",
]


def instantiate(settings: NixSettings, root: Root, script: str) -> Path:
    """The derivation that runs a builder."""
    place = fixed_path(settings, "debian-root-amd64", root.tree)
    expression = (
        f'(import {nix_folder()}/python.nix {{ root = builtins.storePath "{place}"; platform = "linux/amd64"; '
        f'python = "3.11"; }}).runPython {{ name = "x"; script = "{script}"; spec = {{ }}; }}'
    )
    done = settings.run("nix-instantiate", "--expr", expression)
    assert done.returncode == 0, done.stderr.decode()
    return Path(done.stdout.decode().strip())


def make_bytecode(settings: NixSettings, derivation: Path, *options: str) -> Path:
    """The bytecode that a derivation's builder looks for."""
    inputs = settings.run("nix-store", "--query", "--references", derivation).stdout.decode().split()
    (one,) = [path for path in inputs if path.endswith("-builders-bytecode.drv")]
    done = settings.run("nix-store", "--realise", one, *options)
    assert done.returncode == 0, done.stderr.decode()
    return Path(done.stdout.decode().strip())


def command_of(settings: NixSettings, derivation: Path) -> list[str]:
    """What the derivation starts."""
    reply = settings.run("nix-store", "--query", "--binding", "builder", derivation).stdout.decode().strip()
    text = derivation.read_text()
    arguments = re.search(r'",\[("--library-path".*?)\],\[\("', text)
    assert arguments is not None
    return [reply, *json.loads(f"[{arguments[1]}]")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_builder_compiles_no_module_when_it_starts(settings: NixSettings, root: Root, script: str) -> None:
    derivation = instantiate(settings, root, script)
    make_bytecode(settings, derivation)
    command = command_of(settings, derivation)
    at = command.index("-B")
    # Without a specification it ends when all is imported, and -v tells where each module came from.
    done = subprocess.run([*command[:at], "-v", *command[at:]], check=False, capture_output=True, text=True, env={})
    assert "specPath" in done.stderr
    code = re.findall(r"# code object from '?([^'\n]+?)'?$", done.stderr, re.MULTILINE)
    assert len(code) > 10
    assert not [path for path in code if not path.endswith(".pyc")]


def test_it_is_the_same_each_time(settings: NixSettings, root: Root) -> None:
    derivation = instantiate(settings, root, "layer.py")
    make_bytecode(settings, derivation)
    make_bytecode(settings, derivation, "--check")
