"""Keep a ComfyUI in reserve that has started as far as its node packs, in a container of its own, for one answer.

Its container has the confinement of every container that is asked for its nodes. It answers once and ends: what a node
pack does in one is in no other.
"""

import contextlib
import contextvars
import dataclasses
import json
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from pycomfy.adapters.containers.arguments import Limits
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.node_definitions import fetch_node_definitions
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.core.versions.verification import NodeDefinitions
from pycomfy.operation import CancelScope, Operation, cancel_scope

IDLE = 1800.0
"""Seconds that it waits to be asked."""

ORDER = "packs.json"
"""As `gateway.spare.ORDER`."""


class Spare:
    """The ComfyUI of an image, which starts now. Whoever makes one closes it."""

    def __init__(self, engine: Engine, image: StartableImage, limits: Limits) -> None:
        self._scope = CancelScope()
        self._answer: Future[NodeDefinitions] = Future()
        self._stack = contextlib.ExitStack()
        self._folder = self._stack.enter_context(scratch_folder())
        for name in ("data", "packs"):
            (self._folder / name).mkdir()
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run, engine, image, limits), name="spare", daemon=True
        )
        self._thread.start()

    def ask(self, changed: Mapping[str, Path], removed: Sequence[str], log: Path) -> NodeDefinitions:
        """Return the nodes of the image with other code: that of the folders in `changed` for node packs that it has,
        by name, and without the `removed` ones. What ComfyUI printed is moved to `log`.

        Raises `DidNotStart` or `RunFailed` where it cannot say, which may be no fault of the packs'. It can be asked
        once."""
        packs = self._folder / "packs"
        for name, folder in changed.items():
            shutil.copytree(folder, packs / name, symlinks=True)
        write_file(packs / ORDER, json.dumps({"changed": list(changed), "removed": list(removed)}))
        (packs / ORDER).chmod(0o644)
        with cancel_scope().on_cancel(self._scope.cancel):
            answer = self._answer.result()
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(answer.log, log)
        return dataclasses.replace(answer, log=str(log))

    def on_end(self, callback: Callable[[], object]) -> None:
        """Call it, in another thread, once it has answered, or ends without that."""
        self._answer.add_done_callback(lambda _: callback())

    def close(self) -> None:
        """End it, and wait until its container is gone."""
        self._scope.cancel()
        self._thread.join()
        self._stack.close()

    def _run(self, engine: Engine, image: StartableImage, limits: Limits) -> None:
        data, packs, log = (self._folder / name for name in ("data", "packs", "log"))
        # It is nobody's operation: what it reports is of no interest but to whoever asks it.
        with Operation(cancel_scope=self._scope).running():
            try:
                self._answer.set_result(
                    fetch_node_definitions(engine, image, data, log, limits=limits, packs=packs, seconds=IDLE)
                )
            except BaseException as e:  # noqa: BLE001  (whoever asks gets it, a cancellation too)
                self._answer.set_exception(e)
