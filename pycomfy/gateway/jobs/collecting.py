"""What a part of a job made: found, kept, and committed to its record."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .leftovers import remove_strays
from .live import Live
from .model import CONVERTED, Job, Output
from .outputs import MAX_OUTPUTS, Found, Lost, find_outputs, find_sent
from .parts import Part, Running
from .remembered import Remembered, sign_nodes
from .store import JobStore, StoreFull

COMMITTED_EARLY = 200
"""So many outputs of a job are recorded while it runs; those after them with its end."""

COMMIT_PAUSE = 0.02
"""Seconds for which an output waits to be recorded: if the job ends within them, that is recorded with its end."""


@dataclass(frozen=True)
class Kept:
    """An output, with what was made of it; and what could not be made of it."""

    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


class NotKept(Exception):
    """An output could not be kept; the message says why."""


class Keeper(Protocol):
    """Keeps what a job made, before its record says so."""

    async def keep(self, job: Job, found: Found, *, move: bool = False) -> Kept:
        """With `move`, where the disk has no room for a copy, a file is taken away from where it is. Raises
        `NotKept`."""

    async def keep_again(self, job: Job, output: Output) -> Kept:
        """An output of another job, as one of this job's. Raises `NotKept` where its bytes are gone."""


@dataclass
class Collector:
    """Of all jobs; `remembered` holds what nodes made that are cached."""

    store: JobStore
    live: Live
    keeper: Keeper
    remembered: Remembered = field(default_factory=Remembered)

    async def collect_all(self, running: Running, part: Part, returned: Mapping[str, Any]) -> None:
        """At the end: also what could not be kept before."""
        part.lost.clear()
        await self.collect(running, part, returned, over=True)
        for found in find_sent(part.tracker.sent):
            await self._keep(running, part, found)
        if part.tracker.sent_lost:
            part.lost[f"{part.tracker.sent_lost} images were too many to be kept"] = ""
        running.warn_of_lost(part)

    async def collect(self, running: Running, part: Part, returned: Mapping[str, Any], *, over: bool = False) -> None:
        """Keep and commit outputs that are not yet. `over`: no node will read their files any more."""
        cached, station = part.tracker.cached, part.station
        signatures = sign_nodes(part.graph) if cached else {}
        for node, values in returned.items():
            if node in part.kept and part.kept[node] == values:
                continue
            before = self.remembered.find(station.name, signatures.get(node, "")) if node in cached else ()
            is_kept = True
            if not before or not await self._keep_again(running, part, node, before):
                for found in find_outputs(station.instance.places, {node: values}):
                    if isinstance(found, Lost):
                        part.lost[found.message] = node
                        is_kept = False
                    else:
                        is_kept &= await self._keep(running, part, found, over=over)
            if is_kept:
                part.kept[node] = values

    def remember(self, part: Part) -> None:
        """Note what each node returned that ran."""
        signatures = sign_nodes(part.graph)
        by_node: dict[str, list[Output]] = {}
        for output in part.outputs:
            if output.folder != CONVERTED:  # the next job may ask for another format
                by_node.setdefault(output.node, []).append(output)
        for node, outputs in by_node.items():
            if node in signatures:
                self.remembered.note(part.station.name, signatures[node], tuple(outputs))

    async def _keep_again(self, running: Running, part: Part, node: str, outputs: tuple[Output, ...]) -> bool:
        """Keep what a cached node returned when it ran; False where its bytes are gone."""
        for output in outputs:
            name = (node, output.kind, output.subfolder, output.name, output.folder)
            if not part.is_new(*name):
                continue
            try:
                again = await self.keeper.keep_again(running.job, output.model_copy(update={"node": node}))
            except NotKept:
                part.names.discard(name)
                return False
            await self._commit(running, part, again)
        return True

    async def collect_unnamed(self, running: Running, part: Part) -> None:
        """Files in the output folder that no node spoke of. What cannot be kept is removed: nobody could get at it,
        and it would be on the disk for ever."""
        folder = part.station.folder
        new = await folder.look()
        if not new:
            return
        top = folder.path.resolve()
        known = _list_paths(part.outputs, top)
        for path in new:
            if path not in known:
                subfolder = str(path.parent.relative_to(top))
                subfolder = "" if subfolder == "." else subfolder
                await self._keep(running, part, Found("", "files", path.name, subfolder, path=path), over=True)
        kept = _list_paths(part.outputs, top)
        if lost := [path for path in new if path not in kept]:
            await asyncio.to_thread(remove_strays, lost, top)
            running.warn_of_lost(part)

    async def drop_unnamed(self, part: Part, kept: Iterable[Output] = ()) -> None:
        """Remove new files but those in `kept`: what was broken off is no output, of this job or of the next."""
        folder = part.station.folder
        top = folder.path.resolve()
        known = _list_paths(kept, top)
        new = await folder.look()
        await folder.tidy()
        await asyncio.to_thread(remove_strays, [path for path in new if path not in known], top)
        # So that a file of the same name is new again.
        await folder.look()

    async def _keep(self, running: Running, part: Part, found: Found, *, over: bool = False) -> bool:
        """Whether there is nothing to try again."""
        if running.count >= MAX_OUTPUTS:
            running.warn(f"more than {MAX_OUTPUTS} outputs: the others are not kept")
            return True
        name = (found.node, found.kind, found.subfolder, found.name, found.folder)
        if not part.is_new(*name):
            return True
        try:
            kept = await self.keeper.keep(running.job, found, move=over and found.folder == "output")
        except NotKept as e:
            part.names.discard(name)  # the end tries again
            part.lost[f"{found.name}: {e}"] = found.node
            return False
        await self._commit(running, part, kept)
        return True

    async def _commit(self, running: Running, part: Part, kept: Kept) -> None:
        for warning in kept.warnings:
            running.warn(warning)
        for made in kept.outputs:
            output = made.model_copy(update={"worker": part.station.name})
            part.outputs.append(output)
            part.untold.append(output)
        await asyncio.sleep(0)  # between many outputs, others have their turns
        if running.recording is None or running.recording.done():
            running.recording = asyncio.create_task(self._record(running))

    async def _record(self, running: Running) -> None:
        """Commit what nobody was told of, and tell of it then."""
        await asyncio.sleep(COMMIT_PAUSE)
        while part := next((part for part in running.parts if part.untold), None):
            output = part.untold[0]
            if running.count - sum(len(part.untold) for part in running.parts) < COMMITTED_EARLY:
                with contextlib.suppress(StoreFull, OSError):  # the end commits all of them
                    await self.store.add_output(running.job.id, running.job.attempt, output)
            if part.untold and part.untold[0] is output:  # not if the end came meanwhile, or another try
                part.untold.pop(0)
                self.live.output(running.job.id, output)

    def tell(self, running: Running) -> None:
        """Tell of all outputs: the end of the job has them."""
        for part in running.parts:
            while part.untold:
                self.live.output(running.job.id, part.untold.pop(0))


def _list_paths(outputs: Iterable[Output], top: Path) -> set[Path]:
    """The files of outputs below ComfyUI's output folder, however their subfolders are written."""
    named = (top / output.subfolder / output.name for output in outputs if output.folder == "output")
    return {Path(os.path.normpath(path)) for path in named}
