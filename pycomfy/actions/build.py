"""`build`: a lock becomes an image. Emit the project, let Nix build it, prove it, record it."""

import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.actions.lock import lock
from pycomfy.actions.prove import ask_definitions, cached_definitions, make_prompt
from pycomfy.actions.realise import Project, Realised, host_platform, realise
from pycomfy.actions.wishes import LockRequest, read_bounded, read_config
from pycomfy.errors import BadLock
from pycomfy.flow.interface.make import make_interface
from pycomfy.flow.lock.model import Lock, PlatformName, parse_lock
from pycomfy.flow.project.emit import Content, Toolkit, project_files
from pycomfy.flow.prompt.spec import Definitions
from pycomfy.flow.workflow.parse import parse_workflow
from pycomfy.outside.comfyui import NodeDefinitions
from pycomfy.outside.definitions import read_definitions
from pycomfy.outside.engine import LayoutImage, find_engine, read_layout
from pycomfy.outside.files import write_folder
from pycomfy.outside.home import Home
from pycomfy.outside.nix.settings import NixSettings, check_store
from pycomfy.outside.nix.store import keep
from pycomfy.outside.resources import read_toolkit
from pycomfy.outside.store import Build, Store, database_path
from pycomfy.progress import Progress


@dataclass(frozen=True)
class BuildRequest:
    """`workflow` is a file, or a folder with a `workflow.json`. `platform` None means this machine's. With `locked`, a
    lock that is missing or made for another workflow is an error, not made anew. `object_info` is a file or a URL that
    says what nodes there are; without it the built image is asked. With `prove` False it is not asked, and the image
    has no prompt unless the answer is known from before."""

    workflow: Path
    platform: PlatformName | None = None
    locked: bool = False
    prove: bool = True
    object_info: str | None = None
    engine: str | None = None
    message: str | None = None
    nix: NixSettings = field(default_factory=NixSettings)


@dataclass(frozen=True)
class BuildResult:
    """What was built. `image.layout` is the OCI layout, `project` the emitted project's folder; `new` says whether it
    is a version that was not there before."""

    name: str
    version: int
    new: bool
    image: LayoutImage
    project: Path
    layers_built: int
    layers_reused: int
    seconds: float
    log: Path


def build(request: BuildRequest, home: Home, progress: Progress) -> BuildResult:
    """Build the workflow's image, and record it as a version if it differs from the newest. Raises `PycomfyError`."""
    began = time.monotonic()
    wanted = LockRequest(request.workflow)
    data = read_bounded(wanted.file, "workflow")
    workflow = parse_workflow(data, where=str(wanted.file))
    check_store(request.nix)
    pins = _read_or_make_lock(request, wanted, data, home, progress)
    platform = request.platform or host_platform()
    job = _Job(request, pins, platform, wanted.file.parent, home, progress)

    built: frozenset[str] = frozenset()
    proven = False
    definitions = _known_definitions(request, pins, platform, home)
    if definitions is None and request.prove:
        find_engine(request.engine)  # or all would be built before it is missed
        bare = job.make(Content(pins, data))
        built = bare.built
        definitions = ask_definitions(pins, platform, bare.oci, home, progress, request.engine)
    content = Content(pins, data)
    if definitions is not None:
        prompt = make_prompt(workflow, definitions, progress)
        proven = request.object_info is None
        interface = make_interface(prompt, workflow, Definitions(definitions.types), read_config(wanted)[1].inputs)
        content = Content(pins, data, dict(prompt), interface.model_dump(mode="json"))
    else:
        progress.say("note: not proven, and without a prompt: nobody asked ComfyUI what its nodes are")
    made = job.make(content)
    return job.record(content, made, built | made.built, proven, time.monotonic() - began)


def _read_or_make_lock(
    request: BuildRequest, wanted: LockRequest, workflow: bytes, home: Home, progress: Progress
) -> Lock:
    path = wanted.file.parent / "pycomfy.lock"
    if path.is_file():
        pins = parse_lock(read_bounded(path, "lock").decode(errors="replace"), where=str(path))
        if pins.workflow.sha256 == hashlib.sha256(workflow).hexdigest():
            return pins
        what = "the lock was made for another state of the workflow"
    else:
        what = "there is no lock"
    if request.locked:
        raise BadLock(what, where=str(path), fix=f"pycomfy lock {request.workflow}")
    progress.say(f"{what}: locking {wanted.file}")
    return lock(wanted, home, progress).lock


def _known_definitions(request: BuildRequest, pins: Lock, platform: PlatformName, home: Home) -> NodeDefinitions | None:
    """What nodes there are, if someone says so or another build with the same environment asked.

    An image for another architecture cannot run here; its nodes are those of this machine's.
    """
    if request.object_info is not None:
        return NodeDefinitions(pins.comfyui.version, read_definitions(request.object_info), ())
    found = cached_definitions(pins, platform, home)
    if found is None and platform != host_platform():
        found = cached_definitions(pins, host_platform(), home)
        if found is None and request.prove:
            raise BadLock(
                f"an image for {platform} cannot be started here, so its nodes are not known yet",
                where="the proof of the image",
                fix=f"build for {host_platform()} first, or give --object-info, or --no-prove",
            )
    return found


@dataclass(frozen=True)
class _Job:
    """One build: everything that its steps share."""

    request: BuildRequest
    lock: Lock
    platform: PlatformName
    base: Path
    home: Home
    progress: Progress
    toolkit: Toolkit = field(default_factory=read_toolkit)
    began: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")

    @property
    def log(self) -> Path:
        return self.home.data / "logs" / f"{self.lock.name}-{self.began}.log"

    @property
    def projects(self) -> Path:
        """Where the workflow's projects are, one a version."""
        return self.home.data / "projects" / self.lock.name

    def make(self, content: Content) -> Realised:
        """Emit the project and build its image."""
        folder = self.projects / "next"
        write_folder(folder, project_files(content, self.toolkit))
        project = Project(folder, self.lock, self.platform, self.base)
        return realise(project, self.home, self.request.nix, self.progress, log=self.log)

    def record(
        self, content: Content, made: Realised, built: frozenset[str], proven: bool, seconds: float
    ) -> BuildResult:
        """The build as a version; its image is kept from Nix's garbage collector, its project for `verify`."""
        image = read_layout(made.oci)
        files = project_files(content, self.toolkit)
        build = Build(
            lock=self.lock,
            project_sha256=_digest(files),
            platform=self.platform,
            image=image,
            log=self.log,
            seconds=seconds,
            layers_built=len(built),
            layers_reused=len(image.diff_ids) - len(built),
            message=self.request.message,
            proven=proven or None,
        )
        keep(self.request.nix, str(made.oci), self.home.data / "images" / image.manifest_digest.replace(":", "-"))
        with Store(database_path(self.home)) as store:
            recorded = store.record_build(build)
        project = self.projects / str(recorded.version)
        write_folder(project, files)
        return BuildResult(
            recorded.name,
            recorded.version,
            recorded.new,
            image,
            project,
            build.layers_built,
            build.layers_reused,
            seconds,
            self.log,
        )


def _digest(files: dict[str, bytes]) -> str:
    """SHA-256 over the names and contents of a project's files."""
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{len(path.encode())}:{path}{len(data)}:".encode() + data)
    return digest.hexdigest()
