"""What ComfyUI prints: its last lines, and the node packs that it says it could not import."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

LINE_LIMIT = 4000
TRACEBACK_LINES = 200

_FAILED = re.compile(r"Cannot import (?P<path>.+?) module for custom nodes: (?P<message>.*)")
_ENTRYPOINT = re.compile(r"Error while calling comfy_entrypoint in (?P<path>.+?): (?P<message>.*)")
_SKIPPED = re.compile(r"(?P<message>Skip (?P<path>.+?) module for custom nodes due to .*)")
_PRESTARTUP = re.compile(r"(?P<message>Failed to execute startup-script: (?P<path>.+?)/prestartup_script\.py / .*)")
_TABLE = re.compile(r"seconds \(IMPORT FAILED\): (?P<path>.+)")
_BUILT_IN = re.compile(r"IMPORT FAILED: (?P<path>\S+\.py)$")
_PATTERNS = (_FAILED, _ENTRYPOINT, _SKIPPED, _PRESTARTUP, _TABLE, _BUILT_IN)
CHAIN = re.compile(r"During handling of the above exception|The above exception was the direct cause")
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass
class ImportFailure:
    """A node pack, by its folder's name, that ComfyUI could not import."""

    pack: str
    message: str
    traceback: str

    def as_dict(self) -> dict[str, str]:
        return {"pack": self.pack, "message": self.message, "traceback": self.traceback}


@dataclass
class Log:
    """Takes lines in the order they were printed."""

    tail: deque[str] = field(default_factory=lambda: deque(maxlen=60))
    _recent: deque[str] = field(default_factory=lambda: deque(maxlen=TRACEBACK_LINES))
    _failures: dict[str, ImportFailure] = field(default_factory=dict)

    def add(self, line: str) -> None:
        line = COLOUR.sub("", line)[:LINE_LIMIT]
        if line.strip():
            self.tail.append(line)
        for pattern in _PATTERNS:
            found = pattern.search(line)
            if found:
                # Only this message has its traceback printed right before it.
                trace = last_traceback(list(self._recent)) if pattern is _FAILED else ""
                self._fail(found["path"].strip(), found.groupdict().get("message") or "it could not be imported", trace)
                return
        self._recent.append(line)

    @property
    def failures(self) -> list[ImportFailure]:
        return [self._failures[name] for name in sorted(self._failures)]

    def _fail(self, path: str, message: str, trace: str) -> None:
        name = path.rstrip("/").rsplit("/", 1)[-1]
        before = self._failures.get(name)
        # A traceback says more than an earlier message, such as that of a start script; the summary table repeats.
        if before is None or (trace and not before.traceback):
            self._failures[name] = ImportFailure(name, message, trace)


def is_failure(line: str) -> bool:
    """Whether a line of ComfyUI's says that something could not be imported."""
    return any(pattern.search(line) for pattern in _PATTERNS)


def last_traceback(lines: list[str]) -> str:
    """The last traceback in `lines`, with those it was chained from; empty if there is none."""
    begin = end = len(lines)
    while True:
        above = next((i for i in range(begin - 1, -1, -1) if lines[i].startswith("Traceback (most recent call")), None)
        if above is None:
            break
        begin = above
        before = next((i for i in range(begin - 1, -1, -1) if lines[i].strip()), None)
        if before is None or not CHAIN.match(lines[before]):
            break
    return "\n".join(lines[begin:end]).strip()


class Lines:
    """Splits bytes into lines; a progress bar's carriage return ends one too."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        parts = re.split(rb"\r\n|\n|\r", self._rest + data)
        # A line without an end must not fill the memory.
        self._rest = parts.pop()[-LINE_LIMIT * 4 :]
        for part in parts:
            yield part.decode("utf-8", "replace").rstrip()

    def end(self) -> Iterator[str]:
        if self._rest:
            yield self._rest.decode("utf-8", "replace").rstrip()
        self._rest = b""
