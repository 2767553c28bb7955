"""Answers of a ComfyUI that is not to be trusted."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from pycomfy.gateway.comfyui import client
from pycomfy.gateway.comfyui.client import ComfyClient
from pycomfy.gateway.comfyui.tracker import MAX_RETURNED, Tracker
from pycomfy.gateway.server import Refused


async def ask(pieces: AsyncIterator[bytes]) -> object:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
        return response

    app = web.Application()
    app.router.add_get("/object_info", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ComfyClient(runner.addresses[0][1], "me") as asked:
            return await asked.node_types()
    finally:
        await runner.cleanup()


def test_an_answer_in_many_pieces_is_read_whole() -> None:
    text = json.dumps({"a": "x" * 3_000_000}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(text), 100_000):
            yield text[at : at + 100_000]

    assert asyncio.run(ask(pieces())) == json.loads(text)


def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_LIMIT", 1 << 20)

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with pytest.raises(Refused):
        asyncio.run(ask(pieces()))


def test_nodes_that_are_not_there_do_not_fill_the_memory() -> None:
    tracker = Tracker("p", {"1": {"class_type": "A", "inputs": {}}})
    for number in range(MAX_RETURNED + 100):
        data = {"node": f"x{number}", "output": {}, "prompt_id": "p"}
        tracker.take(json.dumps({"type": "executed", "data": data}))
    assert len(tracker.returned) == MAX_RETURNED
