"""`dev`: build a workflow, say what became of its nodes, open ComfyUI's editor on it; and again with every change."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.io.file_watch import FileWatch
from pycomfy.core.versions.node_changes import NodeChanges, compare_nodes
from pycomfy.core.versions.verification import NodeDefinitions, last_line
from pycomfy.errors import PycomfyError
from pycomfy.services.build.build import BuildRequest, BuildResult, build
from pycomfy.services.build.prover import Prover
from pycomfy.services.dev.session import EditorOptions, EditorSession, open_session
from pycomfy.services.dev.watched import Watched, find_watched
from pycomfy.services.lock_request import LockRequest, read_lock, read_requested_workflow
from pycomfy.services.project import host_platform
from pycomfy.services.results import Problem, Result
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class DevOptions:
    """`workflow` is as for `BuildRequest`; without `archive` its sources are not archived. `editor` None opens none."""

    workflow: Path
    archive: bool = True
    editor: EditorOptions | None = field(default_factory=EditorOptions)


class FailedImport(Result):
    """A node pack that could not be imported, and the last line of its traceback."""

    pack: str
    error: str


class Rebuilt(Result):
    """What became of a change. `built` is None where there is no proven image, for the `problems`; the editor stays on
    the one before. `added`, `removed` and `changed` compare the image's node types with those of the answer before, as
    `NodeChanges` has them; `failures` are all packs that could not be imported. `seconds` are those from the change to
    the proof."""

    built: BuildResult | None
    problems: tuple[Problem, ...]
    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, ...]]
    failures: tuple[FailedImport, ...]
    seconds: float


@dataclass(frozen=True)
class Listener:
    """Who hears of what happens: of each build; of the editor's address, in another thread; and of what is watched, by
    its files and the folders of node packs, when that begins or becomes other."""

    on_built: Callable[[Rebuilt], None]
    on_editor: Callable[[str], None]
    on_watch: Callable[[Watched], None]


def dev(workspace: Workspace, options: DevOptions, listener: Listener) -> None:
    """Build, and again with every change, until a signal ends it: Ctrl-C, SIGTERM or SIGHUP. Raises what
    `read_requested_workflow` raises for a workflow that is not there or none, and `BadInput` for a port that is taken;
    what a build raises is told."""
    read_requested_workflow(workspace, LockRequest(options.workflow))
    with contextlib.ExitStack() as stack:
        session = None
        if options.editor is not None:
            session = stack.enter_context(open_session(workspace, options.editor, listener.on_editor))
        loop = _Loop(workspace, options, listener, session, _read_answer(workspace, options.workflow))
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            loop.run()


@dataclass
class _Loop:
    """`answer` is what the image of the last build answered for its nodes, None if no image was asked. `shown` is the
    image that the editor is open on, by its digest."""

    workspace: Workspace
    options: DevOptions
    listener: Listener
    session: EditorSession | None
    answer: NodeDefinitions | None
    shown: str = ""

    def run(self) -> None:
        watched = None
        while True:
            # What is changed from here on is told by the wait, also while it is built.
            with self._watch() as (watch, found):
                if found != watched:
                    watched = found
                    self.listener.on_watch(found)
                self._build()
                while not found.concerns(watch.wait()):
                    pass

    @contextlib.contextmanager
    def _watch(self) -> Iterator[tuple[FileWatch, Watched]]:
        found = find_watched(self.options.workflow)
        with contextlib.closing(FileWatch(found.list_folders())) as watch:
            yield watch, found

    def _build(self) -> None:
        began, built = time.monotonic(), None
        problems: tuple[PycomfyError, ...] = ()
        try:
            request = BuildRequest(self.options.workflow, archive=self.options.archive)
            built = build(self.workspace, request, Prover(self.workspace))
        except PycomfyError as e:
            problems = flatten_errors(e)
        seconds = round(time.monotonic() - began, 3)
        before, after = self.answer, _read_answer(self.workspace, self.options.workflow) or self.answer
        self.answer = after
        changes = compare_nodes(before.types, after.types) if before and after else NodeChanges({}, {}, {})
        self.listener.on_built(
            Rebuilt(
                built=built,
                problems=problems,
                added=changes.added,
                removed=changes.removed,
                changed=changes.changed,
                failures=tuple(_describe_failures(after)),
                seconds=seconds,
            )
        )
        if built is not None and self.session is not None and built.manifest_digest != self.shown:
            self.shown = built.manifest_digest
            self.session.show(built.name, built.version)


def _read_answer(workspace: Workspace, workflow: Path) -> NodeDefinitions | None:
    """What an image of the workflow's lock answered for its nodes; None without a lock, or if no image was asked."""
    try:
        return read_cached_definitions(workspace, read_lock(LockRequest(workflow).lock_file), host_platform())
    except (PycomfyError, KeyError):
        return None


def _describe_failures(answer: NodeDefinitions | None) -> Iterator[FailedImport]:
    for failure in answer.failures if answer is not None else ():
        yield FailedImport(pack=failure.pack, error=last_line(failure.traceback or failure.message))
