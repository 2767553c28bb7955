"""`build`: make an image of a workflow: lock it, emit the project, let Nix build it, verify the image, record it."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.engine import StartableImage
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import check_store
from pycomfy.core.debian.shared_libraries import MissingLibrary
from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.validate import find_refusal
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.project import ProjectContent, Toolkit, project_files
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.lost_values import LostValue
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.versions.verification import NodeDefinitions, Verification
from pycomfy.core.workflow.editor_only import make_notes
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadLock, Placeholder, PycomfyError, RunFailed, raise_all, suggest, suggest_retry
from pycomfy.services.build.current_lock import read_or_make_lock
from pycomfy.services.build.lost_values import judge_lost
from pycomfy.services.build.missing_libraries import report_misrecorded, report_missing_libraries
from pycomfy.services.build.prover import Prover
from pycomfy.services.build.record import FinishedBuild, SourceKeeping, archive_sources, record_build
from pycomfy.services.build.remedies import Trial
from pycomfy.services.carried import carry_sources
from pycomfy.services.editor import OWN_CONVERSION, Editor, EditorWorkflow
from pycomfy.services.lock_request import LockRequest, read_config, read_own_config, read_requested_workflow
from pycomfy.services.models.needed import NeededModel, list_absent
from pycomfy.services.project import Project, check_locked, host_platform, project_folder
from pycomfy.services.realise import RealisedImage, realise
from pycomfy.services.results import Result
from pycomfy.services.verification import (
    fetch_definitions,
    make_prompt,
    provide_built,
    read_cached_definitions,
    replace_preliminary,
    verify_image,
)
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class BuildRequest:
    """`workflow` is as for `LockRequest`. `platform` None means this machine's. With `locked`, a
    lock that is missing or outdated is an error, and is not made anew. `object_info` is a file or a URL with node
    definitions; without it the built image is started for them. With `prove` False it is not started, and gets no
    prompt unless the answer is known from before and has every node. With `archive`, its sources are archived;
    wheels and other files are then in the Nix store no longer, but with `keep_sources`."""

    workflow: Path
    platform: PlatformName | None = None
    locked: bool = False
    prove: bool = True
    object_info: str | None = None
    message: str | None = None
    archive: bool = True
    keep_sources: bool = False


class BuildResult(Result):
    """What was built. `oci` is the OCI layout, `commit` the version's in the versions repository; `new` says whether
    the version did not exist before, `first_image` whether it had no image for this platform, `runnable` whether this
    machine can run the image, `archived` whether all its sources are in the archive. `missing_libraries` are those that
    modules in the image need, `absent_models` those that the workflow needs and a run lacks: they are not on this
    machine, or not pinned. `size` is in bytes."""

    name: str
    version: int
    new: bool
    first_image: bool = False
    platform: PlatformName
    oci: Path
    commit: str
    manifest_digest: str
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int
    layers_built: int
    layers_reused: int
    archived: bool
    missing_libraries: tuple[MissingLibrary, ...]
    absent_models: tuple[NeededModel, ...]
    seconds: float
    log: Path
    runnable: bool


def build(workspace: Workspace, request: BuildRequest, prover: Prover | None = None) -> BuildResult:
    """Build the workflow's image, and record it as a version if it differs from the newest. What its nodes are is asked
    of the `prover` first, if there is one, and then of the image itself; a prover is left ready for the next build.
    Raises `PycomfyError`."""
    with contextlib.nullcontext() if prover is None else prover.renewing():
        return _build(workspace, request, prover)


def _build(workspace: Workspace, request: BuildRequest, prover: Prover | None) -> BuildResult:
    began = time.monotonic()
    lock_request = LockRequest(request.workflow)
    data = read_requested_workflow(workspace, lock_request)
    workflow = parse_workflow(data, where=str(lock_request.file))
    check_store(workspace.nix)
    lock = read_or_make_lock(workspace, lock_request, data, only_read=request.locked)
    platform = request.platform or host_platform()
    check_locked(lock, platform)
    job = _Job(workspace, request, lock, platform, workspace.log_file(lock.name))

    preliminary = _Preliminary(job, data)
    definitions = job.drop_incomplete(job.find_definitions(), workflow)
    if definitions is None and request.prove and prover is not None and platform == host_platform():
        definitions = prover.ask(lock, platform, lock_request.file.parent)
    if definitions is None and request.prove:
        definitions = fetch_definitions(workspace, lock, platform, preliminary.realise().oci)
    content = ProjectContent(lock, data, config=read_own_config(lock_request))
    verification: Verification | None = None
    if definitions is not None:
        with preliminary.forget_on_error():
            content, verification = job.add_prompt(content, workflow, definitions, preliminary)
    else:
        operation.report("note: not verified, and without a prompt: the image was not started for its node definitions")
    before = preliminary.image
    content = replace(content, sources=carry_sources(workspace, lock, lock_request.file.parent))
    image = job.realise(content, "Build layers" if before is None else "Add the prompt to the image")
    if before is None:
        missing_libraries = job.find_missing_libraries(image)
    else:
        missing_libraries = preliminary.missing_libraries
        replace_preliminary(workspace, lock, before.oci, image.oci)
    layers_built = len(image.built | (before.built if before else frozenset()))
    files = project_files(content, job.toolkit)
    finished = FinishedBuild(
        lock,
        files,
        image.oci,
        platform,
        layers_built,
        verification if request.object_info is None else None,
        request.message,
        time.monotonic() - began,
        job.log,
    )
    recorded = record_build(workspace, finished)
    taken = image.taken | (before.taken if before else frozenset())
    fetch_again = partial(job.realise, content, "Fetch what is not archived")
    keeping = SourceKeeping(platform, find_bootstrap(files), fetch_again, taken, both=request.keep_sources)
    archived = request.archive and archive_sources(workspace, lock, keeping)
    if prover is not None and request.prove and platform == host_platform():
        prover.warm_up(lock, platform, recorded.image.layout)
    return BuildResult(
        name=recorded.version.name,
        version=recorded.version.number or 0,
        new=recorded.new,
        first_image=recorded.first,
        platform=platform,
        oci=recorded.image.layout,
        commit=recorded.version.commit,
        manifest_digest=recorded.image.manifest_digest,
        config_digest=recorded.image.config_digest,
        diff_ids=recorded.image.diff_ids,
        size=recorded.image.size,
        layers_built=layers_built,
        layers_reused=recorded.built.layers_reused,
        archived=archived,
        missing_libraries=missing_libraries,
        absent_models=tuple(list_absent(workspace, lock, workflow, read_config(lock_request)[1].models)),
        seconds=recorded.built.seconds,
        log=job.log,
        runnable=platform == host_platform(),
    )


@dataclass(frozen=True)
class _Job:
    """One build: everything that its steps share."""

    workspace: Workspace
    request: BuildRequest
    lock: Lock
    platform: PlatformName
    log: Path
    toolkit: Toolkit = field(default_factory=read_toolkit)

    @property
    def lock_request(self) -> LockRequest:
        return LockRequest(self.request.workflow)

    def find_definitions(self) -> NodeDefinitions | None:
        """The image's node definitions, if they are given or known of an image with the same environment.

        An image for another architecture cannot run here; its nodes are taken to be those of this machine's image.
        """
        if self.request.object_info is not None:
            return NodeDefinitions(self.lock.comfyui.version, read_definitions(self.request.object_info), ())
        host = host_platform()
        found = read_cached_definitions(self.workspace, self.lock, self.platform)
        if found is None and self.platform != host:
            found = read_cached_definitions(self.workspace, self.lock, host)
            if found is None and self.request.prove:
                raise BadLock(
                    f"an image for {self.platform} cannot be started here, so its nodes are not known yet",
                    where="the verification of the image",
                    fix=(
                        suggest("build", "first", workflow=str(self.request.workflow), platform=host),
                        suggest_retry("build", object_info=Placeholder("FILE|URL")),
                        suggest_retry("build", prove=False),
                    ),
                )
        return found

    def drop_incomplete(self, definitions: NodeDefinitions | None, workflow: Workflow) -> NodeDefinitions | None:
        """The definitions; but none where the build is not to be verified, and an earlier image with the same
        environment lacked something: that would refuse it."""
        if definitions is None or self.request.prove or self.request.object_info is not None:
            return definitions
        accepted = read_config(self.lock_request)[1].accept.editor_only
        workflow = make_notes(workflow, set(accepted) - definitions.types.keys())
        return definitions if verify_image(self.lock, workflow, definitions).passed else None

    def realise(self, content: ProjectContent, title: str) -> RealisedImage:
        """Emit the project and build its image, in a step with that title."""
        base = self.lock_request.file.parent
        with project_folder(self.workspace, project_files(content, self.toolkit)) as folder:
            project = Project(folder, self.lock, self.platform, base)
            return realise(self.workspace, project, log=self.log, title=title, complete=self.request.archive)

    def find_missing_libraries(self, image: RealisedImage) -> tuple[MissingLibrary, ...]:
        """The shared libraries that the image's modules need and it does not have; also reported."""
        report_misrecorded(image.oci)
        apt = read_config(self.lock_request)[1].apt
        return report_missing_libraries(self.workspace, self.lock, self.platform, image.oci, apt)

    def add_prompt(
        self, content: ProjectContent, workflow: Workflow, definitions: NodeDefinitions, preliminary: "_Preliminary"
    ) -> tuple[ProjectContent, Verification]:
        """The project with its prompt and interface. Raises what the image lacks for its workflow, and why its editor
        made no prompt where it should."""
        config = read_config(self.lock_request)[1]
        workflow = make_notes(workflow, set(config.accept.editor_only) - definitions.types.keys())
        verification = verify_image(self.lock, workflow, definitions)
        if not verification.passed and self.request.prove and self.request.object_info is None:
            trial = Trial(
                self.workspace, self.lock_request, self.lock, self.platform, workflow, definitions, preliminary.start
            )
            verification = verification.with_remedies(trial.find_remedies(verification))
        known = Definitions(definitions.types)
        lost: list[LostValue] = []
        ours = make_prompt(verification, workflow, definitions, lost.extend)
        prompt = self._ask_editor(EditorWorkflow(workflow, content.workflow, ours), known, preliminary)
        if prompt is not None:
            lost = [one for one in lost if not one.is_in(prompt)]
        judge_lost(lost, config.accept.lost_values, workflow.where, refuse=prompt is None)
        prompt = ours if prompt is None else prompt
        raise_all(find_refusal(prompt, known))
        interface = make_interface(prompt, workflow, known, config.inputs)
        interface = interface.model_copy(update=config.app.model_dump())
        return replace(content, prompt=dict(prompt), interface=interface.model_dump(mode="json")), verification

    def _ask_editor(self, one: EditorWorkflow, definitions: Definitions, preliminary: "_Preliminary") -> Prompt | None:
        """The prompt that the editor sends; None where the lock has no browser for it, or no image is started."""
        # An image for another architecture cannot run here; its editor is taken to be that of this machine's.
        host = host_platform()
        image = preliminary.start if self.request.prove and self.platform == host else lambda: None
        editor = Editor(self.workspace, self.lock, host, self.toolkit.gateway, image)
        if not editor.is_pinned or self.request.object_info is not None or one.workflow.format == "api":
            return None
        prompt = editor.make_prompts([one], definitions)[0]
        if isinstance(prompt, RunFailed):
            raise prompt
        if prompt is None and self.request.prove:
            raise BadLock(
                f"an image for {self.platform} cannot be started here, so its editor was not asked for the prompt yet",
                where="the workflow's prompt",
                fix=(
                    suggest("build", "first", workflow=str(self.request.workflow), platform=host),
                    suggest_retry("build", prove=False),
                    OWN_CONVERSION,
                ),
            )
        if prompt is None:
            operation.report(
                "note: the prompt is pycomfy's own: the image was not started to ask ComfyUI's editor, for which its"
                " node packs have code"
            )
        return prompt


@dataclass
class _Preliminary:
    """The image without a prompt, which is built when something has to be asked of it. `workflow` is JSON."""

    job: _Job
    workflow: bytes
    image: RealisedImage | None = None
    missing_libraries: tuple[MissingLibrary, ...] = ()

    def realise(self) -> RealisedImage:
        """The image, built. Raises before anything is built if there is no container engine."""
        if self.image is None:
            _ = self.job.workspace.engine
            self.image = self.job.realise(ProjectContent(self.job.lock, self.workflow), "Build layers")
            self.missing_libraries = self.job.find_missing_libraries(self.image)
        return self.image

    def start(self) -> StartableImage:
        """The image for the engine."""
        return provide_built(self.job.workspace, self.job.lock, self.realise().oci)

    @contextlib.contextmanager
    def forget_on_error(self) -> Iterator[None]:
        """Where the verification fails, leave nothing of the image that was started."""
        try:
            yield
        except PycomfyError:
            if self.image is not None:
                forget(self.job.workspace.engine, read_layout(self.image.oci), self.job.lock.name)
            raise
