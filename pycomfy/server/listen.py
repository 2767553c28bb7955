"""Listen until Ctrl-C."""

import ipaddress
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from pycomfy.adapters.containers.relay import bind_port, send_at_once
from pycomfy.core.access.users import RoleName, find_role
from pycomfy.errors import BadArgument, BadInput, Placeholder, suggest_retry
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import Network, OwnerAlone, Team, TrustedProxy
from pycomfy.server.hosts import LOOPBACK_NAMES, known_hosts
from pycomfy.server.studio_files import check_studio
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.results import Result
from pycomfy.services.users import KnownUsers, open_audit_log
from pycomfy.services.workspace import Workspace

DEFAULT_PORT = 8787
LOOPBACK = "127.0.0.1"

STOP = 3
"""Seconds that open connections get at the end."""


class Studio(Result):
    """A server that is ready. `url` has the token of this start in it: whoever knows it may do all that you may. Where
    users have keys, or a proxy names them, there is no token."""

    url: str
    address: str
    token: str


@dataclass(frozen=True)
class StudioOptions:
    """`port` is one of the interface with the address `host`, 0 for any that is free. `auth` is the file of users.
    `trust_header` is the header in which a proxy, at one of the addresses or networks `proxies`, says who asks; `role`
    is that of those whom the file does not have. `names` are those by which the server is asked, besides addresses and
    this machine's own name."""

    port: int = DEFAULT_PORT
    host: str = LOOPBACK
    auth: Path | None = None
    trust_header: str | None = None
    proxies: tuple[str, ...] = ()
    role: RoleName = "view"
    names: tuple[str, ...] = ()


def serve_studio(workspace: Workspace, options: StudioOptions, on_ready: Callable[[Studio], None]) -> int:
    """Serve the studio until Ctrl-C or SIGTERM; `on_ready` is called once it answers. Return how many operations run
    on. Raises `BadInput` for a port that is taken, or a file of users that cannot be used; `BadArgument` for others
    than this machine without a way to know them; `MissingTool` where the page was not built."""
    check_studio()
    team = _make_team(options)
    with _bind(options) as listener:
        port = listener.getsockname()[1]
        token = "" if team is not None else secrets.token_urlsafe(32)
        address = f"http://{_name(options.host)}:{port}"
        runner = OperationRunner(workspace)
        cookie = f"pycomfy_{port}"
        if team is None:
            access = AccessOptions(OwnerAlone(token), cookie)
        else:
            names = (*options.names, socket.gethostname(), socket.getfqdn())
            access = AccessOptions(team, cookie, known_hosts(names), open_audit_log(workspace))
        config = uvicorn.Config(
            make_app(workspace, runner, access),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # it would believe every program of this machine
            timeout_graceful_shutdown=STOP,
            ws="websockets-sansio",
            ws_max_size=1 << 16,
        )
        url = f"{address}/#token={token}" if token else f"{address}/"
        studio = Studio(url=url, address=address, token=token)
        _Server(config, lambda: on_ready(studio)).run(sockets=[listener])
        return runner.close()


def _make_team(options: StudioOptions) -> Team | None:
    """Those who may use the server; None for its owner alone."""
    if options.auth is None and options.trust_header is None:
        if not _is_loopback(options.host):
            what = "others than this machine reach that address: say who they are by a file of users, or by a proxy"
            raise BadArgument(what, argument="host")
        return None
    if (options.trust_header is None) != (not options.proxies):
        what = "a header that is trusted, and the address of the proxy that sets it, belong together"
        raise BadArgument(what, argument="proxy")
    users = KnownUsers(options.auth) if options.auth is not None else None
    if options.trust_header is None:
        return Team(users, None)
    networks = tuple(map(_parse_network, options.proxies))
    return Team(users, TrustedProxy(options.trust_header, networks, find_role(options.role)))


def _parse_network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as e:
        raise BadArgument(f'"{text[:60]}" is not an address or a network', argument="proxy") from e
    if network.prefixlen == 0:
        raise BadArgument("every address would be the proxy's", argument="proxy")
    return network


def _is_loopback(host: str) -> bool:
    return host in LOOPBACK_NAMES or host == "::1"


def _name(host: str) -> str:
    """The host as it is in an address; where it is every interface, this machine's name."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _bind(options: StudioOptions) -> socket.socket:
    try:
        return bind_port(options.port) if options.host == LOOPBACK else _bind_host(options.host, options.port)
    except BadInput as e:
        fix = suggest_retry("serve", "another port; 0 for any that is free", port=Placeholder("PORT"))
        raise BadInput(e.what, where=e.where, fix=fix) from e


def _bind_host(host: str, port: int) -> socket.socket:
    where = f"{host[:100]}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
        send_at_once(listener)
    except (OSError, UnicodeError) as e:
        reason = os.strerror(e.errno) if isinstance(e, OSError) and e.errno and e.errno > 0 else "no such address here"
        raise BadInput(f"port {port} cannot be used there: {reason}", where=where) from e
    return listener


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
