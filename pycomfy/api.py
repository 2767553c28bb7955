"""Use pycomfy from Python: one class with the main use cases as methods.

Importing this module is cheap: each method imports what it needs when it is called.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pycomfy import operation
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.progress import Progress
from pycomfy.services import workspace as services

if TYPE_CHECKING:
    from pycomfy.services.archive.restore import RestoredProject
    from pycomfy.services.archive.restore_image import RestoredImage
    from pycomfy.services.archive.restore_plain import RestoredFolder
    from pycomfy.services.build.build import BuildResult
    from pycomfy.services.lock.lock import LockResult
    from pycomfy.services.run.run import RunResult
    from pycomfy.services.versions.log import LogEntry

AnyPath = Path | str


@dataclass(frozen=True)
class Workspace(services.Workspace):
    """A data folder with the versions, models and archive in it. Make one with `Workspace.open`. Every method raises
    `PycomfyError` for what the caller can fix. `progress` hears how far the methods are; without it, the operation
    that runs does, if one was started."""

    progress: Progress | None = None

    @classmethod
    def open(
        cls,
        folder: AnyPath | None = None,
        *,
        nix: NixSettings | None = None,
        engine: str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Return the workspace in `folder`; without one in `$PYCOMFY_HOME`, else in the user's data and cache folders.
        `engine` is "podman" or "docker", by default whichever works. Creates nothing."""
        opened = super().open(None if folder is None else Path(folder), nix=nix, engine=engine)
        return replace(opened, progress=progress)

    def lock(
        self,
        workflow: AnyPath,
        *,
        name: str | None = None,
        config: AnyPath | None = None,
        packs: Mapping[str, str] | None = None,
        nodes: Mapping[str, str] | None = None,
        prefer: Iterable[str] = (),
        update: Iterable[str] = (),
        as_of: datetime | None = None,
        platforms: Iterable[PlatformName] = (),
        accelerator: str | None = None,
        output: AnyPath | None = None,
    ) -> "LockResult":
        """Pin everything that a workflow needs, in the lock beside it, or in the file `output`.

        `workflow` is a file, or a folder with one workflow. `packs` are additional node packs (name → URL or
        URL@REVISION), `nodes` commits (name → commit). `prefer` are packs to choose where several may be meant. With
        `update`, only these parts of an existing lock are renewed.
        """
        from pycomfy.services.lock.lock import lock
        from pycomfy.services.lock_request import LockRequest

        request = LockRequest(
            Path(workflow),
            name=name,
            config=None if config is None else Path(config),
            packs=packs or {},
            nodes=nodes or {},
            as_of=as_of,
            platforms=tuple(platforms),
            accelerator=accelerator,
            prefer=tuple(prefer),
            update=tuple(update),
            output=None if output is None else Path(output),
        )
        with self._running():
            return lock(self, request)

    def build(
        self,
        workflow: AnyPath,
        *,
        platform: PlatformName | None = None,
        locked: bool = False,
        prove: bool = True,
        object_info: str | None = None,
        message: str | None = None,
        archive: bool = True,
    ) -> "BuildResult":
        """Build a workflow's image with Nix, verify it, and record it as a version.

        Locks first if the lock is missing or outdated; with `locked` that is an error. Without `prove`, the image is
        not started to ask it for its nodes; `object_info` (a file or URL) gives them instead. With `archive`, a copy of
        every source is kept.
        """
        from pycomfy.services.build.build import BuildRequest, build

        with self._running():
            return build(self, BuildRequest(Path(workflow), platform, locked, prove, object_info, message, archive))

    def run(
        self,
        reference: str,
        *,
        inputs: Mapping[str, object] | None = None,
        output: AnyPath = "output",
        gpus: str | None = None,
        models: AnyPath | Literal["auto"] | None = "auto",
        network: str = "none",
        timeout: float | None = None,
    ) -> "RunResult":
        """Run the image of a version (NAME or NAME@N) once, and save its outputs to the folder `output`.

        `inputs` are values by the names that the workflow's interface has; the value of a picture, video, sound or 3D
        model is the path of its file. `gpus` is "all" or device numbers, None for the CPU. `models` are those that the
        lock pins ("auto"), none, or a folder. `timeout` is in seconds.
        """
        from pycomfy.adapters.containers.job_protocol import JobRequest
        from pycomfy.services.run.inputs import Arguments
        from pycomfy.services.run.run import RunOptions, RunRequest, run

        folder = models if models in ("auto", None) else Path(models)
        options = RunOptions(Path(output), folder, gpus, network)
        request = RunRequest(reference, options, JobRequest(timeout=timeout), Arguments(values=inputs or {}))
        with self._running():
            return run(self, request)

    def restore(
        self,
        reference: str,
        *,
        to: AnyPath | None = None,
        project: AnyPath | None = None,
        platform: PlatformName | None = None,
        offline: bool = False,
        source: str | None = None,
    ) -> "RestoredImage | RestoredFolder | RestoredProject":
        """Restore a version (NAME, NAME@3, NAME@tag or NAME@commit) as an image with the same digest; with `to` as a
        plain ComfyUI folder, with `project` as the Nix project.

        With `offline`, only the archive and this machine's Nix store are used. `source` is the URL of another archive.
        """
        from pycomfy.services.archive.restore import restore
        from pycomfy.services.archive.restore_request import RestoreRequest

        request = RestoreRequest(
            reference,
            platform,
            offline,
            source,
            None if to is None else Path(to),
            None if project is None else Path(project),
        )
        with self._running():
            return restore(self, request)

    def log(self, name: str | None = None) -> "list[LogEntry]":
        """Return every version, or one workflow's, newest first."""
        from pycomfy.services.versions.log import log

        with self._running():
            return log(self, name)

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Send progress to this workspace's listener, if it has one. What can be cancelled, and who answers questions,
        remains as the caller's operation says."""
        if self.progress is None:
            yield
        else:
            with replace(operation.current(), progress=self.progress).running():
                yield
