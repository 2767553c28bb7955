"""Kill work in the middle: not after a time, which might be before or after it, but at one of the steps it takes.

The work runs in a fork of this process. A step is a call that changes files, in whichever thread: one of the operating
system's, of a file that is written, of SQLite's, or one that starts a program. So each kill falls into work, and what a
step is called says into which.
"""

import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

Work = Callable[[], object]

_SYSTEM = re.compile(
    r"f?chmod|f(data)?sync|f?truncate|link|mkdir|open|pwrite|remove|rename|replace|rmdir|symlink|unlink|utime|write"
    r"|fork_exec|posix_spawn|flock"
)
_FILE = frozenset(("write", "writelines", "truncate", "flush", "close", "__exit__"))
_DATABASE = frozenset(("execute", "executemany", "executescript", "commit", "rollback", "__exit__"))


def list_steps(work: Work) -> list[str]:
    """Do the work to its end. Returns the names of its steps, such as `posix.replace`, in their order."""
    read, write = os.pipe()

    def listed() -> None:
        names = _watch(None)
        work()
        sys.setprofile(None)
        threading.setprofile(None)
        with open(write, "w") as answer:  # noqa: PTH123  (a file descriptor)
            answer.write("\n".join(names))

    pid = _fork(listed)
    os.close(write)
    with open(read) as answer:  # noqa: PTH123
        names = answer.read().split("\n")
    status = _wait(pid)
    assert status == 0, f"the work ended with {status}"
    return names


def kill_before(step: int, work: Work) -> None:
    """Begin the work, and kill it before it takes step number `step`, counted from 0. It must come so far."""

    def doomed() -> None:
        _watch(step)
        work()

    assert _wait(_fork(doomed)) == -signal.SIGKILL, f"the work was over before step {step}"


def _watch(last: int | None) -> list[str]:
    """Note the steps from now on in the value, and die before number `last`."""
    names: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and (name := _step(argument)) is not None:
            if len(names) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            names.append(name)

    threading.setprofile(profile)
    sys.setprofile(profile)
    return names


def _step(function: Any) -> str | None:
    """Return the name of a step, None for any other call."""
    owner: Any
    owner, name = getattr(function, "__self__", None), function.__name__
    of = getattr(owner, "__name__", None) or type(owner).__name__
    if of in ("posix", "_posixsubprocess", "fcntl"):
        known = _SYSTEM.fullmatch(name) is not None
    elif of in ("FileIO", "BufferedWriter", "BufferedRandom", "TextIOWrapper"):
        known = name in _FILE and owner not in (sys.stdout, sys.stderr) and not owner.closed and owner.writable()
    else:
        known = of in ("Connection", "Cursor") and name in _DATABASE
    return f"{of}.{name}" if known else None


def _fork(work: Work) -> int:
    pid = os.fork()
    if not pid:
        _do(work)
    return pid


def _do(work: Work) -> NoReturn:
    try:
        os.setsid()
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001  (nothing of this process's own may run in its fork)
        traceback.print_exc(file=sys.__stderr__)
    os._exit(1)


def _wait(pid: int) -> int:
    """The exit status; of a process that was killed, the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
