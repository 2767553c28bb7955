"""Requests to uv: what to resolve, and the files and arguments that express it."""

import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_process import UvOutcome, environment_links, make_environment, query_uv, read_versions
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig, strip_logins
from pycomfy.core.lockfile.toml import render_list, render_value
from pycomfy.core.python.build_recipe import make_placeholder_wheel
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.wheel_selection import Target

OURS = "pycomfy-indexes"
"""The name of the project in which uv reads which packages are in one index alone; it has no other purpose."""

PLACEHOLDERS = "elsewhere"
"""The folder of the wheels that keep uv from asking any index for a package."""


@dataclass(frozen=True)
class LocalWheel:
    """A wheel that no index has: the file at `path`, called `filename`. If it is `required`, it is used whatever else
    there is of its package, else only if somebody requires the package."""

    filename: str
    path: Path
    required: bool = False


@dataclass(frozen=True)
class ResolutionRequest:
    """What to resolve: the requirement set of each origin, for `target`, from packages uploaded before `as_of`.

    An override replaces every requirement of its package; a constraint only narrows them; an excluded package is not
    installed, whoever requires it; for an undated one the date does not matter. With `any_index` a version is taken
    from whichever index has it, else each package from the first index that knows it.
    """

    requirement_sets: Sequence[RequirementSet]
    target: Target
    as_of: datetime
    overrides: Sequence[str] = ()
    index_config: IndexConfig = DEFAULT_INDEXES
    constraints: Sequence[str] = ()
    excludes: Sequence[str] = ()
    undated: Sequence[str] = ()
    local_wheels: Sequence[LocalWheel] = ()
    any_index: bool = False


@dataclass(frozen=True)
class UvRequest:
    """A request as uv gets it: its `arguments`, and the files they name in `folder`. Outcomes are kept in `cache`."""

    request: ResolutionRequest
    folder: Path
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    cache: Path | None = None

    def run(self, *more: str) -> UvOutcome:
        """Run uv with `more` arguments and return its outcome."""
        return query_uv([*self.arguments, *more], self.folder, self.environment, self.cache)


def options(target: Target, *, any_index: bool = False) -> list[str]:
    """Return the arguments of every request about `target`."""
    return [
        "--format=pylock.toml",
        "--generate-hashes",
        "--only-binary=:all:",
        f"--python-version={target.python_full}",
        f"--python-platform={target.uv_platform}",
        f"--index-strategy={'unsafe-best-match' if any_index else 'first-index'}",
        "--no-header",
        "--no-annotate",
    ]


def resolve(request: ResolutionRequest, folder: Path, cache: Path | None, *more: str) -> tuple[UvOutcome, UvRequest]:
    """Return uv's outcome with `more` arguments, and the request that had it. If indexes have no answer, the folders of
    wheels that the environment names are used too."""
    config = request.index_config
    first = _resolve(request, folder / "question", cache, make_environment(config), more)
    if isinstance(first[0], str) and (links := environment_links(config)):
        second = _resolve(request, folder / "again", cache, make_environment(config, links=links), more)
        return second if isinstance(second[0], bytes) else first
    return first


def _resolve(
    request: ResolutionRequest, folder: Path, cache: Path | None, environment: dict[str, str], more: Sequence[str]
) -> tuple[UvOutcome, UvRequest]:
    """Return uv's outcome. uv takes a package from its own index alone only if it is required by name, and would ask
    every index for the dependency of another package. So uv gets a placeholder, on this disk, for each package that has
    its own index; where an outcome has one, the package is required by name."""
    folder.mkdir()
    reserved = set(request.index_config.reserved)
    required = _required_names(request) & reserved

    def ask(named: Set[str], optional: Mapping[str, str]) -> tuple[UvOutcome, UvRequest]:
        uv = replace(_write(request, folder, named, environment, optional), cache=cache)
        return query_uv([*uv.arguments, *more], folder, environment, cache), uv

    named = required
    while True:
        outcome, uv = ask(named, {})
        seen = (names_in(outcome) if isinstance(outcome, str) else set(read_versions(outcome))) & reserved
        if seen <= named:
            break
        named = named | seen
    if isinstance(outcome, str):
        return outcome, uv
    # Overriding dropped the markers, and what is required by name is never left out: is it required by anybody?
    versions = {name: version for name, version in read_versions(outcome).items() if name in named}
    kept = required
    while rest := {name: version for name, version in versions.items() if name not in kept}:
        found, uv = ask(kept, rest)
        needed = rest.keys() & (read_versions(found).keys() if isinstance(found, bytes) else rest)
        if not needed:
            return found, uv
        kept = kept | needed
    return (outcome, uv) if kept == required else ask(kept, {})


def names_in(text: str) -> set[str]:
    """Return all words that may be names of packages, normalised."""
    return {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}


def explain(stderr: str) -> str:
    """Return uv's explanation without its headings, as one paragraph; its hints are about options that we choose."""
    text = re.sub(r"^(warning:|Resolved ).*\n?", "", stderr, flags=re.MULTILINE).split("\nhint:", 1)[0]
    # What uv takes for our own project are the requirements.
    text = re.sub(rf"\b{OURS}(==0)? depends on\b", "you require", text)
    text = re.sub(r"^\s*(error|cause|×|├─▶|╰─▶)\s*:?\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^No solution found when resolving dependencies:?\s*", "", text.strip())
    return strip_logins(re.sub(r"\s+", " ", text)).strip().rstrip(".")


def _required_names(request: ResolutionRequest) -> set[str]:
    """Return the packages that an origin requires by name, on this platform."""
    environment = request.target.environment()
    required = [
        (line.name, Requirement(line.text).marker)
        for one in request.requirement_sets
        for line in one.requirements
        if line.direct_reference is None
    ]
    return {name for name, marker in required if marker is None or marker.evaluate(environment)}


def _write(
    request: ResolutionRequest,
    folder: Path,
    named: Set[str],
    environment: dict[str, str],
    optional: Mapping[str, str],
) -> UvRequest:
    """Write a file for each origin, and one that says which packages are in which index alone: those that are `named`.
    For all others that have an index of their own there are placeholders; for an `optional` one, of its version."""
    reserved = request.index_config.reserved
    elsewhere = reserved.keys() - named
    arguments = [
        *options(request.target, any_index=request.any_index),
        f"--exclude-newer={request.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    ]
    for number, one in enumerate(request.requirement_sets):
        # uv would fetch a direct reference and run its code: it is resolved before uv runs.
        lines = [line for line in one.requirements if line.direct_reference is None]
        # Those that are not required on this platform would be, by their placeholders.
        required = (line.text for line in lines if line.name not in elsewhere)
        arguments.append(_write_lines(folder / f"{number}.in", required))
        if one.constraints:
            file = _write_lines(folder / f"{number}.constraints", (line.text for line in one.constraints))
            arguments.append(f"--constraints={file}")
    overrides, own = split_overrides(request)
    for name, texts in (("overrides", overrides), ("constraints", request.constraints), ("excludes", request.excludes)):
        if texts:
            arguments.append(f"--{name}={_write_lines(folder / name, texts)}")
    arguments += _provide_wheels(request.local_wheels, folder, environment)
    arguments += _provide_placeholders(elsewhere, optional, folder)
    undated = {*request.undated, *(name for name, index in reserved.items() if not index.dated)}
    arguments += [f"--exclude-newer-package={name}=false" for name in sorted(undated)]
    arguments += _index_arguments(request.index_config, sorted(named), folder, own)
    return UvRequest(request, folder, tuple(arguments), environment)


def resolve_single(
    line: str, target: Target, index_config: IndexConfig, folder: Path, cache: Path | None = None
) -> UvOutcome:
    """Return uv's outcome for a single requirement, whatever its date, and without its dependencies."""
    (folder / "alone.in").write_text(line + "\n")
    named = sorted(names_in(line) & set(index_config.reserved))
    arguments = [*options(target), "--no-deps", "alone.in", *_index_arguments(index_config, named, folder)]
    return query_uv(arguments, folder, make_environment(index_config), cache)


def split_overrides(request: ResolutionRequest) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the overrides of a request, and apart from them, by name, those of packages that have an index of their
    own. An override would lose the index: these are requirements beside all others."""
    names = {text: canonicalize_name(Requirement(text).name) for text in request.overrides}
    reserved = request.index_config.reserved
    own = {str(name): text for text, name in names.items() if name in reserved}
    return tuple(text for text, name in names.items() if name not in reserved), own


def _provide_placeholders(names: Collection[str], optional: Mapping[str, str], folder: Path) -> list[str]:
    """Write an empty wheel for each of the packages, and return the arguments with which uv takes that, and asks no
    index for it."""
    shutil.rmtree(folder / PLACEHOLDERS, ignore_errors=True)
    if not names:
        return []
    (folder / PLACEHOLDERS).mkdir()
    lines: dict[str, list[str]] = {"overrides": [], "constraints": []}
    for name in sorted(names):
        filename, data = make_placeholder_wheel(name, optional.get(name, "0"), "")
        (folder / PLACEHOLDERS / filename).write_bytes(data)
        # A constraint keeps the markers and versions of whoever requires it.
        kind = "constraints" if name in optional else "overrides"
        lines[kind].append(f"{name} @ ./{PLACEHOLDERS}/{filename}")
    return [
        f"--{kind}={_write_lines(folder / f'{PLACEHOLDERS}.{kind}', texts)}" for kind, texts in lines.items() if texts
    ]


def _index_arguments(
    index_config: IndexConfig, named: Sequence[str], folder: Path, texts: Mapping[str, str] | None = None
) -> list[str]:
    """Return the arguments that say where packages are, and which of the required ones, `named`, are in one index
    alone; `texts` are their requirements, where these say more than the name."""
    arguments = []
    if index_config.accelerator is not None and not index_config.has_torch:
        arguments.append(f"--torch-backend={index_config.accelerator}")
    if index_config.reserved:
        (folder / "indexes").mkdir(exist_ok=True)
        (folder / "indexes" / "pyproject.toml").write_text(_render_project(index_config, named, texts or {}))
        arguments.append("indexes/pyproject.toml")
    return arguments


def _provide_wheels(wheels: Sequence[LocalWheel], folder: Path, environment: dict[str, str]) -> list[str]:
    """Copy wheels to where uv finds them, under paths that are the same in every request; return the arguments."""
    if not wheels:
        return []
    for wheel in wheels:
        path = folder / "given" / wheel.filename
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(wheel.path, path)
    # The argument replaces the variable.
    links = [link for link in environment.get("UV_FIND_LINKS", "").split(",") if link]
    file = _write_lines(folder / "given.in", (f"./given/{wheel.filename}" for wheel in wheels if wheel.required))
    return [*(f"--find-links={link}" for link in ("given", *links)), file]


def _render_project(index_config: IndexConfig, named: Sequence[str], texts: Mapping[str, str]) -> str:
    required = [texts.get(name, name) for name in named]
    lines = ["[project]", f"name = {render_value(OURS)}", 'version = "0"', render_list("dependencies", required)]
    for index in index_config.indexes:
        if index.packages:
            lines += [
                "[[tool.uv.index]]",
                f"name = {render_value(index.name)}",
                f"url = {render_value(index_config.address(index))}",
                "explicit = true",
            ]
    lines.append("[tool.uv.sources]")
    lines += [f"{name} = {{ index = {render_value(index_config.reserved[name].name)} }}" for name in named]
    return "".join(line + "\n" for line in lines)


def _write_lines(path: Path, lines: Iterable[str]) -> str:
    path.write_text("".join(line + "\n" for line in lines))
    return path.name
