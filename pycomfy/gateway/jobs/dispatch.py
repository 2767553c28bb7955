"""Bring waiting jobs to the ComfyUIs, and what comes of them into the store: claim, run, commit."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..comfyui.instance import Died, Instance, Interrupted, Rejected
from ..comfyui.tracker import Tracker
from ..missing import describe_missing
from .leftovers import TempFiles, remove_strays
from .live import Live
from .model import CONVERTED, Job, JobError, Output, State
from .outputs import MAX_OUTPUTS, Found, Lost, OutputFolder, find_outputs, find_sent
from .remembered import Remembered, sign_nodes
from .store import JobStore, StoreFull

log = logging.getLogger(__name__)

LEASE = 30.0
HEARTBEAT = 5.0
PROGRESS_INTERVAL = 0.5
"""Seconds between two snapshots of the progress, as the contract says (about two a second)."""

MOST_WARNINGS = 100

COMMITTED_EARLY = 200
"""So many outputs of a job are recorded one by one as they come; those after them with its end."""

_OUT_OF_MEMORY = ("OutOfMemoryError", "Allocation on device", "CUDA out of memory", "HIP out of memory")


@dataclass(frozen=True)
class Kept:
    """An output, with what was made of it; and what could not be made of it."""

    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


class Keeper(Protocol):
    """Keeps what a job made, before its record says so."""

    async def keep(self, job: Job, found: Found, *, move: bool = False) -> Kept:
        """With `move`, where the disk has no room for a copy, a file is taken away from where it is. Raises
        `NotKept`."""

    async def keep_again(self, job: Job, output: Output) -> Kept:
        """An output of another job, as one of this job's. Raises `NotKept` where its bytes are gone."""


class Stager(Protocol):
    """Puts a graph into the form that ComfyUI takes, its files in place."""

    async def stage(self, job: Job) -> Mapping[str, Any]:
        """The graph. Raises `JobFailed` if a file of it is gone."""

    async def clean(self, job: Job) -> None: ...


class NotKept(Exception):
    """An output could not be kept; the message says why."""


class JobFailed(Exception):
    """The job cannot succeed."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass
class Running:
    """A job inside a ComfyUI. `why` says what set `stop`."""

    job: Job
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    outputs: list[Output] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    collected: set[str] = field(default_factory=set)
    names: set[tuple[str, ...]] = field(default_factory=set)
    """What tells one output from another."""

    lost: dict[str, str] = field(default_factory=dict)
    """Why an output could not be kept, with its node."""

    def start_over(self) -> None:
        """What the attempt made is made once more."""
        for made in (self.outputs, self.collected, self.names, self.lost):
            made.clear()

    def is_new(self, *name: str) -> bool:
        """Whether an output was not seen before; it is from now on."""
        if name in self.names:
            return False
        self.names.add(name)
        return True

    def halt(self, why: str) -> None:
        self.why = self.why or why
        self.stop.set()

    def warn_of_lost(self) -> None:
        for message in self.lost:
            self.warn(f"an output cannot be kept: {message}")

    def warn(self, text: str) -> None:
        if len(self.warnings) < MOST_WARNINGS and text[:1000] not in self.warnings:
            self.warnings.append(text[:1000])


@dataclass
class Dispatcher:
    """One loop for each instance. `secrets` holds what must not be stored, by the name that a request has for it;
    `describe` gives the `extra_pnginfo` of a job; `on_end` is told of every job that ended here."""

    store: JobStore
    live: Live
    keeper: Keeper
    stager: Stager
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    describe: Callable[[Job], Mapping[str, Any]] = lambda job: {}
    on_end: Callable[[Job], Awaitable[None]] | None = None
    on_nodes: Callable[[list[tuple[str, float]]], None] = lambda seconds: None
    missing: Callable[[], Sequence[str]] = lambda: ()
    running: dict[str, Running] = field(default_factory=dict)
    draining: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Closed until the first job may run."""

    _remembered: Remembered = field(default_factory=Remembered)
    _affinity: dict[str, str] = field(default_factory=dict)
    _temp: dict[str, TempFiles] = field(default_factory=dict)

    async def serve(self, instance: Instance) -> None:
        """Run jobs on the instance, one after another, until cancelled or drained."""
        await self.gate.wait()
        folder = OutputFolder(instance.places.output)
        self._temp[instance.name] = TempFiles(instance.places.temp / "temp")
        while not self.draining:
            await instance.ready.wait()
            loaded = self._affinity.get(instance.name)
            try:
                job = await self.store.claim(instance.name, lease=LEASE, affinity=(loaded,) if loaded else ())
            except (StoreFull, OSError) as e:
                log.error("no job can be started: %s", e)
                await asyncio.sleep(1)
                continue
            if job is None:
                await self.store.wait(1.0)
                continue
            self._affinity[instance.name] = job.request.affinity
            await self._run(instance, job, folder)

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

    async def _run(self, instance: Instance, job: Job, folder: OutputFolder) -> None:
        running = self.running[job.id] = Running(job)
        context = {"job": job.id, "instance": instance.name}
        self.live.status(job)
        log.info("job started", extra=context)
        beat = asyncio.create_task(self._keep_lease(running))
        ended: Job | None = None
        try:
            ended = await self._attempt(instance, running, folder)
        except asyncio.CancelledError:
            ended = await asyncio.shield(self._give_back(running))
            raise
        except Exception as e:
            log.exception("the job failed in the gateway", extra=context)
            error = JobError(code="internal_error", message=f"the gateway failed: {type(e).__name__}")
            ended = await self._finish(running, "failed", error)
        finally:
            beat.cancel()
            self.running.pop(job.id, None)
            with contextlib.suppress(OSError):
                await self.stager.clean(job)
            if ended is not None:
                await self.tell(ended)
            # Nobody waits for this.
            await asyncio.to_thread(self._temp[instance.name].add, list(running.outputs))

    async def tell(self, job: Job) -> None:
        """Tell of a job whose state changed, and end what belongs to it if it is over."""
        self.live.status(job)
        if not job.is_terminal:
            return
        self.secrets.pop(job.request.secret or "", None)
        log.info("job ended", extra={"job": job.id, "state": job.state, "attempt": job.attempt})
        if self.on_end is not None:
            await self.on_end(job)

    async def _attempt(self, instance: Instance, running: Running, folder: OutputFolder) -> Job | None:
        job = running.job
        if job.request.secret is not None and job.request.secret not in self.secrets:
            error = JobError(code="secret_lost", message="the key that came with the job is not kept over a restart")
            return await self._finish(running, "failed", error)
        await folder.look()  # what is there by now is not of this job
        try:
            graph = await self.stager.stage(job)
        except JobFailed as e:
            return await self._finish(running, "failed", e.error)
        prompt_id = job.id if job.attempt == 1 else str(uuid.uuid5(uuid.UUID(job.id), str(job.attempt)))
        for retry in (True, False):
            tracker = Tracker(prompt_id, graph)
            try:
                entry = await self._execute(instance, running, tracker)
            except Interrupted:
                await self._collect_all(instance, running, tracker.returned, tracker)
                await self._drop_unnamed(instance, running.outputs, folder)
                return await self._finish_interrupted(running)
            except Rejected as e:
                error = explain(e, self.missing())
                if error.code == "out_of_memory" and retry:
                    running.warn("memory was used up: models were unloaded, and the job was tried again")
                    prompt_id = await self._start_over(instance, running, folder)
                    continue
                # What was made before is not lost because a later node failed.
                await self._collect_all(instance, running, tracker.returned, tracker)
                await self._collect_unnamed(instance, running, folder)
                return await self._finish(running, "failed", error)
            except Died as e:
                await self._drop_unnamed(instance, (), folder)
                return await self._release(running, e.code, str(e), counted=e.reached)
            outputs = entry.get("outputs")
            # A cached node is in the history, and was not told of in a message.
            returned = {**tracker.returned, **(outputs if isinstance(outputs, dict) else {})}
            await self._collect_all(instance, running, returned, tracker)
            if retry and any(node in tracker.cached for node in running.lost.values()):
                log.info("what a cached node made is gone: it runs again", extra={"job": job.id})
                prompt_id = await self._start_over(instance, running, folder)
                continue
            self._remember(instance, running, tracker)
            await self._collect_unnamed(instance, running, folder)
            if running.lost:
                error = JobError(code="output_lost", message=next(iter(running.lost)))
                return await self._finish(running, "failed", error)
            return await self._finish(running, "succeeded")
        raise AssertionError("not reached")

    async def _start_over(self, instance: Instance, running: Running, folder: OutputFolder) -> str:
        """The id of another prompt, for a ComfyUI that has neither models nor results in its memory."""
        running.start_over()
        await self._drop_unnamed(instance, (), folder)
        await instance.free()
        return str(uuid.uuid4())

    async def _execute(self, instance: Instance, running: Running, tracker: Tracker) -> dict[str, Any]:
        """Run it, and tell of it while it runs."""
        job = running.job
        last, told, preview = 0.0, None, None
        tasks: set[asyncio.Task[Any]] = set()

        def tell(tracker: Tracker) -> None:
            nonlocal last, told, preview
            now = time.monotonic()
            fresh = {n: v for n, v in tracker.returned.items() if n not in running.collected}
            if fresh:
                running.collected.update(fresh)
                task = asyncio.create_task(self._collect(instance, running, fresh, tracker))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if now - last >= PROGRESS_INTERVAL or tracker.ended:
                last = now
                progress = tracker.progress()
                if progress != told:
                    self.live.progress(job.id, progress)
                told = progress
                if tracker.preview is not preview and tracker.preview is not None:
                    preview = tracker.preview
                    self.live.preview(job.id, preview)

        deadline = asyncio.create_task(self._halt_at_deadline(running))
        try:
            extra = {**self.describe(job), **self.secrets.get(job.request.secret or "", {})}
            entry = await instance.run(tracker, extra, tell, running.stop)
            tracker.succeed()
            tell(tracker)
            return entry
        finally:
            deadline.cancel()
            if tasks:
                await asyncio.wait(tasks)
            self.on_nodes(tracker.node_seconds)

    async def _halt_at_deadline(self, running: Running) -> None:
        if running.job.deadline_at is not None:
            await asyncio.sleep(running.job.deadline_at.timestamp() - time.time())
            running.halt("expired")

    async def _keep_lease(self, running: Running) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            with contextlib.suppress(StoreFull, OSError):
                state = await self.store.heartbeat(running.job.id, running.job.attempt, lease=LEASE)
                if state is None:
                    running.halt("taken")
                elif state == "canceling":
                    running.halt("canceled")

    async def _collect_all(
        self, instance: Instance, running: Running, returned: Mapping[str, Any], tracker: Tracker
    ) -> None:
        """At the end: also what could not be kept before."""
        running.lost.clear()
        await self._collect(instance, running, returned, tracker, over=True)
        for found in find_sent(tracker.sent):
            await self._keep(running, found)
        if tracker.sent_lost:
            running.lost[f"{tracker.sent_lost} images were too many to be kept"] = ""
        running.warn_of_lost()

    async def _collect(
        self,
        instance: Instance,
        running: Running,
        returned: Mapping[str, Any],
        tracker: Tracker,
        *,
        over: bool = False,
    ) -> None:
        """Keep and commit outputs that are not yet. `over`: no node will read their files any more."""
        signatures = sign_nodes(tracker.graph) if tracker.cached else {}
        for node, values in returned.items():
            cached = self._remembered.find(instance.name, signatures.get(node, "")) if node in tracker.cached else ()
            if cached and await self._keep_again(running, node, cached):
                continue
            for found in find_outputs(instance.places, {node: values}):
                if isinstance(found, Lost):
                    running.lost[found.message] = node
                else:
                    await self._keep(running, found, over=over)

    def _remember(self, instance: Instance, running: Running, tracker: Tracker) -> None:
        """Note what each node returned that ran."""
        signatures = sign_nodes(tracker.graph)
        by_node: dict[str, list[Output]] = {}
        for output in running.outputs:
            if output.folder != CONVERTED:  # the next job may ask for another format
                by_node.setdefault(output.node, []).append(output)
        for node, outputs in by_node.items():
            if node in signatures:
                self._remembered.note(instance.name, signatures[node], tuple(outputs))

    async def _keep_again(self, running: Running, node: str, outputs: tuple[Output, ...]) -> bool:
        """Keep what a cached node returned when it ran; False where its bytes are gone."""
        for output in outputs:
            name = (node, output.kind, output.subfolder, output.name, output.folder)
            if not running.is_new(*name):
                continue
            try:
                again = await self.keeper.keep_again(running.job, output.model_copy(update={"node": node}))
            except NotKept:
                running.names.discard(name)
                return False
            await self._commit(running, again)
        return True

    async def _collect_unnamed(self, instance: Instance, running: Running, folder: OutputFolder) -> None:
        """Files in the output folder that no node spoke of. What cannot be kept is removed: nobody could get at it,
        and it would be on the disk for ever."""
        top = instance.places.output.resolve()
        new = await folder.look()
        known = _list_paths(running.outputs, top)
        for path in new:
            if path not in known:
                subfolder = str(path.parent.relative_to(top))
                subfolder = "" if subfolder == "." else subfolder
                await self._keep(running, Found("", "files", path.name, subfolder, path=path), over=True)
        kept = _list_paths(running.outputs, top)
        if lost := [path for path in new if path not in kept]:
            await asyncio.to_thread(remove_strays, lost, top)
            running.warn_of_lost()

    async def _drop_unnamed(self, instance: Instance, kept: Iterable[Output], folder: OutputFolder) -> None:
        """Remove new files but those in `kept`: what was broken off is no output, of this job or of the next."""
        top = instance.places.output.resolve()
        known = _list_paths(kept, top)
        new = await folder.look()
        await asyncio.to_thread(remove_strays, [path for path in new if path not in known], top)
        # So that a file of the same name is new again.
        await folder.look()

    async def _keep(self, running: Running, found: Found, *, over: bool = False) -> None:
        if len(running.outputs) >= MAX_OUTPUTS:
            running.warn(f"more than {MAX_OUTPUTS} outputs: the others are not kept")
            return
        name = (found.node, found.kind, found.subfolder, found.name, found.folder)
        if not running.is_new(*name):
            return
        try:
            kept = await self.keeper.keep(running.job, found, move=over and found.folder == "output")
        except NotKept as e:
            running.names.discard(name)  # the end tries again
            running.lost[f"{found.name}: {e}"] = found.node
            return
        await self._commit(running, kept)

    async def _commit(self, running: Running, kept: Kept) -> None:
        for warning in kept.warnings:
            running.warn(warning)
        for output in kept.outputs:
            running.outputs.append(output)
            if len(running.outputs) <= COMMITTED_EARLY:
                with contextlib.suppress(StoreFull, OSError):  # the end commits all of them
                    await self.store.add_output(running.job.id, running.job.attempt, output)
            self.live.output(running.job.id, output)

    async def _finish(self, running: Running, state: State, error: JobError | None = None) -> Job | None:
        """Commit the end; while the disk is full, again and again: what was made must not be lost."""
        pause = 0.5
        hide = self._hide(running.job)
        if error is not None:
            trace = None if error.traceback is None else hide(error.traceback)
            error = error.model_copy(update={"message": hide(error.message), "traceback": trace})
        while True:
            try:
                return await self.store.finish(
                    running.job.id,
                    running.job.attempt,
                    state,
                    outputs=running.outputs,
                    error=error,
                    warnings=[hide(warning) for warning in running.warnings],
                )
            except (StoreFull, OSError) as e:
                log.error("the end of a job cannot be recorded yet: %s", e, extra={"job": running.job.id})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10)

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


def _list_paths(outputs: Iterable[Output], top: Path) -> set[Path]:
    """The files of outputs below ComfyUI's output folder."""
    return {top / output.subfolder / output.name for output in outputs if output.folder == "output"}


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
    if any(word in kind or word in message for word in _OUT_OF_MEMORY):
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
