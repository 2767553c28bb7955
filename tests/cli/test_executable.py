"""The installed program, once for each command: it starts, does something, and exits with the status that it should."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.cli.commands import list_commands
from tests.support.cli_projects import Place, programs
from tests.support.service_projects import make_files, make_image, record, with_steps

PROGRAM = Path(sys.executable).with_name("pycomfy")

CALLS: dict[str, tuple[int, tuple[str, ...]]] = {
    "inspect": (0, ("workflow.json",)),
    "convert": (0, ("workflow.json", "--object-info", "info.json")),
    "lock": (1, ("gone.json",)),
    "build": (1, ("gone.json",)),
    "dev": (1, ("gone.json",)),
    "check": (1, ("nobody",)),
    "run": (1, ("nobody",)),
    "serve": (2, ("extra",)),
    "load": (1, ("nobody",)),
    "api": (1, ("nobody",)),
    "capture": (1, ("gone",)),
    "catalog update": (2, ("extra",)),
    "catalog search": (1, ("x",)),
    "catalog show": (1, ("x",)),
    "catalog resolve": (1, ("X",)),
    "models status": (0, ()),
    "models pull": (1, ("nobody",)),
    "models add": (1, ("gone.safetensors", "--as", "loras/x")),
    "models verify": (0, ()),
    "log": (0, ("hello",)),
    "show": (0, ("hello@1",)),
    "diff": (3, ("hello@1", "--exit-code")),
    "tag": (0, ("stable", "hello@1")),
    "branch": (0, ("fast", "hello@1")),
    "checkout": (0, ("hello@1", "--to", "checked-out")),
    "revert": (0, ("hello@1",)),
    "merge": (0, ("hello", "hello@1")),
    "rename": (0, ("hello", "goodbye")),
    "rm": (1, ("nobody",)),
    "push": (1, ("gone",)),
    "pull": (1, ("gone",)),
    "archive status": (3, ()),
    "archive fill": (0, ()),
    "archive verify": (0, ()),
    "archive push": (1, ("/no/address",)),
    "archive pull": (1, ("/no/address",)),
    "archive gc": (0, ("--dry-run",)),
    "restore": (1, ("nobody",)),
    "verify": (1, ("nobody",)),
    "export": (0, ("hello", "-o", "hello.json", "--format", "manager-snapshot")),
    "import": (1, ("gone.tar.zst",)),
    "reindex": (0, ()),
    "disk": (0, ()),
    "gc": (0, ("--dry-run",)),
    "users add": (0, ("anna", "--auth", "users.toml")),
    "users rm": (1, ("anna", "--auth", "users.toml")),
    "users list": (1, ("--auth", "users.toml")),
    "users log": (0, ()),
    "doctor": (3, ("--offline",)),
}
"""The exit status, and the arguments."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with hello@1 and hello@2."""
    data = tmp_path_factory.mktemp("recorded") / "data"
    paths = Paths(data, data / "cache")
    record(paths, make_files("hello"), "first", make_image("root", "workflow:1"))
    record(paths, make_files("hello", with_steps(30)), "second", make_image("root", "workflow:2"))
    return data


def test_every_command_is_called() -> None:
    assert list(CALLS) == list_commands()


@pytest.mark.parametrize("command", CALLS)
def test_the_program_runs(command: str, recorded: Path, tmp_path: Path) -> None:
    place = Place.new(tmp_path / "place", {"PATH": programs(tmp_path / "bin")})
    shutil.copytree(recorded, place.data)
    place.write("workflow.json", '{"1": {"class_type": "SaveImage", "inputs": {}}}')
    place.write("info.json", '{"SaveImage": {"input": {}, "output": [], "name": "SaveImage"}}')
    done = subprocess.run(
        [PROGRAM, *command.split(), *CALLS[command][1]],
        cwd=place.work,
        env=place.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    status = CALLS[command][0]
    assert done.returncode == status or (command, done.returncode) == ("doctor", 0), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr if status in (1, 2) else done.stdout + done.stderr
