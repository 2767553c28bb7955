"""Every file of the data folder damaged in turn: no command forgets what it could still know, `doctor` says what is
damaged, and a command that it proposes puts it right."""

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.cli.fixes import render
from pycomfy.errors import Fix
from pycomfy.services.doctor import doctor as doctor_module
from tests.support.command_line import Outcome, call
from tests.support.full_data_folder import FullDataFolder, make_full_data_folder

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")

READING = (
    "log",
    "log hello",
    "show hello",
    "show hello@1",
    "show other",
    "diff hello@1 hello@2",
    "tag",
    "branch",
    "archive status",
    "archive verify",
    "models verify",
    "catalog search pack",
)
"""Commands that read, and say nothing of the time or of this machine."""

PARTS = 3
"""Of the kinds of files, so that several processes share them."""

QUICK = ("show hello@1", "diff hello@1 hello@2", "tag", "archive status", "models verify")


def _empty(data: bytes) -> bytes | None:
    return b""


def _truncate(data: bytes) -> bytes | None:
    return data[: len(data) * 2 // 3]


def _flip(data: bytes) -> bytes | None:
    at = len(data) // 2
    return data[:at] + bytes(b ^ 4 for b in data[at : at + 1]) + data[at + 1 :]


def _delete(data: bytes) -> bytes | None:
    return None


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "emptied": _empty,
    "truncated": _truncate,
    "one bit": _flip,
    "deleted": _delete,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> FullDataFolder:
    return make_full_data_folder(tmp_path_factory.mktemp("whole"))


def run(full: FullDataFolder, command: str) -> Outcome:
    folder = full.paths.data.parent
    (folder / "home").mkdir(exist_ok=True)
    manager = f"url.file://{full.remote.parent / 'manager'}.insteadOf"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "PYCOMFY_HOME": str(full.paths.data),
        "COLUMNS": "200",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": manager,
        "GIT_CONFIG_VALUE_0": "https://github.com/Comfy-Org/ComfyUI-Manager",
        "UV_OFFLINE": "1",
    }
    outcome = call(*shlex.split(command), cwd=folder, env=env)
    assert outcome.status in (0, 1, 3), f"{command}: {outcome}"
    assert "Traceback" not in outcome.err and "bug in pycomfy" not in outcome.err, f"{command}: {outcome.err}"
    assert outcome.status != 1 or "error: " in outcome.err, f"{command}: {outcome}"
    return outcome


def examine(full: FullDataFolder) -> list[dict[str, Any]]:
    """What `doctor` does not find in order."""
    found = json.loads(run(full, "doctor --offline --json").out.replace(str(full.paths.data), "DATA"))["findings"]
    return [f for f in found if f["state"] in ("problem", "warning", "unknown", "note")]


def verify(full: FullDataFolder) -> list[dict[str, Any]]:
    """What the commands find that read contents, which `doctor` does not."""
    found = []
    for command in ("archive verify", "models verify"):
        if run(full, command).status:
            fix = {"action": command, "arguments": {"repair": True} if command == "archive verify" else {}}
            found.append({"id": command, "what": "damaged", "details": "", "state": "problem", "fixes": [fix]})
    return found


def read_all(full: FullDataFolder, commands: Sequence[str]) -> dict[str, str]:
    return {command: _plain(full, run(full, f"{command} --json")) for command in commands}


def _plain(full: FullDataFolder, outcome: Outcome) -> str:
    return f"{outcome.status} {outcome.out.replace(str(full.paths.data), 'DATA')}"


def known(full: FullDataFolder) -> set[tuple[Any, ...]]:
    """What the versions repository or the database says, of which one is enough: versions and their images."""
    listed = run(full, "log --json").json()
    return {(v["name"], v["version"], v["commit"], v["manifest_digest"]) for v in listed}


def runs(full: FullDataFolder) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(full.paths.data / "pycomfy.db")) as connection:
        return connection.execute("SELECT started_at, outputs, inputs FROM runs ORDER BY started_at").fetchall()


def list_kinds(full: FullDataFolder) -> dict[str, Path]:
    """A file of each kind, relative to the data folder: names that are hashes, numbers or moments make no kind, nor do
    those of branches and tags."""
    found: dict[str, Path] = {}
    data = full.paths.data
    for file in sorted(p for p in data.rglob("*") if p.is_file() and not p.is_symlink()):
        path = str(file.relative_to(data))
        if match := re.search(r"/objects/(..)/(.{38})$", path):
            command = ["git", "-C", str(data / "library.git"), "cat-file", "-t", match[1] + match[2]]
            kind = f"object/{subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()}"
        else:
            kind = re.sub(r"(refs/\w+/).*", r"\1*", path)
            kind = re.sub(r"[0-9a-z]{32,}|(?<=/)[0-9a-f]{2}(?=/)|\d{8}T[\d.]+", "*", kind)
        found.setdefault(kind, file.relative_to(data))
    return found


def mend(
    full: FullDataFolder, expected: "Expected", findings: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Follow what `doctor` found, as a user would: the first proposal that is a command, then the next, until all is
    well. Return the commands, and what it finds then."""
    done: list[str] = []
    for _ in range(6):
        proposed = [_command(full, fix) for f in findings for fix in f["fixes"]]
        following = next((command for command in proposed if command and command not in done), None)
        if following is None:
            break
        done.append(following)
        run(full, following)
        findings = expected.findings_of(full)
    return done, findings


def _command(full: FullDataFolder, fix: Mapping[str, Any]) -> str:
    if "action" not in fix:
        return ""
    arguments = {k: v for k, v in fix["arguments"].items() if not isinstance(v, dict)}
    words = shlex.split(render(Fix(fix["action"], arguments)))[1:]
    elsewhere = {"REMOTE": str(full.remote), "URL": f"file://{full.archive}", "FILE|FOLDER|URL": str(full.model)}
    return shlex.join(elsewhere.get(word, word) for word in words)


@pytest.fixture
def data_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`doctor` looks at the data alone."""
    data = ("catalog", "versions", "archive", "images", "models")
    monkeypatch.setattr(doctor_module, "CHECKS", tuple(c for c in doctor_module.CHECKS if c.title in data))
    yield


@dataclass(frozen=True)
class Expected:
    """What commands say of the data folder while it is whole."""

    read: dict[str, str]
    findings: list[dict[str, Any]]
    known: set[tuple[Any, ...]]
    runs: list[tuple[Any, ...]]

    @classmethod
    def of(cls, full: FullDataFolder, commands: Sequence[str]) -> "Expected":
        return cls(read_all(full, commands), examine(full), known(full), runs(full))

    def differing(self, full: FullDataFolder) -> list[str]:
        now = read_all(full, list(self.read))
        return [f"{command}: {now[command][:500]}" for command in now if now[command] != self.read[command]]

    def findings_of(self, full: FullDataFolder) -> list[dict[str, Any]]:
        return [f for f in examine(full) if f not in self.findings] or verify(full)


def find_faults(full: FullDataFolder, expected: Expected, *, read_damaged: bool) -> list[str]:
    """What is wrong with how the commands deal with a damaged data folder. `read_damaged`: every command reads it,
    also where `doctor` says that it is damaged."""
    told = expected.findings_of(full)
    faults = [f"forgot {lost}" for lost in expected.known - known(full)]
    if read_damaged or not told:
        differing = expected.differing(full)
        faults += [f"not named, but it changes {what}" for what in differing if not told]
    done, findings = mend(full, expected, told)
    # What only a person can look at may remain.
    left = [f for f in findings if f["state"] != "note" or any("action" in x for x in f["fixes"])]
    faults += [f"after {done} there is still: {f['id']}: {f['what']}: {f['details']}" for f in left]
    faults += [f"after {done} otherwise: {what}" for what in expected.differing(full)]
    return faults + ["lost runs"] * (runs(full) != expected.runs)


def damage(full: FullDataFolder, file: Path, how: str) -> bool:
    """Damage a file; whether that changes it."""
    path = full.paths.data / file
    old = path.read_bytes()
    new = DAMAGES[how](old)
    path.chmod(0o644)
    path.unlink() if new is None else path.write_bytes(new)
    return new != old


def check(
    whole: FullDataFolder,
    folder: Path,
    commands: Sequence[str],
    cases: Iterable[tuple[Path, str]],
    *,
    read_damaged: bool = True,
) -> None:
    """Damage one file after the other, each in a data folder of its own."""
    expected = Expected.of(whole.copied(folder / "whole"), commands)
    faults = []
    for file, how in cases:
        full = whole.copied(folder / "damaged")
        if damage(full, file, how):
            found = find_faults(full, expected, read_damaged=read_damaged)
            faults += [f"{file} ({how}): {fault}" for fault in found]
        shutil.rmtree(folder / "damaged")
    assert not faults, "\n\n".join(faults)


@pytest.mark.usefixtures("data_alone")
def test_a_file_of_each_kind_that_is_damaged_in_one_way(whole: FullDataFolder, tmp_path: Path) -> None:
    kinds = {k: f for k, f in list_kinds(whole).items() if not k.startswith(("cache/", "logs/")) and ".lock" not in k}
    ways = itertools.cycle(DAMAGES)
    check(whole, tmp_path, QUICK, ((file, next(ways)) for file in kinds.values()), read_damaged=False)


@pytest.mark.story
@pytest.mark.usefixtures("data_alone")
@pytest.mark.parametrize("part", range(PARTS))
def test_all_commands_with_a_file_of_each_kind_that_is_damaged(
    whole: FullDataFolder, tmp_path: Path, part: int
) -> None:
    """Each in another way than above; in every way where `STORY_DAMAGES=all` says so, which takes ten minutes."""
    files = [*list_kinds(whole).values()]
    ways = [*DAMAGES] * len(files)
    cases = [(file, ways[at + 2]) for at, file in enumerate(files)]
    if os.environ.get("STORY_DAMAGES") == "all":
        cases = [*itertools.product(files, DAMAGES)]
    check(whole, tmp_path, READING, cases[part::PARTS])
