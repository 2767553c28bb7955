"""`lock`: pin everything that a workflow and its pycomfy.toml need by hash, in pycomfy.lock."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_model_inputs
from pycomfy.adapters.debian.packages import DebianReleases, choose_packages, read_releases
from pycomfy.adapters.debian.rootfs import pin_root
from pycomfy.adapters.io.atomic_files import check_replaceable, translate_disk_full, write_file
from pycomfy.adapters.io.concurrency import flatten_errors, run_concurrently
from pycomfy.adapters.models.pin import EarlierPins
from pycomfy.adapters.sources.config_fingerprint import save_config_fingerprint
from pycomfy.core.analysis.findings import Finding
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.config_types import AS_OF
from pycomfy.core.lockfile.names import COMFYUI, safe_name
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Platform, Root, Step, WorkflowPin, parse_lock, render_lock
from pycomfy.core.lockfile.toml import render_key
from pycomfy.core.lockfile.update_policy import MODELS, UpdatePolicy
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, SECTIONS, section_name
from pycomfy.core.nodes.pack_explain import Reason, explain_choices
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.lost_values import describe_lost
from pycomfy.core.python.requirements import RequirementSet, make_requirement_set, parse_requirements
from pycomfy.core.requirements.collect import collect_requirements, list_model_inputs
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import Snapshot
from pycomfy.core.workflow.dating import latest_date
from pycomfy.core.workflow.editor_only import make_notes
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import (
    BadConfig,
    BadInput,
    NetworkError,
    Placeholder,
    PycomfyError,
    raise_all,
    suggest,
    suggest_retry,
)
from pycomfy.services.lock.analysis import find_findings
from pycomfy.services.lock.browser import BrowserRequest, pin_browsers
from pycomfy.services.lock.compiler import plan_compiler
from pycomfy.services.lock.gateway import pin_gateway
from pycomfy.services.lock.python import PythonRequest, read_index_config, resolve_python
from pycomfy.services.lock.sources import CodeRequest, PinnedCode, pin_code
from pycomfy.services.lock_request import (
    LockRequest,
    list_unknown_sections,
    read_config,
    read_config_fingerprint,
    read_requested_workflow,
)
from pycomfy.services.models.pin import lock_models
from pycomfy.services.results import Note, NoteText, Result
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workflow_folder import is_replaceable
from pycomfy.services.workspace import Workspace


class LockResult(Result):
    """The lock and its file; `changed` says whether the file was written. `notes` are remarks for the user, `reasons`
    say why each node type is taken from where it is, `changes` how the lock differs from the one before, a line each;
    `findings` are what was found in the sources that a lock cannot pin."""

    path: Path
    changed: bool
    notes: tuple[NoteText, ...]
    findings: tuple[Finding, ...]
    reasons: tuple[Reason, ...]
    changes: tuple[str, ...]
    lock: Lock


def lock(workspace: Workspace, request: LockRequest) -> LockResult:
    """Pin everything the workflow needs, and write the lock if it differs from the one that is there.

    Raises `BadWorkflow`, `BadConfig`, `UnknownNode`, and what pinning sources, Python and Debian packages raises.
    """
    file = request.file
    data = read_requested_workflow(workspace, request)
    workflow = parse_workflow(data, where=str(file))
    requirements = collect_requirements(workflow)
    base, config = read_config(request)
    named = frozenset(config.packs)
    path = request.lock_file
    with translate_disk_full(path):
        check_replaceable(path)
    if not is_replaceable(path):
        fix = ("give the workflow's file another name", suggest("lock", output=Placeholder("FILE")))
        raise BadInput("this is the lock of another program: it is not replaced", where=str(path), fix=fix)
    before = _read_lock(path)
    policy = UpdatePolicy(before, frozenset(name.lower() for name in request.update))
    policy.check(config, str(path))

    code_request = CodeRequest(requirements.nodes, str(file), base, config.as_of, policy, latest_date(workflow))
    code = pin_code(workspace, policy.apply(config), code_request)
    notes = [*map(Note, list_unknown_sections(request)), *map(Note, code.notes)]
    earlier = EarlierPins(before.models if before is not None else (), policy.renews(MODELS))
    model_inputs = _find_model_inputs(workspace, workflow, code)
    if model_inputs:
        requirements = collect_requirements(workflow, None, model_inputs)
    models = lock_models(workspace, requirements.models, config.models, base, earlier)
    notes += models.notes
    notes += [
        Note(
            f"nodes of the type {type_} fetch the files that {name} names by themselves, into no folder of ComfyUI's "
            "models: the image has none of them, and a container has no network",
            (suggest("run", "lets them", name=Placeholder("NAME"), network="bridge"),),
        )
        for type_, inputs in model_inputs.items()
        for name, folder in inputs.items()
        if folder is None
    ]
    as_of = _find_as_of(workspace, request, code, notes)
    plain = _set_snapshot(code.config, as_of)
    requirement_sets = _collect_requirements(code)
    compiler = plan_compiler(workspace, plain, code, requirements.nodes, requirement_sets)
    config = compiler.extend(plain)
    requirement_sets += compiler.requirement_sets
    pin_more = partial(_pin_root_with, workspace, config, policy)
    indexes = read_index_config(config, base, workspace.environment)
    python_request = PythonRequest(config, requirement_sets, indexes, as_of, base, path.parent, pin_more)
    python = resolve_python(workspace, python_request)
    notes += map(Note, python.notes)
    gateway = pin_gateway(workspace, python_request, before)
    analysis = find_findings(workspace, config, code.sources, python.wheels, named)
    notes += map(Note, analysis.notes)
    releases = cache(partial(read_releases, config, workspace.environment))
    roots = _pin_roots(workspace, config, policy, releases)
    notes += map(Note, compiler.note(_find_size(workspace, plain, roots, releases) if compiler.packages else 0))
    packs = {
        name: code.sources[name].files
        for name, types in code.provided.items()
        if types and code.sources[name].scripts  # some packs have only help texts in their web folder
    }
    browsers = pin_browsers(workspace, BrowserRequest(config, policy, packs, roots), releases)
    notes += map(Note, browsers.notes)

    result = Lock(
        name=_find_name(request, config, notes),
        as_of=f"{as_of.replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        python=config.python,
        workflow=WorkflowPin(sha256=hashlib.sha256(data).hexdigest()),
        comfyui=ComfyUI(version=code.comfyui_version, source=_rebase(code.sources[COMFYUI].source, base, path.parent)),
        packs=tuple(_make_packs(code, base, path.parent)),
        platforms={
            p: Platform(
                root=roots[p],
                wheels=python.wheels[p],
                gateway=gateway[p],
                compilers=python.compilers.get(p),
                browser=browsers.pins.get(p),
            )
            for p in config.platforms
        },
        models=models.models,
        model_inputs=model_inputs,
        accelerator=config.accelerator,
        compiler=bool(compiler.packages),
    )
    notes += _find_lost(workspace, result, workflow, config)
    changed = _write(result, path, before, notes)
    if request.config is None:
        save_config_fingerprint(render_lock(result), read_config_fingerprint(request), workspace.paths)
    return LockResult(
        path=path,
        changed=changed,
        notes=tuple(notes),
        findings=analysis.findings,
        reasons=explain_choices(result, code.nodes, code.found.choices, code.found.commits),
        changes=_describe_changes(before, result),
        lock=result,
    )


def _find_lost(workspace: Workspace, lock: Lock, workflow: Workflow, config: Config) -> Iterator[Note]:
    """Remark on the workflow's values that have no place in its prompt, where the node definitions of an image with the
    same environment are known."""
    known = (read_cached_definitions(workspace, lock, platform) for platform in lock.platforms)
    definitions = next((found for found in known if found is not None), None)
    if definitions is not None:
        workflow = make_notes(workflow, set(config.accept.editor_only) - definitions.types.keys())
        yield from map(Note, describe_lost(try_convert(workflow, definitions.types).lost))


def _make_packs(code: PinnedCode, base: Path, folder: Path) -> Iterator[Pack]:
    for name, spec in code.config.packs.items():
        yield Pack(
            name=name,
            source=_rebase(code.sources[name].source, base, folder),
            types=code.provided[name],
            steps=tuple(Step(run=step.run) for step in spec.steps),
        )


# — pinning —


def _pin_roots(
    workspace: Workspace, config: Config, policy: UpdatePolicy, read: Callable[[], DebianReleases]
) -> Mapping[PlatformName, Root]:
    """The root filesystem of each platform: the earlier lock's where the policy keeps it, the others all from the same
    Debian releases."""
    kept = policy.roots(config)
    new = [p for p in config.platforms if p not in kept]
    if not new:
        return kept
    releases = read()
    pinned = run_concurrently({p: partial(pin_root, config, p, workspace.paths, releases) for p in new})
    return {**kept, **{p: pinned[p] for p in new}}


def _find_size(
    workspace: Workspace, config: Config, roots: Mapping[PlatformName, Root], read: Callable[[], DebianReleases]
) -> int:
    """The bytes of those packages that `roots` have beyond those of `config`, for the platform with most; 0 if Debian
    cannot be read now."""
    try:
        releases = read()
        plain = {p: {one.name for one in choose_packages(config, p, workspace.paths, releases)} for p in roots}
    except NetworkError:
        return 0
    return max(sum(one.size for one in root.packages if one.name not in plain[p]) for p, root in roots.items())


def _pin_root_with(
    workspace: Workspace, config: Config, policy: UpdatePolicy, platform: PlatformName, packages: Sequence[str]
) -> Root:
    """A platform's root filesystem with additional packages, for building wheels; the image does not get them."""
    extended = config.model_copy(update={"apt": (*config.apt, *packages)})
    kept = policy.roots(extended, compilers=bool(packages))
    if platform in kept:
        return kept[platform]
    return pin_root(extended, platform, workspace.paths, read_releases(extended, workspace.environment))


def _find_model_inputs(workspace: Workspace, workflow: Workflow, code: PinnedCode) -> dict[str, dict[str, str | None]]:
    """The inputs of the workflow that name model files, where the packs' source says more than their names do."""
    found: dict[str, Mapping[str, str | None]] = {}
    for name, types in code.provided.items():
        if types:
            found.update(read_model_inputs(code.sources[name].files, types, workspace.paths.cache))
    return list_model_inputs(workflow, found)


def _collect_requirements(code: PinnedCode) -> list[RequirementSet]:
    """The Python requirements of ComfyUI, of each pack, and of pycomfy.toml."""
    config = code.config
    sets: list[RequirementSet] = []
    problems: list[PycomfyError] = []
    for name, spec in {COMFYUI: config.comfyui, **config.packs}.items():
        origin = name if name == COMFYUI else f"pack {name}"
        try:
            if spec.requirements is not None:
                sets.append(make_requirement_set(origin, spec.requirements, "pycomfy.toml"))
            else:
                sets.append(parse_requirements(origin, code.sources[name].files, config.known_locations))
        except PycomfyError as e:
            problems.extend(flatten_errors(e))
    raise_all(problems)
    return [*sets, make_requirement_set("pycomfy.toml", config.requirements, "pycomfy.toml")]


def _find_as_of(workspace: Workspace, request: LockRequest, code: PinnedCode, notes: list[Note]) -> datetime:
    """The date that packages are taken as of: the configured one, else that of the newest source."""
    config, now = code.config, workspace.clock().replace(microsecond=0)
    if config.as_of is not None:
        if config.as_of > now:
            notes.append(Note("as-of is in the future: these are the packages of now, and will be others later"))
        return config.as_of
    dates = [pinned.date for pinned in code.sources.values() if pinned.date is not None]
    if not dates:
        raise BadConfig(
            "no source has a date, so it is unknown which Python packages it was made for",
            where="pycomfy.toml",
            fix=(
                "give a date at the top of pycomfy.toml: as-of = 2025-12-05",
                suggest("lock", "like 2025-12-05", workflow=str(request.workflow), as_of=Placeholder("DATE")),
            ),
        )
    newest = max(dates)
    if newest > now:
        text = f"a source is dated {newest:%Y-%m-%d}, in the future; Python packages are taken as of now"
        notes.append(Note(text))
        return now
    return newest


def _set_snapshot(config: Config, as_of: datetime) -> Config:
    """The configuration with `as_of` as Debian's snapshot, where it is to be the lock's own date."""
    if config.debian.snapshot != AS_OF:
        return config
    return config.model_copy(update={"debian": config.debian.model_copy(update={"snapshot": as_of})})


def _read_lock(path: Path) -> Lock | None:
    """The earlier lock; None if there is none that can be read."""
    try:
        return parse_lock(path.read_text())
    except (OSError, UnicodeDecodeError, PycomfyError):
        return None


def _find_name(request: LockRequest, config: Config, notes: list[Note]) -> str:
    """The workflow's name: the requested one, else the configured one, else that of its file or folder. Raises
    `BadConfig` if another workflow of the folder has the same."""
    raw = request.name or config.name or request.folder.name_of(request.file.name)
    name = safe_name(raw)
    other = request.folder.namesake_of(request.file.name, name) if request.name is None else None
    if other is not None:
        table = f"[{SECTIONS}.{render_key(section_name(request.file.name))}]"
        raise BadConfig(
            f"{request.file.name} and {other} would both be called {name}, and be versions of one workflow",
            where=str(request.config_file),
            fix=(
                f'name it in {CONFIG_FILE}: {table} name = "{name}-2"',
                suggest_retry("lock", name=Placeholder("NAME")),
            ),
        )
    if name != raw:
        notes.append(Note(f"the workflow is called {name}: git and registries do not accept {raw!r}"))
    return name


# — the file —


def _rebase(source: LockSource, base: Path, folder: Path) -> LockSource:
    """The source with paths relative to the lock's folder, so that the lock is the same wherever the folder is."""
    if base.absolute() == folder.absolute():
        return source

    def move(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(base / path, folder)

    return source.relocated(move)


def _describe_changes(before: Lock | None, after: Lock) -> tuple[str, ...]:
    """How the pins differ; workflows are not compared, as that of the earlier lock is unknown."""
    if before is None:
        return ()
    workflow = Workflow("ui-1")
    old = before.model_copy(update={"workflow": after.workflow})
    return tuple(describe_diff(diff(Snapshot("before", old, workflow), Snapshot("now", after, workflow))))


def _write(lock: Lock, path: Path, before: Lock | None, notes: list[Note]) -> bool:
    """Write the lock, unless the file has exactly these bytes; return whether it was written."""
    text = render_lock(lock)
    try:
        if path.read_text() == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    if before is not None and before.name != lock.name:
        notes.append(Note(f"replaced the lock of {before.name}"))
    write_file(path, text)
    return True
