"""A running ComfyUI: started, waited for, asked over HTTP, and stopped."""

import asyncio
import contextlib
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .events import Failure, error
from .kernel import count_memory_kills, end_first
from .launch import HELD, LINE_BY_LINE, plan_command, plan_environment, write_model_paths
from .log import Lines, Log
from .places import Places

START_LIMIT = 1800.0
STOP_LIMIT = 10.0
ANSWER_LIMIT = 512 << 20


class Refused(Exception):
    """ComfyUI answered with an HTTP error; `body` is its JSON, or its text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class Api:
    """ComfyUI's HTTP API on the loopback interface."""

    def __init__(self, port: int) -> None:
        self.host = "127.0.0.1"
        self.port = port
        # A proxy from the environment must not see, or break, requests to our own server.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def get(self, path: str, *, timeout: float = 30) -> Any:
        """The JSON answer. Raises `OSError` if nobody answers, `Refused` for an HTTP error."""
        return await asyncio.to_thread(self.request, path, None, timeout)

    async def post(self, path: str, body: object) -> Any:
        return await asyncio.to_thread(self.request, path, body, 300)

    def request(self, path: str, body: object = None, timeout: float = 30) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{self.host}:{self.port}{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return _parse(answer.read(ANSWER_LIMIT))
        except urllib.error.HTTPError as e:
            with e:
                raise Refused(e.code, _parse(e.read(ANSWER_LIMIT))) from e


class Server:
    """ComfyUI as a child process. `log` keeps what it printed."""

    def __init__(self, process: asyncio.subprocess.Process, api: Api, on_line: Callable[[str], None]) -> None:
        self.process = process
        self.api = api
        self.log = Log()
        self._on_line = on_line
        self._reader = asyncio.create_task(self._read())

    async def wait_until_ready(self) -> None:
        """Return once it answers. Raises `Failure` with the last lines of its log if it dies or takes too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_LIMIT
        while loop.time() < deadline:
            if self.process.returncode is not None:
                raise await self.death("while it started")
            with contextlib.suppress(OSError, Refused):
                await self.api.get("/queue", timeout=5)
                return
            await asyncio.sleep(0.1)
        raise Failure(error("start-timeout", f"ComfyUI did not answer within {START_LIMIT:.0f} s", log=self.tail()))

    async def death(self, when: str) -> Failure:
        """Wait for its end, and say what is known about it."""
        code = await self.process.wait()
        # What it printed last may still be in the pipe; a grandchild may hold the pipe open for ever.
        await asyncio.wait({self._reader}, timeout=2)
        if code == -signal.SIGKILL and count_memory_kills():
            what = f"the container's memory was used up, and ComfyUI was killed {when}"
            return Failure(error("out-of-memory", what, exit_code=code, log=self.tail()))
        return Failure(error("comfyui-exited", f"ComfyUI {_ended(code)} {when}", exit_code=code, log=self.tail()))

    def tail(self) -> str:
        return "\n".join(self.log.tail)

    def kill(self) -> None:
        """End it and everything it started at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End it and everything it started, gently first. Safe to call at any time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), STOP_LIMIT)
                break
        self._reader.cancel()

    async def _read(self) -> None:
        stream, lines = self.process.stdout, Lines()
        if stream is None:
            return
        while data := await stream.read(1 << 16):
            for line in lines.feed(data):
                self._add(line)
        for line in lines.end():
            self._add(line)

    def _add(self, line: str) -> None:
        if line:
            self.log.add(line)
            self._on_line(line)


@contextlib.asynccontextmanager
async def running(
    places: Places,
    *,
    cpu: bool,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    hold: Path | None = None,
) -> AsyncIterator[Server]:
    """Start the ComfyUI that `prepare` made for this process alone, on the loopback interface; it is stopped whatever
    happens inside. `environment` is added to that of this process. Before it loads node packs it waits at the named
    pipe `hold`, if there is one."""
    script, variables = (LINE_BY_LINE, {}) if hold is None else (HELD, {"PYCOMFY_HOLD": str(hold)})
    paths = write_model_paths(places)
    command = plan_command(places, listen="127.0.0.1", cpu=cpu, model_paths=paths, script=script)
    variables = {**os.environ, **(environment or {}), **variables}
    server = Server(await _spawn(command, places, variables), Api(places.port), on_line)
    try:
        yield server
    finally:
        await asyncio.shield(server.stop())


async def _spawn(command: Sequence[str], places: Places, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=places.comfyui,
        env=plan_environment(places, environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    end_first(process.pid)
    return process


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed (out of memory?)"
    if code < 0:
        return f"was ended by signal {-code}"
    return f"exited with status {code}"
