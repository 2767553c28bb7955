"""Listen until Ctrl-C."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from pycomfy.adapters.containers.relay import bind_port
from pycomfy.errors import BadInput, Placeholder, suggest_retry
from pycomfy.server.app import make_app
from pycomfy.server.studio_files import check_studio
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

DEFAULT_PORT = 8787

STOP = 3
"""Seconds that open connections get at the end."""


class Studio(Result):
    """A server that is ready. `url` has the token of this start in it: whoever knows it may do all that you may."""

    url: str
    address: str
    token: str


@dataclass(frozen=True)
class StudioOptions:
    """`port` is one of the loopback interface, 0 for any that is free."""

    port: int = DEFAULT_PORT


def serve_studio(workspace: Workspace, options: StudioOptions, on_ready: Callable[[Studio], None]) -> int:
    """Serve the studio until Ctrl-C or SIGTERM; `on_ready` is called once it answers. Return how many operations run
    on. Raises `BadInput` for a port that is taken, `MissingTool` where the page was not built."""
    check_studio()
    with _bind(options.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        token = secrets.token_urlsafe(32)
        runner = OperationRunner(workspace)
        app = make_app(workspace, runner, token, f"pycomfy_{listener.getsockname()[1]}")
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP,
            ws="websockets-sansio",
            ws_max_size=1 << 16,
        )
        studio = Studio(url=f"{address}/#token={token}", address=address, token=token)
        _Server(config, lambda: on_ready(studio)).run(sockets=[listener])
        return runner.close()


def _bind(port: int) -> socket.socket:
    try:
        return bind_port(port)
    except BadInput as e:
        fix = suggest_retry("serve", "another port; 0 for any that is free", port=Placeholder("PORT"))
        raise BadInput(e.what, where=e.where, fix=fix) from e


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
