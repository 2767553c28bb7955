"""Ask web servers: a client, when to try again, and what a server's refusal means for the user.

Proxies and certificates are httpx's business: `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`.
"""

import contextlib
import functools
import os
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from pycomfy import __version__
from pycomfy.adapters.io.clock import blames_time, clock_fix
from pycomfy.adapters.io.credentials import Credentials
from pycomfy.errors import BadInput, Fixes, NetworkError, Placeholder, suggest
from pycomfy.operation import Cancelled, cancel_scope

MAX_TRIES = 4
PAUSE = 0.5  # seconds before the second try; each next pause is twice as long
MAX_PAUSE = 30.0
CONNECTIONS = 8

LOGIN_FIX = "give access: a login for the host in ~/.netrc, or a proxy in HTTPS_PROXY"

_FIX_ENCODING = "check the address, and the proxy if there is one"

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class ServerUnreachable(NetworkError):
    """The server cannot be reached at all: trying its other files would only take long."""


class Refusal(NetworkError):
    """The server answered with a status, HTTP's, that is neither a success nor may pass."""

    def __init__(self, status: int, *, where: str, fix: Fixes) -> None:
        super().__init__(f"the server refuses: HTTP {status}", where=where, fix=fix)
        self.status = status


class Retryable(Exception):
    """A failure that may pass. `wait`: seconds the server asks for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class Client(httpx.Client):
    """A client whose connections are cut when the operation is cancelled while it streams: a read might wait a minute.

    All connections are cut then, and later requests raise `Cancelled`: those who share a client end together. A
    connection that is being made is the exception, and may take 30 seconds.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, event_hooks={"request": [self._watch]})
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def stream(self, *arguments: Any, **options: Any) -> Iterator[httpx.Response]:
        with cancel_scope().on_cancel(self.cut), super().stream(*arguments, **options) as response:
            yield response

    def cut(self) -> None:
        """End every connection; whoever reads from one notices at once. From any thread."""
        self._cut.set()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _watch(self, request: httpx.Request) -> None:
        if self._cut.is_set():
            raise Cancelled
        request.extensions = {**request.extensions, "trace": self._remember}

    def _remember(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the socket of each new connection; httpcore calls this."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            found = info["return_value"].get_extra_info("socket")
            if isinstance(found, socket.socket):
                self._sockets.append(found)
                if self._cut.is_set():
                    self.cut()  # it was being made when the others were cut


def make_client(auth: httpx.Auth | None = None) -> Client:
    """Return a client that follows redirects; by default with the logins of `~/.netrc`."""
    return Client(
        auth=auth or Credentials(),
        verify=_trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        follow_redirects=True,
        timeout=httpx.Timeout(30.0, read=60.0),
        headers={"User-Agent": f"pycomfy/{__version__}", "Accept-Encoding": "gzip"},
        limits=httpx.Limits(max_connections=CONNECTIONS),
    )


@functools.cache
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    """What is trusted with these variables, which httpx reads. Reading all certificates takes longer than a request."""
    return httpx.create_ssl_context()


def retry(url: str, attempt: Callable[[], T], *, tries: int = MAX_TRIES) -> T:
    """Return what `attempt` returns, tried again where the failure may pass.

    Raises `NetworkError` after the last try, and `Cancelled` when the operation is cancelled.
    """
    scope = cancel_scope()
    for number in range(1, tries + 1):
        try:
            return attempt()
        except (Retryable, httpx.TransportError) as e:
            scope.check()
            if number == tries or "CERTIFICATE_VERIFY_FAILED" in str(e):
                raise describe_failure(url, e) from e
            wait = e.wait if isinstance(e, Retryable) else 0.0
            scope.wait(min(max(wait, PAUSE * 2 ** (number - 1)), MAX_PAUSE))
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise describe_failure(url, e) from e
    raise AssertionError("the last try either returns or raises")


def describe_failure(url: str, error: Exception) -> NetworkError:
    """The error for a request without an answer, or with one that may be different later (`Retryable`)."""
    if not isinstance(error, Retryable | httpx.TransportError):
        return NetworkError(f"no download: {error}", where=without_login(url), fix="check the address")
    host = urlsplit(url).hostname or "the server"
    if isinstance(error, Retryable):
        return NetworkError(f"{host} cannot answer now: {error}", where=without_login(url), fix="try again later")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        own = "if it is your company's, set SSL_CERT_FILE to a bundle that has it"
        return ServerUnreachable(
            f"the certificate of {host} is not trusted: {error}",
            where=without_login(url),
            fix=clock_fix() if blames_time(str(error)) else own,
        )
    return ServerUnreachable(
        f"{host} does not answer: {error or type(error).__name__}",
        where=without_login(url),
        fix="check the address and the network, and HTTPS_PROXY if there is a proxy",
    )


def check_status(url: str, response: httpx.Response, login_fix: Fixes = LOGIN_FIX) -> None:
    """Raise `Retryable` for a status that may pass, `Refusal` for any other failure. `login_fix` is what
    to do where the server demands a login."""
    status = response.status_code
    if response.is_success:
        return
    if status in _TRANSIENT:
        raise Retryable(f"HTTP {status}", _retry_after(response.headers.get("Retry-After", "")))
    fix: Fixes = "check the address"
    if status in (401, 403, 407):
        fix = login_fix
    elif status in (404, 410):
        fix = (
            suggest("lock", "if the file was moved or replaced"),
            suggest("archive pull", "from an archive that has it", url=Placeholder("URL")),
        )
    raise Refusal(status, where=without_login(url), fix=fix)


def read_body(url: str, response: httpx.Response, limit: int) -> bytes:
    """Return the body, of at most `limit` bytes. Raises `NetworkError` as soon as there are more."""
    data = read_start(url, response, limit + 1)
    if len(data) > limit:
        raise too_long(url, limit)
    return data


def read_start(url: str, response: httpx.Response, size: int) -> bytes:
    """Return the first `size` bytes of the body; fewer if it has no more.

    No more than that is unpacked: httpx unpacks whatever arrives, and a few kilobytes may become gigabytes. Raises
    `NetworkError` for an encoding other than gzip, the one that `make_client` accepts.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        what = f"the server answers in an encoding other than gzip: {encoding}"
        raise NetworkError(what, where=without_login(url), fix=_FIX_ENCODING)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if "gzip" in encoding else None
    data = bytearray()
    try:
        for chunk in response.iter_raw():
            room = size - len(data)
            data += chunk[:room] if unpacker is None else unpacker.decompress(chunk, room)
            if len(data) >= size:
                break
    except zlib.error as e:
        raise NetworkError(f"the answer is malformed: {e}", where=without_login(url), fix=_FIX_ENCODING) from e
    return bytes(data)


def too_long(url: str, limit: int) -> NetworkError:
    """Return the error for an answer of more than `limit` bytes."""
    return NetworkError(f"the answer has more than {limit} bytes", where=without_login(url), fix="check the address")


def _retry_after(text: str) -> float:
    """Return the seconds to wait: the header has their number, or a date."""
    if re.fullmatch(r"[0-9]{1,6}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (date - datetime.now(date.tzinfo)).total_seconds())


def local_path(url: str) -> Path | None:
    """Return the path of a `file:` URL; None for the web. Raises `BadInput` for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise BadInput(f"not an address: {e}", where=without_login(url)[:200], fix="write https://…") from e
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(url2pathname(parts.path))
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadInput("not a web address", where=without_login(url)[:200], fix="write https://… or file:///…")
    return None


def without_login(url: str) -> str:
    """Return a URL without its login, fit to be shown."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url
