"""Machines to switch off in the middle of something: a data folder and a Nix store of their own, and nothing else's."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.archive.integrity import check_archive
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import copy_paths, fixed_path
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import Lock, render_lock
from pycomfy.core.sources.path import PathSource
from pycomfy.services.archive import archive
from pycomfy.services.versions.log import log
from pycomfy.services.workspace import Workspace
from tests.support.nix_projects import WORKFLOW, Workshop
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[2]

_MOUNT = 'mount --bind "$0" /nix && echo on && exec sleep infinity'


@dataclass(frozen=True)
class Machine:
    """All that it has is below `root`. `init` is the process that keeps it on, 0 while it is off."""

    root: Path
    init: int = 0

    @classmethod
    def new(cls, root: Path) -> "Machine":
        for folder in ("data", "nix", "tmp"):
            (root / folder).mkdir(parents=True)
        return cls(root)

    @property
    def paths(self) -> Paths:
        return Paths(self.root / "data", self.root / "data" / "cache")

    def twin(self, root: Path) -> "Machine":
        """Another one with the same contents. What is written in place is copied; of the rest, links will do."""
        subprocess.run(["cp", "-al", self.root, root], check=True)
        data = self.paths.data
        for place in (self.root / "nix/var/nix/db", *data.glob("*.db*"), *data.glob("library.*"), *data.glob("logs")):
            other = root / place.relative_to(self.root)
            subprocess.run(["rm", "-r", other], check=True)
            subprocess.run(["cp", "-a", place, other], check=True)
        return Machine(root)

    def give(self, workshop: Workshop, lock: Lock) -> None:
        """Put a lock's Debian roots into the Nix store: no machine here has a mirror to fetch them from."""
        for platform, parts in lock.platforms.items():
            name = f"debian-root-{platform.removeprefix('linux/')}"
            copy_paths(workshop.settings, [fixed_path(workshop.settings, name, parts.root.tree)], self.root)

    @contextlib.contextmanager
    def on(self) -> Iterator["Machine"]:
        """While the block runs, commands can; whatever they started ends with it, at once."""
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with subprocess.Popen(
            [*command, "sh", "-c", _MOUNT, self.root / "nix"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == b"on\n"
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                yield replace(self, init=int(children[0]))
            finally:
                process.kill()

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """A command of pycomfy, in a process group of its own. What it starts is in others."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYCOMFY_", "XDG_"))},
            "PYCOMFY_HOME": str(self.paths.data),
            "PYCOMFY_RESERVE": "0",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.root / "tmp"),
        }
        enter = ["nsenter", f"--target={self.init}", "--mount", "--pid"]
        return subprocess.Popen(
            [*enter, sys.executable, "-m", "pycomfy", *arguments, "--json"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path) -> Any:
        """The JSON of a command, which must do what it is asked."""
        return answer(self.start(*arguments))

    def kill(self, process: "subprocess.Popen[str]", after: float, *, everything: bool) -> float | None:
        """Kill it after so many seconds, or all that runs; how long it took if it was done before."""
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        took = None if process.poll() is None else time.monotonic() - began
        if everything:
            os.kill(self.init, signal.SIGKILL)
        elif took is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return took


def answer(process: "subprocess.Popen[str]") -> Any:
    """What a command says in the end."""
    out, err = process.communicate(timeout=HANG)
    assert process.returncode == 0, out + err
    return json.loads(out)


def write_project(folder: Path, workshop: Workshop, lock: Lock) -> Path:
    """A folder with a workflow, its lock, and the packs that it has as folders; for `pycomfy build`."""
    folder.mkdir()
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    for pack in lock.packs:
        if isinstance(pack.source, PathSource):
            shutil.copytree(workshop.folder / pack.name, folder / pack.source.path)
    return folder


def timed(machine: Machine, *arguments: str | Path) -> tuple[float, Any]:
    """Seconds that a command takes, and what it says."""
    began = time.monotonic()
    said = machine.run(*arguments)
    return time.monotonic() - began, said


def what_is_recorded(machine: Machine) -> dict[str, Any]:
    """Every version with its image, as versions repository and database have it."""
    repository = VersionsRepository(versions_repository_path(machine.paths))
    versions = [version for name in repository.names() for version in repository.versions(name)]
    with Database(database_path(machine.paths)) as database:
        indexed = {f"{v.name}@{v.version}": (v.commit, v.manifest_digest) for v in database.versions()}
    return {v.label: (v.commit, repository.images(v.tree), indexed.get(v.label)) for v in versions}


def check_whole(machine: Machine, recorded: dict[str, Any], when: str) -> None:
    """The archive and the versions repository are whole, the database opens, and has all that was recorded."""
    assert check_archive(find_archive(machine.paths), lambda amount: None) == [], when
    command = ["git", "-c", "safe.directory=*", "fsck", "--strict", "--no-dangling", "--no-progress"]
    done = subprocess.run(
        command,
        cwd=versions_repository_path(machine.paths),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert (done.returncode, done.stdout) == (0, b""), when
    with closing(sqlite3.connect(database_path(machine.paths))) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], when
        assert db.execute("PRAGMA foreign_key_check").fetchall() == [], when
    now = what_is_recorded(machine)
    assert {label: now.get(label) for label in recorded} == recorded, when


def check_tidy(machine: Machine) -> None:
    """Nothing is left of what was ended, once the archive's clean-up ran."""
    archive.collect_garbage(Workspace(machine.paths))
    assert find_archive(machine.paths).leftovers() == []
    data = machine.paths.data
    made = [p for p in data.rglob("*") if p.name.startswith(".") or p.parent.name in ("projects", "jobs")]
    assert [str(p.relative_to(data)) for p in made if p.name != ".lock"] == []


def versions_and_archive(machine: Machine) -> dict[str, Any]:
    """What a whole run leaves, but for times and commits."""
    versions = log(Workspace(machine.paths))
    status = archive.status(Workspace(machine.paths, NixSettings(store=machine.root)))
    assert status.missing == () and status.needed == status.present
    check_tidy(machine)
    return {"log": [(v.name, v.version, v.manifest_digest) for v in versions], "needed": status.needed}
