"""`pycomfy build`, with real Nix and without an engine: what it says of shared libraries and of steps."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from pycomfy.adapters.containers.node_definitions import write_cached
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import Lock, Pack, Root, Step, WorkflowPin, render_lock
from pycomfy.core.versions.verification import NodeDefinitions
from tests.support.command_line import Outcome, call
from tests.support.elf_files import make_elf
from tests.support.graphs import definition, node, ui
from tests.support.nix_projects import WORKFLOW, Workshop, names_in
from tests.support.repositories import git


def build(
    workshop: Workshop, lock: Lock, *options: str, workflow: bytes = WORKFLOW, config: str = 'apt = ["ffmpeg"]'
) -> Outcome:
    """Build the lock in a folder with its workflow."""
    folder = workshop.folder / "card"
    folder.mkdir(exist_ok=True)
    (folder / "workflow.json").write_bytes(workflow)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    (folder / "pycomfy.toml").write_text(f"{config}\n")
    arguments = ("build", folder, "--locked", "--no-prove", "--no-archive", *options)
    env = {**os.environ, "PYCOMFY_HOME": str(workshop.folder / "home"), "COLUMNS": "300"}
    return call(*arguments, cwd=workshop.folder, env=env)


def test_a_value_without_a_place_in_the_prompt_forbids_the_image_until_it_is_acknowledged(
    workshop: Workshop, root: Root
) -> None:
    workflow = json.dumps(ui([node(1, "Save", values=("out", "h264", 19))], [])).encode()
    info = workshop.folder / "info.json"
    info.write_text(json.dumps({"Save": definition({"prefix": ["STRING", {}]}, python_module="nodes")}))
    lock = workshop.lock({"linux/amd64": root}, [], []).model_copy(
        update={"workflow": WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest())}
    )
    refused = build(workshop, lock, "--object-info", str(info), workflow=workflow)
    assert refused.status == 1
    assert '1[1] (Save): the saved value "h264" has no place in the prompt' in refused.err
    line = 'lost-values = ["1[1]", "1[2]"]'
    assert f"acknowledge what is lost, below [accept] in pycomfy.toml: {line}" in " ".join(refused.err.split())
    config = f"[accept]\n{line}".replace('"1[2]"]', '"1[2]", "7"]')
    done = build(workshop, lock, "--object-info", str(info), workflow=workflow, config=config)
    assert done.status == 0, done.err
    assert "note: 1[2] (Save): the saved value 19 has no place in the prompt" in done.err
    assert "note: lost-values in pycomfy.toml names 7, but nothing is lost there" in done.err


def test_a_type_that_the_user_says_is_the_editors_is_not_sent(workshop: Workshop, root: Root) -> None:
    repeater = node(2, "Repeater", inputs=[{"name": "a", "type": "*", "link": None}], outputs=["*"])
    workflow = json.dumps(ui([node(1, "Save", values=("out",)), repeater], [])).encode()
    info = workshop.folder / "info.json"
    info.write_text(json.dumps({"Save": definition({"prefix": ["STRING", {}]}, python_module="nodes")}))
    lock = workshop.lock({"linux/amd64": root}, [], []).model_copy(
        update={"workflow": WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest())}
    )
    refused = build(workshop, lock, "--object-info", str(info), workflow=workflow)
    assert refused.status == 1 and "Repeater" in refused.err
    config = '[accept]\neditor-only = ["Repeater"]\n[app]\ntitle = "What it is called"'
    done = build(workshop, lock, "--object-info", str(info), workflow=workflow, config=config)
    assert done.status == 0, done.err
    # The page's texts are in what the gateway reads.
    told = git(workshop.folder / "home" / "library.git", "show", f"{lock.name}:interface.json")
    assert json.loads(told)["title"] == "What it is called"


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


def test_a_version_has_its_local_pack_and_is_the_same_in_a_dry_run(workshop: Workshop, root: Root) -> None:
    lock = workshop.lock({"linux/amd64": root}, [], [pack_with(workshop, f"# {workshop.folder}\n")])
    done = build(workshop, lock, "--json")
    assert done.status == 0, done.err
    found = git(workshop.folder / "home" / "library.git", "ls-tree", "-r", "--name-only", done.json()["commit"])
    assert "sources/stepped.tar" in found.splitlines()
    planned = build(workshop, lock, "--json", "--dry-run")
    assert planned.status == 0, planned.err
    assert (planned.json()["version"], planned.json()["new"]) == (1, False)
    again = build(workshop, lock, "--json")
    assert (again.json()["version"], again.json()["new"]) == (1, False)


def test_without_proof_an_earlier_answer_refuses_nothing(workshop: Workshop, root: Root) -> None:
    """And where it has every node, it gives the image its prompt."""
    workflow = b'{"1": {"class_type": "Save", "inputs": {}}}'
    lock = workshop.lock({"linux/amd64": root}, [], []).model_copy(
        update={"workflow": WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest())}
    )
    paths = find_paths({"PYCOMFY_HOME": str(workshop.folder / "home")})
    key = environment_fingerprint(lock, "linux/amd64", read_toolkit().gateway)
    save = definition({}, python_module="nodes", output_node=True)
    for found in ({}, {"Save": save}):
        write_cached(paths.cache, key, NodeDefinitions("0.3.75", found, ()))
        done = build(workshop, lock, "--json", workflow=workflow)
        assert done.status == 0, done.err
        assert ("not verified, and without a prompt" in done.err) is (not found)
        assert ("opt/pycomfy/prompt.json" in names_in(Path(done.json()["oci"]), "workflow")) is bool(found)
