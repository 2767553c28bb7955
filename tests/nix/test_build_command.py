"""`pycomfy build`, with real Nix and without an engine: what it says of libraries and of steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.core.lockfile.schema import Lock, Pack, Root, Step, render_lock
from tests.nix.test_image import names_in
from tests.support.elf_files import make_elf
from tests.support.nix_projects import WORKFLOW, Workshop


def build(workshop: Workshop, lock: Lock, *options: str) -> "subprocess.CompletedProcess[str]":
    """Build the lock in a folder with its workflow."""
    folder = workshop.folder / "card"
    folder.mkdir(exist_ok=True)
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    (folder / "pycomfy.toml").write_text('apt = ["ffmpeg"]\n')
    arguments = ("build", str(folder), "--locked", "--no-prove", "--no-archive", *options)
    command = [sys.executable, "-m", "pycomfy", *arguments]
    env = {**os.environ, "PYCOMFY_HOME": str(workshop.folder / "home"), "COLUMNS": "300"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def pack_with(workshop: Workshop, script: str, *steps: tuple[str, ...]) -> Pack:
    """A pack beside the folder with the lock."""
    plain = workshop.pack("stepped", {"__init__.py": "", "install.py": script})
    source = plain.source.model_copy(update={"path": "../stepped"})
    return Pack(name="stepped", source=source, steps=tuple(Step(run=step) for step in steps))


@pytest.fixture
def gui(workshop: Workshop, root: Root) -> Lock:
    wheel = workshop.wheel("gui", {"gui.abi3.so": make_elf(["libc.so.6", "libXss.so.1"], module="gui")})
    return workshop.lock({"linux/amd64": root}, [wheel], [])


def test_a_missing_library_is_a_note_and_in_the_json_and_the_image_is_built(workshop: Workshop, gui: Lock) -> None:
    done = build(workshop, gui, "--json")
    assert done.returncode == 0, done.stderr
    (missing,) = json.loads(done.stdout)["missing_libraries"]
    assert (missing["owner"], missing["soname"], missing["package"]) == ("gui 1.0", "libXss.so.1", "libxss1")
    assert missing["line"] == 'apt = ["ffmpeg", "libxss1"]'
    told = " ".join(done.stderr.split())
    assert "note: gui 1.0 needs libXss.so.1" in told
    assert 'write at the top of pycomfy.toml, and lock again: apt = ["ffmpeg", "libxss1"]' in told


def test_a_step_runs_in_a_build_and_one_that_fails_shows_its_log(workshop: Workshop, root: Root) -> None:
    script = "import sys\nopen('made.txt', 'w').write('made')\nprint('I was here')\nsys.exit(int(sys.argv[1]))\n"
    works = pack_with(workshop, script, ("python", "install.py", "0"))
    lock = workshop.lock({"linux/amd64": root}, [], [works])
    done = build(workshop, lock, "--json")
    assert done.returncode == 0, done.stderr
    members = names_in(Path(json.loads(done.stdout)["oci"]), "pack-stepped")
    assert "opt/ComfyUI/custom_nodes/stepped/made.txt" in members
    fails = Pack(name="stepped", source=works.source, steps=(Step(run=("python", "install.py", "7")),))
    done = build(workshop, lock.model_copy(update={"packs": (fails,)}))
    assert done.returncode == 1
    assert "node pack stepped: the step `python install.py 7` ended with status 7" in done.stderr
    assert "I was here" in done.stderr
