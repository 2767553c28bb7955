"""Plan a build: what would be fetched and built, and which version it would be; nothing is built."""

from pycomfy.adapters.nix.build import evaluate, missing_paths
from pycomfy.adapters.nix.internal_json import derivation_name
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE
from pycomfy.core.nix.lock_outputs import filter_required, list_requisites
from pycomfy.core.nix.project import README, SOURCES, ProjectContent, project_files
from pycomfy.core.versions.snapshot import INTERFACE, PROMPT
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.services.build.build import BuildRequest
from pycomfy.services.build.current_lock import read_or_make_lock
from pycomfy.services.lock_request import LockRequest, read_own_config, read_requested_workflow
from pycomfy.services.project import Project, check_locked, host_platform, project_folder
from pycomfy.services.realise import layer_name
from pycomfy.services.results import Result
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workspace import Workspace

_MADE = (PROMPT, INTERFACE)
"""Files of a version for which its image may have to be asked."""


class PlannedBuild(Result):
    """What a build would do: `version` is the number that it would have, `new` whether that does not exist yet.
    `sources` counts what the image is made of, `absent` what of that is not in the Nix store, `absent_size` its bytes
    as far as they are known. `layers` would be built; that with the workflow and its prompt is not among them where the
    image has to be asked for its nodes first."""

    name: str
    version: int
    new: bool
    platform: PlatformName
    sources: int
    absent: int
    absent_size: int
    layers: tuple[str, ...]


def plan_build(workspace: Workspace, request: BuildRequest) -> PlannedBuild:
    """Return what `build` would do with the same request; a lock that is missing or outdated is made for that, and in a
    dry run not written. Raises what `build` raises before it builds. Whether the image passes its verification is not
    known before."""
    lock_request = LockRequest(request.workflow)
    data = read_requested_workflow(workspace, lock_request)
    parse_workflow(data, where=str(lock_request.file))
    check_store(workspace.nix)
    lock = read_or_make_lock(workspace, lock_request, data, only_read=request.locked)
    platform = request.platform or host_platform()
    check_locked(lock, platform)
    known = request.object_info is not None or read_cached_definitions(workspace, lock, platform) is not None
    if request.prove and not known:
        _ = workspace.engine
    content = ProjectContent(lock, data, config=read_own_config(lock_request))
    files = project_files(content, read_toolkit())
    requisites = list_requisites(lock, {host_platform(), platform})
    here = set(valid_paths(workspace.nix, [r.path for r in requisites]))
    absent = filter_required([r for r in requisites if r.path not in here], requisites)
    with project_folder(workspace, files) as folder:
        project = Project(folder, lock, platform, lock_request.file.parent)
        plan = evaluate(workspace.nix, project.target("layout"))
    steps = [derivation_name(path) for path in missing_paths(workspace.nix, plan)]
    version, new = _find_version(workspace, lock.name, files)
    return PlannedBuild(
        name=lock.name,
        version=version,
        new=new,
        platform=platform,
        sources=len(requisites),
        absent=len(absent),
        absent_size=sum(r.size or 0 for r in absent),
        layers=tuple(layer_name(step) for step in steps if step.startswith("layer-")),
    )


def _find_version(workspace: Workspace, name: str, files: dict[str, bytes]) -> tuple[int, bool]:
    """Return the number that a version with these files has, or would have, and whether it is new."""
    before = workspace.versions.versions(name)
    if not before:
        return 1, True
    newest = workspace.versions.read_files(before[0].commit)
    # What travels in the project is what the lock says; the readme names what does not.
    besides = {*_MADE, CONFIG_FILE, README, *(path for path in newest if path.startswith(SOURCES))}
    same = all(newest.get(path) == files.get(path) for path in {*newest, *files} if path not in besides)
    number = before[0].number or 0
    return (number, False) if same else (number + 1, True)
