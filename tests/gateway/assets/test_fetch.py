import asyncio
import base64
import contextlib
import gzip
import hashlib
import os
import socket
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.assets.addresses import Trusted, is_public
from pycomfy.gateway.assets.data_uri import BadDataURI, parse_data_uri
from pycomfy.gateway.assets.fetch import Fetcher, FetchFailed, FetchPolicy, Forbidden
from pycomfy.gateway.assets.model import Asset, AssetError, HashMismatch, NewAsset, TooLarge
from pycomfy.gateway.assets.store import AssetStore

PICTURE = os.urandom(300_000)
NOT_PUBLIC = r"^[a-z]+\.test is not known, or is no public address$"

ca = trustme.CA()


@dataclass
class Names(AbstractResolver):
    """A name server: each name has its answers, one after the other, of which the last stays."""

    known: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.known:
            raise OSError(None, "no such name")
        answers = self.known[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@dataclass
class Site:
    """What a server on this machine was asked for, and its ports, with TLS and without."""

    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tls_port: int = 0
    port: int = 0

    def url(self, path: str, host: str = "files.test") -> str:
        return f"https://{host}:{self.tls_port}{path}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(f"{request.host} {request.raw_path}")
        self.headers.append(dict(request.headers))
        match request.path.strip("/").split("/", 1):
            case ["to", *_]:
                # `web.HTTPFound` would put the address right.
                location = request.query_string
                return web.Response(status=int(request.headers.get("X-Status", 302)), headers={"Location": location})
            case ["again", number]:
                left = int(number) - 1
                return web.Response(status=307, headers={"Location": f"/again/{left}" if left else "/p.png"})
            case ["slow"]:
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"some")
                await asyncio.Event().wait()
            case ["silent"]:
                await asyncio.Event().wait()
            case ["endless"]:
                response = web.StreamResponse()
                await response.prepare(request)
                with contextlib.suppress(ConnectionError):
                    while request.transport is not None and not request.transport.is_closing():
                        await response.write(bytes(1 << 16))
                        await asyncio.sleep(0)
                return response
            case ["broken"]:
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b"x")
                assert request.transport is not None
                request.transport.abort()
                return response
            case ["bomb"]:
                body = gzip.compress(bytes(64 << 20))
                return web.Response(body=body, headers={"Content-Encoding": "gzip"})
            case ["packed"]:
                return web.Response(body=gzip.compress(PICTURE), headers={"Content-Encoding": "gzip"})
            case ["cookie"]:
                return web.Response(status=302, headers={"Location": "/p.png", "Set-Cookie": "a=b"})
            case ["nothing"]:
                raise web.HTTPNotFound
        return web.Response(body=PICTURE, content_type="image/png")


@contextlib.asynccontextmanager
async def serving() -> Any:
    site = Site()
    server = web.ServerRunner(web.Server(site.answer), shutdown_timeout=0.01)
    await server.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("files.test", "other.test", "rebind.test", "127.0.0.1", "::1").configure_cert(context)
    tls, plain = web.TCPSite(server, "127.0.0.1", 0, ssl_context=context), web.TCPSite(server, "127.0.0.1", 0)
    await tls.start()
    await plain.start()
    site.tls_port, site.port = (s._server.sockets[0].getsockname()[1] for s in (tls, plain))  # type: ignore[union-attr]
    try:
        yield site
    finally:
        await server.cleanup()


POLICY = FetchPolicy(limit=1 << 20, trusted=Trusted.parse(["files.test"]), timeout=20)


@dataclass
class Bench:
    site: Site
    store: AssetStore
    names: Names
    policy: FetchPolicy = POLICY

    async def fetch(self, source: str, *, sha256: str | None = None, tls: ssl.SSLContext | None = None) -> Asset:
        if tls is None:
            tls = ssl.create_default_context()
            ca.configure_trust(tls)
        fetcher = Fetcher(self.store, self.policy, tls=tls, resolver=self.names)
        return await fetcher.fetch(source, NewAsset(owner="ann"), sha256=sha256)

    async def refused(self, source: str, error: type[AssetError], match: str | None = None) -> None:
        with pytest.raises(error, match=match):
            await self.fetch(source)
        assert (await self.store.usage()).assets == 0


def on_bench(folder: Path, use: Any, **policy: Any) -> None:
    async def run() -> None:
        known = {"files.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]}
        async with AssetStore.open(folder / "assets") as store, serving() as site:
            await use(Bench(site, store, Names(known), replace(POLICY, **policy)))

    asyncio.run(run())


def test_a_file_comes_as_it_is(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        asset = await bench.fetch(bench.site.url("/a/p%20q.png?token=x%2Fy+z#part"))
        assert bench.store.path(asset).read_bytes() == PICTURE
        assert (asset.content_type, asset.file_path) == ("image/png", "p q.png")
        assert bench.site.asked == [f"files.test:{bench.site.tls_port} /a/p%20q.png?token=x%2Fy+z"]
        right = hashlib.sha256(PICTURE).hexdigest()
        await bench.fetch(bench.site.url("/p.png"), sha256=right.upper())

    on_bench(tmp_path, use)


def test_a_file_with_another_sha256_is_refused(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for source in (bench.site.url("/p.png"), "data:,x"):
            with pytest.raises(HashMismatch):
                await bench.fetch(source, sha256="0" * 64)
        assert (await bench.store.usage()).assets == 0

    on_bench(tmp_path, use)


def test_a_packed_file_is_unpacked_within_the_limit(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused(bench.site.url("/bomb"), TooLarge)
        await bench.refused(bench.site.url("/endless"), TooLarge)
        asset = await bench.fetch(bench.site.url("/packed"))
        assert bench.store.path(asset).read_bytes() == PICTURE

    on_bench(tmp_path, use)


def test_a_file_that_says_it_is_too_large_is_not_begun(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused(bench.site.url("/p.png"), TooLarge)

    on_bench(tmp_path, use, limit=len(PICTURE) - 1)


def test_what_does_not_come_is_told(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused(bench.site.url("/nothing"), FetchFailed, "files.test answered 404")
        await bench.refused(bench.site.url("/broken"), FetchFailed, "whole file")
        await bench.refused(bench.site.url("/slow"), FetchFailed, "in time")
        await bench.refused(bench.site.url("/silent"), FetchFailed, "in time")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        await bench.refused(f"https://files.test:{port}/", FetchFailed, "cannot be connected to")
        await bench.refused(f"https://files.test:{bench.site.port}/", FetchFailed, "no secure connection")

    on_bench(tmp_path, use, read_timeout=0.3)


def test_all_of_it_has_a_time(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused(bench.site.url("/slow"), FetchFailed, "in time")

    on_bench(tmp_path, use, timeout=0.5, read_timeout=60)


def test_a_certificate_of_nobody_we_know_is_refused(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        with pytest.raises(FetchFailed, match="certificate"):
            await bench.fetch(bench.site.url("/p.png"), tls=ssl.create_default_context())
        bench.names.known["unnamed.test"] = [["127.0.0.1"]]
        await bench.refused(bench.site.url("/p.png", "unnamed.test"), FetchFailed, "certificate")
        assert bench.site.asked == []

    on_bench(tmp_path, use, trusted=Trusted.parse(["files.test", "unnamed.test"]))


# — where to —


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1%25lo]",
        "100.100.100.200",
        "168.63.129.16",
        "10.0.0.1",
        "①②⑦.⓪.⓪.①",
    ],
)
def test_no_form_of_a_private_address_is_connected_to(tmp_path: Path, host: str) -> None:
    """By the name server of this machine, which knows the odd forms of addresses."""

    async def use(bench: Bench) -> None:
        connected: list[Any] = []
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def watch(sock: socket.socket, address: Any) -> None:
            connected.append(address)
            await connect(sock, address)

        loop.sock_connect = watch  # type: ignore[method-assign]
        for scheme, port in (("https", bench.site.tls_port), ("http", bench.site.port)):
            fetcher = Fetcher(bench.store, bench.policy)
            with pytest.raises(Forbidden):
                await fetcher.fetch(f"{scheme}://{host}:{port}/p.png", NewAsset())
        assert connected == []
        assert bench.site.asked == []

    on_bench(tmp_path, use, allow_http=True)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "https://127.0.0.1:{tls_port}/secret",
        "//127.0.0.1:{tls_port}/secret",
        "https://other.test:{tls_port}/secret",
        "https://[::1]:{tls_port}/secret",
        "https://2130706433:{tls_port}/secret",
        "https://0177.0.0.1:{tls_port}/secret",
        "https://169.254.169.254/latest/meta-data/",
        "http://files.test:{port}/p.png",
        "https://ann:word@files.test:{tls_port}/secret",
        "file:///etc/passwd",
        "unix:///run/x.sock",
        "data:,secret",
        "https://files.test:99999/",
        "https://",
        "",
        "https://[::1",
        "\x01https://files.test",
    ],
)
def test_a_redirect_leads_nowhere_else(tmp_path: Path, location: str) -> None:
    async def use(bench: Bench) -> None:
        target = location.format(tls_port=bench.site.tls_port, port=bench.site.port)
        with pytest.raises((Forbidden, FetchFailed)):
            await bench.fetch(bench.site.url(f"/to?{target}"))
        assert not any("secret" in asked for asked in bench.site.asked[1:])
        assert (await bench.store.usage()).assets == 0

    on_bench(tmp_path, use, max_redirects=1)


def test_a_redirect_from_https_to_http_is_refused_even_where_http_is_allowed(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        plain = f"http://files.test:{bench.site.port}/p.png"
        await bench.fetch(plain)
        with pytest.raises(Forbidden, match="from https to http"):
            await bench.fetch(bench.site.url(f"/to?{plain}"))
        up = await bench.fetch(f"http://files.test:{bench.site.port}/to?{bench.site.url('/p.png')}")
        assert up.size == len(PICTURE)

    on_bench(tmp_path, use, allow_http=True)


def test_redirects_are_followed_so_far(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.fetch(bench.site.url("/again/5"))).size == len(PICTURE)
        with pytest.raises(FetchFailed, match="more than 5 redirects"):
            await bench.fetch(bench.site.url("/again/6"))

    on_bench(tmp_path, use)


def test_a_name_that_changes_its_address_is_no_way_in(tmp_path: Path) -> None:
    """DNS rebinding: each answer is the one that is connected to."""

    async def use(bench: Bench) -> None:
        for answers in ([["127.0.0.1"]], [["127.0.0.2"], ["127.0.0.1"]], [["::1", "127.0.0.1"]]):
            bench.names.known["rebind.test"] = [*answers]
            for _ in range(3):
                await bench.refused(
                    bench.site.url("/p.png", "rebind.test"),
                    Forbidden,
                    NOT_PUBLIC,
                )
        # First an address that is allowed, then, for the redirect, another.
        bench.names.known["rebind.test"] = [["127.0.0.1"], ["127.0.0.2"]]
        bench.policy = replace(bench.policy, trusted=Trusted.parse(["127.0.0.1/32"]))
        await bench.refused(bench.site.url("/again/2", "rebind.test"), Forbidden, NOT_PUBLIC)
        assert bench.site.asked == [f"rebind.test:{bench.site.tls_port} /again/2"]

    on_bench(tmp_path, use)


def test_of_several_addresses_only_an_allowed_one_is_used(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        bench.names.known["rebind.test"] = [["10.0.0.1", "169.254.169.254", "127.0.0.1"]]
        assert (await bench.fetch(bench.site.url("/p.png", "rebind.test"))).size == len(PICTURE)

    on_bench(tmp_path, use, trusted=Trusted.parse(["127.0.0.0/8"]))


def test_unknown_and_private_names_are_not_told_apart(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused("https://none.test/", Forbidden, NOT_PUBLIC)
        await bench.refused(bench.site.url("/", "other.test"), Forbidden, NOT_PUBLIC)

    on_bench(tmp_path, use)


def test_that_there_is_no_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused("https://none.test/", FetchFailed, "^none.test .*: this gateway has no network$")
        await bench.refused("https://10.0.0.1/", Forbidden, "no public address$")

    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo")])
    on_bench(tmp_path, use)


def test_a_private_host_is_allowed_by_name_by_port_and_by_network(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        port = bench.site.tls_port
        for entry in ("Other.Test.", f"other.test:{port}", "127.0.0.0/8"):
            bench.policy = replace(POLICY, trusted=Trusted.parse([entry]))
            await bench.fetch(bench.site.url("/p.png", "other.test"))
        for entry in (f"other.test:{port + 1}", "127.0.0.2/32", "::/0"):
            bench.policy = replace(POLICY, trusted=Trusted.parse([entry]))
            with pytest.raises(Forbidden):
                await bench.fetch(bench.site.url("/p.png", "other.test"))
        bench.policy = replace(POLICY, trusted=Trusted.parse(["127.0.0.1"]))
        await bench.fetch(bench.site.url("/p.png", "127.0.0.1"))

    on_bench(tmp_path, use)


@pytest.mark.parametrize(
    "source",
    [
        "http://files.test/p.png",
        "ftp://files.test/p.png",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "https:///p.png",
        "https://ann@files.test/p.png",
        "https://ann:word@files.test/p.png",
        "https://:@files.test/p.png",
        "//files.test/p.png",
        "/etc/passwd",
        "",
        "p.png",
        "https://files.test:0x50/",
        "https://files.test:-1/",
        "https://files.test/" + "x" * 9000,
        "https://fi les.test/",
        "https://" + "a" * 300 + ".test/",
        "https://\ud800/",
        "https://files.test\0.example/",
        "https://files.test\r\nX: y/",
    ],
)
def test_what_is_no_plain_https_address_is_not_fetched(tmp_path: Path, source: str) -> None:
    async def use(bench: Bench) -> None:
        await bench.refused(source, Forbidden)
        assert bench.site.asked == []

    on_bench(tmp_path, use)


def test_nothing_of_ours_is_told_to_the_other_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine files.test login ann password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    async def use(bench: Bench) -> None:
        await bench.fetch(bench.site.url("/cookie"))
        for headers in bench.site.headers:
            assert set(headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}

    on_bench(tmp_path, use)


# — addresses —


@pytest.mark.parametrize("address", ["1.1.1.1", "168.63.129.17", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "168.63.129.16", "169.254.169.254", "172.31.0.1"),
        *("192.0.0.192", "192.0.2.1", "192.168.0.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "233.252.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::1.1.1.1", "::ffff:1.1.1.1"),
        *("::ffff:0:1.1.1.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1"),
        *("2001:db8::1", "2002::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo"),
        *("fec0::1", "ff02::1", "ff0e::1", "localhost", "127.1", ""),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_wrong_entry_of_trusted_hosts_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1"):
        Trusted.parse(["10.0.0.1/8"])


# — data URIs —


@pytest.mark.parametrize(
    ("uri", "media_type", "data"),
    [
        ("data:,a%20b%00%ff", "text/plain; charset=us-ascii", b"a b\0\xff"),
        ("data:;base64,aGk=", "text/plain; charset=us-ascii", b"hi"),
        ("DATA:image/png;BASE64,aGk", "image/png", b"hi"),
        ("data:text/plain;charset=utf-8,%C3%BC", "text/plain;charset=utf-8", "ü".encode()),
        ("data:image/png;base64,a%47k%3D", "image/png", b"hi"),
        ("data:image/png;base64,a\r\n G\tk =", "image/png", b"hi"),
        ("data:a/b,x,y", "a/b", b"x,y"),
        ("data:,", "text/plain; charset=us-ascii", b""),
        ("data:,100%", "text/plain; charset=us-ascii", b"100%"),
    ],
)
def test_data_uris(uri: str, media_type: str, data: bytes) -> None:
    assert parse_data_uri(uri, 10) == (media_type, data)


@pytest.mark.parametrize(
    "uri",
    [
        "data:",
        "data:image/png;base64",
        "data:;base64,a*b=",
        "data:;base64,a",
        "data:,ü",
        "date:,x",
        "data:;base64,a===b",
    ],
)
def test_damaged_data_uris(uri: str) -> None:
    with pytest.raises(BadDataURI):
        parse_data_uri(uri, 10)


@given(st.binary(max_size=200), st.booleans())
def test_the_limit_of_a_data_uri_is_exact(data: bytes, packed: bool) -> None:
    coded = base64.b64encode(data).decode() if packed else "".join(f"%{byte:02x}" for byte in data)
    uri = f"data:a/b{';base64' if packed else ''},{coded}"
    assert parse_data_uri(uri, len(data)) == ("a/b", data)
    if data:
        with pytest.raises(TooLarge):
            parse_data_uri(uri, len(data) - 1)


def test_a_data_uri_is_an_input(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        asset = await bench.fetch("data:image/webp;base64," + base64.b64encode(PICTURE).decode())
        assert (asset.content_type, asset.suffix) == ("image/webp", ".webp")
        assert bench.store.path(asset).read_bytes() == PICTURE
        with pytest.raises(TooLarge):
            await bench.fetch("data:," + "x" * (1 << 20) + "x")

    on_bench(tmp_path, use)
