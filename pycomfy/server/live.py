"""Tell browsers what happens, over one WebSocket each: changes of state, and the events of operations they follow.

A browser says `{"follow": ID, "after": N}`, with the number of the last event that it has, and gets all later ones: so
nothing is lost and nothing comes twice, however often the connection breaks. `{"unfollow": ID}` ends it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import WebSocket, WebSocketDisconnect
from watchfiles import awatch

from pycomfy.adapters.operations.folder import Position
from pycomfy.errors import NotFound, PycomfyError
from pycomfy.services.operations.results import read_events
from pycomfy.services.operations.runner import OperationRunner

MAX_FOLLOWED = 50
"""Operations that one connection follows."""

_PAUSE = 0.5
"""Seconds until a state that could not be read is read again."""

_DEBOUNCE, _STEP = 150, 50  # milliseconds


class Live:
    """The connections of one server."""

    def __init__(self, runner: OperationRunner) -> None:
        self._runner = runner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections: set[_Connection] = set()
        runner.on_change = self._hear

    @contextlib.asynccontextmanager
    async def watching(self, folder: Path) -> AsyncIterator[None]:
        """Watch what operations print, in the folder of all of them."""
        self._loop = asyncio.get_running_loop()
        folder.mkdir(parents=True, exist_ok=True)
        stopped = asyncio.Event()
        task = asyncio.create_task(self._watch(folder, stopped))
        try:
            yield
        finally:
            self._loop = None
            stopped.set()
            await task

    async def _watch(self, folder: Path, stopped: asyncio.Event) -> None:
        async for changes in awatch(folder, stop_event=stopped, debounce=_DEBOUNCE, step=_STEP, recursive=True):
            keys = {Path(path).relative_to(folder).parts[0] for _, path in changes if Path(path) != folder}
            for connection in self._connections:
                if keys & connection.followed.keys():
                    connection.wake.set()

    def _hear(self, key: str) -> None:
        """Called in any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._tell, key)

    def _tell(self, key: str) -> None:
        for connection in self._connections:
            connection.changed.add(key)
            connection.wake.set()

    async def serve(self, socket: WebSocket) -> None:
        """Serve a connection to its end."""
        await socket.accept()
        connection = _Connection(socket, self._runner)
        self._connections.add(connection)
        sender = asyncio.create_task(connection.send_all())
        try:
            while True:
                connection.obey(await socket.receive_text())
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            self._connections.discard(connection)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sender


class _Connection:
    def __init__(self, socket: WebSocket, runner: OperationRunner) -> None:
        self._socket, self._runner = socket, runner
        self.wake = asyncio.Event()
        self.changed: set[str] = set()
        self.followed: dict[str, Position | int] = {}
        """Of each operation the place that was reached, or the number of the last event that the browser has."""

    def obey(self, text: str) -> None:
        """Do what the browser says; what makes no sense is ignored."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        key, after, other = said.get("follow"), said.get("after", 0), said.get("unfollow")
        if isinstance(key, str) and type(after) is int and 0 <= after < 1 << 40 and len(self.followed) < MAX_FOLLOWED:
            self.followed[key] = after
            self.changed.add(key)
            self.wake.set()
        if isinstance(other, str):
            self.followed.pop(other, None)

    async def send_all(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            changed, self.changed = self.changed, set()
            for key in changed:
                try:
                    entry = await asyncio.to_thread(self._runner.find, key)
                except NotFound:
                    continue
                except PycomfyError:  # such as a database that another program changes at this moment
                    self.changed.add(key)
                    asyncio.get_running_loop().call_later(_PAUSE, self.wake.set)
                    continue
                slim = entry.model_copy(update={"result": None})
                await self._socket.send_text(json.dumps({"operation": slim.model_dump(mode="json")}))
            for key in tuple(self.followed):
                await self._send_events(key)

    async def _send_events(self, key: str) -> None:
        try:
            folder = self._runner.folder(key)
        except PycomfyError:
            self.followed.pop(key, None)
            return
        while (at := self.followed.get(key)) is not None:
            place = at if isinstance(at, Position) else await asyncio.to_thread(folder.find_position, at)
            events, end = await asyncio.to_thread(read_events, folder, place)
            if self.followed.get(key) is not at:
                continue  # it was asked for again, from another place
            self.followed[key] = end
            if not events:
                return
            sent = [event.model_dump(mode="json", exclude_none=True, exclude={"schema_version"}) for event in events]
            await self._socket.send_text(json.dumps({"id": key, "events": sent}))
