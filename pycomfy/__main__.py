"""Start the command line, for the program `pycomfy` and for `python -m pycomfy`.

What takes time is imported by `main`, when signals and streams are in order.
"""

import io
import os
import signal
import sys

TYPE_CHECKING = False  # as that of `typing`
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


def main() -> None:
    """Run the command line, and exit. A signal ends the program at once while nothing was begun: during imports."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)
    _open_closed_streams()
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Remarks(2, "w", closefd=False)),
        sys.stderr.encoding,
        sys.stderr.errors,
        line_buffering=True,
    )
    from pycomfy.cli.main import main as run

    run()


def _exit(number: int, frame: "FrameType | None") -> None:
    os._exit(128 + number)


def _open_closed_streams() -> None:
    """Open each standard stream that is closed (`>&-`) on the null device. Otherwise the next file that is opened takes
    its number, and what is printed is written into that."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


class _Remarks(io.FileIO):
    """Standard error: work goes on where it cannot be written, as on a full disk or when its terminal is gone."""

    def write(self, data: "Any") -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(memoryview(data).cast("B"))


if __name__ == "__main__":
    main()
