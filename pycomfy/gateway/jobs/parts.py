"""A job that runs, as its parts: usually one, the whole graph in one ComfyUI."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..comfyui.instance import Instance
from ..comfyui.tracker import Preview, Progress, Tracker, join_progress
from ..graph.affinity import find_affinity
from ..graph.branches import Branch
from .leftovers import TempFiles
from .model import Job, Output
from .outputs import OutputFolder

MOST_WARNINGS = 100

WHOLE = Branch((), frozenset())
"""All of a graph, whatever is in it."""


class Station:
    """A ComfyUI, and what is known of it from one job to the next."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.folder = OutputFolder(instance.places.output)
        self.temp = TempFiles(instance.places.temp / "temp")
        self.loaded: frozenset[str] = frozenset()
        """The affinities of what it ran last."""

        self.free = asyncio.Event()
        """Clear while it has a job, or a part of one."""

        self.free.set()

    @property
    def name(self) -> str:
        return self.instance.name


class Part:
    """What one ComfyUI does of a job, and what came of it."""

    def __init__(self, station: Station, graph: Mapping[str, Any], branch: Branch, affinity: str) -> None:
        self.station = station
        self.graph = graph
        self.branch = branch
        self.affinity = affinity
        self.broken: Exception | None = None
        """Why it was not done."""

        self.begin("")

    def begin(self, prompt_id: str) -> None:
        """What an attempt made is made once more by the next."""
        self.tracker = Tracker(prompt_id, self.graph, self.branch.targets, self.branch.nodes)
        self.outputs: list[Output] = []
        self.untold: list[Output] = []
        """Those that are not yet in the job's record, and that nobody was told of."""

        self.collected: set[str] = set()
        self.names: set[tuple[str, ...]] = set()
        """What tells one output from another."""

        self.kept: dict[str, Any] = {}
        """What each node returned of which all is kept."""

        self.lost: dict[str, str] = {}
        """Why an output could not be kept, with its node."""

    def is_new(self, *name: str) -> bool:
        """Whether an output was not seen before; it is from now on."""
        if name in self.names:
            return False
        self.names.add(name)
        return True


@dataclass
class Running:
    """A job inside one ComfyUI or several. `why` says what set `stop`, `broken` is why the first part was not done."""

    job: Job
    held: list[Station]
    """ComfyUIs that are not free because of it."""

    parts: Sequence[Part] = ()
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    broken: Exception | None = None
    warnings: list[str] = field(default_factory=list)
    told: Progress | None = None
    told_at: float = 0.0
    preview: Preview | None = None
    recording: asyncio.Task[None] | None = None
    """Commits the outputs that nobody was told of, unless the end does it before."""

    def hold(self, stations: Iterable[Station]) -> None:
        for station in stations:
            station.free.clear()
            self.held.append(station)

    def give_back(self) -> None:
        while self.held:
            self.held.pop().free.set()

    def halt(self, why: str) -> None:
        self.why = self.why or why
        self.stop.set()

    def break_off(self, part: Part, reason: Exception) -> None:
        """A part cannot be done: the others are interrupted."""
        part.broken = reason
        self.broken = self.broken or reason
        self.stop.set()

    def warn_of_lost(self, part: Part) -> None:
        for message in part.lost:
            self.warn(f"an output cannot be kept: {message}")

    def warn(self, text: str) -> None:
        if len(self.warnings) < MOST_WARNINGS and text[:1000] not in self.warnings:
            self.warnings.append(text[:1000])

    def progress(self) -> Progress:
        return join_progress([part.tracker for part in self.parts])

    @property
    def count(self) -> int:
        """How many outputs there are."""
        return sum(len(part.outputs) for part in self.parts)

    def outputs(self) -> list[Output]:
        """In the order of their nodes in the graph, whichever was done first."""
        place = {node: at for at, node in enumerate(self.job.request.graph)}

        def find_place(output: Output) -> int:
            # A node made while running is known by its maker's id.
            return place.get(output.node, place.get(output.node.split(".", 1)[0], len(place)))

        return sorted((output for part in self.parts for output in part.outputs), key=find_place)


def assign(branches: Sequence[Branch], stations: Sequence[Station], graph: Mapping[str, Any]) -> list[Part]:
    """A part for each of as many stations, on the one that has its models if one has."""
    left, parts = list(stations), []
    for branch in branches:
        affinity = find_affinity({node: graph[node] for node in branch.nodes} if branch.nodes else graph)
        station = next((s for s in left if affinity and affinity in s.loaded), left[0])
        left.remove(station)
        parts.append(Part(station, graph, branch, affinity))
    return parts
