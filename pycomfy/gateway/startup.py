"""From the first moment to ready: models, ComfyUI, a warm-up. Jobs wait until then."""

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .comfyui.client import Unanswered
from .comfyui.instance import Died, Instance, Interrupted, Rejected
from .comfyui.tracker import Tracker
from .gpu import check_gpu
from .graph.nodes import find_inputs, is_output
from .jobs.leftovers import remove_strays
from .jobs.outputs import OutputFolder
from .missing import describe_missing
from .model_links import link_models
from .models import Model, ModelFetcher, find_missing, read_models
from .places import Places
from .project import Project
from .server import Refused
from .settings import Settings

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0
"""Seconds between two looks for models that are missing: somebody may add them."""

TRY_AGAIN = 60.0
"""Seconds after which a fetch or a warm-up that failed is tried again."""

MARK = "pycomfy_warm_up"
"""The input that tells an output node of the warm-up from that of a job."""


@dataclass
class Startup:
    """`gate` opens once the first job may run, and stays open. `reasons` says why the gateway is not ready."""

    settings: Settings
    project: Project
    places: Places
    instances: list[Instance]
    environment: Mapping[str, str]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    missing: list[Model] = field(default_factory=list)
    _fetcher: ModelFetcher | None = None
    _warm_up: str = ""

    @property
    def locations(self) -> list[str]:
        """Of the models that are missing."""
        return [model.location for model in self.missing]

    def reasons(self) -> list[str]:
        """A sentence each; nothing if it is ready."""
        found = []
        if told := describe_missing(self.locations):
            state = self._fetcher.state if self._fetcher is not None else "not fetched: PYCOMFY_FETCH_MODELS is not set"
            found.append(f"{told} ({state})" if state else told)
            failures = self._fetcher.failures if self._fetcher is not None else {}
            found += [f"{location}: {why}" for location, why in list(failures.items())[:10]]
        if not any(instance.ready.is_set() for instance in self.instances):
            failure = next((i.failure for i in self.instances if i.failure), None)
            found.append(f"ComfyUI is starting again: {failure}" if failure else "ComfyUI is starting")
        if self._warm_up:
            found.append(self._warm_up)
        return found

    async def run(self) -> None:
        """Until cancelled: it goes on looking for models that are missing."""
        if problem := check_gpu(self.project.lock.get("accelerator")):
            log.warning(problem)
        models = read_models(self.project.lock)
        await self._look(models)
        if self.missing and self.settings.fetch_models:
            await self._fetch(models)
        elif self.missing:
            log.warning(describe_missing(self.locations))
        await self._warm()
        self.gate.set()
        while True:
            await asyncio.sleep(LOOK_INTERVAL if self.missing else TRY_AGAIN)
            await self._look(models)

    async def _look(self, models: list[Model]) -> None:
        await asyncio.to_thread(link_models, self.places)
        self.missing = await asyncio.to_thread(find_missing, models, self.places.data / "models")

    async def _fetch(self, models: list[Model]) -> None:
        """Until all are there."""
        self._fetcher = ModelFetcher(self.places.data / "models", self.environment)
        while self.missing:
            await self._fetcher.fetch(self.missing)
            await self._look(models)
            if self.missing:
                await asyncio.sleep(TRY_AGAIN)
        self._fetcher = None

    async def _warm(self) -> None:
        """Run a graph once on each ComfyUI, and throw away what comes of it. One that fails is tried again."""
        graph = read_warm_up(self.settings.warmup, self.project)
        if graph is None:
            return
        self._warm_up = "the warm-up runs"
        for instance in self.instances:
            while failure := await self._warm_one(instance, graph):
                self._warm_up = f"the warm-up failed: {failure}"
                log.error(self._warm_up)
                await asyncio.sleep(TRY_AGAIN)
            log.info("the warm-up ran", extra={"instance": instance.name})
        self._warm_up = ""

    async def _warm_one(self, instance: Instance, graph: Mapping[str, Any]) -> str:
        """Why it failed; empty if it did not. The files that it makes are nobody's, and go."""
        await instance.ready.wait()
        places = instance.places
        folders = [OutputFolder(places.output), OutputFolder(places.temp / "temp")]
        for folder in folders:
            await folder.look()
        try:
            marked = mark_outputs(graph, await instance.require_client().node_types())
            await instance.run(Tracker(str(uuid.uuid4()), marked), {}, lambda tracker: None, asyncio.Event())
        except (Rejected, Died, Interrupted, Unanswered, Refused) as e:
            return str(e) or type(e).__name__
        finally:
            for folder in folders:
                made = await folder.look()
                await asyncio.to_thread(remove_strays, made, folder.path)
        return ""


def mark_outputs(graph: Mapping[str, Any], node_types: Any) -> dict[str, Any]:
    """The graph, with one input more at each output node, which the node does not have and is not given.

    What ComfyUI keeps of the other nodes serves a job of the same graph; an output node of that job is another one, so
    that it writes files of its own. ComfyUI would answer with those of the warm-up, which are gone, and had nothing of
    the job in them.
    """
    types = node_types if isinstance(node_types, Mapping) else {}

    def mark(entry: Any) -> Any:
        return {**entry, "inputs": {**find_inputs(entry), MARK: True}} if is_output(entry, types) else entry

    return {node: mark(entry) for node, entry in graph.items()}


def read_warm_up(setting: str, project: Project) -> dict[str, Any] | None:
    """The graph to run first: none, the image's own, or that of a file. Raises `ValueError` for one without."""
    if setting in ("", "0", "false", "no"):
        return None
    if setting in ("1", "true", "yes"):
        return project.graph
    try:
        graph = json.loads(Path(setting).read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise ValueError(f"PYCOMFY_WARMUP: no graph in that file: {e}") from e
    if not isinstance(graph, dict) or not graph:
        raise ValueError("PYCOMFY_WARMUP: no graph in that file")
    return graph
