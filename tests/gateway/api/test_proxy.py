"""`/comfyui/…`, before a server that tells what came to it."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.api.bench import ANN, KEYS, Bench, open_bench

EXPOSED = {**KEYS, "PYCOMFY_EXPOSE_COMFYUI": "1"}


def before_comfyui(folder: Path, use: Any, **variables: str) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await (
                    socket.send_str(message.data) if isinstance(message.data, str) else socket.send_bytes(message.data)
                )
                if message.data == "end":
                    break
            return socket
        body = await request.read()
        answer = {"path": request.raw_path, "method": request.method, "headers": dict(request.headers)}
        headers = {"Access-Control-Allow-Origin": "*", "Set-Cookie": "a=b", "X-Own": "kept", "X-Bytes": str(len(body))}
        return web.json_response(answer, status=418, headers=headers)

    async def run() -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", echo)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        try:
            async with open_bench(folder, port, **variables) as bench:
                bench.gateway.instances[0].ready.set()
                await use(bench)
        finally:
            await runner.cleanup()

    asyncio.run(run())


def test_requests_are_passed_on_as_they_are_but_for_the_key(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        headers = {**ANN, "Origin": "http://evil.test", "Cookie": "c=d", "X-Own": "kept"}
        answer = await bench.client.post("/comfyui/a/b%2Fc%20d?x=%2F&y", content=b"x" * 3_000_000, headers=headers)
        assert answer.status_code == 418
        told = answer.json()
        assert (told["method"], told["path"]) == ("POST", "/a/b%2Fc%20d?x=%2F&y")
        got = {name.lower(): value for name, value in told["headers"].items()}
        assert not {"authorization", "cookie", "origin"} & got.keys()
        assert got["x-own"] == answer.headers["X-Own"] == "kept"
        assert answer.headers["X-Bytes"] == "3000000"
        assert "Set-Cookie" not in answer.headers and "Access-Control-Allow-Origin" not in answer.headers
        assert (await bench.client.get("/comfyui", headers=ANN)).headers["Location"] == "comfyui/"
        assert (await bench.client.get("/comfyui/x?worker=7", headers=ANN)).status_code == 503

    before_comfyui(tmp_path, use, **EXPOSED)


@pytest.mark.parametrize("path", ["/comfyui/../v1/jobs", "/comfyui//evil.test/x", "/comfyui/http://evil.test/"])
def test_no_path_leads_anywhere_else(tmp_path: Path, path: str) -> None:
    async def use(bench: Bench) -> None:
        async with bench.listening() as socket:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {ANN['Authorization']}\r\n\r\n".encode())
            status = await reader.readline()
            assert b" 418 " in status or b" 404 " in status, status
            writer.close()

    before_comfyui(tmp_path, use, **EXPOSED)


def test_a_websocket_is_passed_on_both_ways(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        async with bench.web() as client:
            async with client.ws_connect("/comfyui/ws?clientId=1", headers=ANN) as socket:
                await socket.send_str("text")
                assert await socket.receive_str() == "text"
                await socket.send_bytes(b"\x00\xff")
                assert await socket.receive_bytes() == b"\x00\xff"
                await socket.send_str("end")
                assert await socket.receive_str() == "end"
                assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE, "its end is ours"
            with pytest.raises(aiohttp.WSServerHandshakeError) as e:
                await client.ws_connect("/comfyui/ws")
            assert e.value.status == 401

    before_comfyui(tmp_path, use, **EXPOSED)


def test_it_is_not_there_unless_it_is_asked_for(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for path in ("/comfyui", "/comfyui/", "/comfyui/queue"):
            assert (await bench.client.get(path, headers=ANN)).status_code == 404
        async with bench.web() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect("/comfyui/ws", headers=ANN)

    before_comfyui(tmp_path, use, **KEYS)
