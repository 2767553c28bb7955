"""`job`: one prompt, from standard input to JSON lines on standard output.

The request is one line: `{"prompt": {…} | null, "workflow": {…} | null, "timeout": seconds | null}`; a null prompt is
the image's own. The job ends early when standard input ends, so that a caller who dies never leaves a container behind.
"""

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import uuid
from dataclasses import dataclass
from typing import Any

from .comfyui.problems import find_problems, find_refusals
from .events import Emit, Event, Failure, Printer, error
from .follow import Follower, about
from .gpu import has_gpu
from .installation import prepare
from .kernel import files_being_written
from .outputs import Collector
from .places import Places
from .server import Refused, Server, running
from .websocket import WebSocket

REQUEST_LIMIT = 256 << 20


@dataclass(frozen=True)
class Request:
    prompt: dict[str, Any]
    workflow: dict[str, Any] | None = None
    timeout: float | None = None


class Input:
    """Standard input: the request, then nothing until its end."""

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop, *, watch: bool) -> None:
        self._fd, self._loop, self._watch = fd, loop, watch
        self.request: asyncio.Future[bytes] = loop.create_future()
        self.ended = asyncio.Event()
        # A thread, because not every standard input can be polled; a daemon, because it may wait for ever.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # os.read, not sys.stdin: a thread inside a buffered reader would hold its lock when the interpreter ends.
        data = bytearray()
        while (chunk := os.read(self._fd, 1 << 16)) and len(data) <= REQUEST_LIMIT:
            data += chunk
            if self._watch and b"\n" in chunk:
                break
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._got, bytes(data))
            if self._watch:
                while chunk:
                    chunk = os.read(self._fd, 1 << 16)
                self._loop.call_soon_threadsafe(self.ended.set)

    def _got(self, data: bytes) -> None:
        if not self.request.done():
            self.request.set_result(data)


def parse_request(data: bytes, places: Places) -> Request:
    """Raises `Failure` for anything that is no request, or when the image has no prompt of its own."""
    if len(data) > REQUEST_LIMIT:
        raise Failure(error("bad-request", f"the request is longer than {REQUEST_LIMIT >> 20} MB"))
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise Failure(error("bad-request", f"the request is not JSON: {e}")) from e
    if not isinstance(raw, dict) or not set(raw) <= {"prompt", "workflow", "timeout"}:
        raise Failure(error("bad-request", "the request must be an object with prompt, workflow and timeout"))
    prompt, workflow, timeout = raw.get("prompt"), raw.get("workflow"), raw.get("timeout")
    if prompt is None:
        prompt = _own(places, "prompt.json")
        workflow = _own(places, "workflow.json") if workflow is None else workflow
    if not isinstance(prompt, dict) or not prompt:
        raise Failure(error("bad-request", "the prompt must be an object with at least one node"))
    if not isinstance(workflow, dict | None):
        raise Failure(error("bad-request", "the workflow must be an object"))
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
        raise Failure(error("bad-request", "the timeout must be a positive number of seconds"))
    return Request(prompt, workflow, timeout)


def _own(places: Places, name: str) -> Any:
    try:
        return json.loads((places.project / name).read_bytes())
    except (OSError, ValueError) as e:
        raise Failure(error("bad-request", f"the image has no usable {name}: {e}")) from e


async def execute(server: Server, request: Request, places: Places, emit: Emit) -> int:
    """Run the prompt and tell of everything it returned; the number of outputs. Raises `Failure`."""
    titles = {node: str(about(request.prompt, node)["title"]) for node in request.prompt}
    collector = Collector(places, titles)
    collector.begin()
    client, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
    socket = await WebSocket.connect(server.api.host, server.api.port, f"/ws?clientId={client}")
    try:
        follower = Follower(prompt_id, request.prompt, emit, collector)
        await _submit(server, request, client, prompt_id)
        entry = await follower.until_done(server.api, socket)
    except BaseException:
        # A timeout, a death: nodes that were done before are told of.
        for event in (*follower.sent, *collector.collect_named(follower.returned)):
            emit(event)
        raise
    finally:
        await socket.close()
    returned = entry.get("outputs")
    count, lost = 0, False
    for event in (*follower.sent, *collector.collect(returned if isinstance(returned, dict) else {})):
        emit(event)
        count += event["event"] == "output"
        lost = lost or event["event"] == "error"
    problems = list(find_problems(entry, request.prompt))
    if problems or lost:
        raise Failure(*problems)
    return count


async def _submit(server: Server, request: Request, client: str, prompt_id: str) -> None:
    extra = {"extra_pnginfo": {"workflow": request.workflow}} if request.workflow is not None else {}
    body = {"prompt": request.prompt, "client_id": client, "prompt_id": prompt_id, "extra_data": extra}
    try:
        answer = await server.api.post("/prompt", body)
    except Refused as e:
        raise Failure(*find_refusals(e.body, request.prompt)) from e
    if isinstance(answer, dict) and answer.get("node_errors"):
        # Accepted, yet without the outputs behind the faulty nodes: half a result is none.
        raise Failure(*find_refusals(answer, request.prompt))


async def _work(places: Places, request: Request, emit: Emit) -> Event:
    started = time.monotonic()
    cpu = not has_gpu()
    emit({"event": "starting", "device": "cpu" if cpu else "cuda"})
    places = await asyncio.to_thread(prepare, places)
    async with running(places, cpu=cpu, on_line=lambda line: emit({"event": "log", "line": line})) as server:
        death = asyncio.create_task(server.process.wait())
        try:
            await server.wait_until_ready()
            for failure in server.log.failures:
                emit({"event": "import-failure", **failure.as_dict()})
            emit({"event": "ready", "seconds": round(time.monotonic() - started, 3)})
            job = asyncio.create_task(execute(server, request, places, emit))
            try:
                await asyncio.wait({job, death}, return_when=asyncio.FIRST_COMPLETED)
                if not job.done():
                    raise await server.death("while it ran the prompt")
                count = job.result()
            except (ConnectionError, TimeoutError, urllib.error.URLError) as e:
                # A connection that breaks is mostly the first sign of a death.
                await asyncio.wait({death}, timeout=5)
                if death.done():
                    raise await server.death("while it ran the prompt") from e
                raise Failure(error("lost", f"ComfyUI does not answer any more: {e}", log=server.tail())) from e
            finally:
                job.cancel()
        except BaseException:
            for path in files_being_written(places.output.resolve()):
                emit({"event": "unfinished", "path": str(path.relative_to(places.data.resolve()))})
            raise
        finally:
            death.cancel()
    return {"event": "done", "outputs": count, "seconds": round(time.monotonic() - started, 3)}


async def _job(places: Places, emit: Emit, *, watch: bool) -> int:
    loop = asyncio.get_running_loop()
    source = Input(0, loop, watch=watch)
    terminated = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, terminated.set)
    left, ended = asyncio.create_task(source.ended.wait()), asyncio.create_task(terminated.wait())
    work: asyncio.Task[Event] | None = None
    try:
        asked: set[asyncio.Future[Any]] = {source.request, left, ended}
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        if not source.request.done():
            return 143
        request = parse_request(source.request.result(), places)
        work = asyncio.create_task(_work(places, request, emit))
        waited: set[asyncio.Future[Any]] = {work, left, ended}
        await asyncio.wait(waited, timeout=request.timeout, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            emit(work.result())
            return 0
        if left.done() or ended.done():
            raise Failure(error("stopped", "the job was stopped"))
        raise Failure(error("timeout", f"the job took longer than {request.timeout:g} s"))
    except Failure as e:
        for event in e.events:
            emit(event)
        return 143 if left.done() or ended.done() else 1
    finally:
        if work is not None:
            work.cancel()
            # ComfyUI is stopped on the way out; its failures do not matter any more.
            await asyncio.wait({work})


def run(places: Places, *, watch: bool = True) -> int:
    """Exit status 0 done, 1 failed (an `error` event says why), 143 stopped."""
    # Events own standard output: a stray print of ours or of a library must not get in between.
    emit = Printer(os.dup(1))
    os.dup2(2, 1)
    return asyncio.run(_job(places, emit, watch=watch))
