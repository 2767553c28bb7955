"""`lock`: a workflow and its pycomfy.toml become pycomfy.lock, in which everything is pinned by hash."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pycomfy.adapters.debian.packages import read_releases
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
from pycomfy.core.lockfile.update_policy import MODELS, UpdatePolicy
from pycomfy.core.nodes.pack_explain import Reason, explain_choices
from pycomfy.core.python.requirements import RequirementSet, make_requirement_set, parse_requirements
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.versions.diff import Diff, diff
from pycomfy.core.versions.snapshot import Snapshot
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadConfig, PycomfyError, raise_all
from pycomfy.services.lock.analysis import find_findings
from pycomfy.services.lock.python import PythonRequest, resolve_python
from pycomfy.services.lock.sources import CodeRequest, PinnedCode, pin_code
from pycomfy.services.lock_request import LockRequest, read_config, read_config_fingerprint, read_workflow_json
from pycomfy.services.models.pin import lock_models
from pycomfy.services.results import Note
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class LockResult:
    """The lock and its file; `changed` says whether the file was written; `notes` are remarks for the user, `reasons`
    why each node type is taken from where it is, `changes` how it differs from the lock before, if there was one;
    `findings` what is in the sources that a lock does not see to."""

    lock: Lock
    path: Path
    changed: bool
    notes: tuple[Note, ...] = ()
    reasons: tuple[Reason, ...] = ()
    changes: Diff | None = None
    findings: tuple[Finding, ...] = ()


def lock(workspace: Workspace, request: LockRequest) -> LockResult:
    """Pin everything the workflow needs, and write the lock if it differs from the one that is there.

    Raises `BadWorkflow`, `BadConfig`, `UnknownNode`, and what pinning sources, Python and Debian packages raises.
    """
    file = request.file
    data = read_workflow_json(file)
    needs = collect_requirements(parse_workflow(data, where=str(file)))
    base, config = read_config(request)
    path = request.output or file.parent / "pycomfy.lock"
    with translate_disk_full(path):
        check_replaceable(path)
    before = _read_lock(path)
    renewal = UpdatePolicy(before, frozenset(name.lower() for name in request.update))
    renewal.check(config, str(path))

    need = CodeRequest(needs.nodes, str(file), base, config.as_of, renewal)
    code = pin_code(workspace, renewal.apply(config), need)
    notes = [*code.notes]
    earlier = EarlierPins(before.models if before is not None else (), renewal.renews(MODELS))
    models = lock_models(workspace, needs.models, config.models, base, earlier)
    as_of = _as_of(code, notes)
    config = _with_moment(code.config, as_of)
    pin = partial(_pin_more, workspace, config, renewal)
    python = resolve_python(workspace, PythonRequest(config, _all_wants(code), as_of, base, path.parent, pin))
    notes += python.notes
    found = find_findings(workspace, config, code.sources, python.wheels)
    notes += found.notes
    roots = _pin_roots(workspace, config, renewal)

    made = Lock(
        name=_name(request, config, file, notes),
        as_of=f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
        python=config.python,
        workflow=WorkflowPin(sha256=hashlib.sha256(data).hexdigest()),
        comfyui=ComfyUI(version=code.comfyui_version, source=_rebase(code.sources[COMFYUI].source, base, path.parent)),
        packs=tuple(_packs(code, base, path.parent)),
        platforms={
            p: Platform(root=roots[p], wheels=python.wheels[p], compilers=python.compilers.get(p))
            for p in config.platforms
        },
        models=models.models,
        accelerator=config.accelerator,
    )
    changed = _write(made, path, before, notes)
    if request.config is None:
        save_config_fingerprint(render_lock(made), read_config_fingerprint(file.parent), workspace.paths)
    reasons = explain_choices(made, needs.nodes, code.hunted.choices, code.hunted.commits)
    return LockResult(
        made, path, changed, (*map(Note, notes), *models.notes), reasons, _changes(before, made), found.findings
    )


def _packs(code: PinnedCode, base: Path, folder: Path) -> Iterator[Pack]:
    for name, spec in code.config.packs.items():
        yield Pack(
            name=name,
            source=_rebase(code.sources[name].source, base, folder),
            types=code.supplied[name],
            steps=tuple(Step(run=step.run) for step in spec.steps),
        )


# — pinning —


def _pin_roots(workspace: Workspace, config: Config, renewal: UpdatePolicy) -> Mapping[PlatformName, Root]:
    """The Debian of each platform, that of the lock so far where it is to stay; all new ones from the same releases."""
    kept = renewal.roots(config)
    new = [p for p in config.platforms if p not in kept]
    if not new:
        return kept
    releases = read_releases(config, workspace.environment)
    pinned = run_concurrently({p: partial(pin_root, config, p, workspace.paths, releases) for p in new})
    return {**kept, **{p: pinned[p] for p in new}}


def _pin_more(
    workspace: Workspace, config: Config, renewal: UpdatePolicy, platform: PlatformName, more: Sequence[str]
) -> Root:
    """The Debian of a platform with `more` packages, in which wheels are built; none is in the image by that."""
    wanted = config.model_copy(update={"apt": (*config.apt, *more)})
    kept = renewal.roots(wanted, compilers=bool(more))
    if platform in kept:
        return kept[platform]
    return pin_root(wanted, platform, workspace.paths, read_releases(wanted, workspace.environment))


def _all_wants(code: PinnedCode) -> list[RequirementSet]:
    config = code.config
    wants: list[RequirementSet] = []
    problems: list[PycomfyError] = []
    for name, spec in {COMFYUI: config.comfyui, **config.packs}.items():
        origin = name if name == COMFYUI else f"pack {name}"
        try:
            if spec.requirements is not None:
                wants.append(make_requirement_set(origin, spec.requirements, "pycomfy.toml"))
            else:
                wants.append(parse_requirements(origin, code.sources[name].files, config.known_locations))
        except PycomfyError as e:
            problems.extend(flatten_errors(e))
    raise_all(problems)
    return [*wants, make_requirement_set("pycomfy.toml", config.requirements, "pycomfy.toml")]


def _as_of(code: PinnedCode, notes: list[str]) -> datetime:
    """The date packages are taken as of: as asked, else that of the newest source."""
    config, now = code.config, datetime.now(UTC).replace(microsecond=0)
    if config.as_of is not None:
        if config.as_of > now:
            notes.append("as-of is in the future: these are the packages of now, and will be others later")
        return config.as_of
    dates = [pinned.date for pinned in code.sources.values() if pinned.date is not None]
    if not dates:
        raise BadConfig(
            "no source has a date, so it is not known which Python packages it was made for",
            where="pycomfy.toml",
            fix="give one: as-of = 2025-12-05, or --as-of 2025-12-05",
        )
    newest = max(dates)
    if newest > now:
        notes.append(f"a source is dated {newest:%Y-%m-%d}, in the future; Python packages are taken as of now")
        return now
    return newest


def _with_moment(config: Config, as_of: datetime) -> Config:
    """With the moment that Debian is taken from, where that is the lock's own."""
    if config.debian.snapshot != AS_OF:
        return config
    return config.model_copy(update={"debian": config.debian.model_copy(update={"snapshot": as_of})})


def _read_lock(path: Path) -> Lock | None:
    """The lock so far; None if there is none that can be read."""
    try:
        return parse_lock(path.read_text())
    except (OSError, UnicodeDecodeError, PycomfyError):
        return None


def _name(request: LockRequest, config: Config, file: Path, notes: list[str]) -> str:
    asked = request.name or config.name
    if asked is None:
        asked = file.absolute().parent.name if file.name == "workflow.json" else file.stem
    name = safe_name(asked)
    if name != asked:
        notes.append(f"the workflow is called {name}: git and registries do not accept {asked!r}")
    return name


# — the file —


def _rebase(source: LockSource, base: Path, folder: Path) -> LockSource:
    """Paths in a lock are relative to its folder, so that it is the same wherever the whole is put."""
    if base.absolute() == folder.absolute():
        return source

    def move(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(base / path, folder)

    return source.relocated(move)


def _changes(before: Lock | None, made: Lock) -> Diff | None:
    """How the pins differ; the workflow is not compared, as that of the lock before is not known."""
    if before is None:
        return None
    nothing, same = Workflow("ui-1"), made.workflow
    old = before.model_copy(update={"workflow": same})
    return diff(Snapshot("before", old, nothing), Snapshot("now", made, nothing))


def _write(made: Lock, path: Path, before: Lock | None, notes: list[str]) -> bool:
    """Write the lock, unless these very bytes are there; whether it did."""
    text = render_lock(made)
    try:
        if path.read_text() == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    if before is not None and before.name != made.name:
        notes.append(f"replaced the lock of {before.name}")
    write_file(path, text)
    return True
