"""`build`: a lock becomes an image. Emit the project, let Nix build it, prove it, record it."""

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.load import LayoutImage, forget, read_layout
from pycomfy.adapters.database.records import Build
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import add_gc_root
from pycomfy.adapters.sources.config_fingerprint import load_config_fingerprint
from pycomfy.adapters.sources.pin import is_changed, newer_commit
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.core.debian.shared_libraries import MissingLibrary
from pycomfy.core.interface.build import make_interface
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.project import ProjectContent, Toolkit, project_files
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.checkout_files import CONFIG
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import summarise
from pycomfy.core.versions.snapshot import FILES, read_snapshot
from pycomfy.core.versions.verification import NodeDefinitions, Verification
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadLock, PycomfyError
from pycomfy.services.archive.archive import fill_version
from pycomfy.services.build.missing_libraries import report_missing_libraries
from pycomfy.services.build.pack_requirements import read_pack_requirements
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import (
    LockRequest,
    read_bounded,
    read_config,
    read_config_fingerprint,
    read_workflow_json,
)
from pycomfy.services.realise import Project, RealisedImage, check_locked, host_platform, project_folder, realise
from pycomfy.services.verification import (
    fetch_definitions,
    make_prompt,
    read_cached_definitions,
    replace_loaded,
    verify_image,
)
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class BuildRequest:
    """`workflow` is a file, or a folder with a `workflow.json`. `platform` None means this machine's. With `locked`, a
    lock that is missing or made for another workflow is an error, not made anew. `object_info` is a file or a URL that
    says what nodes there are; without it the built image is asked. With `prove` False it is not asked, and the image
    has no prompt unless the answer is known from before. With `archive` its sources are archived."""

    workflow: Path
    platform: PlatformName | None = None
    locked: bool = False
    prove: bool = True
    object_info: str | None = None
    message: str | None = None
    archive: bool = True


@dataclass(frozen=True)
class BuildResult:
    """What was built. `image.layout` is the OCI layout, `commit` the version's in the library; `new` says whether it is
    a version that was not there before, `archived` whether all its sources are in the archive, `lacking` the libraries
    that modules in it need and it has not."""

    name: str
    version: int
    commit: str
    new: bool
    image: LayoutImage
    layers_built: int
    layers_reused: int
    seconds: float
    log: Path
    archived: bool
    lacking: tuple[MissingLibrary, ...] = ()


def build(workspace: Workspace, request: BuildRequest) -> BuildResult:
    """Build the workflow's image, and record it as a version if it differs from the newest. Raises `PycomfyError`."""
    began = time.monotonic()
    wanted = LockRequest(request.workflow)
    data = read_workflow_json(wanted.file)
    workflow = parse_workflow(data, where=str(wanted.file))
    check_store(workspace.nix)
    pins = _read_or_make_lock(workspace, request, wanted, data)
    platform = request.platform or host_platform()
    check_locked(pins, platform)
    job = _Job(request, pins, platform, wanted.file.parent, workspace)

    bare: RealisedImage | None = None
    proof: Verification | None = None
    definitions = _known_definitions(workspace, request, pins, platform)
    if definitions is None and request.prove:
        _ = workspace.engine  # or all would be built before it is missed
        bare = job.make(ProjectContent(pins, data))
        lacking = job.lacking(bare)
        definitions = fetch_definitions(workspace, pins, platform, bare.oci)
    content = ProjectContent(pins, data, config=_read_config(wanted))
    if definitions is not None:
        judged = verify_image(pins, workflow, definitions)
        with job.forgetting(bare):
            prompt = make_prompt(judged, workflow, definitions)
        proof = judged if request.object_info is None else None
        interface = make_interface(prompt, workflow, Definitions(definitions.types), read_config(wanted)[1].inputs)
        content = replace(content, prompt=dict(prompt), interface=interface.model_dump(mode="json"))
    else:
        operation.report("note: not proven, and without a prompt: nobody asked ComfyUI what its nodes are")
    made = job.make(content)
    if bare is None:
        lacking = job.lacking(made)
    else:
        replace_loaded(workspace, pins, bare.oci, made.oci)
    built = made.built | (bare.built if bare else frozenset())
    recorded = job.record(content, made, built, proof, time.monotonic() - began)
    return replace(recorded, lacking=lacking)


def _read_config(wanted: LockRequest) -> bytes | None:
    path = wanted.config or wanted.file.parent / CONFIG
    return read_bounded(path, "configuration") if path.exists() else None


def _read_or_make_lock(workspace: Workspace, request: BuildRequest, wanted: LockRequest, workflow: bytes) -> Lock:
    path = wanted.file.parent / "pycomfy.lock"
    if path.is_file():
        text = read_bounded(path, "lock").decode(errors="replace")
        pins = parse_lock(text, where=str(path))
        what = _outdated(workspace, pins, workflow, path.parent)
        if what is None and load_config_fingerprint(text, workspace.paths) not in (
            None,
            read_config_fingerprint(path.parent),
        ):
            what = f"{CONFIG} was changed after it was locked"
        if what is None:
            _say_moved(workspace, pins, read_config(wanted)[1], path.parent)
            return pins
    else:
        what = "there is no lock"
    if request.locked:
        raise BadLock(what, where=str(path), fix=f"pycomfy lock {request.workflow}")
    operation.report(f"{what}: locking {wanted.file}")
    made = lock(workspace, wanted)
    for note in made.notes:
        operation.report(f"note: {note}")
    return made.lock


def _outdated(workspace: Workspace, pins: Lock, workflow: bytes, base: Path) -> str | None:
    """What became of something that was locked; None if all is as it was."""
    if pins.workflow.sha256 != hashlib.sha256(workflow).hexdigest():
        return "the lock was made for another state of the workflow"
    sources = pins.sources
    changed = [name for name, source in sources.items() if is_changed(source, base, name, workspace.paths)]
    return f"the folder of {', '.join(changed)} was changed after it was locked" if changed else None


def _say_moved(workspace: Workspace, pins: Lock, config: Config, base: Path) -> None:
    """Remark on repositories beside the workflow that have moved on; what the lock has of them can still be built."""
    sources = {p.name: p.source for p in pins.packs}
    for name, spec in config.packs.items():
        if name in sources and (commit := newer_commit(spec, sources[name], base, name, workspace.paths)) is not None:
            operation.report(
                f"note: {name} is built as it was locked, but is at {commit[:12]} by now: `pycomfy lock` takes that"
            )


def _known_definitions(
    workspace: Workspace, request: BuildRequest, pins: Lock, platform: PlatformName
) -> NodeDefinitions | None:
    """What nodes there are, if someone says so or another build with the same environment asked.

    An image for another architecture cannot run here; its nodes are those of this machine's.
    """
    if request.object_info is not None:
        return NodeDefinitions(pins.comfyui.version, read_definitions(request.object_info), ())
    found = read_cached_definitions(workspace, pins, platform)
    if found is None and platform != host_platform():
        found = read_cached_definitions(workspace, pins, host_platform())
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
    workspace: Workspace
    toolkit: Toolkit = field(default_factory=read_toolkit)
    began: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")

    @property
    def log(self) -> Path:
        return self.workspace.paths.data / "logs" / f"{self.lock.name}-{self.began}.log"

    def make(self, content: ProjectContent) -> RealisedImage:
        """Emit the project and build its image."""
        with project_folder(self.workspace, project_files(content, self.toolkit)) as folder:
            project = Project(folder, self.lock, self.platform, self.base)
            return realise(self.workspace, project, log=self.log)

    @contextlib.contextmanager
    def forgetting(self, asked: RealisedImage | None) -> Iterator[None]:
        """Where the proof fails, nothing of the image that was asked stays in the engine."""
        try:
            yield
        except PycomfyError:
            if asked is not None:
                forget(self.workspace.engine, read_layout(asked.oci))
            raise

    def lacking(self, made: RealisedImage) -> tuple[MissingLibrary, ...]:
        """The libraries that the image needs and has not; told too."""
        apt = read_config(LockRequest(self.request.workflow))[1].apt
        return report_missing_libraries(self.workspace, self.lock, self.platform, made.oci, apt)

    def record(
        self,
        content: ProjectContent,
        made: RealisedImage,
        built: frozenset[str],
        proof: Verification | None,
        seconds: float,
    ) -> BuildResult:
        """The project as a version, its image beside it. What Nix built is kept from its garbage collector first, and
        what was not recorded is made up for by the next build."""
        image = read_layout(made.oci)
        add_gc_root(self.workspace.nix, str(made.oci), layout_link(self.workspace, image.manifest_digest))
        library = self.workspace.versions
        index(self.workspace)
        files = project_files(content, self.toolkit)
        message = self.request.message or _message(library, self.lock.name, files)
        version, new = library.commit(self.lock.name, files, message=message, besides=(CONFIG,))
        reused = len(image.diff_ids) - len(built)
        described = _describe(image, self.platform, proof=proof, seconds=seconds, layers=(len(built), reused))
        described = described.model_copy(update={"requirements": read_pack_requirements(self.workspace, self.lock)})
        library.add_image(version.tree, described)
        index(self.workspace)
        with self.workspace.open_database() as store:
            store.record_build(Build(version.name, version.number or 0, described, image.layout, self.log))
        return BuildResult(
            version.name,
            version.number or 0,
            version.commit,
            new,
            image,
            len(built),
            reused,
            seconds,
            self.log,
            self._archive(),
        )

    def _archive(self) -> bool:
        """Whether all sources are in the archive now. The version is built and recorded, whatever comes of it."""
        if not self.request.archive:
            return False
        platforms = {host_platform(), self.platform}
        try:
            filled = fill_version(self.workspace, self.lock, platforms)
        except PycomfyError as e:
            operation.report(f"warning: not everything was archived, so it may not be restorable one day: {e}")
            operation.report("  later: `pycomfy archive fill`; or build with --no-archive")
            return False
        return not filled.absent


def _message(library: VersionsRepository, name: str, files: dict[str, bytes]) -> str:
    """What a version is about, if the user does not say it: what changed."""
    tip = library.tips().get(name)
    if tip is None:
        return "first version"
    try:
        before = read_snapshot("before", library.read_some([tip], FILES)[tip])
    except PycomfyError:
        return ""
    return summarise(diff(before, read_snapshot("now", files)))


def _describe(
    image: LayoutImage, platform: PlatformName, *, proof: Verification | None, seconds: float, layers: tuple[int, int]
) -> BuiltImage:
    return BuiltImage(
        platform=platform,
        manifest_digest=image.manifest_digest,
        config_digest=image.config_digest,
        diff_ids=image.diff_ids,
        layer_names=image.layer_names,
        size=image.size,
        built_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        seconds=round(seconds, 3),
        layers_built=layers[0],
        layers_reused=layers[1],
        proven=True if proof is not None else None,
        compatible=proof.compatible if proof is not None else {},
    )
