"""One ComfyUI: kept running, listened to, and asked to run one prompt at a time."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..events import Failure
from ..places import Places
from ..server import Refused, Server, running
from .client import ComfyClient, Unanswered
from .problems import find_problems, find_refusals
from .tracker import Tracker

log = logging.getLogger(__name__)

RESTART_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a ComfyUI is started again, by the number of times that it died soon after its start."""

SETTLED = 60.0
"""Seconds of life after which a death is not held against the next start."""

CONNECT_LIMIT = 5.0
"""Seconds to wait for the first connection that tells of progress."""

QUIET = 2.0
"""Seconds without a message, after which ComfyUI is asked whether it still has the prompt."""

SOON = 0.2
"""The same where there is no connection that messages come by, or after an answer without the prompt."""

SETTLE = 0.05
"""Seconds between a prompt's success and the message that ComfyUI is idle, at most; then its history is asked."""

MOST_MISSES = 3
"""Answers, one after another, in which a prompt is neither waiting nor running nor over: it is lost."""

END_LIMIT = 30.0
"""Seconds to wait for the end of a ComfyUI that was asked for."""

MOST_TOLD = 300
"""Characters of the line that a ComfyUI printed last."""

FORGET_PAUSE = 0.25
"""Seconds for which the history keeps the entry of a prompt that is over: a request removes all of that time."""

FREE_PAUSE = 0.3
"""Seconds that ComfyUI gets to free its memory before the next prompt comes: it does so between two prompts only."""


class Died(Exception):
    """ComfyUI ended, hung or lost the prompt: another attempt may succeed. `code` and the message say how; `reached`
    is false where it cannot be the prompt's fault."""

    def __init__(self, code: str, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.reached = reached


class Interrupted(Exception):
    """The prompt was ended because it was asked for."""


class Rejected(Exception):
    """The prompt failed: trying again changes nothing. `events` are `error` events."""

    def __init__(self, events: list[dict[str, object]]) -> None:
        super().__init__(str(events[0].get("message")) if events else "failed")
        self.events = events


@dataclass
class Instance:
    """A ComfyUI on `places.port`, in the folders that `prepare` made. `hang_limit` is how many seconds it may leave a
    question about its queue unanswered, `interrupt_limit` how many a node gets to end when it is interrupted: after
    that, ComfyUI is started again."""

    name: str
    places: Places
    cpu: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    hang_limit: float = 120.0
    interrupt_limit: float = 30.0
    on_line: Callable[[str, str], None] = lambda instance, line: None

    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no process is there; a prompt inside is then lost."""

    starts: int = 0
    failure: str | None = None
    """Why it is not ready, if it ended."""

    _client: ComfyClient | None = None
    _server: Server | None = None
    _tracker: Tracker | None = None
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _connected: bool = False
    _unbroken: bool = False
    """Whether there was one connection since before the prompt was sent."""

    _ended: str | None = None
    """Why we ended it, if we did."""

    _unreadable: str | None = None
    """Why the history of the prompt inside could not be read."""

    _restart: asyncio.Event = field(default_factory=asyncio.Event)
    _over: list[str] = field(default_factory=list)
    """Prompts whose entries in the history nobody needs any more."""

    _chores: set[asyncio.Task[None]] = field(default_factory=set)

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it ends, until cancelled."""
        deaths = 0
        while True:
            began = time.monotonic()
            try:
                await self._live()
            except Failure as e:
                self.failure = _describe(e)
                log.error("ComfyUI %s: %s", self.name, e, extra={"instance": self.name})
            except OSError as e:
                self.failure = f"ComfyUI cannot be started: {e}"
                log.error(self.failure, extra={"instance": self.name})
            deaths = 0 if time.monotonic() - began > SETTLED else deaths + 1
            await asyncio.sleep(RESTART_PAUSES[min(max(deaths - 1, 0), len(RESTART_PAUSES) - 1)])

    async def _live(self) -> None:
        """One process from its start to its end. Raises `Failure` with how it ended."""
        self._restart.clear()
        self._ended = None
        self.starts += 1

        def take(line: str) -> None:
            self.on_line(self.name, line)

        async with (
            running(self.places, cpu=self.cpu, on_line=take, environment=self.environment) as server,
            ComfyClient(self.places.port, uuid.uuid4().hex) as client,
        ):
            self._server, self._client = server, client
            self.stopped.clear()
            tasks: list[asyncio.Task[Any]] = []
            try:
                await server.wait_until_ready()
                connected = asyncio.Event()
                death = asyncio.create_task(server.process.wait())
                again = asyncio.create_task(self._restart.wait())
                watch = asyncio.create_task(self._watch_answers(client))
                listen = asyncio.create_task(self._listen(client, connected))
                tasks = [death, again, watch, listen]
                # Without a connection jobs run all the same: their end is asked for.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(connected.wait(), CONNECT_LIMIT)
                self.failure = None
                self.ready.set()
                await asyncio.wait({death, again, watch}, return_when=asyncio.FIRST_COMPLETED)
                if death.done():
                    raise await server.death("while it ran")
                if watch.done():
                    self._ended = f"ComfyUI did not answer for {self.hang_limit:g} s, and was ended"
                else:
                    self._ended = "ComfyUI was ended: a node did not end"
                self.failure = self._ended
                log.warning("ComfyUI %s is started again", self.name, extra={"instance": self.name})
                # It does not listen, so that a gentle end would only take longer.
                server.kill()
            finally:
                self.ready.clear()
                self._client = None
                self.stopped.set()
                for task in tasks:
                    task.cancel()

    async def _listen(self, client: ComfyClient, connected: asyncio.Event) -> None:
        """Pass messages on to the tracker; the connection is made again as often as it breaks. `connected` is set once
        the first was made, or could not be."""
        while True:
            try:
                async for message in client.listen():
                    self._connected = True
                    connected.set()
                    if self._tracker is not None and message:
                        self._tracker.take(message)
                        self._heard.set()
            except Unanswered as e:
                if not connected.is_set():
                    log.warning("ComfyUI %s gives no messages: %s", self.name, e, extra={"instance": self.name})
            except Exception:
                log.exception("a message of ComfyUI %s is not understood", self.name, extra={"instance": self.name})
            self._connected = self._unbroken = False
            connected.set()
            await asyncio.sleep(SOON)

    async def _watch_answers(self, client: ComfyClient) -> None:
        """Return when it has not answered for `hang_limit` seconds."""
        last = time.monotonic()
        while time.monotonic() - last < self.hang_limit:
            if await client.answers(timeout=min(30.0, self.hang_limit)):
                last = time.monotonic()
            await asyncio.sleep(min(5.0, self.hang_limit / 4))
        log.error("ComfyUI %s does not answer any more", self.name, extra={"instance": self.name})

    async def free(self) -> None:
        """Unload models and forget what nodes returned, where it can be asked."""
        if self._client is not None:
            with contextlib.suppress(Unanswered, Refused):
                await self._client.free()
                await asyncio.sleep(FREE_PAUSE)

    def restart(self) -> None:
        """End the process; `keep_running` starts another."""
        self._restart.set()

    def require_client(self) -> ComfyClient:
        """Raises `Died` while there is no ComfyUI to ask."""
        if self._client is None:
            raise Died("worker_lost", self.failure or "ComfyUI is not running", reached=False)
        return self._client

    async def run(
        self,
        tracker: Tracker,
        extra_data: Mapping[str, Any],
        on_change: Callable[[Tracker], None],
        stop: asyncio.Event,
    ) -> dict[str, Any]:
        """Run the tracker's graph; its entry in the history. `on_change` is called after each message.

        When `stop` is set the prompt is interrupted, and `Interrupted` raised. Raises `Rejected` for a prompt that
        ComfyUI refuses or that fails, `Died` if ComfyUI ended or lost it.
        """
        client = self.require_client()
        self._tracker, self._unreadable = tracker, None
        self._unbroken = self._connected
        self._heard.clear()
        died = asyncio.create_task(self.stopped.wait())
        halted = asyncio.create_task(stop.wait())
        for end in (died, halted):
            end.add_done_callback(lambda _: self._heard.set())
        try:
            await self._submit(client, tracker, extra_data)
            entry = await self._until_over(client, tracker, on_change, died, halted)
            self._forget_later(client, tracker.prompt_id)
            problems = list(find_problems(entry, dict(tracker.graph)))
            if problems:
                raise Rejected(problems)
            return entry
        except Unanswered as e:
            # A connection that breaks is mostly the first sign of a death.
            await asyncio.wait({died}, timeout=10)
            if not died.done():
                self.restart()  # the prompt must not stay inside
                await asyncio.wait({died}, timeout=END_LIMIT)
            raise await self._death(str(e)) from e
        finally:
            self._tracker = None
            died.cancel()
            halted.cancel()

    def _forget_later(self, client: ComfyClient, prompt_id: str) -> None:
        """Have its entry in the history removed, with those of the prompts that are over soon after it."""

        async def forget() -> None:
            await asyncio.sleep(FORGET_PAUSE)
            forgotten, self._over = self._over, []
            if client is self._client:  # another process has not heard of them
                with contextlib.suppress(Unanswered, Refused):
                    await client.forget(forgotten)

        self._over.append(prompt_id)
        if len(self._over) == 1:
            task = asyncio.create_task(forget())
            self._chores.add(task)
            task.add_done_callback(self._chores.discard)

    async def _death(self, what: str) -> Died:
        if self._ended is not None:
            return Died("worker_lost", self._ended)
        if self.stopped.is_set() and self._server is not None and self._server.process.returncode is not None:
            failure = await self._server.death("while it ran the prompt")
            kind = str(failure.events[0].get("type"))
            return Died("out_of_memory" if kind == "out-of-memory" else "worker_lost", str(failure))
        return Died("worker_lost", what)

    async def _submit(self, client: ComfyClient, tracker: Tracker, extra_data: Mapping[str, Any]) -> None:
        graph = dict(tracker.graph)
        try:
            answer = await client.submit(tracker.prompt_id, graph, extra_data, tracker.targets)
        except Refused as e:
            raise Rejected(find_refusals(e.body, graph)) from e
        if isinstance(answer, dict) and answer.get("node_errors"):
            # Accepted, yet without the outputs behind the faulty nodes: half a result is none.
            await client.interrupt(tracker.prompt_id)
            raise Rejected(find_refusals(answer, graph))

    async def _until_over(
        self,
        client: ComfyClient,
        tracker: Tracker,
        on_change: Callable[[Tracker], None],
        died: asyncio.Task[Any],
        halted: asyncio.Task[Any],
    ) -> dict[str, Any]:
        """The socket wakes us; without it we ask. The history alone says that a prompt is over, but for one of which
        all was told on one connection, and then that ComfyUI is idle: asking once more took a fifth of a small job."""
        misses = 0
        while True:
            pause = QUIET if self._connected and not misses else SOON
            pause = SETTLE if self._may_tell_all(tracker) and not misses else pause
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._heard.wait()
            quiet = not self._heard.is_set()
            self._heard.clear()
            if died.done():
                raise await self._death("ComfyUI ended")
            if halted.done():
                await self._interrupt(client, tracker, died)
                raise Interrupted
            if not quiet:
                on_change(tracker)
            if self._unbroken and tracker.is_idle and tracker.end is not None:
                return _read_messages(tracker, *tracker.end)
            if quiet or (tracker.ended and (misses or not self._may_tell_all(tracker))):
                entry = await self._ask_history(client, tracker)
                if entry is not None:
                    return entry
                misses = 0 if tracker.ended is False and await client.knows(tracker.prompt_id) else misses + 1
                if misses > MOST_MISSES:
                    raise Died("worker_lost", self._unreadable or "ComfyUI does not know the prompt any more")
                if tracker.ended:
                    await asyncio.sleep(0.002 * 4**misses)
                    self._heard.set()

    def _may_tell_all(self, tracker: Tracker) -> bool:
        """Whether the message that ComfyUI is idle would be the last that is needed."""
        return self._unbroken and tracker.tells_all

    async def _ask_history(self, client: ComfyClient, tracker: Tracker) -> dict[str, Any] | None:
        try:
            return await client.history(tracker.prompt_id)
        except Refused as e:
            self._unreadable = f"ComfyUI does not give what the prompt made: {e}"
            # Such as a value in it that is no JSON: it will not get better. What the messages said is known.
            if tracker.end is None:
                return None
            return _read_messages(tracker, *tracker.end)

    async def _interrupt(self, client: ComfyClient, tracker: Tracker, died: asyncio.Task[Any]) -> None:
        """Return when the prompt is over; a node that does not listen costs ComfyUI its life."""
        await client.interrupt(tracker.prompt_id)
        deadline = time.monotonic() + self.interrupt_limit
        while time.monotonic() < deadline:
            if died.done() or await self._ask_history(client, tracker) or not await client.knows(tracker.prompt_id):
                return
            await asyncio.wait({died}, timeout=0.1)
        log.warning("a node does not end: ComfyUI %s is ended", self.name, extra={"instance": self.name})
        self.restart()
        await asyncio.wait({died}, timeout=END_LIMIT)


def _read_messages(tracker: Tracker, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What the history would have of a prompt that ended with that message."""
    status = "success" if kind == "execution_success" else "error"
    return {"outputs": dict(tracker.returned), "status": {"status_str": status, "messages": [[kind, data]]}}


def _describe(failure: Failure) -> str:
    """Why it ended, with what it printed last where no job had run yet: after that, it is nobody's but the job's."""
    last = str(failure.events[0].get("log") or "").strip().rpartition("\n")[2] if failure.events else ""
    return f"{failure}: {last[:MOST_TOLD]}" if last and "while it started" in str(failure) else str(failure)
