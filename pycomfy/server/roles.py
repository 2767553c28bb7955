"""Say which role each request needs: all of it is in this table, and what is not in it is refused.

A request is looked up here before anything of it is read. So a route that was forgotten is one that nobody can use.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from pycomfy.core.access.users import Role
from pycomfy.server.callers import Caller
from pycomfy.services.operations.requests import LockRequest, OperationRequest, Request, RestoreRequest, RunRequest
from pycomfy.services.operations.results import OperationEntry
from pycomfy.services.operations.run_inputs import list_named_files
from pycomfy.services.workspace import Workspace

SESSION = "/api/session"
"""Where a page changes a token or a key for a cookie."""

METRICS = "/metrics"

SOCKET = "WEBSOCKET"

ROLES: Mapping[tuple[str, str], Role | None] = {
    ("POST", SESSION): None,
    ("GET", SESSION): Role.VIEW,
    ("DELETE", SESSION): Role.VIEW,
    ("GET", "/api/openapi.json"): Role.VIEW,
    ("GET", METRICS): Role.VIEW,
    (SOCKET, "/api/live"): Role.VIEW,
    ("GET", "/api/workflows"): Role.VIEW,
    ("POST", "/api/workflows"): Role.BUILD,
    ("POST", "/api/workflows/example"): Role.BUILD,
    ("GET", "/api/workflows/{name}"): Role.VIEW,
    ("DELETE", "/api/workflows/{name}/folder"): Role.BUILD,
    ("GET", "/api/workflows/{name}/graph"): Role.VIEW,
    ("GET", "/api/workflows/{name}/values"): Role.VIEW,
    ("POST", "/api/workflows/{name}/values"): Role.BUILD,
    ("GET", "/api/workflows/{name}/needs"): Role.VIEW,
    ("GET", "/api/workflows/{name}/versions"): Role.VIEW,
    ("GET", "/api/workflows/{name}/versions/{version}"): Role.VIEW,
    ("GET", "/api/workflows/{name}/versions/{version}/diff"): Role.VIEW,
    ("GET", "/api/workflows/{name}/versions/{version}/image"): Role.VIEW,
    ("GET", "/api/workflows/{name}/versions/{version}/restore"): Role.BUILD,
    ("GET", "/api/workflows/{name}/versions/{version}/example"): Role.VIEW,
    ("GET", "/api/workflows/{name}/history"): Role.VIEW,
    ("POST", "/api/workflows/{name}/versions/{version}/tags"): Role.BUILD,
    ("DELETE", "/api/workflows/{name}/tags/{tag}"): Role.BUILD,
    ("POST", "/api/workflows/{name}/versions/{version}/branch"): Role.BUILD,
    ("GET", "/api/workflows/{name}/versions/{version}/revert"): Role.VIEW,
    ("POST", "/api/workflows/{name}/versions/{version}/revert"): Role.BUILD,
    ("GET", "/api/workflows/{name}/merge"): Role.VIEW,
    ("POST", "/api/workflows/{name}/merge"): Role.BUILD,
    ("GET", "/api/workflows/{name}/runs"): Role.VIEW,
    ("GET", "/api/workflows/{name}/runs/{run}/outputs/{at}"): Role.VIEW,
    ("POST", "/api/uploads"): Role.RUN,
    ("GET", "/api/operations"): Role.VIEW,
    ("POST", "/api/operations"): Role.RUN,
    ("GET", "/api/operations/{key}"): Role.VIEW,
    ("POST", "/api/operations/{key}/cancel"): Role.RUN,
    ("GET", "/api/operations/{key}/outputs/{path:path}"): Role.VIEW,
    ("GET", "/api/system/doctor"): Role.VIEW,
    ("GET", "/api/system/disk"): Role.VIEW,
    ("GET", "/api/system/log"): Role.BUILD,
}
"""By method and path; None for what everybody may ask."""

KINDS: Mapping[str, Role] = {
    "run": Role.RUN,
    "lock": Role.BUILD,
    "build": Role.BUILD,
    "verify": Role.BUILD,
    "restore": Role.BUILD,
    "models-pull": Role.BUILD,
    "gc": Role.BUILD,
    "reindex": Role.BUILD,
    "catalog-update": Role.BUILD,
    "archive-fill": Role.BUILD,
    "archive-verify": Role.BUILD,
    "models-verify": Role.BUILD,
}
"""The role that each kind of operation needs."""


class Rule(NamedTuple):
    """A row of the table, and the paths that it is for."""

    method: str
    path: str
    role: Role | None
    pattern: re.Pattern[str]


_RULES = tuple(Rule(method, path, role, compile_path(path)[0]) for (method, path), role in ROLES.items())


@lru_cache(maxsize=128)
def find_rules(path: str) -> tuple[Rule, ...]:
    """Return the rows for a path, a method each; of two for one method the router takes the first, too. Both who may
    ask and what is counted depend on it: it is looked up once."""
    found: dict[str, Rule] = {}
    for rule in _RULES:
        if rule.pattern.match(path):
            found.setdefault(rule.method, rule)
    return tuple(found.values())


def list_kinds() -> set[str]:
    """Return every kind of operation that can be asked for."""
    union: Any = get_args(OperationRequest)[0]
    return {get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(union)}


def check_start(workspace: Workspace, request: Request, caller: Caller) -> None:
    """Refuse an operation that the caller may not start. Only the owner names files and folders of this machine: for
    anybody else, they would be read and written with the owner's rights."""
    needed = KINDS.get(request.kind, Role.OWNER)
    if caller.role < needed:
        raise HTTPException(403, f'"{request.kind}" needs the role "{needed.title}"')
    if caller.role >= Role.OWNER:
        return
    if isinstance(request, RestoreRequest) and request.folder is not None:
        raise HTTPException(403, "a folder of this machine is written by who started the server alone")
    if isinstance(request, RunRequest) and (names := list_named_files(workspace, request)):
        inputs = ", ".join(sorted(names))[:200]
        raise HTTPException(403, f"a file of this machine is given to a run by who started the server alone: {inputs}")
    if isinstance(request, LockRequest) and not all(_is_https(value.partition("=")[2]) for value in request.packs):
        raise HTTPException(403, "with several users, a node pack has an address that begins with https://")


def check_cancel(operation: OperationEntry, caller: Caller) -> None:
    """Refuse to cancel what somebody else started, but for those who may build."""
    if caller.role < Role.BUILD and operation.created_by != caller.name:
        raise HTTPException(403, 'to cancel what somebody else started needs the role "build"')


def _is_https(address: str) -> bool:
    return address.startswith("https://")
