"""`pycomfy build`, with real Nix and without an engine: what it says of shared libraries and of steps."""

import os
from pathlib import Path

import pytest

from pycomfy.core.lockfile.schema import Lock, Pack, Root, Step, render_lock
from tests.support.command_line import Outcome, call
from tests.support.elf_files import make_elf
from tests.support.nix_projects import WORKFLOW, Workshop, names_in


def build(workshop: Workshop, lock: Lock, *options: str) -> Outcome:
    """Build the lock in a folder with its workflow."""
    folder = workshop.folder / "card"
    folder.mkdir(exist_ok=True)
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    (folder / "pycomfy.toml").write_text('apt = ["ffmpeg"]\n')
    arguments = ("build", folder, "--locked", "--no-prove", "--no-archive", *options)
    env = {**os.environ, "PYCOMFY_HOME": str(workshop.folder / "home"), "COLUMNS": "300"}
    return call(*arguments, cwd=workshop.folder, env=env)


def pack_with(workshop: Workshop, script: str, *steps: tuple[str, ...]) -> Pack:
    """A pack beside the folder with the lock."""
    plain = workshop.pack("stepped", {"__init__.py": "", "install.py": script})
    source = plain.source.model_copy(update={"path": "../stepped"})
    return Pack(name="stepped", source=source, steps=tuple(Step(run=step) for step in steps))


@pytest.fixture
def gui(workshop: Workshop, root: Root) -> Lock:
    wheel = workshop.wheel("gui", {"gui.abi3.so": make_elf(["libc.so.6", "libXss.so.1"], module="gui")})
    return workshop.lock({"linux/amd64": root}, [wheel], [])


def test_a_missing_shared_library_is_a_note_and_in_the_json_and_the_image_is_built(
    workshop: Workshop, gui: Lock
) -> None:
    done = build(workshop, gui, "--json")
    assert done.status == 0, done.err
    (missing,) = done.json()["missing_libraries"]
    assert (missing["owner"], missing["soname"], missing["package"]) == ("gui 1.0", "libXss.so.1", "libxss1")
    assert missing["line"] == 'apt = ["ffmpeg", "libxss1"]'
    told = " ".join(done.err.split())
    assert "note: gui 1.0 needs libXss.so.1" in told
    assert 'write at the top of pycomfy.toml, in place of its apt, and lock again: apt = ["ffmpeg", "libxss1"]' in told


def test_a_step_runs_in_a_build_and_one_that_fails_shows_its_log(workshop: Workshop, root: Root) -> None:
    script = "import sys\nopen('made.txt', 'w').write('made')\nprint('I was here')\nsys.exit(int(sys.argv[1]))\n"
    works = pack_with(workshop, script, ("python", "install.py", "0"))
    lock = workshop.lock({"linux/amd64": root}, [], [works])
    done = build(workshop, lock, "--json")
    assert done.status == 0, done.err
    members = names_in(Path(done.json()["oci"]), "pack-stepped")
    assert "opt/ComfyUI/custom_nodes/stepped/made.txt" in members
    fails = Pack(name="stepped", source=works.source, steps=(Step(run=("python", "install.py", "7")),))
    done = build(workshop, lock.model_copy(update={"packs": (fails,)}))
    assert done.status == 1
    assert "node pack stepped: the step `python install.py 7` ended with status 7" in done.err
    assert "I was here" in done.err
