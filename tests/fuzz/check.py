"""Give an input to a target, and tell whether that did harm."""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import certifi

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.cli.errors import print_error
from pycomfy.errors import PycomfyError
from tests.fuzz.printing import acts_on_terminal, printed
from tests.fuzz.target import Target

CPU_SECONDS = 5
"""Of this process, for one input of at most 64 KiB; a good one takes a thousandth of it."""

MAX_MEMORY = 512 << 20
"""Bytes by which one input may raise the most memory that the process ever had."""

MAX_MESSAGE = 1 << 20
"""Bytes of an error, as JSON; and characters of all errors, as a person gets to see them."""

_PACKAGE = f"{Path(__file__).parents[2] / 'pycomfy'}{os.sep}"

_WRITES = {
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.truncate": (0,),
    "sqlite3.connect": (0,),
}
"""The audit events that change a file, and which of their arguments are paths."""


@dataclass(frozen=True)
class Fault:
    """`key` is equal for the same fault in another input; `text` shows it to a person."""

    key: str
    text: str


class _TooSlow(BaseException):
    """No `except Exception` of what runs ends it."""


class _Outside(BaseException):
    """Something was written outside the folder, or the network was asked."""


def check(target: Target, data: bytes, folder: Path) -> Fault | None:
    """Return what is wrong with what the target makes of the input, or None. `folder` is made, and gone afterwards, as
    is a folder beside it for what is temporary."""
    _prepare(target.seeds)
    temporary = folder.with_name(f"{folder.name}-temporary")
    for made in (folder, temporary):
        made.mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _limited_time(), _confined(folder, temporary):
            target.run(data, folder)
    except PycomfyError as e:
        problem = _describe_unprintable(e)
        if problem:
            return Fault(f"{problem}: {_origin(e)}", f"{problem}\n{e.as_dict()!r}\n{_shown(e)}")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:  # noqa: BLE001 - that is what is looked for
        return Fault(f"{type(e).__name__}: {_origin(e)}", _shown(e))
    finally:
        left = sorted(path.name for path in temporary.iterdir() if path.name != _CERTIFICATES)
        for made in (folder, temporary):
            shutil.rmtree(made, ignore_errors=True)
    if left:
        return Fault("left temporary files", f"left in the folder for temporary files: {left}")
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return Fault("memory", f"{more >> 20} MiB more memory") if more > MAX_MEMORY else None


@cache
def _prepare(seeds: Callable[[], object]) -> None:
    seeds()


def _describe_unprintable(error: PycomfyError) -> str:
    """Return what hinders an error from being shown to a person and to a program; "" if nothing does."""
    try:
        longest = max(len(json.dumps(one.as_dict()).encode()) for one in flatten_errors(error))
        text = printed(lambda: print_error(error), error=True)
    except Exception as e:  # noqa: BLE001
        return f"cannot be shown ({type(e).__name__})"
    if acts_on_terminal(text):
        return "acts on a terminal"
    if max(longest, len(text)) > MAX_MESSAGE:
        return "a message without end"
    return "" if error.what.strip() else "says nothing"


def _origin(error: BaseException) -> str:
    """Return where in pycomfy an exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(_PACKAGE)] or frames
    if not own:
        return "?"
    return f"{own[-1].filename.removeprefix(_PACKAGE)}:{own[-1].lineno} {own[-1].name}"


def _shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-12))[-4000:]


@contextmanager
def _limited_time() -> Iterator[None]:
    """Raise `_TooSlow` when the process has computed too long: by its own time, as the clock's depends on what else the
    machine does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    previous = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


_allowed: list[Path] = []


@contextmanager
def _confined(folder: Path, temporary: Path) -> Iterator[None]:
    """Raise `_Outside` where Python code changes a file outside the two folders, or connects to anything but this
    machine."""
    if not _confined_before:
        sys.addaudithook(_audit)
        _confined_before.append(True)
    (temporary / _CERTIFICATES).write_text(_one_certificate())
    here, usual, before = Path.cwd(), tempfile.tempdir, dict(os.environ)
    os.chdir(folder)
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
    os.environ["SSL_CERT_FILE"] = str(temporary / _CERTIFICATES)
    _allowed.extend((folder.resolve(), temporary.resolve()))
    try:
        yield
    finally:
        _allowed.clear()
        tempfile.tempdir = usual
        os.environ.clear()
        os.environ.update(before)
        os.chdir(here)


_confined_before: list[bool] = []

_CERTIFICATES = "certificates.pem"


@cache
def _one_certificate() -> str:
    """Return one of the authorities that clients trust: reading all of them takes longer than most inputs."""
    text = Path(certifi.where()).read_text()
    end = "-----END CERTIFICATE-----\n"
    return text[: text.index(end)] + end


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _allowed:
        return
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and str(address[0]) not in ("127.0.0.1", "::1"):
            raise _Outside(f"{event} {address!r}")
    elif event == "open":
        path, _, flags = arguments
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)) if isinstance(flags, int) else False
        if writes and not isinstance(path, int):
            _check_inside(event, path)
    elif event in _WRITES:
        for at in _WRITES[event]:
            if not isinstance(arguments[at], int):
                _check_inside(event, arguments[at])


def _check_inside(event: str, path: Any) -> None:
    text = os.fsdecode(path)
    if text in ("/dev/null", ":memory:") or (event == "os.mkdir" and os.path.isdir(text)):  # noqa: PTH112
        return
    parent = str(Path(text).absolute().parent.resolve())
    if not any(parent == str(folder) or parent.startswith(f"{folder}/") for folder in _allowed):
        raise _Outside(f"{event} {text!r}")
