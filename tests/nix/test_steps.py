"""Steps of node packs, run by Nix: with the image's Python and packages, without a network, the same bits each time."""

import secrets
import subprocess

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.core.lockfile.schema import Lock, Pack, Root, Step
from pycomfy.errors import BuildFailed
from tests.support.nix_projects import Workshop, built, names_in

INSTALL = """
import json, os, sys, time
from pathlib import Path
import needed                      # from a locked wheel
sys.path.insert(0, "../..")
import folder_paths                # ComfyUI's own

Path("made").mkdir()
Path("made/data.json").write_text(json.dumps({"value": needed.VALUE, "argv": sys.argv[1:], "models": folder_paths.X}))
Path("made/tool.sh").write_text("#!/bin/sh\\n")
os.chmod("made/tool.sh", 0o777)
Path("alias").symlink_to("made/data.json")
os.utime("made/data.json", (time.time(), time.time()))
Path("old.txt").unlink()
import helper                      # leaves no bytecode
Path("/data/elsewhere").write_text("dropped")
print("cwd", os.getcwd(), "home", os.environ["HOME"], "python", sys.executable)
"""

NETWORK = """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError as e:
    print(type(e).__name__)
names = [n for _, n in socket.if_nameindex()]
assert names in ([], ["lo"]), names
try:
    socket.getaddrinfo("example.org", 80)
except OSError:
    raise SystemExit(0)
raise SystemExit("there is a network")
"""


def lock_of(workshop: Workshop, root: Root, files: dict[str, str], *steps: tuple[str, ...]) -> Lock:
    """A lock with one pack of these files, which no store has seen yet."""
    plain = workshop.pack("p" + secrets.token_hex(4), {"__init__.py": "", "unique.txt": secrets.token_hex(), **files})
    pack = Pack(name=plain.name, source=plain.source, steps=tuple(Step(run=step) for step in steps))
    wheels = [workshop.wheel("needed", {"needed/__init__.py": b"VALUE = 42\n"})]
    return workshop.lock({"linux/amd64": root}, wheels, [pack], {"folder_paths.py": b"X = 'models'\n"})


def test_what_a_step_makes_is_in_the_packs_layer_and_two_builds_are_equal(workshop: Workshop, root: Root) -> None:
    files = {"install.py": INSTALL, "old.txt": "x", "helper.py": ""}
    lock = lock_of(workshop, root, files, ("python", "install.py", "--quick"), ("sh", "-c", "echo more > more.txt"))
    project = workshop.project(lock)
    oci = built(workshop, project)
    (pack,) = lock.packs
    members = names_in(oci, f"pack-{pack.name}")
    top = f"opt/ComfyUI/custom_nodes/{pack.name}"
    assert {f"{top}/{n}" for n in ("made/data.json", "alias", "more.txt", "install.py", "__init__.py")} <= set(members)
    assert f"{top}/old.txt" not in members and not any(name.startswith("data/") for name in members)
    assert members[f"{top}/made/tool.sh"].mode == 0o755 and members[f"{top}/made/data.json"].mode == 0o644
    assert members[f"{top}/alias"].target == "made/data.json"
    for attribute in ("layers", "layout"):
        command = workshop.settings.command("nix-build", project, "-A", attribute, "--check", "--no-out-link")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    expression = (
        f'builtins.filter (d: d.name == "layer-c-pack-{pack.name}") (import {project}/default.nix {{ }}).layers'
    )
    found = subprocess.run(
        workshop.settings.command("nix-instantiate", "--expr", expression), check=True, capture_output=True, text=True
    ).stdout.strip()
    tree = subprocess.run(["nix-store", "-qR", found], check=True, capture_output=True, text=True).stdout.split()
    (stepped,) = [path for path in tree if path.endswith(f"-pack-{pack.name}.drv") and "layer" not in path]
    again = workshop.settings.command("nix-store", "--realise", "--check", stepped)
    done = subprocess.run(again, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"cwd /{top} home /data python /opt/venv/bin/python" in done.stderr


def test_a_step_has_no_network(workshop: Workshop, root: Root) -> None:
    built(workshop, workshop.project(lock_of(workshop, root, {"net.py": NETWORK}, ("python", "net.py"))))


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (("python", "-c", "print('first this'); raise SystemExit('no such luck')"), "ended with status 1"),
        (("pip", "install", "segno"), "a step runs pip, which is not in the image"),
        (("./unique.txt",), r"unique\.txt, which is not marked as a program"),
        (("./nope.sh",), r"a step runs \./nope\.sh, which is not in the image"),
        (("sh", "-c", "ln -s /etc/passwd out"), "the link out, which leads out of its folder"),
        (("sh", "-c", "ln -s ../../../main.py out"), "the link out, which leads out of its folder"),
        (("sh", "-c", "mkdir -p a/b; ln -s ../.. a/b/up; ln -s a/b/up/.. out"), "the link out, which leads out of"),
        (("python", "-c", "import os; os.mkfifo('pipe')"), "pipe, which is neither file, folder nor link"),
        (("sh", "-c", "rm -r ../$(basename $PWD)"), "its steps removed its folder"),
    ],
)
def test_a_step_that_fails_is_told_with_its_log(
    workshop: Workshop, root: Root, step: tuple[str, ...], told: str
) -> None:
    lock = lock_of(workshop, root, {}, step)
    with pytest.raises(BuildFailed, match=told) as caught:
        built(workshop, workshop.project(lock))
    assert f"node pack {lock.packs[0].name}" in caught.value.what
    if step[0] == "python" and "luck" in step[2]:
        assert "first this" in caught.value.details and "no such luck" in caught.value.details


def test_steps_of_another_platform_are_refused_by_name(workshop: Workshop, root: Root, arm_root: Root) -> None:
    lock = lock_of(workshop, root, {}, ("python", "-V"))
    other = lock.platforms["linux/amd64"].model_copy(update={"root": arm_root})
    lock = lock.model_copy(update={"platforms": {**lock.platforms, "linux/arm64": other}})
    with pytest.raises(BuildFailed, match="has build steps: build it on a machine of the image's own platform"):
        built(workshop, workshop.project(lock), "linux/arm64")


def test_a_pack_without_steps_is_built_as_before(workshop: Workshop, root: Root) -> None:
    lock = lock_of(workshop, root, {"x.txt": "x"})
    oci = built(workshop, workshop.project(lock))
    assert f"pack-{lock.packs[0].name}" in read_layout(oci).layer_names
