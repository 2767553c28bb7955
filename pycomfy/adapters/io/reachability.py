"""Find out whether servers answer: one request each, sent like all others, but without a long wait."""

import json
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from pycomfy.adapters.io.http_client import Client, describe_failure, read_start, without_login
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.time_limit import TookTooLong, time_limit
from pycomfy.errors import Fixes, PycomfyError

SECONDS = 6.0
_TIMEOUT = httpx.Timeout(4.0, read=5.0)
_LOOKUP_SECONDS = 3.0

# Looking up a name cannot be ended from outside, and may take half a minute: so it is done in a process that can.
_LOOKUP = """
import json, socket, sys, threading, time
found = {}
def look_up(host):
    try:
        socket.getaddrinfo(host, None)
        found[host] = ""
    except OSError as e:
        found[host] = e.strerror or str(e)
threads = [threading.Thread(target=look_up, args=(host,), daemon=True) for host in sys.argv[2:]]
for thread in threads:
    thread.start()
until = time.monotonic() + float(sys.argv[1])
for thread in threads:
    thread.join(max(0, until - time.monotonic()))
print(json.dumps(dict(found)), flush=True)
import os
os._exit(0)
"""


@dataclass(frozen=True)
class Answer:
    """The outcome of a request. `status` is HTTP's, None if there was no answer; then `error` says why, and `fix` what
    to do. `ahead` is how far the server's clock is before this machine's. `body` is as much as was to be read."""

    url: str
    status: int | None = None
    error: str = ""
    fix: Fixes = ()
    ahead: timedelta | None = None
    body: bytes = b""

    @property
    def reached(self) -> bool:
        """Whether there was an answer."""
        return self.status is not None

    @property
    def good(self) -> bool:
        """Whether the answer is a success."""
        return self.status is not None and 200 <= self.status < 300


def ask(client: Client, url: str, *, now: datetime, accept: str = "*/*", read: int = 0) -> Answer:
    """Ask for `url` with GET, and read at most `read` bytes of the body. `now` is the time here when it is sent."""
    shown, host = without_login(url), _host(url)
    if not host:
        return Answer(shown, error="not a web address", fix="check the address")
    began = time.monotonic()
    try:
        with time_limit(SECONDS), client, client.stream("GET", url, headers={"Accept": accept}, timeout=_TIMEOUT) as a:
            took = timedelta(seconds=time.monotonic() - began)
            body = read_start(url, a, read) if read else b""
            return Answer(shown, a.status_code, ahead=_ahead(a, now + took), body=body)
    except TookTooLong:
        return Answer(shown, error=f"{host} does not answer within {SECONDS:g} seconds", fix=_NETWORK)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as e:
        failure = describe_failure(url, e)
        return Answer(shown, error=failure.what, fix=failure.fixes)
    except PycomfyError as e:
        return Answer(shown, error=e.what, fix=e.fixes)


_NETWORK = "check the address and the network, and HTTPS_PROXY if there is a proxy"


def _ahead(answer: httpx.Response, now: datetime) -> timedelta | None:
    """Return how far the server's clock is ahead of ours. A cache may have kept the answer for a while, and says how
    long."""
    try:
        date = parsedate_to_datetime(answer.headers["Date"])
        return date + timedelta(seconds=min(int(answer.headers.get("Age", "0")), 10**8)) - now
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def find_proxy(url: str) -> str | None:
    """Return the proxy through which `url` is requested, without its login; None if there is none."""
    host, proxies = _host(url), getproxies()
    if not host or proxy_bypass(host):
        return None
    proxy = proxies.get(url.partition(":")[0].lower()) or proxies.get("all")
    return without_login(proxy if "://" in proxy else f"http://{proxy}") if proxy else None


def look_up(urls: Collection[str]) -> Mapping[str, str]:
    """Return, by host, why the name of a server (or of the proxy before it) cannot be looked up; only those that
    cannot."""
    hosts = {host_asked(url) for url in urls} - {""}
    hosts = {host for host in hosts if len(host) < 256 and host.isprintable() and not host.startswith("-")}
    if not hosts:
        return {}
    with time_limit(_LOOKUP_SECONDS + 4):
        done = run([sys.executable, "-I", "-S", "-c", _LOOKUP, str(_LOOKUP_SECONDS), *sorted(hosts)])
    if done.returncode != 0:
        return {}
    found = json.loads(done.stdout)
    slow = f"nobody answers within {_LOOKUP_SECONDS:g} seconds"
    return {host: why for host in hosts if (why := found.get(host, slow))}


def host_asked(url: str) -> str:
    """Return the host to which a connection is made for `url`: the server's, or the proxy's."""
    return _host(find_proxy(url) or url)


def _host(url: str) -> str:
    """Return the host of a URL, "" if it is not one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
