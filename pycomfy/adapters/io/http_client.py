"""The web: a client, when to ask again, and how a server's refusal is told.

Proxies and certificates are httpx's business: `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from pycomfy import __version__
from pycomfy.adapters.io.credentials import Credentials
from pycomfy.errors import BadInput, NetworkError
from pycomfy.operation import Cancelled, cancel_scope

MAX_TRIES = 4
PAUSE = 0.5  # seconds before the second try; each next pause is twice as long
MAX_PAUSE = 30.0
CONNECTIONS = 8

DENIED = "give access: a login for the host in ~/.netrc, or a proxy in HTTPS_PROXY"

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class ServerUnreachable(NetworkError):
    """The server cannot be reached at all: trying its other files would only take long."""


class Refusal(NetworkError):
    """The server answered that it does not give that; `status` is HTTP's."""

    def __init__(self, status: int, *, where: str, fix: str) -> None:
        super().__init__(f"the server refuses: HTTP {status}", where=where, fix=fix)
        self.status = status


class Retryable(Exception):
    """A failure that may pass. `wait`: seconds the server asks for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class Client(httpx.Client):
    """A client whose connections can be cut from another thread, for which a read might have a minute to wait: while it
    is used as a context manager, cancelling the operation does so. What is asked of it afterwards raises
    `Cancelled`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, event_hooks={"request": [self._watch]})
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        self._leave = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._leave.enter_context(cancel_scope().on_cancel(self.cut))
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._leave.close()
        super().__exit__(kind, error, trace)

    def cut(self) -> None:
        """End every connection; who reads from one sees that at once."""
        self._cut.set()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _watch(self, request: httpx.Request) -> None:
        if self._cut.is_set():
            raise Cancelled
        request.extensions = {**request.extensions, "trace": self._remember}

    def _remember(self, event: str, about: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            found = about["return_value"].get_extra_info("socket")
            if isinstance(found, socket.socket):
                self._sockets.append(found)
                if self._cut.is_set():
                    self.cut()  # it was being made when the others were cut


def make_client(auth: httpx.Auth | None = None) -> Client:
    """A client that follows redirects; by default with the logins of `~/.netrc`."""
    return Client(
        auth=auth or Credentials(),
        follow_redirects=True,
        timeout=httpx.Timeout(30.0, read=60.0),
        headers={"User-Agent": f"pycomfy/{__version__}"},
        limits=httpx.Limits(max_connections=CONNECTIONS),
    )


def retry(url: str, attempt: Callable[[], T], *, tries: int = MAX_TRIES) -> T:
    """Return what `attempt` returns, tried again where the failure may pass. Raises `NetworkError` after the last try,
    and `Cancelled` when the operation is cancelled."""
    scope = cancel_scope()
    for number in range(1, tries + 1):
        try:
            return attempt()
        except (Retryable, httpx.TransportError) as e:
            scope.check()
            if number == tries or "CERTIFICATE_VERIFY_FAILED" in str(e):
                raise _unreachable(url, e) from e
            wait = e.wait if isinstance(e, Retryable) else 0.0
            scope.wait(min(max(wait, PAUSE * 2 ** (number - 1)), MAX_PAUSE))
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise NetworkError(f"no download: {e}", where=without_login(url), fix="check the address") from e
    raise AssertionError("the last try either returns or raises")


def _unreachable(url: str, error: Exception) -> NetworkError:
    host = urlsplit(url).hostname or "the server"
    if isinstance(error, Retryable):
        return NetworkError(f"{host} cannot answer now: {error}", where=without_login(url), fix="try again later")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ServerUnreachable(
            f"{host} shows a certificate that is not trusted: {error}",
            where=without_login(url),
            fix="if it is your company's, set SSL_CERT_FILE to a bundle that has it",
        )
    return ServerUnreachable(
        f"{host} does not answer: {error or type(error).__name__}",
        where=without_login(url),
        fix="check the address and the network, and HTTPS_PROXY if there is a proxy",
    )


def check_status(url: str, answer: httpx.Response, denied: str = DENIED) -> None:
    """Raises `Retryable` for a status that may pass, `Refusal` for another that is no success; `denied` is what mends a
    refusal for want of a login."""
    status = answer.status_code
    if answer.is_success:
        return
    if status in _TRANSIENT:
        raise Retryable(f"HTTP {status}", _retry_after(answer.headers.get("Retry-After", "")))
    if status in (401, 403, 407):
        fix = denied
    elif status in (404, 410):
        fix = "the file is gone: lock again, or take it from an archive that has it"
    else:
        fix = "check the address"
    raise Refusal(status, where=without_login(url), fix=fix)


def read_body(url: str, answer: httpx.Response, limit: int) -> bytes:
    """What the server sends, of at most `limit` bytes. Raises `NetworkError` as soon as there are more."""
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > limit:
            raise too_long(url, limit)
    return bytes(data)


def too_long(url: str, limit: int) -> NetworkError:
    return NetworkError(f"the answer has more than {limit} bytes", where=without_login(url), fix="check the address")


def _retry_after(text: str) -> float:
    """Seconds: the header has their number, or a date."""
    if re.fullmatch(r"[0-9]{1,6}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (date - datetime.now(date.tzinfo)).total_seconds())


def local_path(url: str) -> Path | None:
    """The path of a `file:` URL; None for the web. Raises `BadInput` for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise BadInput(f"no address: {e}", where=without_login(url)[:200], fix="write https://…") from e
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(url2pathname(parts.path))
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadInput("not a web address", where=without_login(url)[:200], fix="write https://… or file:///…")
    return None


def without_login(url: str) -> str:
    """A URL without a login, fit to be shown."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url
