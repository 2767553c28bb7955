"""`lock`: a workflow and its pycomfy.toml become pycomfy.lock, in which everything is pinned by hash."""

import hashlib
import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pycomfy.actions.findings import find_findings
from pycomfy.actions.models import lock_models
from pycomfy.actions.packs import Ask, Hunt, Hunted, hunt_packs
from pycomfy.actions.pythons import Resolution, find_reach, resolve
from pycomfy.actions.together import parts, together
from pycomfy.actions.wishes import COMFYUI, LockRequest, read_config, read_meaning, read_workflow_json
from pycomfy.errors import BadConfig, PycomfyError, raise_all
from pycomfy.flow.choose.explain import Reason, explain
from pycomfy.flow.choose.model import Wanted
from pycomfy.flow.choose.said import newer_core
from pycomfy.flow.lock.address import parse_address
from pycomfy.flow.lock.config import Config
from pycomfy.flow.lock.keep import MODELS, Renewal
from pycomfy.flow.lock.model import (
    ComfyUI,
    GitSource,
    Lock,
    Pack,
    PathSource,
    Platform,
    PlatformName,
    Root,
    Source,
    Step,
    WorkflowPin,
    parse_lock,
    render_lock,
)
from pycomfy.flow.lock.name import safe_name
from pycomfy.flow.lock.requirements import Wants, list_wants, read_wants
from pycomfy.flow.lock.spec import Spec
from pycomfy.flow.lock.supply import match_types, running_types
from pycomfy.flow.lock.values import AS_OF
from pycomfy.flow.needs.find import find_needs
from pycomfy.flow.needs.model import NeededNode
from pycomfy.flow.scan.tell import Finding
from pycomfy.flow.version.diff import Diff, diff
from pycomfy.flow.version.snapshot import Snapshot
from pycomfy.flow.workflow.model import Workflow
from pycomfy.flow.workflow.parse import parse_workflow
from pycomfy.outside.asked import remember_asked
from pycomfy.outside.debian import pin_root, read_archives
from pycomfy.outside.files import check_replaceable, full_disk_is_an_error, write_file
from pycomfy.outside.home import Home
from pycomfy.outside.models.pin import Earlier
from pycomfy.outside.models.store import ModelStore
from pycomfy.outside.nodetypes import read_comfyui, read_pack
from pycomfy.outside.sources import Pinned, pin_source
from pycomfy.progress import Progress


@dataclass(frozen=True)
class LockResult:
    """The lock and its file; `changed` says whether the file was written; `notes` are remarks for the user, `reasons`
    why each node type is taken from where it is, `changes` how it differs from the lock before, if there was one;
    `findings` what is in the sources that a lock does not see to."""

    lock: Lock
    path: Path
    changed: bool
    notes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    changes: Diff | None = None
    findings: tuple[Finding, ...] = ()


def lock(request: LockRequest, home: Home, progress: Progress, ask: Ask | None = None) -> LockResult:
    """Pin everything the workflow needs, and write the lock if it differs from the one that is there.

    Raises `BadWorkflow`, `BadConfig`, `UnknownNode`, and what pinning sources, Python and Debian packages raises.
    """
    file = request.file
    data = read_workflow_json(file)
    needs = find_needs(parse_workflow(data, where=str(file)))
    base, config = read_config(request)
    path = request.output or file.parent / "pycomfy.lock"
    with full_disk_is_an_error(path):
        check_replaceable(path)
    notes: list[str] = []
    before = _read_lock(path)
    renewal = Renewal(before, frozenset(name.lower() for name in request.update))
    renewal.check(config, str(path))
    asked, config = config.as_of, renewal.apply(config)

    sources = _pin_sources(config, base, home, progress)
    builtin = {*_builtin_types(sources[COMFYUI], home), *config.comfyui.types}
    types = _pack_types(config.packs, sources, home)
    wanted = _unsupplied(needs.nodes, {*builtin, *(t for own in types.values() for t in own)})
    hunted = Hunted()
    if wanted:
        hunt = Hunt(
            wanted,
            str(file),
            prefer=config.prefer,
            taken=config.packs,
            core=newer_core(needs.nodes, _comfyui_version(sources[COMFYUI].files)),
            before=asked,
            renewal=renewal,
        )
        hunted = hunt_packs(hunt, home, progress, ask)
        config = config.model_copy(update={"packs": {**config.packs, **hunted.specs}})
        sources = {**sources, **hunted.sources}
        types = _pack_types(config.packs, sources, home)
        notes += hunted.notes
    supplied = match_types(needs.nodes, builtin, types, str(file))
    notes += [f"the node pack {name} supplies nothing to this workflow" for name in supplied if not supplied[name]]
    earlier = Earlier(before.models if before is not None else (), renewal.renews(MODELS))
    models = lock_models(needs.models, config.models, base, earlier, ModelStore(home, progress))
    notes += models.notes
    as_of = _as_of(config, sources, notes)
    config = _with_moment(config, as_of)
    kept = renewal.roots(config)
    pin = partial(_pin_more, config, renewal, home, progress)
    resolution = Resolution(config, _all_wants(config, sources), as_of, base, path.parent, pin)
    python = resolve(resolution, home, progress)
    notes += python.notes
    found = find_findings(config, sources, python.wheels, home)
    notes += found.notes
    roots = _pin_roots(config, [p for p in config.platforms if p not in kept], home, progress)

    made = Lock(
        name=_name(request, config, file, notes),
        as_of=f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
        python=config.python,
        workflow=WorkflowPin(sha256=hashlib.sha256(data).hexdigest()),
        comfyui=ComfyUI(
            version=_comfyui_version(sources[COMFYUI].files), source=_rebase(sources[COMFYUI].source, base, path.parent)
        ),
        packs=tuple(
            Pack(
                name=name,
                source=_rebase(sources[name].source, base, path.parent),
                types=supplied[name],
                steps=tuple(Step(run=step.run) for step in config.packs[name].steps),
            )
            for name in config.packs
        ),
        platforms={
            p: Platform(
                root=kept[p] if p in kept else roots[p], wheels=python.wheels[p], compilers=python.compilers.get(p)
            )
            for p in config.platforms
        },
        models=models.models,
        accelerator=config.accelerator,
    )
    changed = _write(made, path, before, notes)
    if request.config is None:
        remember_asked(render_lock(made), read_meaning(file.parent), home)
    reasons = explain(made, needs.nodes, hunted.choices, hunted.commits)
    return LockResult(made, path, changed, tuple(notes), reasons, _changes(before, made), found.findings)


# — pinning —


def _pin_sources(config: Config, base: Path, home: Home, progress: Progress) -> dict[str, Pinned]:
    """ComfyUI and every pack, by name."""
    specs: dict[str, Spec] = {COMFYUI: config.comfyui, **config.packs}
    reach = find_reach(config, base)
    with progress.step("Pin ComfyUI and node packs", total=len(specs)) as task:
        return together({n: partial(pin_source, spec, base, n, home, reach) for n, spec in specs.items()}, task.advance)


def _pin_roots(config: Config, platforms: Sequence[PlatformName], home: Home, progress: Progress) -> Mapping[str, Root]:
    """The Debian of each platform, all from the same releases."""
    if not platforms:
        return {}
    archives = read_archives(config, progress)
    return together({p: partial(pin_root, config, p, home, progress, archives) for p in platforms})


def _pin_more(
    config: Config, renewal: Renewal, home: Home, progress: Progress, platform: PlatformName, more: Sequence[str]
) -> Root:
    """The Debian of a platform with `more` packages, in which wheels are built; none is in the image by that."""
    wanted = config.model_copy(update={"apt": (*config.apt, *more)})
    kept = renewal.roots(wanted, compilers=bool(more))
    return kept[platform] if platform in kept else pin_root(wanted, platform, home, progress)


def _all_wants(config: Config, sources: Mapping[str, Pinned]) -> list[Wants]:
    wants: list[Wants] = []
    problems: list[PycomfyError] = []
    for name, spec in {COMFYUI: config.comfyui, **config.packs}.items():
        origin = name if name == COMFYUI else f"pack {name}"
        try:
            if spec.requirements is not None:
                wants.append(list_wants(origin, spec.requirements, "pycomfy.toml"))
            else:
                wants.append(read_wants(origin, sources[name].files, config.settled_places))
        except PycomfyError as e:
            problems.extend(parts(e))
    raise_all(problems)
    return [*wants, list_wants("pycomfy.toml", config.requirements, "pycomfy.toml")]


def _as_of(config: Config, sources: Mapping[str, Pinned], notes: list[str]) -> datetime:
    """The date packages are taken as of: as asked, else that of the newest source."""
    now = datetime.now(UTC).replace(microsecond=0)
    if config.as_of is not None:
        if config.as_of > now:
            notes.append("as-of is in the future: these are the packages of now, and will be others later")
        return config.as_of
    dates = [pinned.date for pinned in sources.values() if pinned.date is not None]
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


def _pack_types(packs: Mapping[str, Spec], sources: Mapping[str, Pinned], home: Home) -> dict[str, set[str]]:
    return {name: {*read_pack(sources[name].files, home.cache).types, *spec.types} for name, spec in packs.items()}


def _unsupplied(nodes: Sequence[NeededNode], known: Collection[str]) -> tuple[Wanted, ...]:
    """The types of running nodes that no source has yet."""
    return tuple(Wanted(type_, tuple(found)) for type_, found in running_types(nodes).items() if type_ not in known)


def _read_lock(path: Path) -> Lock | None:
    """The lock so far; None if there is none that can be read."""
    try:
        return parse_lock(path.read_text())
    except (OSError, UnicodeDecodeError, PycomfyError):
        return None


def _builtin_types(pinned: Pinned, home: Home) -> set[str]:
    return set(read_comfyui(pinned.files, home.cache).types)


def _comfyui_version(files: Mapping[str, str]) -> str:
    match = re.search(
        r"""^__version__\s*=\s*["']([^"'\s]{1,50})["']""", files.get("comfyui_version.py", ""), re.MULTILINE
    )
    if match:
        return match[1]
    try:
        return str(tomllib.loads(files.get("pyproject.toml", ""))["project"]["version"])[:50]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "unknown"


def _name(request: LockRequest, config: Config, file: Path, notes: list[str]) -> str:
    asked = request.name or config.name
    if asked is None:
        asked = file.absolute().parent.name if file.name == "workflow.json" else file.stem
    name = safe_name(asked)
    if name != asked:
        notes.append(f"the workflow is called {name}: git and registries do not accept {asked!r}")
    return name


# — the file —


def _rebase(source: Source, base: Path, folder: Path) -> Source:
    """Paths in a lock are relative to its folder, so that it is the same wherever the whole is put."""
    if base.absolute() == folder.absolute():
        return source
    if isinstance(source, PathSource) and not Path(source.path).is_absolute():
        return source.model_copy(update={"path": os.path.relpath(base / source.path, folder)})
    if isinstance(source, GitSource) and not Path(source.url).is_absolute():
        address = parse_address(source.url)
        if address.local and not source.url.startswith("file://"):
            return source.model_copy(update={"url": os.path.relpath(base / source.url, folder)})
    return source


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
