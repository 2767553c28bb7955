"""`lock`: a workflow and its pycomfy.toml become pycomfy.lock, in which everything is pinned by hash."""

import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from pycomfy.actions.models import lock_models
from pycomfy.actions.wishes import COMFYUI, LockRequest, read_bounded, read_config
from pycomfy.errors import BadConfig, Problems, PycomfyError, raise_all
from pycomfy.flow.lock.address import parse_address
from pycomfy.flow.lock.config import Config, Spec
from pycomfy.flow.lock.model import (
    ComfyUI,
    GitSource,
    Lock,
    Pack,
    PathSource,
    Platform,
    PlatformName,
    Source,
    Wheel,
    WorkflowPin,
    parse_lock,
    render_lock,
)
from pycomfy.flow.lock.name import safe_name
from pycomfy.flow.lock.requirements import Wants, list_wants, read_wants
from pycomfy.flow.lock.supply import match_types
from pycomfy.flow.lock.wheels import Target, choose_wheels
from pycomfy.flow.needs.catalogue import class_types, is_node_source
from pycomfy.flow.needs.find import find_needs
from pycomfy.flow.workflow.parse import parse_workflow
from pycomfy.outside.debian import pin_root
from pycomfy.outside.files import check_replaceable, full_disk_is_an_error, write_file
from pycomfy.outside.home import Home
from pycomfy.outside.models.store import ModelStore
from pycomfy.outside.sources import Pinned, pin_source
from pycomfy.outside.stop import stop_all
from pycomfy.outside.uv import Question, compile_pylock
from pycomfy.progress import Progress


@dataclass(frozen=True)
class LockResult:
    """The lock and its file; `changed` says whether the file was written; `notes` are remarks for the user."""

    lock: Lock
    path: Path
    changed: bool
    notes: tuple[str, ...] = ()


def lock(request: LockRequest, home: Home, progress: Progress) -> LockResult:
    """Pin everything the workflow needs, and write the lock if it differs from the one that is there.

    Raises `BadWorkflow`, `BadConfig`, `UnknownNode`, and what pinning sources, Python and Debian packages raises.
    """
    file = request.file
    data = read_bounded(file, "workflow")
    needs = find_needs(parse_workflow(data, where=str(file)))
    base, config = read_config(request)
    path = request.output or file.parent / "pycomfy.lock"
    with full_disk_is_an_error(path):
        check_replaceable(path)
    notes: list[str] = []

    sources = _pin_sources(config, base, home, progress)
    builtin = {*_builtin_types(sources[COMFYUI]), *config.comfyui.types}
    types = {name: {*class_types(sources[name].files), *spec.types} for name, spec in config.packs.items()}
    supplied = match_types(needs.nodes, builtin, types, str(file))
    notes += [f"the node pack {name} supplies nothing to this workflow" for name in supplied if not supplied[name]]
    models = lock_models(needs.models, config.models, base, path, ModelStore(home, progress))
    notes += models.notes
    as_of = _as_of(config, sources, notes)
    platforms = _resolve(config, _all_wants(config, sources), as_of, home, progress)

    made = Lock(
        name=_name(request, config, file, notes),
        as_of=f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
        python=config.python,
        workflow=WorkflowPin(sha256=hashlib.sha256(data).hexdigest()),
        comfyui=ComfyUI(
            version=_comfyui_version(sources[COMFYUI].files), source=_rebase(sources[COMFYUI].source, base, path.parent)
        ),
        packs=tuple(
            Pack(name=name, source=_rebase(sources[name].source, base, path.parent), types=supplied[name])
            for name in config.packs
        ),
        platforms=platforms,
        models=models.models,
    )
    return _write(made, path, notes)


# — pinning —

T = TypeVar("T")


def _pin_sources(config: Config, base: Path, home: Home, progress: Progress) -> dict[str, Pinned]:
    """ComfyUI and every pack, by name."""
    specs: dict[str, Spec] = {COMFYUI: config.comfyui, **config.packs}
    with progress.step("Pin ComfyUI and node packs", total=len(specs)) as task:
        return _together({n: partial(pin_source, spec, base, n, home) for n, spec in specs.items()}, task.advance)


def _resolve(
    config: Config, wants: Sequence[Wants], as_of: datetime, home: Home, progress: Progress
) -> dict[PlatformName, Platform]:
    """Python and Debian packages for each platform."""
    targets = [Target(platform, config.python) for platform in config.platforms]

    def solve(target: Target) -> tuple[Wheel, ...]:
        pylock = compile_pylock(Question(wants, target, as_of, config.overrides), home.cache)
        return choose_wheels(pylock, target.platform, target.python)

    with progress.step("Resolve Python packages", total=len(targets)) as task:
        wheels = _together({t.platform: partial(solve, t) for t in targets}, task.advance)
    roots = _together({p: partial(pin_root, config, p, home, progress) for p in config.platforms})
    return {p: Platform(root=roots[p], wheels=wheels[p]) for p in config.platforms}


def _together(jobs: Mapping[str, Callable[[], T]], done: Callable[[], None] = lambda: None) -> dict[str, T]:
    """Run all jobs at once; if any fail, wait for all and raise everything that went wrong."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        futures: dict[Future[T], str] = {pool.submit(job): name for name, job in jobs.items()}
        problems: dict[str, PycomfyError] = {}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is not None and not isinstance(error, PycomfyError):
                    raise error
                if error is not None:
                    problems[futures[future]] = error
                done()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise
    raise_all([p for name in jobs if name in problems for p in _parts(problems[name])])
    return {name: future.result() for future, name in sorted(futures.items(), key=lambda item: item[1])}


def _parts(error: PycomfyError) -> Sequence[PycomfyError]:
    return error.problems if isinstance(error, Problems) else (error,)


def _all_wants(config: Config, sources: Mapping[str, Pinned]) -> list[Wants]:
    wants: list[Wants] = []
    problems: list[PycomfyError] = []
    for name, spec in {COMFYUI: config.comfyui, **config.packs}.items():
        origin = name if name == COMFYUI else f"pack {name}"
        try:
            if spec.requirements is not None:
                wants.append(list_wants(origin, spec.requirements, "pycomfy.toml"))
            else:
                wants.append(read_wants(origin, sources[name].files))
        except PycomfyError as e:
            problems.extend(_parts(e))
    raise_all(problems)
    return [*wants, list_wants("pycomfy.toml", config.requirements, "pycomfy.toml")]


def _as_of(config: Config, sources: Mapping[str, Pinned], notes: list[str]) -> datetime:
    """The date packages are taken as of: as asked, else that of the newest source."""
    if config.as_of is not None:
        return config.as_of
    dates = [pinned.date for pinned in sources.values() if pinned.date is not None]
    if not dates:
        raise BadConfig(
            "no source has a date, so it is not known which Python packages it was made for",
            where="pycomfy.toml",
            fix="give one: as-of = 2025-12-05, or --as-of 2025-12-05",
        )
    newest, now = max(dates), datetime.now(UTC).replace(microsecond=0)
    if newest > now:
        notes.append(f"a source is dated {newest:%Y-%m-%d}, in the future; Python packages are taken as of now")
        return now
    return newest


def _builtin_types(pinned: Pinned) -> set[str]:
    return set(class_types({path: text for path, text in pinned.files.items() if is_node_source(path)}))


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


def _write(made: Lock, path: Path, notes: list[str]) -> LockResult:
    text = render_lock(made)
    try:
        before = path.read_text() if path.is_file() else None
    except (OSError, UnicodeDecodeError):
        before = None
    if before == text:
        return LockResult(made, path, False, tuple(notes))
    if before is not None:
        try:
            other = parse_lock(before).name
        except PycomfyError:
            other = made.name
        if other != made.name:
            notes.append(f"replaced the lock of {other}")
    write_file(path, text)
    return LockResult(made, path, True, tuple(notes))
