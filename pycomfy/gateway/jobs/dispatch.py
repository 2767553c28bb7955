"""Bring waiting jobs to the ComfyUIs, and what comes of them into the store: claim, run, commit."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, Protocol

from ..comfyui.instance import Died, Instance, Interrupted, Rejected
from ..comfyui.tracker import Tracker
from ..graph.branches import Branch, join_branches
from ..missing import describe_missing
from .collecting import Collector, Keeper
from .live import Live
from .model import Job, JobError, State
from .parts import WHOLE, Part, Running, Station, assign
from .store import JobStore, StoreFull

log = logging.getLogger(__name__)

LEASE = 30.0
HEARTBEAT = 5.0
PROGRESS_INTERVAL = 0.5
"""Seconds between two snapshots of the progress, as the contract says (about two a second)."""

_TURNS = 3
"""Rounds of the event loop from an event to its bytes in the socket: the reader, its task, the corked transport."""

_OUT_OF_MEMORY = ("OutOfMemoryError", "Allocation on device", "CUDA out of memory", "HIP out of memory")


class Stager(Protocol):
    """Puts a graph into the form that ComfyUI takes, its files in place."""

    async def stage(self, job: Job) -> Mapping[str, Any]:
        """The graph. Raises `JobFailed` if a file of it is gone."""

    async def clean(self, job: Job) -> None: ...


class JobFailed(Exception):
    """The job cannot succeed."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass
class Dispatcher:
    """One loop for each ComfyUI. `secrets` holds what must not be stored, by the name that a request has for it;
    `describe` gives the `extra_pnginfo` of a job, `split` the branches of its graph that may run apart; `on_end` is
    told of every job that ended here."""

    store: JobStore
    live: Live
    keeper: InitVar[Keeper]
    stager: Stager
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    describe: Callable[[Job], Mapping[str, Any]] = lambda job: {}
    split: Callable[[Mapping[str, Any]], list[Branch]] = lambda graph: []
    on_end: Callable[[Job], Awaitable[None]] | None = None
    on_nodes: Callable[[list[tuple[str, float]]], None] = lambda seconds: None
    missing: Callable[[], Sequence[str]] = lambda: ()
    running: dict[str, Running] = field(default_factory=dict)
    draining: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Closed until the first job may run."""

    _stations: list[Station] = field(default_factory=list)
    _claims: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while jobs and ComfyUIs are brought together."""

    def __post_init__(self, keeper: Keeper) -> None:
        self._collector = Collector(self.store, self.live, keeper)

    async def serve(self, instance: Instance) -> None:
        """Run jobs on the instance, one after another, until cancelled or drained."""
        await self.gate.wait()
        station = Station(instance)
        self._stations.append(station)
        while not self.draining:
            await station.free.wait()
            await instance.ready.wait()
            try:
                job = await self._claim(station)
            except (StoreFull, OSError) as e:
                log.error("no job can be started: %s", e)
                await asyncio.sleep(1)
                continue
            if job is None:
                await self.store.wait(1.0)
                continue
            await self._run(station, job)

    async def _claim(self, station: Station) -> Job | None:
        async with self._claims:
            if not station.free.is_set():
                return None  # it was lent in the meantime
            job = await self.store.claim(station.name, lease=LEASE, affinity=station.loaded)
            if job is not None:
                station.free.clear()
            return job

    def find_secrets(self, job: str) -> tuple[str, ...]:
        """What must not be shown of a job that runs."""
        running = self.running.get(job)
        return tuple(self.secrets.get((running.job.request.secret if running else None) or "", {}).values())

    def _hide(self, job: Job) -> Callable[[str], str]:
        """Takes the job's secrets out of what a node says: services answer with the key that they refuse."""
        secrets = self.secrets.get(job.request.secret or "", {}).values()

        def hide(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "[secret]") if secret else text
            return text

        return hide

    def cancel(self, job: str) -> None:
        """End it at once if it runs here; the store knows already that it is canceling."""
        if job in self.running:
            self.running[job].halt("canceled")

    def find_job(self, instance: str) -> str | None:
        """The job that runs in the instance of that name."""
        return next((r.job.id for r in self.running.values() if any(s.name == instance for s in r.held)), None)

    async def _run(self, station: Station, job: Job) -> None:
        running = self.running[job.id] = Running(job, [station])
        context = {"job": job.id, "instance": station.name}
        self.live.status(job)
        log.info("job started", extra=context)
        beat = asyncio.create_task(self._keep_lease(running))
        ended: Job | None = None
        try:
            ended = await self._attempt(running)
        except asyncio.CancelledError:
            ended = await asyncio.shield(self._give_back(running))
            raise
        except Exception as e:
            log.exception("the job failed in the gateway", extra=context)
            error = JobError(code="internal_error", message=f"the gateway failed: {type(e).__name__}")
            ended = await self._finish(running, "failed", error)
        finally:
            beat.cancel()
            if running.recording is not None:
                running.recording.cancel()
            running.give_back()
            self.running.pop(job.id, None)
            with contextlib.suppress(OSError):
                await self.stager.clean(job)
            if ended is not None:
                await self.tell(ended)
                # Those who wait for the job hear of its end before anything else is done.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            for part in running.parts:
                await part.station.temp.take(list(part.outputs))

    async def tell(self, job: Job) -> None:
        """Tell of a job whose state changed, and end what belongs to it if it is over."""
        self.live.status(job)
        if not job.is_terminal:
            return
        self.secrets.pop(job.request.secret or "", None)
        log.info("job ended", extra={"job": job.id, "state": job.state, "attempt": job.attempt})
        if self.on_end is not None:
            await self.on_end(job)

    async def _attempt(self, running: Running) -> Job | None:
        job = running.job
        if job.request.secret is not None and job.request.secret not in self.secrets:
            error = JobError(code="secret_lost", message="the key that came with the job is not kept over a restart")
            return await self._finish(running, "failed", error)
        try:
            graph = await self.stager.stage(job)
        except JobFailed as e:
            return await self._finish(running, "failed", e.error)
        prompt_id = job.id if job.attempt == 1 else str(uuid.uuid5(uuid.UUID(job.id), str(job.attempt)))
        deadline = self._halt_at_deadline(running)
        try:
            branches = await self._borrow(running)
            running.parts = assign(branches, running.held, graph)
            async with asyncio.TaskGroup() as group:
                for part in running.parts:
                    part.begin(prompt_id)
                    group.create_task(self._run_part(running, part))
        finally:
            if deadline is not None:
                deadline.cancel()
        await self._collect_broken(running)
        # Before anybody can know of the end: the next job may need them all.
        running.give_back()
        return await self._conclude(running)

    async def _borrow(self, running: Running) -> list[Branch]:
        """The branches to run at once, each in a ComfyUI that the job has: those that have nothing else to do are
        added."""
        branches = self.split(running.job.request.graph)
        if len(branches) > 1:
            async with self._claims:
                idle = [s for s in self._stations if s.free.is_set() and s.instance.ready.is_set()]
                if idle and not await self._any_waits():
                    running.hold(idle[: len(branches) - 1])
        return join_branches(branches, len(running.held)) if len(running.held) > 1 else [WHOLE]

    async def _any_waits(self) -> bool:
        try:
            return (await self.store.counts()).states.get("queued", 0) > 0
        except OSError:
            return True

    async def _run_part(self, running: Running, part: Part) -> None:
        station = part.station
        station.loaded = frozenset(name for name in (running.job.request.affinity, part.affinity) if name)
        try:
            await station.folder.look()  # what is there by now is not of this job
            if not await self._try(running, part, first=True):
                await self._start_over(part)
                await self._try(running, part, first=False)
        except Exception as e:  # noqa: BLE001  it is raised once all parts are over
            running.break_off(part, e)

    async def _try(self, running: Running, part: Part, *, first: bool) -> bool:
        """Whether it is done; False if another try in an emptied ComfyUI may do better. Raises what `Instance.run`
        does."""
        tracker = part.tracker
        try:
            entry = await self._execute(running, part)
        except Rejected as e:
            if not first or not is_out_of_memory(e):
                raise
            running.warn("memory was used up: models were unloaded, and the job was tried again")
            return False
        outputs = entry.get("outputs")
        # A cached node is in the history, and was not told of in a message.
        returned = {**tracker.returned, **(outputs if isinstance(outputs, dict) else {})}
        await self._collector.collect_all(running, part, returned)
        if first and any(node in tracker.cached for node in part.lost.values()):
            log.info("what a cached node made is gone: it runs again", extra={"job": running.job.id})
            return False
        self._collector.remember(part)
        await self._collector.collect_unnamed(running, part)
        return True

    async def _start_over(self, part: Part) -> None:
        """Prepare another try, in a ComfyUI that has neither models nor results in its memory."""
        part.begin(str(uuid.uuid4()))
        await self._collector.drop_unnamed(part)
        await part.station.instance.free()

    async def _collect_broken(self, running: Running) -> None:
        """What was made before is not lost because a later node failed; what is made anew is not needed."""
        for part in running.parts:
            if isinstance(running.broken, Died):
                await self._collector.drop_unnamed(part)
            elif part.broken is not None:
                await self._collector.collect_all(running, part, part.tracker.returned)
                if isinstance(part.broken, Rejected):
                    await self._collector.collect_unnamed(running, part)
                    await part.station.folder.tidy()
                else:
                    await self._collector.drop_unnamed(part, part.outputs)

    async def _conclude(self, running: Running) -> Job | None:
        """All parts are over: the first that was not done says how the job ends."""
        match running.broken:
            case None:
                lost = [message for part in running.parts for message in part.lost]
                error = JobError(code="output_lost", message=lost[0]) if lost else None
                return await self._finish(running, "failed" if lost else "succeeded", error)
            case Died(code=code, reached=reached) as e:
                return await self._release(running, code, str(e), counted=reached)
            case Rejected() as e:
                return await self._finish(running, "failed", explain(e, self.missing()))
            case Interrupted():
                return await self._finish_interrupted(running)
            case e:
                raise e

    async def _execute(self, running: Running, part: Part) -> dict[str, Any]:
        """Run it, and tell of it while it runs."""
        tasks: set[asyncio.Task[Any]] = set()

        def tell(tracker: Tracker) -> None:
            fresh = {n: v for n, v in tracker.returned.items() if n not in part.collected}
            if fresh and not tracker.ended:  # the end collects what is left, all at once
                part.collected.update(fresh)
                task = asyncio.create_task(self._collector.collect(running, part, fresh))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            self._tell_progress(running, tracker)

        try:
            extra = {**self.describe(running.job), **self.secrets.get(running.job.request.secret or "", {})}
            entry = await part.station.instance.run(part.tracker, extra, tell, running.stop)
            part.tracker.succeed()
            tell(part.tracker)
            return entry
        finally:
            if tasks:
                await asyncio.wait(tasks)
            self.on_nodes(part.tracker.node_seconds)

    def _tell_progress(self, running: Running, tracker: Tracker) -> None:
        """Of the whole job; `tracker` has news."""
        now = time.monotonic()
        if tracker.has_succeeded or (now - running.told_at < PROGRESS_INTERVAL and not tracker.ended):
            return  # that all is done is told with the end, which wakes those who listen once
        running.told_at = now
        self._tell_state(running)
        if tracker.preview is not None and tracker.preview is not running.preview:
            running.preview = tracker.preview
            self.live.preview(running.job.id, tracker.preview)

    def _tell_state(self, running: Running) -> None:
        progress = running.progress()
        if progress != running.told:
            self.live.progress(running.job.id, progress)
        running.told = progress

    @staticmethod
    def _halt_at_deadline(running: Running) -> asyncio.TimerHandle | None:
        if running.job.deadline_at is None:
            return None
        left = running.job.deadline_at.timestamp() - time.time()
        return asyncio.get_running_loop().call_later(left, running.halt, "expired")

    async def _keep_lease(self, running: Running) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            with contextlib.suppress(StoreFull, OSError):
                state = await self.store.heartbeat(running.job.id, running.job.attempt, lease=LEASE)
                if state is None:
                    running.halt("taken")
                elif state == "canceling":
                    running.halt("canceled")

    async def _finish(self, running: Running, state: State, error: JobError | None = None) -> Job | None:
        """Commit the end; while the disk is full, again and again: what was made must not be lost."""
        pause = 0.5
        hide = self._hide(running.job)
        if error is not None:
            trace = None if error.traceback is None else hide(error.traceback)
            error = error.model_copy(update={"message": hide(error.message), "traceback": trace})
        while True:
            try:
                ended = await self.store.finish(
                    running.job.id,
                    running.job.attempt,
                    state,
                    outputs=running.outputs(),
                    error=error,
                    warnings=[hide(warning) for warning in running.warnings],
                )
            except (StoreFull, OSError) as e:
                log.error("the end of a job cannot be recorded yet: %s", e, extra={"job": running.job.id})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10)
            else:
                if ended is not None:
                    if state == "succeeded":
                        self._tell_state(running)
                    self._collector.tell(running)
                return ended

    async def _finish_interrupted(self, running: Running) -> Job | None:
        match running.why:
            case "canceled":
                return await self._finish(running, "canceled")
            case "expired":
                error = JobError(code="deadline_exceeded", message="the job was not done before its deadline")
                return await self._finish(running, "expired", error)
        return await self._give_back(running)

    async def _give_back(self, running: Running) -> Job | None:
        """It waits for the next start of the gateway: a stop in good order is no attempt."""
        return await self._release(running, "worker_stopped", "the gateway was stopped", counted=False)

    async def _release(self, running: Running, code: str, message: str, *, counted: bool = True) -> Job | None:
        try:
            reason = JobError(code=code, message=self._hide(running.job)(message))
            return await self.store.release(running.job.id, running.job.attempt, reason=reason, counted=counted)
        except (StoreFull, OSError):
            return None  # its lease ends, and then it is released


def is_out_of_memory(rejected: Rejected) -> bool:
    first = rejected.events[0] if rejected.events else {}
    return any(word in str(first.get(key)) for word in _OUT_OF_MEMORY for key in ("type", "message"))


def explain(rejected: Rejected, missing: Sequence[str]) -> JobError:
    """The first error, with the others in its message where there are more; of a file that ComfyUI does not know it
    says so if that is a model of those that are `missing`."""
    first = rejected.events[0] if rejected.events else {"type": "failed", "message": "ComfyUI does not say why"}
    kind, message = str(first.get("type")), str(first.get("message"))
    details = str(first.get("details") or "")
    text = f"{message}: {details}" if details and details not in message else message
    if lost := [location for location in missing if f"'{location.partition('/')[2]}' not in" in details]:
        text = f"{describe_missing(lost)} ({text})"
    if len(rejected.events) > 1:
        text += f" (and {len(rejected.events) - 1} more)"
    code = "node_execution_error" if "traceback" in first else "invalid_workflow"
    if is_out_of_memory(rejected):
        code = "out_of_memory"
    node = first.get("node")
    return JobError(
        code=code,
        message=f"{kind}: {text}" if code == "node_execution_error" else text,
        node=str(node) if node else None,
        input=str(first["input"]) if first.get("input") else None,
        class_type=str(first.get("class_type") or "") or None,
        traceback=str(first["traceback"]) if first.get("traceback") else None,
    )
