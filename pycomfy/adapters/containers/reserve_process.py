"""Hold one ComfyUI in reserve, in the folder that this process starts in: until it is asked, or idle for too long.

It answers one order of `reserve` and ends. With it ends its container: also where it is killed, as the container's
standard input ends then.
"""

import contextlib
import json
import os
import select
import shutil
import socket
import sys
from pathlib import Path

from pycomfy.adapters.containers.arguments import read_limits
from pycomfy.adapters.containers.engine import find_engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.adapters.containers.node_definitions import render_answer
from pycomfy.adapters.containers.reserve import ABOUT, About, reach
from pycomfy.adapters.containers.spare import Spare
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.errors import PycomfyError


def main() -> None:
    """Hold the ComfyUI that the folder's file is about, for as many seconds as the argument says."""
    folder = Path.cwd()
    try:
        with signals_as_exceptions(), contextlib.suppress(KeyboardInterrupt, SystemExit, PycomfyError):
            _hold(folder, About(**json.loads((folder / ABOUT).read_bytes())), float(sys.argv[1]))
    finally:
        # The lock goes with this process; whoever finds the folder without it may remove it, too.
        shutil.rmtree(folder, ignore_errors=True)


def _hold(folder: Path, about: About, idle: float) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        with reach(folder) as path:
            listener.bind(path)
        listener.listen()
        engine = find_engine(about.engine or None)
        image = provide(engine, read_layout(Path(about.layout)), about.name)
        spare = stack.enter_context(contextlib.closing(Spare(engine, image, read_limits(os.environ))))
        ended, wake = os.pipe()
        spare.on_end(lambda: os.close(wake))
        ready, _, _ = select.select([listener.fileno(), ended], [], [], idle)
        if listener.fileno() in ready:
            connection = stack.enter_context(listener.accept()[0])
            # From here on nobody else finds it, and who has found it gets no answer.
            (folder / ABOUT).unlink(missing_ok=True)
            listener.close()
            _answer(spare, connection)


def _answer(spare: Spare, connection: socket.socket) -> None:
    with connection.makefile("rb") as file:
        order = json.loads(file.readline() or b"null")
    if order is None:  # whoever wanted to ask has gone
        return
    changed = {name: Path(path) for name, path in order["changed"].items()}
    try:
        text = render_answer(spare.ask(changed, order["removed"], Path(order["log"])))
    except PycomfyError as e:
        text = json.dumps({"error": e.what})
    with contextlib.suppress(OSError):
        connection.sendall(text.encode())


if __name__ == "__main__":
    main()
