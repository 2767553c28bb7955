"""Keep ComfyUI's editor open on the newest version: on the loopback interface, for who has the session's key."""

import contextlib
import contextvars
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.containers.relay import bind_port
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.errors import PycomfyError
from pycomfy.operation import Cancelled, CancelScope
from pycomfy.services.run.serve import Served, ServeOptions, serve
from pycomfy.services.workspace import Workspace

DEFAULT_PORT = 8188
"""ComfyUI's own."""

_USER = "dev"

_SETTINGS = {"PYCOMFY_EXPOSE_COMFYUI": "1", "PYCOMFY_DRAIN": "0"}
"""What is queued in the editor ends with the image that it is queued in: a developer waits for the next one."""


@dataclass(frozen=True)
class EditorOptions:
    """How the editor is open: at which port of the loopback interface, 0 for any that is free; with which models, GPUs
    and network, as for `ServeOptions`."""

    port: int = DEFAULT_PORT
    models: Path | Literal["auto"] | None = "auto"
    gpus: str | None = None
    network: str = "none"


@dataclass
class EditorSession:
    """The editor, while the session is open. `on_ready` gets its address, with the session's key in it, each time that
    it is there; in another thread."""

    workspace: Workspace
    options: ServeOptions
    key: str
    on_ready: Callable[[str], None]
    _scope: CancelScope = field(default_factory=CancelScope)
    _thread: threading.Thread | None = None

    def show(self, name: str, version: int) -> None:
        """Open the editor on a version, in place of the one before. Returns before it is ready; if it cannot be opened,
        that is reported."""
        self.stop()
        self._scope = CancelScope()
        state = self.workspace.paths.served / f"{name}@{_USER}"
        arguments = (f"{name}@{version}", replace(self.options, state=state), self._scope)
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._serve, *arguments), name="editor")
        self._thread.start()

    def stop(self) -> None:
        """End the editor, and wait until its container is gone."""
        if self._thread is not None:
            self._scope.cancel()
            self._thread.join()
            self._thread = None

    def _serve(self, reference: str, options: ServeOptions, scope: CancelScope) -> None:
        with replace(operation.current(), cancel_scope=scope).running(), contextlib.suppress(Cancelled):
            try:
                serve(self.workspace, reference, options, self._tell)
            except PycomfyError as e:
                operation.report(f"warning: the editor is not open: {e.what}", e.fixes)

    def _tell(self, served: Served) -> None:
        scheme, _, host = served.url.partition("://")
        self.on_ready(f"{scheme}://{_USER}:{self.key}@{host}/comfyui/")


@contextlib.contextmanager
def open_session(
    workspace: Workspace, options: EditorOptions, on_ready: Callable[[str], None]
) -> Iterator[EditorSession]:
    """Make a session with a key of its own; it ends with the block, and its key with it. Raises `BadInput` for a port
    that is taken."""
    with bind_port(options.port) as listener:
        port = int(listener.getsockname()[1])
    key = secrets.token_urlsafe(24)
    with scratch_folder() as folder:
        keys = folder / "keys"
        keys.touch(mode=0o600)
        keys.write_text(f"{_USER}:{key}\n")
        serving = ServeOptions(
            port=port,
            environment=_SETTINGS,
            keys=keys,
            models=options.models,
            gpus=options.gpus,
            network=options.network,
        )
        session = EditorSession(workspace, serving, key, on_ready)
        try:
            yield session
        finally:
            session.stop()
