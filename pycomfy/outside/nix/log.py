"""Nix's machine-readable log (`--log-format internal-json`): what runs, how many bytes came, what failed and why."""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pycomfy.errors import BuildFailed, HashMismatch, NoSpace, PycomfyError, Unreachable

_FILE_TRANSFER, _COPY_PATH, _BUILD = 101, 100, 105  # ActivityType, nix/logging.hh
_BUILD_LOG_LINE, _PROGRESS = 101, 105  # ResultType
_TAIL = 20
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DERIVATION = re.compile(r"/nix/store/[0-9a-z]{32}-(.+?)\.drv")
_FAILED = re.compile(r"builder for '([^']+)' failed|Cannot build '([^']+)'")
_MISMATCH = re.compile(r"hash mismatch in fixed-output derivation '([^']+)'")
_SPECIFIED = re.compile(r"specified:\s+(\S+)\s+got:\s+(\S+)")
_DOWNLOAD = re.compile(r"unable to download '([^']+)': (.+)|cannot (?:open|read) file '([^']+)'")


@dataclass(frozen=True)
class Event:
    """Something to show: a build that began or ended, or bytes that arrived."""

    kind: Literal["build", "built", "bytes"]
    name: str = ""
    amount: int = 0


@dataclass
class LogReader:
    """Reads the log line by line; keeps what an error message will need."""

    tails: dict[str, deque[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    _running: dict[int, tuple[int, str]] = field(default_factory=dict)
    _received: dict[int, int] = field(default_factory=dict)

    def read(self, line: str) -> tuple[list[Event], str]:
        """The events in `line`, and its text for the log file ("" where it says nothing)."""
        if not line.startswith("@nix "):
            return [], line
        try:
            data = json.loads(line[5:])
        except ValueError:
            return [], line
        action = data.get("action")
        if action == "msg":
            return [], self._message(data)
        if action == "start":
            return self._start(data)
        if action == "result":
            return self._result(data)
        if action == "stop":
            kind, name = self._running.pop(data["id"], (0, ""))
            self._received.pop(data["id"], None)
            return ([Event("built", name)] if kind == _BUILD else []), ""
        return [], ""

    def _message(self, data: dict[str, Any]) -> str:
        text = _ANSI.sub("", str(data.get("msg", "")))
        if data.get("level", 3) == 0:
            self.errors.append(text)
        return text if data.get("level", 3) <= 3 else ""

    def _start(self, data: dict[str, Any]) -> tuple[list[Event], str]:
        kind, fields = data.get("type", 0), data.get("fields", [])
        if kind == _BUILD and fields:
            name = derivation_name(str(fields[0]))
            self._running[data["id"]] = kind, name
            self.tails.setdefault(name, deque(maxlen=_TAIL))
            return [Event("build", name)], f"building {name}"
        if kind in (_FILE_TRANSFER, _COPY_PATH) and fields:
            self._running[data["id"]] = kind, str(fields[0])
            return [], f"fetching {fields[0]}"
        return [], ""

    def _result(self, data: dict[str, Any]) -> tuple[list[Event], str]:
        kind, name = self._running.get(data["id"], (0, ""))
        fields = data.get("fields", [])
        if data.get("type") == _BUILD_LOG_LINE and kind == _BUILD and fields:
            text = _ANSI.sub("", str(fields[0]))
            self.tails[name].append(text)
            return [], f"{name}> {text}"
        if data.get("type") == _PROGRESS and kind in (_FILE_TRANSFER, _COPY_PATH) and fields:
            more = int(fields[0]) - self._received.get(data["id"], 0)
            if more > 0:
                self._received[data["id"]] = int(fields[0])
                return [Event("bytes", name, more)], ""
        return [], ""


def derivation_name(path: str) -> str:
    """`/nix/store/…-layer-a-torch.drv` → `layer-a-torch`."""
    match = _DERIVATION.search(path)
    return match[1] if match else path


def error_of(reader: LogReader, log: str) -> PycomfyError:
    """What went wrong, for a person: the step, the input, the last lines of its log. `log` is where all of it is."""
    text = "\n".join(reader.errors)
    if "No space left on device" in text or any("No space left" in line for t in reader.tails.values() for line in t):
        return NoSpace(
            "no space left on the disk while building",
            where="/nix/store",
            fix="`nix-store --gc` removes what nothing needs; an image takes about twice its size",
        )
    if match := _MISMATCH.search(text):
        hashes = _SPECIFIED.search(text)
        said = f": locked {hashes[1]}, got {hashes[2]}" if hashes else ""
        return HashMismatch(
            f"{derivation_name(match[1])} is not the file that was locked{said}",
            where=log,
            fix="the server changed the file, or someone between it and you did: `pycomfy lock` pins what is there now",
        )
    if match := _DOWNLOAD.search(text):
        return Unreachable(
            f"{match[1] or match[3]} cannot be fetched: {match[2] or 'it is neither in the store nor in an archive'}",
            where=log,
            fix="check the network and proxy settings, or give an archive that has it",
        )
    name = next((derivation_name(m[1] or m[2]) for m in _FAILED.finditer(text)), "")
    own = list(_own_words(reader, name))
    what = own[0] if own else f"Nix could not build {name or 'the image'}"
    tail = "\n".join(f"    {line}" for line in reader.tails.get(name, ()) if line not in own)
    last = f"; its last lines:\n{tail}" if tail else ""
    detail = "" if name else f" ({text.splitlines()[0]})" if text else ""
    return BuildFailed(f"{what}{detail}", where=f"{name or 'evaluation'}, full log in {log}{last}", fix="see the log")


def _own_words(reader: LogReader, name: str) -> Iterator[str]:
    """Lines in which our builders say what they refuse."""
    for line in reader.tails.get(name, ()):
        if line.startswith("pycomfy: "):
            yield line.removeprefix("pycomfy: ")
