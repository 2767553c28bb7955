"""Evaluate and build with Nix: progress while it runs, the whole log in a file, an error that names the cause."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.process import Limit, PastLimit, terminate
from pycomfy.adapters.nix.internal_json import DISTRUST, Event, LogReader, explain_evaluation, explain_failure
from pycomfy.adapters.nix.settings import NixSettings, evaluation_options, nix_environment
from pycomfy.core.nix.derivation import Derivation, parse_derivation
from pycomfy.errors import BuildFailed
from pycomfy.operation import cancel_scope

_GRACE_PERIOD = 10.0  # seconds Nix gets to stop its builders and unlock the store
_PATIENCE = 10.0  # seconds in which Nix only waits for others, and at most twice that, until it is begun anew
_LIMIT = Limit(seconds=600, output=16 << 20)  # code of pycomfy's takes about one, half a gigabyte, and prints nothing
_MAX_DERIVATIONS = 64 << 20  # bytes of all of them together: those of pycomfy's have some hundred thousand


@dataclass(frozen=True)
class BuildTarget:
    """An attribute of a Nix file in the folder `project`, for a platform. `file` "." is its `default.nix`."""

    project: Path
    attribute: str
    platform: str
    file: str = "."


@dataclass(frozen=True)
class BuildPlan:
    """What evaluating a target made: `derivations` by the paths of their files, with all that they need; `tops` are the
    paths of those that the target names."""

    tops: tuple[str, ...]
    derivations: Mapping[str, Derivation]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The store paths that building makes, or that are there already."""
        return tuple(path for top in self.tops for path in self.derivations[top].outputs)

    def part(self, top: str) -> "BuildPlan":
        """Return the plan of one of the derivations alone."""
        return BuildPlan((top,), self.derivations)


def evaluate(settings: NixSettings, target: BuildTarget) -> BuildPlan:
    """Evaluate `target`. Its code may be anybody's: it reads nothing outside of the project, no variable, no network,
    and what it wants to be run can be looked at before that is done.

    Raises `BuildFailed` for code that tries more, that is wrong, or that does not end, be it in what it prints.
    """
    project = Path(os.path.realpath(target.project))
    arguments = ["--attr", target.attribute, "--argstr", "platform", target.platform]
    try:
        options = evaluation_options(project)
        done = settings.run("nix-instantiate", *options, project / target.file, *arguments, limit=_LIMIT)
    except PastLimit as e:
        what = f"Nix cannot evaluate {target.attribute}: {e}"
        raise BuildFailed(what, where=str(project), fix=DISTRUST) from e
    if done.returncode != 0:
        raise explain_evaluation(target.attribute, done.stderr.decode(errors="replace"))
    tops = tuple(done.stdout.decode().split())
    listed = settings.run("nix-store", "--query", "--requisites", *tops)
    paths = [path for path in listed.stdout.decode().split() if path.endswith(".drv")]
    if listed.returncode != 0 or not set(tops) <= set(paths):
        message = listed.stderr.decode(errors="replace").strip()
        raise BuildFailed(f"Nix cannot evaluate {target.attribute}", details=message, fix="see Nix's message above")
    try:
        files = {path: settings.local_path(path) for path in paths}
        if sum(file.stat().st_size for file in files.values()) > _MAX_DERIVATIONS:
            raise ValueError(f"all together have more than {_MAX_DERIVATIONS >> 20} MiB")
        derivations = {path: parse_derivation(file.read_bytes()) for path, file in files.items()}
    except (OSError, ValueError) as e:
        raise BuildFailed(f"a derivation of {target.attribute} cannot be read", where=str(e), fix=DISTRUST) from e
    return BuildPlan(tops, derivations)


def build(settings: NixSettings, plan: BuildPlan, log: Path, on_event: Callable[[Event], None]) -> list[str]:
    """Build what is planned and return its store paths. The log is appended to the file `log`.

    Raises `MissingTool` where the sandbox cannot be made, `BuildFailed`, `HashMismatch`, `NetworkError` or `NoSpace`.
    When interrupted or cancelled, Nix is stopped first; a path is in the store whole or not at all, so that nothing
    half-written stays.
    """
    command = settings.command("nix-store", "--realise", *plan.tops, "--log-format", "internal-json", "-v")
    with translate_disk_full(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as f:
            while True:
                run = _run(command, f, on_event)
                if not run.gave_up:
                    break
    if run.status != 0:
        raise explain_failure(run.reader, str(log), settings.store)
    return run.paths


def missing_paths(settings: NixSettings, plan: BuildPlan) -> list[str]:
    """Return the paths of the derivations that building would build, and the store paths that it would fetch."""
    result = settings.run("nix-store", "--realise", "--dry-run", *plan.tops)
    text = result.stderr.decode(errors="replace")
    if result.returncode != 0:
        reader = LogReader()
        reader.errors.append(text.strip())
        raise explain_failure(reader, "the output of `nix-store --realise --dry-run`", settings.store)
    return [line.strip() for line in text.splitlines() if line.startswith("  /nix/store/")]


@dataclass(frozen=True)
class _Run:
    """How a process of Nix ended, and what it printed; `gave_up` if it was ended because it only waited."""

    status: int
    paths: list[str]
    reader: LogReader
    gave_up: bool


def _run(command: list[str], log: TextIO, on_event: Callable[[Event], None]) -> _Run:
    log.write(f"$ {' '.join(command)}\n")
    # A session of its own: Ctrl-C reaches us alone, and we stop Nix in order.
    process = subprocess.Popen(
        command,
        env=nix_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    reader, patience = LogReader(), _Patience(partial(terminate, process, signal.SIGINT))
    try:
        with cancel_scope().on_cancel(partial(terminate, process, signal.SIGINT)), contextlib.closing(patience):
            for line in _lines(process):
                events, text = reader.read(line)
                if text:
                    log.write(text + "\n")
                for event in events:
                    on_event(event)
                patience.notice(only_waits=reader.only_waits)
            paths = process.stdout.read().split() if process.stdout else []
            status = process.wait()
    finally:
        _stop(process)
    return _Run(status, paths, reader, gave_up=patience.lost and status != 0)


class _Patience:
    """Calls `give_up` if Nix has done nothing for a while but wait for others.

    Nix keeps the lock of a path that was made meanwhile by another, until all that it was asked for is done; so two may
    wait for each other for ever. One that only waits can be ended and begun anew: it loses nothing.
    """

    def __init__(self, give_up: Callable[[], object]) -> None:
        self.lost = False
        self._give_up = give_up
        self._timer: threading.Timer | None = None

    def notice(self, *, only_waits: bool) -> None:
        """Take notice of what Nix does now."""
        if not only_waits:
            self.close()
        elif self._timer is None:
            # Not all at the same moment, or they would meet again.
            self._timer = threading.Timer(random.uniform(1, 2) * _PATIENCE, self._lose)  # noqa: S311
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lose(self) -> None:
        self.lost = True
        self._give_up()


def _lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stderr is not None  # noqa: S101  (it is a pipe)
    for line in process.stderr:
        yield line.rstrip("\n")


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    for sign in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, sign)
        try:
            process.wait(_GRACE_PERIOD)
        except subprocess.TimeoutExpired:
            continue
        return
