"""Build with Nix: progress while it runs, the whole log in a file, an error that names the cause when it fails."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.process import run, terminate
from pycomfy.adapters.nix.internal_json import Event, LogReader, explain_failure
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.operation import cancel_scope

_GRACE_PERIOD = 10.0  # seconds Nix gets to stop its builders and unlock the store


@dataclass(frozen=True)
class BuildTarget:
    """An attribute of a project's `default.nix`, for a platform."""

    project: Path
    attribute: str
    platform: str

    def arguments(self) -> list[str]:
        return [str(self.project), "--attr", self.attribute, "--argstr", "platform", self.platform, "--no-out-link"]


def build(settings: NixSettings, target: BuildTarget, log: Path, on_event: Callable[[Event], None]) -> list[str]:
    """Build `target` and return its store paths. The log is appended to the file `log`.

    Raises `BuildFailed`, `HashMismatch`, `NetworkError` or `NoSpace`. When interrupted or cancelled, Nix is stopped
    first; a path is in the store whole or not at all, so that nothing half-written stays.
    """
    command = settings.command("nix-build", *target.arguments(), "--log-format", "internal-json", "-v")
    reader = LogReader()
    with translate_disk_full(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as f:
            f.write(f"$ {' '.join(command)}\n")
            # A session of its own: Ctrl-C reaches us alone, and we stop Nix in order.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
                errors="replace",
            )
            try:
                with cancel_scope().on_cancel(partial(terminate, process, signal.SIGINT)):
                    for line in _lines(process):
                        events, text = reader.read(line)
                        if text:
                            f.write(text + "\n")
                        for event in events:
                            on_event(event)
                    paths = process.stdout.read().split() if process.stdout else []
                    status = process.wait()
            finally:
                _stop(process)
    if status != 0:
        raise explain_failure(reader, str(log), settings.store)
    return paths


def missing_paths(settings: NixSettings, target: BuildTarget) -> list[str]:
    """Return the paths of the derivations that building `target` would build or fetch."""
    command = settings.command("nix-build", *target.arguments(), "--dry-run")
    result = run(command)
    text = result.stderr.decode(errors="replace")
    if result.returncode != 0:
        reader = LogReader()
        reader.errors.append(text.strip())
        raise explain_failure(reader, "the output of `nix-build --dry-run`", settings.store)
    return [line.strip() for line in text.splitlines() if line.startswith("  /nix/store/")]


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
