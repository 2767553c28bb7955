"""ComfyUI's HTTP API and its WebSocket, as a client that trusts no answer's shape."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp

from ..server import Refused

ANSWER_LIMIT = 128 << 20
MESSAGE_LIMIT = 64 << 20
"""Bytes of one message on the WebSocket; a longer one ends the connection, which is opened again."""

TARGETS = "partial_execution_targets"
"""The field of a prompt that names the output nodes to run; an older ComfyUI leaves it unread."""

_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5)


class Unanswered(ConnectionError):
    """ComfyUI did not answer, or not in HTTP."""


class ComfyClient:
    """ComfyUI on 127.0.0.1:`port`. Use it inside `async with`."""

    def __init__(self, port: int, client_id: str) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self.client_id = client_id
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ComfyClient":
        # trust_env stays false: a proxy of the environment must not see requests to our own server.
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=32))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def submit(self, prompt_id: str, graph: object, extra_data: object, targets: Sequence[str] = ()) -> Any:
        """The answer of `/prompt`. Without `targets`, all output nodes are run. Raises `Refused` for a graph that
        ComfyUI does not take, `Unanswered`."""
        body = {"prompt": graph, "client_id": self.client_id, "prompt_id": prompt_id, "extra_data": extra_data}
        if targets:
            body[TARGETS] = list(targets)
        return await self._ask("POST", "/prompt", body)

    async def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The entry of a prompt that is over, else None. Raises `Refused`, `Unanswered`."""
        answer = await self._ask("GET", f"/history/{prompt_id}")
        entry = answer.get(prompt_id) if isinstance(answer, dict) else None
        return entry if isinstance(entry, dict) else None

    async def forget(self, prompt_ids: Sequence[str]) -> None:
        """Remove their entries: histories are kept in ComfyUI's memory."""
        await self._ask("POST", "/history", {"delete": list(prompt_ids)})

    async def knows(self, prompt_id: str) -> bool:
        """Whether the prompt waits or runs there."""
        answer = await self._ask("GET", "/queue", timeout=10)
        queues = (answer.get("queue_running"), answer.get("queue_pending")) if isinstance(answer, dict) else ()
        items = [item for queue in queues if isinstance(queue, list) for item in queue]
        return any(isinstance(item, list) and len(item) > 1 and item[1] == prompt_id for item in items)

    async def interrupt(self, prompt_id: str) -> None:
        """End the prompt, whether it waits or runs. Only one prompt is ever inside: old versions interrupt any."""
        await self._ask("POST", "/queue", {"delete": [prompt_id]})
        await self._ask("POST", "/interrupt", {"prompt_id": prompt_id})

    async def free(self) -> None:
        """Unload the models, and give back what memory can be."""
        await self._ask("POST", "/free", {"unload_models": True, "free_memory": True})

    async def answers(self, *, timeout: float = 5) -> bool:
        try:
            await self._ask("GET", "/queue", timeout=timeout)
        except (Unanswered, Refused):
            return False
        return True

    async def node_types(self) -> Any:
        return await self._ask("GET", "/object_info")

    async def system_stats(self) -> Any:
        return await self._ask("GET", "/system_stats", timeout=10)

    async def listen(self) -> AsyncIterator[str | bytes]:
        """The messages of one connection, until it ends. Raises `Unanswered` where none can be made."""
        try:
            async with self._open().ws_connect(
                f"{self._base}/ws?clientId={self.client_id}", max_msg_size=MESSAGE_LIMIT, compress=0, autoping=True
            ) as socket:
                yield ""  # connected
                async for message in socket:
                    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        yield message.data
        except (aiohttp.ClientError, OSError, TimeoutError) as e:
            raise Unanswered(str(e)) from e

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is not open")
        return self._session

    async def _ask(self, method: str, path: str, body: object = None, *, timeout: float = 300) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(timeout),
                self._open().request(method, self._base + path, data=data, headers=headers) as answer,
            ):
                content = bytearray()
                async for piece in answer.content.iter_any():
                    content += piece
                    if len(content) > ANSWER_LIMIT:
                        raise Refused(answer.status, f"{path}: more than {ANSWER_LIMIT} bytes")
                parsed = _parse(bytes(content))
                if answer.status >= 400:
                    raise Refused(answer.status, parsed)
                return parsed
        except (aiohttp.ClientError, OSError, TimeoutError) as e:
            raise Unanswered(f"{method} {path}: {e or type(e).__name__}") from e


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return data[: 1 << 16].decode("utf-8", "replace")
