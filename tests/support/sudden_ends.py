"""Kill work in the middle: not after a time, which might be before or after it, but at one of the calls it makes.

The work runs in a fork of this process. A moment is a number of calls of functions that are written in C, in whichever
thread; these are all that touches files, starts programs or waits for them.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

Work = Callable[[], object]


def count_moments(work: Work) -> int:
    """Do the work to its end. How many moments there were."""
    read, write = os.pipe()

    def counted() -> None:
        count = _watch(None)
        work()
        os.write(write, str(count()).encode())

    status = _wait(_fork(counted))
    os.close(write)
    with open(read) as answer:  # noqa: PTH123  (a file descriptor)
        assert status == 0, f"the work ended with {status}"
        return int(answer.read())


def kill_at(moment: int, work: Work) -> None:
    """Begin the work, and kill it at that moment. It must not be over before."""

    def doomed() -> None:
        _watch(moment)
        work()

    assert _wait(_fork(doomed)) == -signal.SIGKILL, f"the work was over before moment {moment}"


def _watch(last: int | None) -> Callable[[], int]:
    """Count calls from now on, and die at number `last`. The value tells how many there were."""
    number = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal number
        if event == "c_call":
            number += 1
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)
    return lambda: number


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
