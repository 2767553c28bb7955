"""The Python packages of a lock: what everybody wants becomes one set of wheels for each platform."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from pycomfy.actions.together import parts, together
from pycomfy.actions.unbuilt import Found, solve
from pycomfy.actions.wheels import Place, WheelBuilder
from pycomfy.errors import BadConfig, BadInput, NotFound, PycomfyError, raise_all
from pycomfy.flow.lock.config import Config
from pycomfy.flow.lock.debian import base_packages
from pycomfy.flow.lock.families import ALL, FAMILIES, Kept, Surroundings, find_kept, replace_members, tell
from pycomfy.flow.lock.indexes import Reach, without_logins
from pycomfy.flow.lock.model import PlatformName, Root, Wheel
from pycomfy.flow.lock.requirements import Asked, Wants
from pycomfy.flow.lock.wheels import Target, choose_wheels, undated_wheels
from pycomfy.outside.credentials import find_origin
from pycomfy.outside.download import fetch
from pycomfy.outside.home import Home
from pycomfy.outside.network import local_path
from pycomfy.outside.uv import Question
from pycomfy.outside.uvrun import find_logins, local_places
from pycomfy.progress import Progress


@dataclass(frozen=True)
class Resolution:
    """What to resolve: `wants` of all, with what `config` says, from packages uploaded before `as_of`. Paths in the
    configuration are relative to `base`, those in the lock to `folder`. `pin_root` pins a platform's Debian with some
    more packages; it is asked if a wheel has to be built."""

    config: Config
    wants: Sequence[Wants]
    as_of: datetime
    base: Path
    folder: Path
    pin_root: Callable[[PlatformName, Sequence[str]], Root]

    def question(self, platform: PlatformName) -> Question:
        reach = find_reach(self.config, self.base)
        return Question(self.wants, Target(platform, self.config.python), self.as_of, self.config.overrides, reach)


@dataclass(frozen=True)
class Resolved:
    """The wheels of each platform, the Debian roots with compilers that some of them were built in, and remarks for the
    user."""

    wheels: Mapping[PlatformName, tuple[Wheel, ...]]
    notes: tuple[str, ...] = ()
    compilers: Mapping[PlatformName, Root] = field(default_factory=dict)


def find_reach(config: Config, base: Path) -> Reach:
    """Where the configuration says that packages are. Raises `NotFound` for every folder of wheels that is missing."""
    places: list[str] = []
    problems: list[PycomfyError] = []
    for place in config.find_links:
        folder = (base / place).absolute()
        if "://" in place:
            places.append(place)
        elif folder.is_dir():
            places.append(str(folder))
        else:
            problems.append(
                NotFound(f"there is no folder {place}", where=str(folder), fix="correct find-links in pycomfy.toml")
            )
    indexes = tuple(spec.index for spec in config.index)
    problems += [
        BadConfig(
            f"the index {index.name} is another one for each accelerator, and none is chosen",
            where="pycomfy.toml",
            fix='choose one: accelerator = "cu128", or --accelerator cu128',
        )
        for index in indexes
        if index.variant and config.accelerator is None
    ]
    raise_all(problems)
    return Reach(indexes, tuple(places), config.accelerator)


def resolve(asked: Resolution, home: Home, progress: Progress) -> Resolved:
    """Resolve for every platform at once. Raises what `compile_pylock` and `choose_wheels` raise."""
    platforms = asked.config.platforms
    place = Place(asked.config, asked.as_of, find_reach(asked.config, asked.base), asked.base, asked.pin_root)
    builder = WheelBuilder(place, home, progress)
    with progress.step("Resolve Python packages", total=len(platforms)) as task:
        try:
            found = together({p: partial(_solve, asked, p, builder) for p in platforms}, task.advance)
        except PycomfyError as e:
            raise_all(_told_once(parts(e), platforms))
            raise
    notes = dict.fromkeys(note for _, told in found.values() for note in told)
    wheels = {p: found[p][0] for p in platforms}
    compiled = {p for p in platforms if any(w.built is not None and w.built.compiler for w in wheels[p])}
    return Resolved(wheels, tuple(notes), {p: builder.compilers[p] for p in compiled})


def _told_once(problems: Sequence[PycomfyError], platforms: Sequence[PlatformName]) -> list[PycomfyError]:
    """Problems that are the same on several platforms as one of them all."""
    merged: dict[tuple[type[PycomfyError], str, str, str], list[str]] = {}
    for problem in problems:
        texts = (problem.what, problem.where, problem.fix)
        platform = next((p for p in platforms if any(p in text for text in texts)), "")
        what, where, fix = (text.replace(platform, "\0") if platform else text for text in texts)
        merged.setdefault((type(problem), what, where, fix), []).append(platform)
    return [
        kind(what.replace("\0", all_), where=where.replace("\0", all_), fix=fix.replace("\0", all_))
        for (kind, what, where, fix), names in merged.items()
        for all_ in [" and ".join(dict.fromkeys(names))]
    ]


def _solve(asked: Resolution, platform: PlatformName, builder: WheelBuilder) -> tuple[tuple[Wheel, ...], list[str]]:
    found, notes = _solve_once_each(asked, platform, builder)
    wheels = choose_wheels(found.pylock, platform, asked.config.python)
    if undated := [w for w in undated_wheels(found.pylock, wheels) if w.name not in found.made]:
        shown = ", ".join(f"{w.name} {w.version}" for w in undated)
        notes.append(f"nothing says when these were uploaded; they are taken whatever the date: {shown}")
    return tuple(found.of(wheel) or _place(wheel, asked, builder.home) for wheel in wheels), notes


def _solve_once_each(asked: Resolution, platform: PlatformName, builder: WheelBuilder) -> tuple[Found, list[str]]:
    """With one package of each family that installs the same files, and a remark for each of which there were more."""
    question = asked.question(platform)
    around = Surroundings(frozenset({*base_packages(asked.config.python), *asked.config.apt}), asked.config.accelerator)
    found = solve(question, builder)
    notes: list[str] = []
    for _ in FAMILIES:
        names = {canonicalize_name(str(p.get("name"))) for p in found.pylock.get("packages", ())}
        kept = find_kept(names, around, asked.config.families)
        if not kept:
            break
        question = _keep(question, kept)
        try:
            found = solve(question, builder)
        except PycomfyError as e:
            raise_all([_without_family(problem, kept) for problem in parts(e)])
        notes += map(tell, kept)
    return found, notes


def _keep(question: Question, kept: Sequence[Kept]) -> Question:
    wants = replace_members(question.wants, kept, question.target.environment())
    ours = [Asked(one.name, one.name, f"for {' and '.join(one.dropped)}") for one in kept]
    dropped = [name for one in kept for name in one.dropped]
    return replace(
        question, wants=(*wants, Wants("pycomfy", tuple(ours))), excludes=tuple(sorted({*question.excludes, *dropped}))
    )


def _without_family(problem: PycomfyError, kept: Sequence[Kept]) -> PycomfyError:
    """What went wrong since only one of a family is kept, with the way to keep all."""
    lines = ", ".join(f'{one.family.name} = "{ALL}"' for one in kept)
    names = "; ".join(tell(one).partition(" (")[0] for one in kept)
    problem.fix += f"; or keep all, though they overwrite each other's files: [families] {lines}"
    problem.where += f"; {names}"
    return problem


def _keep_guarded(wheel: Wheel, asked: Resolution, home: Home) -> None:
    """A wheel of an index whose URL holds its login is fetched now: the lock has no login, so nobody could later."""
    login = find_logins(find_reach(asked.config, asked.base)).get(find_origin(wheel.url))
    if login is not None:
        url = wheel.url.replace("://", f"://{login}@", 1)
        fetch(url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=home.cache)


def _place(wheel: Wheel, asked: Resolution, home: Home) -> Wheel:
    """A wheel on this disk is named by its path: relative to the lock where pycomfy.toml says it so, else absolute."""
    path = local_path(wheel.url)
    if path is None:
        _keep_guarded(wheel, asked, home)
        return wheel.model_copy(update={"url": without_logins(wheel.url)})
    if not any(path.is_relative_to(root) for root in local_places(find_reach(asked.config, asked.base))):
        raise BadInput(
            f"a package index names a file of this disk for {wheel.name}", where=str(path), fix="use another index"
        )
    try:
        size = path.stat().st_size
    except OSError as e:
        raise NotFound(f"the wheel cannot be read: {e.strerror}", where=str(path), fix="make it readable") from e
    roots = [(asked.base / place).absolute() for place in asked.config.find_links if not Path(place).is_absolute()]
    beside = any(path.is_relative_to(root) for root in roots)
    return wheel.model_copy(update={"url": os.path.relpath(path, asked.folder) if beside else str(path), "size": size})
