"""Build a project in a Nix store: supply what Nix cannot fetch, let it fetch the rest, and build the image."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.nix.build import BuildPlan, evaluate, missing_paths
from pycomfy.adapters.nix.build import build as nix_build
from pycomfy.adapters.nix.internal_json import DISTRUST, Event, derivation_name
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import add_file, valid_paths
from pycomfy.core.lockfile.schema import Root, Wheel
from pycomfy.core.nix.derivation import find_reaching_out
from pycomfy.core.nix.lock_outputs import Requisite, deb_requisite, list_requisites, package_requisites
from pycomfy.errors import BuildFailed, HashMismatch, NotFound, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.progress import Task
from pycomfy.services.archive.archived_sources import copy_from_archive
from pycomfy.services.project import Project, check_locked, host_platform
from pycomfy.services.supply import supply
from pycomfy.services.workspace import Workspace

_FETCH_JOBS = 8  # downloads at a time
_MAX_PROBLEMS = 20  # in one error
_TRIES = 5  # to build, where sources are removed meanwhile


@dataclass(frozen=True)
class RealisedImage:
    """`oci` is the store path of the image's layout, whose layers are folders; `built` are the names of the layers that
    were not there before, `taken` the store paths of sources that were copied from the archive for them."""

    oci: Path
    built: frozenset[str]
    taken: frozenset[str] = frozenset()


def realise(
    workspace: Workspace,
    project: Project,
    *,
    log: Path,
    title: str = "Build layers",
    rebuild: bool = False,
    complete: bool = False,
) -> RealisedImage:
    """Build the project's image; `title` is that of the step. With `rebuild` no layer is taken from a binary cache of
    the user's; an offline project takes nothing from them. Raises what `nix.build.build` and `nix.store.add_tree`
    raise.

    The sources of layers that are missing are put into the Nix store, from the archive if it has them. With `complete`
    those that the archive lacks are fetched, too, whether a layer needs them or not.

    The project's Nix code may be anybody's. What it wants to be run is looked at before: it runs in the sandbox without
    a network, and Nix fetches what the lock pins and nothing else.
    """
    check_locked(project.lock, project.platform)
    alone = dataclasses.replace(workspace, nix=dataclasses.replace(workspace.nix, user_caches=False))
    workspace = alone if project.offline else workspace
    image = evaluate(workspace.nix, project.target("layout"))
    how = _Build(log, title, complete, alone.nix if rebuild else workspace.nix)
    return _realise(workspace, project, image, how)


def realise_tars(workspace: Workspace, project: Project, *, log: Path) -> Path:
    """Build the image's whole OCI layout, with the tars of its layers, and return its store path. Raises as
    `realise`."""
    plan = evaluate(workspace.nix, project.target("oci"))
    return _realise(workspace, project, plan, _Build(log, "Make the layers' tars", False, workspace.nix)).oci


@dataclass(frozen=True)
class _Build:
    """How something is built; see `realise`. `nix` are the settings for the layers; sources may have other caches."""

    log: Path
    title: str
    complete: bool
    nix: NixSettings


def _realise(workspace: Workspace, project: Project, plan: BuildPlan, how: _Build) -> RealisedImage:
    taken: set[str] = set()
    for left in reversed(range(_TRIES)):
        needed = _find_needed(workspace, project, plan, how)
        paths = [r.path for r in needed]
        had = set(valid_paths(workspace.nix, paths))
        more, damage = _take(workspace, needed)
        taken |= more
        had |= more
        try:
            _make(workspace, project, _choose(plan, needed), set(paths), how.log, damage)
            had |= {r.path for r in needed if not r.build_only}
            return dataclasses.replace(_build(project, plan, how), taken=frozenset(taken))
        except PycomfyError:
            # Whoever archived a source just now, or collects garbage, may have removed it before it was used.
            lost = had.difference(valid_paths(workspace.nix, paths))
            if not lost or not left:
                raise
            title = next(r.title for r in needed if r.path in lost)
            operation.report(f"note: {title} was removed from the Nix store meanwhile: it is put there again")
    raise AssertionError


def _find_needed(workspace: Workspace, project: Project, plan: BuildPlan, how: _Build) -> list[Requisite]:
    """Return the requisites that the missing steps of a plan begin with; of a complete build also those that are to be
    archived, and are in neither the archive nor the Nix store."""
    requisites = {r.path: r for r in list_requisites(project.lock, {project.platform}, host_platform())}
    needed: set[str] = set()
    missing = set(missing_paths(how.nix, plan))
    todo = missing.intersection(plan.tops)
    seen = set(todo)
    while todo:
        step = plan.derivations[todo.pop()]
        if own := requisites.keys() & step.outputs:
            needed |= own
            continue
        more = missing.intersection(step.inputs) - seen
        seen |= more
        todo |= more
    archive = workspace.archive
    if how.complete:
        packages = [deb_requisite(root, package) for root in _list_roots(project) for package in root.packages]
        roots = all(archive.has(package.output) for package in packages)
        kept = (r for r in requisites.values() if not r.build_only and not (roots and r.role == "debian"))
        needed |= {r.path for r in kept if not archive.has(r.output)}
    there = set(valid_paths(workspace.nix, list(needed)))
    for made in [requisites[path] for path in needed - there if not archive.has(requisites[path].output)]:
        needed |= requisites.keys() & made.built_from
    return [requisite for path, requisite in requisites.items() if path in needed]


def _list_roots(project: Project) -> list[Root]:
    return [project.lock.platforms[platform].root for platform in {host_platform(), project.platform}]


def _take(workspace: Workspace, needed: Sequence[Requisite]) -> tuple[frozenset[str], PycomfyError | None]:
    """Put into the Nix store what is `needed` and the archive has; return the paths, and what is damaged there."""
    try:
        return copy_from_archive(workspace, needed), None
    except PycomfyError as e:
        problems = flatten_errors(e)
        if not all(isinstance(problem, HashMismatch) for problem in problems):
            raise
        for problem in problems:
            operation.report(f"note: {problem.what}: made or fetched from its source instead")
        return frozenset(), e


def _make(
    workspace: Workspace, project: Project, part: BuildPlan, paths: set[str], log: Path, damage: PycomfyError | None
) -> None:
    """Make or fetch what the Nix store lacks of `paths`, which the `part` of a plan makes. If that cannot be done, the
    `damage` in the archive is raised: it is what can be mended."""
    try:
        supply(workspace, project, paths)
        _build_wheels(workspace, project, part, log)
        _fetch(workspace, project, part, log)
    except PycomfyError as e:
        if damage is None:
            raise
        raise damage from e


def _choose(plan: BuildPlan, needed: Iterable[Requisite]) -> BuildPlan:
    """Return the part of the plan that makes those requisites, in their order."""
    makers = {output: path for path, step in plan.derivations.items() for output in step.outputs}
    return BuildPlan(tuple(makers[r.path] for r in needed if r.path in makers), plan.derivations)


def _build_wheels(workspace: Workspace, project: Project, plan: BuildPlan, log: Path) -> None:
    """Build the wheels that no index has, and add them to the store. Without this Nix would copy each by a step that is
    fixed by the wheel's hash, and so has the network."""
    platforms = {host_platform(), project.platform}
    wheels = {
        requisite.path: wheel
        for platform in platforms
        for wheel, requisite in zip(
            project.lock.platforms[platform].wheels, package_requisites(project.lock, platform), strict=True
        )
        if wheel.built is not None
    }
    steps = [plan.derivations[top] for top in plan.tops]
    planned = {output: step for step in steps for output in step.outputs if output in wheels}
    present = set(valid_paths(workspace.nix, list(planned)))
    for path, derivation in planned.items():
        if path in present:
            continue
        wheel = wheels[path]
        # The other inputs are what runs every builder.
        for step in (name for name in derivation.inputs if derivation_name(name) == f"wheel-{wheel.name}"):
            part = plan.part(step)
            _check(project, part, missing_paths(workspace.nix, part))
            with operation.step("Build wheels") as task:
                task.note(f"{wheel.name} {wheel.version}")
                made, *_ = nix_build(workspace.nix, part, log, lambda event: None)
            _add_built_wheel(workspace, wheel, workspace.nix.local_path(made) / wheel.filename)


def _add_built_wheel(workspace: Workspace, wheel: Wheel, file: Path) -> None:
    try:
        if file.is_symlink() or file.parent.is_symlink():
            raise NotFound(f"{wheel.filename} is a link", where=str(file))
        add_file(workspace.nix, wheel.filename, wheel.sha256, file)
    except (NotFound, HashMismatch) as e:
        raise HashMismatch(
            f"{wheel.name} {wheel.version}, built again from its source, is not the wheel that was locked: its build "
            "is not reproducible",
            where=e.where,
            fix=(suggest("archive pull", "from an archive that has it", url=Placeholder("URL")), suggest("lock")),
        ) from e


def _check(project: Project, plan: BuildPlan, missing: Iterable[str]) -> None:
    """Raise `BuildFailed` if a derivation among the `missing` ones would fetch what it may not. Those that are not
    missing are not run."""
    pinned = {requisite.path for requisite in list_requisites(project.lock)}
    steps = [plan.derivations[path] for path in missing if path in plan.derivations]
    problems = find_reaching_out(steps, pinned, offline=project.offline)
    what = "the project's Nix code wants to {}; nothing was built"
    raise_all([BuildFailed(what.format(p), where=plan.tops[0], fix=DISTRUST) for p in problems[:_MAX_PROBLEMS]])


def _fetch(workspace: Workspace, project: Project, plan: BuildPlan, log: Path) -> None:
    paths = missing_paths(workspace.nix, plan) if plan.tops else []
    _check(project, plan, paths)
    missing = {derivation_name(path) for path in paths}
    needed = {w.filename: w for w in project.lock.platforms[project.platform].every_wheel}
    wheels = [w for name, w in needed.items() if name in missing]
    if not missing:
        return
    total = sum(w.size for w in wheels)
    with operation.step("Fetch packages", total=total, unit="bytes") as task:
        task.note(f"{len(wheels)} wheels")
        jobs = dataclasses.replace(workspace.nix, jobs=_FETCH_JOBS)
        nix_build(jobs, plan, log, lambda e: task.advance(e.amount) if e.kind == "bytes" else None)


def _build(project: Project, plan: BuildPlan, how: _Build) -> RealisedImage:
    paths = missing_paths(how.nix, plan)
    _check(project, plan, paths)
    missing = [derivation_name(path) for path in paths]
    layers = [name for name in missing if name.startswith("layer-")]
    with operation.step(how.title, total=len(layers) or None) as task:
        made = nix_build(how.nix, plan, how.log, _LayerProgress(task))
        task.note(f"{len(layers)} built" if layers else "nothing to build")
    return RealisedImage(Path(made[0]), frozenset(layer_name(name) for name in layers))


def layer_name(derivation: str) -> str:
    """Return the name of a layer: `layer-a-torch` → `torch`; the letter only orders builds."""
    return derivation.split("-", 2)[2]


class _LayerProgress:
    """Called with each event of a build: shows which layers are being built, and counts those that are finished."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.running: list[str] = []

    def __call__(self, event: Event) -> None:
        if not event.name.startswith("layer-"):
            return
        name = layer_name(event.name)
        if event.kind == "build":
            self.running.append(name)
        elif event.kind == "built" and name in self.running:
            self.running.remove(name)
            self.task.advance()
        self.task.note(", ".join(self.running))
