"""What the routes work with: one workspace, one runner of operations, one hub of live connections, and metrics."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from pycomfy.server.live import Live
from pycomfy.server.metrics import Metrics
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace


def _workspace(connection: HTTPConnection) -> Workspace:
    found: Workspace = connection.app.state.workspace
    return found


def _runner(connection: HTTPConnection) -> OperationRunner:
    found: OperationRunner = connection.app.state.runner
    return found


def _live(connection: HTTPConnection) -> Live:
    found: Live = connection.app.state.live
    return found


def _metrics(connection: HTTPConnection) -> Metrics:
    found: Metrics = connection.app.state.metrics
    return found


WorkspaceOf = Annotated[Workspace, Depends(_workspace)]
RunnerOf = Annotated[OperationRunner, Depends(_runner)]
LiveOf = Annotated[Live, Depends(_live)]
MetricsOf = Annotated[Metrics, Depends(_metrics)]
