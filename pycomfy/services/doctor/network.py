"""The network: one request to every kind of server that pycomfy uses, as pycomfy sends it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urljoin, urlsplit

from pycomfy.adapters.catalog.registry_client import find_registry
from pycomfy.adapters.debian.mirrors import SNAPSHOT, Mirrors, find_mirrors, find_snapshot
from pycomfy.adapters.git.server import ask_git_server
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import LOGIN_FIX, Client, local_path, make_client, without_login
from pycomfy.adapters.io.reachability import Answer, ask, find_proxy, host_asked, look_up
from pycomfy.adapters.models.hubs import find_hubs, hub_client, login_fix
from pycomfy.adapters.python.simple_index import JSON_AND_HTML, find_indexes
from pycomfy.core.lockfile.config import COMFYUI_URL, SUITES
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES
from pycomfy.errors import Fixes, PycomfyError
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding, Subject
from pycomfy.services.doctor.machine import judge_clock
from pycomfy.services.doctor.subjects import (
    CIVITAI,
    DEBIAN,
    DEBIAN_SECURITY,
    DEBIAN_SNAPSHOT,
    GIT_SERVER,
    HUGGING_FACE,
    PROXY,
    PYTHON_FILES,
    PYTHON_INDEX,
    REGISTRY,
)

PACKAGE = "packaging"
"""Every index has it, as nearly everything needs it."""
_MAX_PAGE = 4 << 20
_SUITE = next(iter(SUITES.values()))

LOST: Mapping[str, str] = {
    PYTHON_INDEX.id: "workflows cannot be locked",
    PYTHON_FILES.id: "Python packages cannot be fetched",
    DEBIAN.id: "workflows cannot be locked, and new images cannot be built",
    DEBIAN_SECURITY.id: "workflows cannot be locked, and new images cannot be built",
    DEBIAN_SNAPSHOT.id: "nothing can be locked as of a day",
    GIT_SERVER.id: "node packs and ComfyUI cannot be fetched from there",
    REGISTRY.id: "node packs that only the registry knows are not found",
    HUGGING_FACE.id: "models cannot be pinned or fetched from there",
    CIVITAI.id: "models cannot be pinned or fetched from there",
}
"""What does not work without each. What is archived can be restored without any."""


@dataclass(frozen=True)
class Server:
    """A server to ask for `url`. `missing_is_fine`: an answer that there is no such thing is an answer, too."""

    subject: Subject
    url: str
    client: Callable[[], Client] = make_client
    accept: str = "*/*"
    read: int = 0
    missing_is_fine: bool = False
    login_fix: Fixes = LOGIN_FIX


def check_network(examination: Examination) -> Iterator[Finding]:
    """Ask all servers at once. What they say of the time makes the finding about the clock."""
    servers, wrong = list_servers(examination)
    yield from wrong
    proxies = {proxy for server in servers if (proxy := find_proxy(server.url)) is not None}
    if proxies:
        yield PROXY.ok(", ".join(sorted(proxies)), facts={"proxies": sorted(proxies)})
    clock = examination.workspace.clock
    answers = run_concurrently({"web": partial(_ask_all, servers, clock), "git": partial(_ask_git, COMFYUI_URL)})
    files = [
        Server(PYTHON_FILES, url)
        for server, answer in zip(servers, answers["web"], strict=True)
        if server.subject == PYTHON_INDEX and (url := find_file_server(server.url, answer.body)) is not None
    ]
    answered = [*zip(servers, answers["web"], strict=True), *zip(files, _ask_all(files, clock), strict=True)]
    yield from (judge_answer(server, answer) for server, answer in answered)
    yield judge_answer(Server(GIT_SERVER, COMFYUI_URL), answers["git"][0])
    yield judge_clock(clock(), [answer.ahead for _, answer in answered if answer.ahead is not None])


def list_servers(examination: Examination) -> tuple[list[Server], list[Finding]]:
    """Return the servers that are set up, and findings about settings that make no sense."""
    servers: list[Server] = []
    wrong: list[Finding] = []
    for subject, make in (
        (PYTHON_INDEX, _python_servers),
        (DEBIAN, _debian_servers),
        (DEBIAN_SNAPSHOT, partial(_snapshot_servers, examination)),
        (REGISTRY, _registry_servers),
        (HUGGING_FACE, partial(_hub_servers, examination)),
    ):
        try:
            servers += make()
        except PycomfyError as e:
            lost = f"Without it, {LOST[subject.id]}."
            wrong.append(subject.warning(e.what, fix=e.fixes, details=f"{e.evidence}\n{lost}"))
    return servers, wrong


def _python_servers() -> list[Server]:
    urls = find_indexes(PACKAGE, DEFAULT_INDEXES, cache=False)
    pages = [f"{url.rstrip('/')}/{PACKAGE}/" for url in urls]
    # One of several indexes need not have everything; the others are tried next.
    return [
        Server(PYTHON_INDEX, page, accept=JSON_AND_HTML, read=_MAX_PAGE, missing_is_fine=len(pages) > 1)
        for page in pages
        if _is_web(page)
    ]


def _debian_servers() -> list[Server]:
    return _mirror_servers(find_mirrors(None, None, suite=_SUITE), DEBIAN, DEBIAN_SECURITY)


def _snapshot_servers(examination: Examination) -> list[Server]:
    """Return where Debian is as it was yesterday, if a server that keeps old states is set up."""
    if not examination.workspace.environment.get(SNAPSHOT):
        return []
    moment = examination.workspace.clock().astimezone(UTC) - timedelta(days=1)
    mirrors = find_snapshot(None, f"{moment:%Y%m%dT000000Z}")
    return _mirror_servers(mirrors, DEBIAN_SNAPSHOT, None)


def _mirror_servers(mirrors: Mirrors, main: Subject, security: Subject | None) -> list[Server]:
    servers = [Server(main, f"{mirrors.main}/dists/{_SUITE}/InRelease")]
    if security is not None:
        servers.append(Server(security, f"{mirrors.security}/dists/{_SUITE}-security/InRelease"))
    return servers


def _registry_servers() -> list[Server]:
    return [Server(REGISTRY, f"{find_registry().address}/nodes?limit=1", missing_is_fine=True)]


def _hub_servers(examination: Examination) -> list[Server]:
    environment = examination.workspace.environment
    hubs = find_hubs(environment)
    client = partial(hub_client, hubs, environment)
    urls = {
        HUGGING_FACE: f"{hubs.huggingface}/api/models?limit=1",
        CIVITAI: f"{hubs.civitai}/api/v1/models?limit=1",
    }
    return [Server(s, url, client, missing_is_fine=True, login_fix=login_fix(url, hubs)) for s, url in urls.items()]


def find_file_server(index: str, page: bytes) -> str | None:
    """Return the URL of a file that an index's page names, if another server has the files; None otherwise."""
    try:
        files = json.loads(page)["files"]
        urls = [urljoin(index, str(file["url"])) for file in files]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    here = urlsplit(index).netloc.rpartition("@")[2]
    web = (url for url in reversed(urls) if url.startswith(("https://", "http://")) and url.isprintable())
    try:
        return next((url for url in web if urlsplit(url).netloc.rpartition("@")[2] != here), None)
    except ValueError:
        return None


def _ask_all(servers: Sequence[Server], clock: Callable[[], datetime]) -> list[Answer]:
    """Return the answers, in the order of `servers`."""
    unknown_hosts = look_up([server.url for server in servers if _is_web(server.url)])
    jobs = {str(number): partial(_ask, server, unknown_hosts, clock) for number, server in enumerate(servers)}
    answers = run_concurrently(jobs, at_once=max(len(jobs), 1))
    return [answers[name] for name in jobs]


def _ask(server: Server, unknown_hosts: Mapping[str, str], clock: Callable[[], datetime]) -> Answer:
    shown = without_login(server.url)
    try:
        if (path := local_path(server.url)) is not None:
            there = path.is_file()
            return Answer(shown, 200 if there else None, "" if there else f"{path} does not exist", "correct the path")
        host = host_asked(server.url)
        if why := unknown_hosts.get(host):
            fix = "check the network and its name servers, and HTTPS_PROXY if there is a proxy"
            return Answer(shown, error=f"the name {host} cannot be looked up: {why}", fix=fix)
        return ask(server.client(), server.url, now=clock(), accept=server.accept, read=server.read)
    except PycomfyError as e:
        return Answer(shown, error=e.what, fix=e.fixes)


def _ask_git(url: str) -> list[Answer]:
    """Ask with git, which says only whether there was an answer."""
    try:
        ask_git_server(url)
    except PycomfyError as e:
        return [Answer(url, error=e.what, fix=e.fixes)]
    return [Answer(url, 200)]


def judge_answer(server: Server, answer: Answer) -> Finding:
    """Judge an answer. A server that does not answer is not a problem of this machine: what is archived is restored
    without it."""
    subject, lost = server.subject, f"Without it, {LOST[server.subject.id]}."
    host = urlsplit(answer.url).hostname or answer.url
    facts = {"url": answer.url, "status": answer.status, "reached": answer.reached}
    if answer.status is None:
        return subject.warning(answer.error, fix=answer.fix, details=lost, facts=facts)
    if answer.good or (server.missing_is_fine and answer.status in (404, 410)):
        return subject.ok(f"{host} answers", details=answer.url, facts=facts)
    if answer.status in (401, 403, 407):
        fix: Fixes = server.login_fix
    elif answer.status == 429 or answer.status >= 500:
        fix = "try again later"
    else:
        fix = "check the address"
    return subject.warning(f"{host} refuses: HTTP {answer.status}", fix=fix, details=lost, facts=facts)


def skip_network() -> Iterator[Finding]:
    """Return that no request was sent."""
    for subject in (PYTHON_INDEX, DEBIAN, DEBIAN_SECURITY, GIT_SERVER, REGISTRY, HUGGING_FACE, CIVITAI):
        yield subject.finding("skipped", "not tried")


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))
