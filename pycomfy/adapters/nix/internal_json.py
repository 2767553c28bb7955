"""Read Nix's machine-readable log (internal-json): what runs, how many bytes arrived, what failed and why."""

import json
import re
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pycomfy.adapters.io.atomic_files import free_space, says_disk_is_full
from pycomfy.errors import (
    BuildFailed,
    HashMismatch,
    MissingTool,
    NetworkError,
    NoSpace,
    Placeholder,
    PycomfyError,
    suggest,
)

_FILE_TRANSFER, _COPY_PATH, _BUILD = 101, 100, 105  # ActivityType, nix/logging.hh
_SUBSTITUTE, _QUERY_PATH_INFO, _BUILD_WAITING = 108, 109, 111
_BUILD_LOG_LINE, _PROGRESS = 101, 105  # ResultType
_TAIL = 20
_ANSI = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)?)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]+")
_DERIVATION = re.compile(r"/nix/store/[0-9a-z]{32}-(.+?)\.drv")
_FAILED = re.compile(r"builder for '([^']+)' failed|Cannot build '([^']+)'")
_MISMATCH = re.compile(r"hash mismatch in fixed-output derivation '([^']+)'")
_SPECIFIED = re.compile(r"specified:\s+(\S+)\s+got:\s+(\S+)")
_DOWNLOAD = re.compile(r"unable to download '([^']+)': (.+)")
_OWN = re.compile(r"(?:^|error: )pycomfy(?:\.lock)?: ")
_FORBIDDEN = re.compile(r"access to (?:\w+ )?(path|URI) '([^']*)' is forbidden in (?:restricted|pure)")
_IMPORTED = re.compile(r"allow-import-from-derivation' is disabled")
_NO_SANDBOX = re.compile(
    r"cloning builder process|unable to start build process|does not support the kernel namespaces|"
    r"unable to (?:set up|create) .*namespace"
)

DISTRUST = (
    "do not use this project, unless you trust whoever made it and know why it does that: code that pycomfy writes "
    "never does"
)
"""What to do about Nix code that does what pycomfy's never does."""


@dataclass(frozen=True)
class Event:
    """Something to show: a build that began or ended, or `amount` bytes that arrived."""

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

    @property
    def only_waits(self) -> bool:
        """Whether Nix does nothing but wait for paths that other processes of Nix have locked."""
        return bool(self._running) and all(kind == _BUILD_WAITING for kind, _ in self._running.values())

    def read(self, line: str) -> tuple[list[Event], str]:
        """Return the events in `line`, and its text for the log file, "" if it has none. A line that is not as Nix
        writes them is a text: what a build runs may write anything."""
        if not line.startswith("@nix "):
            return [], line
        try:
            return self._read(json.loads(line[5:]))
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError, OverflowError):
            return [], _plain(line)

    def _read(self, data: dict[str, Any]) -> tuple[list[Event], str]:
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
        text = _plain(str(data.get("msg", "")))
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
        if kind in (_SUBSTITUTE, _QUERY_PATH_INFO, _BUILD_WAITING):
            self._running[data["id"]] = kind, ""
        return [], _plain(str(data.get("text", ""))) if kind == _BUILD_WAITING else ""

    def _result(self, data: dict[str, Any]) -> tuple[list[Event], str]:
        kind, name = self._running.get(data["id"], (0, ""))
        fields = data.get("fields", [])
        if data.get("type") == _BUILD_LOG_LINE and kind == _BUILD and fields:
            text = _plain(str(fields[0]))
            self.tails[name].append(text)
            return [], f"{name}> {text}"
        if data.get("type") == _PROGRESS and kind in (_FILE_TRANSFER, _COPY_PATH) and fields:
            more = int(fields[0]) - self._received.get(data["id"], 0)
            if more > 0:
                self._received[data["id"]] = int(fields[0])
                return [Event("bytes", name, more)], ""
        return [], ""


def _plain(text: str) -> str:
    """Return text without colours or anything else that a terminal would obey: builders run untrusted code."""
    return _CONTROLS.sub(" ", _ANSI.sub("", text))


def derivation_name(path: str) -> str:
    """Return `layer-a-torch` for `/nix/store/…-layer-a-torch.drv`."""
    match = _DERIVATION.search(path)
    return match[1] if match else path


def no_space_in_store(store: Path | None) -> NoSpace:
    """Return the error for a full disk. It says how much is free in both folders that builds write to. `store` is the
    root folder of another store than the machine's."""
    folders = [(store or Path("/")) / "nix/store", Path(tempfile.gettempdir())]
    free = ", ".join(f"{free_space(folder) / 1e6:.1f} MB free in {folder}" for folder in folders)
    return NoSpace(
        f"no space left on the disk while building ({free})",
        where=str(folders[0]),
        fix=(suggest("gc", "frees what nothing needs"), "`nix-store --gc`, which frees what others left, too"),
    )


def explain_failure(reader: LogReader, log: str, store: Path | None = None) -> PycomfyError:
    """Return what went wrong, for a person: the step, the input, the last lines of its log. `log` is the whole log's
    file, `store` another store's root folder."""
    text = "\n".join(reader.errors)
    failed = next((derivation_name(m[1] or m[2]) for m in _FAILED.finditer(text)), "")
    tail = reader.tails.get(failed, ())
    output = "\n".join((text, *tail))
    if says_disk_is_full(output):
        return no_space_in_store(store)
    if match := _NO_SANDBOX.search(output):
        message = next(line for line in output.splitlines() if match[0] in line)
        return MissingTool(
            "Nix cannot make its sandbox on this machine, so nothing was built",
            where=f"{message.removeprefix('error: ').strip()[:500]}; the full log is {log}",
            fix=(
                suggest("doctor", "says what is missing"),
                suggest("retry", "if you trust what is built", sandbox=False),
            ),
        )
    if match := _MISMATCH.search(output):
        hashes = _SPECIFIED.search(output)
        both = f": locked {hashes[1]}, got {hashes[2]}" if hashes else ""
        return HashMismatch(
            f"{derivation_name(match[1])} is not the file that was locked{both}",
            where=log,
            fix=suggest("lock", "pins what is there now: the server, or someone between it and you, changed the file"),
        )
    if match := _DOWNLOAD.search(output):
        return NetworkError(
            f"{match[1]} cannot be fetched: {match[2]}",
            where=log,
            fix=(
                "check the network and the proxy",
                suggest("archive pull", "from an archive that has it", url=Placeholder("URL")),
            ),
        )
    # Lines in which our builders and our Nix code refuse something.
    own = [line.split("pycomfy", 1)[1].lstrip(": ") for line in output.splitlines() if _OWN.search(line)]
    what = own[0] if own else f"Nix could not build {failed or 'the image'}"
    last = "\n".join(f"    {line}" for line in tail if not _OWN.search(line))
    where = f"{failed or 'evaluation'}, the full log is {log}" + ("; its last lines:" if last else "")
    detail = "" if own or failed else f" ({text.splitlines()[0]})" if text else ""
    return BuildFailed(f"{what}{detail}", where=where, details=last, fix="see the message above, and the whole log")


def explain_evaluation(attribute: str, text: str) -> PycomfyError:
    """Return why `attribute` could not be evaluated; `text` is what Nix printed."""
    text = _plain(text).strip()
    details = text[-1000:]
    if match := _FORBIDDEN.search(text):
        does = "read" if match[1] == "path" else "fetch"
        what = f"the project's Nix code tried to {does} {match[2]}, which is not part of the project; it was stopped"
        return BuildFailed(what, details=details, fix=DISTRUST)
    if _IMPORTED.search(text):
        what = "the project's Nix code tried to run a build while it was evaluated; it was stopped"
        return BuildFailed(what, details=details, fix=DISTRUST)
    own = [line.split("pycomfy", 1)[1].lstrip(": ") for line in text.splitlines() if _OWN.search(line)]
    if own:
        return BuildFailed(own[0], where=f"evaluating {attribute}", fix="see the message above")
    errors = [line for line in text.splitlines() if "error:" in line] or text.splitlines()
    detail = f" ({errors[0].removeprefix('error:').strip()})" if errors else ""
    return BuildFailed(f"Nix cannot evaluate {attribute}{detail}", details=details, fix="see Nix's message above")
