"""Fresh places for the command line to work in, as a user's machine would be: nothing of this one's but programs."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from tests.support.command_line import Outcome, call
from tests.support.debian_archive import Archive
from tests.support.package_index import Index
from tests.support.repositories import commit
from tests.support.saved_nodes import saved_nodes

PROGRAMS = ("git", "nix", "nix-build", "nix-store", "nix-instantiate", "unshare", "sh")
COMFYUI = {
    "nodes.py": "class Save: pass\nclass Note: pass\nNODE_CLASS_MAPPINGS = {'SaveImage': Save}\n",
    "main.py": "print('hello')\n",
    "comfyui_version.py": '__version__ = "0.3.75"\n',
    "requirements.txt": "base>=1\n",
}
CARD = "class Card: pass\nNODE_CLASS_MAPPINGS = {'HelloCard': Card}\n"
CONFIG = 'as-of = 2025-06-01\nplatforms = ["linux/amd64"]\n'
SOURCES = '[comfyui]\npath = "ComfyUI"\n[packs.card]\ngit = "card"\n'


@dataclass(frozen=True)
class Surroundings:
    """What a machine has around it, here small and local: a package index, a Debian archive, a PATH."""

    index: Index
    archive: Archive
    env: dict[str, str]


@dataclass(frozen=True)
class Place:
    """A home folder, a data folder, a folder for temporary files and a working folder; all empty at first."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, root: Path, env: Mapping[str, str]) -> Self:
        place = cls(root)
        for folder in (place.work, root / "home", root / "tmp"):
            folder.mkdir(parents=True)
        place.env.update(
            env, HOME=str(root / "home"), PYCOMFY_HOME=str(place.data), TMPDIR=str(root / "tmp"), COLUMNS="200"
        )
        return place

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def lock(self) -> Path:
        return self.work / "pycomfy.lock"

    def run(self, *arguments: object, env: Mapping[str, str] | None = None) -> Outcome:
        """Call `pycomfy` in this process; `env` is added to the place's own."""
        return call(*arguments, cwd=self.work, env={**self.env, **(env or {})})

    def run_process(
        self,
        *arguments: object,
        prefix: Iterable[str] = (),
        stdout: IO[str] | int = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run `pycomfy` as a process of its own; `prefix` is a program that runs it, `env` is added to the place's."""
        done = subprocess.run(
            self.command(*arguments, prefix=prefix),
            cwd=self.work,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit_memory,
            check=False,
        )
        return Outcome(done.returncode, done.stdout or "", done.stderr)

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start `pycomfy` in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.work,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def command(*arguments: object, prefix: Iterable[str] = ()) -> list[str]:
        return [*prefix, sys.executable, "-m", "pycomfy", *map(str, arguments)]

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def project(self, *types: str, config: str = CONFIG, sources: str = SOURCES) -> "Place":
        """A workflow of these node types with a tiny ComfyUI, and a node pack in git, beside it."""
        for name, text in COMFYUI.items():
            self.write(f"ComfyUI/{name}", text)
        if "git =" in sources and "://" not in sources:
            commit(self.work / "card", {"__init__.py": CARD})
        self.write("pycomfy.toml", config + sources)
        self.workflow(*(types or ("HelloCard", "SaveImage")))
        return self

    def workflow(self, *types: str) -> Path:
        nodes = saved_nodes(types)
        return self.write("workflow.json", json.dumps({"version": 0.4, "nodes": nodes, "links": []}))

    def change_lock(self, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The lock as a dictionary; with `change`, that is written to it."""
        if change is not None:
            self.lock.write_text(json.dumps(change))
        found: dict[str, Any] = json.loads(self.lock.read_text())
        return found

    def with_small_gateway(self) -> "Place":
        """The same with a lock that can be built: the index has the workflow's wheels alone, so they are its gateway's
        too."""
        lock = self.change_lock()
        for platform in lock["platforms"].values():
            platform["gateway"] = platform["wheels"]
        self.change_lock(lock)
        return self

    def half_written(self) -> list[str]:
        """Whatever looks like the beginning of a file or folder, and all that is left of temporary ones."""
        made = [p for folder in (self.work, self.data) for p in folder.rglob("*")]
        odd = [p for p in made if p.name.startswith((".", "root-", "tmp")) and not {".git", ".lock"} & {*p.parts}]
        return [str(p.relative_to(self.root)) for p in (*odd, *(self.root / "tmp").iterdir())]


def programs(folder: Path, names: Iterable[str] = PROGRAMS) -> str:
    """A PATH with these programs alone, those that this machine has."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    return str(folder)


def limit_memory() -> None:
    """An endless file must not take all of this machine's memory, should it be read."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def is_root() -> bool:
    return os.geteuid() == 0


def refused(
    place: Place,
    *arguments: object,
    code: str,
    env: Mapping[str, str] | None = None,
    process: bool = False,
    prefix: Iterable[str] = (),
) -> Outcome:
    """The outcome of a command that must fail with an error of this code, told to people and to programs. It runs as a
    process of its own on request (which has a limit of memory), and with a `prefix`."""
    if process or prefix:
        outcome = place.run_process(*arguments, "--json", prefix=prefix, env=env)
    else:
        outcome = place.run(*arguments, "--json", env=env)
    check_refusal(outcome, code)
    return outcome


def check_refusal(outcome: Outcome, code: str) -> None:
    assert outcome.status == 1, outcome.err
    assert "Traceback" not in outcome.err and "This is a bug" not in outcome.err
    for word in ("error: ", "where: ", "fix: "):
        assert word in outcome.err, outcome.err
    error = outcome.json()["error"]
    assert {"code", "message", "where", "fix"} <= error.keys()
    told = error.get("problems", [error])
    assert {e["code"] for e in told} == {code}, outcome.err
    assert all(e["message"] and e["where"] and e["fix"] for e in told), told
    for one in told:  # alternatives stand in a line each on a screen
        for text in (one["message"], one["where"], *one["fix"].split("; or ")):
            assert " ".join(text.split()) in outcome.told, outcome.err
