"""A question to uv: what to resolve, and the files and arguments that ask for it."""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_process import make_environment, outer_links, query_uv, run_uv
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig, strip_logins
from pycomfy.core.lockfile.toml import render_list, render_value
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.wheel_selection import Target

OURS = "pycomfy-indexes"
"""The project in whose name uv is told which index a package comes from alone; it has no other purpose."""


@dataclass(frozen=True)
class GivenWheel:
    """A wheel that no index has: the file at `path`, called `filename`. With `wanted` it is taken whatever else there
    is of its package, else where somebody asks for that."""

    filename: str
    path: Path
    wanted: bool = False


@dataclass(frozen=True)
class ResolutionRequest:
    """What to resolve: what each origin wants, for `target`, from packages uploaded before `as_of`.

    An override replaces what anybody asks of its package; a constraint only narrows it; an excluded package is not
    installed, whoever asks for it; for an undated one the date does not matter.
    """

    wants: Sequence[RequirementSet]
    target: Target
    as_of: datetime
    overrides: Sequence[str] = ()
    reach: IndexConfig = DEFAULT_INDEXES
    constraints: Sequence[str] = ()
    excludes: Sequence[str] = ()
    undated: Sequence[str] = ()
    given: Sequence[GivenWheel] = ()


@dataclass(frozen=True)
class UvRequest:
    """A question that was put: its `arguments`, and the files they name in `folder`."""

    question: ResolutionRequest
    folder: Path
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)

    def ask(self, *more: str) -> bytes | str:
        """uv's answer, or why there is none, with `more` arguments."""
        return run_uv([*self.arguments, *more], self.folder, self.environment)


def options(target: Target) -> list[str]:
    """The arguments of every question about `target`."""
    return [
        "--format=pylock.toml",
        "--generate-hashes",
        "--only-binary=:all:",
        f"--python-version={target.python_full}",
        f"--python-platform={target.uv_platform}",
        "--index-strategy=first-index",
        "--no-header",
        "--no-annotate",
    ]


def put(question: ResolutionRequest, folder: Path, cache: Path | None) -> tuple[bytes | str, UvRequest]:
    """uv's answer, or why there is none. Where no index has one, folders that the environment names are asked too."""
    first = _put(question, folder / "question", cache, make_environment(question.reach))
    if isinstance(first[0], str) and (links := outer_links()):
        second = _put(question, folder / "again", cache, make_environment(question.reach, links=links))
        return second if isinstance(second[0], bytes) else first
    return first


def _put(
    question: ResolutionRequest, folder: Path, cache: Path | None, env: dict[str, str]
) -> tuple[bytes | str, UvRequest]:
    """As `put`. uv takes a package from its own index alone only if somebody asks for it by name: a package that others
    bring along is asked for as well, once it is seen."""
    folder.mkdir()
    reserved = set(question.reach.reserved)
    named = _asked_names(question) & reserved
    while True:
        asking = _write(question, folder, named, env)
        done = query_uv(asking.arguments, folder, env, cache)
        seen = names_in(done if isinstance(done, str) else done.decode()) & reserved
        if seen <= named:
            return done, asking
        named |= seen


def names_in(text: str) -> set[str]:
    """All that may be names of packages, normalised."""
    return {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}


def reason(stderr: str) -> str:
    """uv's explanation without its headings, in one paragraph; its hints are about options that we choose."""
    text = re.sub(r"^(warning:|Resolved ).*\n?", "", stderr, flags=re.MULTILINE).split("\nhint:", 1)[0]
    # What uv knows as our own project is what was asked of it.
    text = re.sub(rf"\b{OURS}(==0)? depends on\b", "you require", text)
    text = re.sub(r"^\s*(error|cause|×|├─▶|╰─▶)\s*:?\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^No solution found when resolving dependencies:?\s*", "", text.strip())
    return strip_logins(re.sub(r"\s+", " ", text)).strip().rstrip(".")


def _asked_names(question: ResolutionRequest) -> set[str]:
    """The packages that somebody asks for, on this platform."""
    environment = question.target.environment()
    asked = [
        (a.name, Requirement(a.text).marker)
        for wants in question.wants
        for a in wants.requirements
        if a.direct_reference is None
    ]
    return {name for name, marker in asked if marker is None or marker.evaluate(environment)}


def _write(question: ResolutionRequest, folder: Path, named: Iterable[str], env: dict[str, str]) -> UvRequest:
    """Write a file for each origin, and one that says which packages come from which index alone."""
    arguments = [*options(question.target), f"--exclude-newer={question.as_of.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"]
    for number, wants in enumerate(question.wants):
        # uv would fetch what says where it is, and run its code: this is done before it is asked.
        arguments.append(
            _lines(folder / f"{number}.in", (a.text for a in wants.requirements if a.direct_reference is None))
        )
        if wants.constraints:
            constraints = _lines(folder / f"{number}.constraints", (a.text for a in wants.constraints))
            arguments.append(f"--constraints={constraints}")
    for name in ("overrides", "constraints", "excludes"):
        if lines := getattr(question, name):
            arguments.append(f"--{name}={_lines(folder / name, lines)}")
    arguments += _give(question.given, folder, env)
    reserved = question.reach.reserved
    undated = {*question.undated, *(name for name, index in reserved.items() if not index.dated)}
    arguments += [f"--exclude-newer-package={name}=false" for name in sorted(undated)]
    arguments += _reach(question.reach, sorted(set(named) & set(reserved)), folder)
    return UvRequest(question, folder, tuple(arguments), env)


def ask_alone(line: str, target: Target, reach: IndexConfig, folder: Path, cache: Path | None = None) -> bytes | str:
    """uv's answer to one requirement alone, from where `reach` says; whatever its date and whatever the package needs
    itself."""
    (folder / "alone.in").write_text(line + "\n")
    named = sorted(names_in(line) & set(reach.reserved))
    arguments = [*options(target), "--no-deps", "alone.in", *_reach(reach, named, folder)]
    return query_uv(arguments, folder, make_environment(reach), cache)


def _reach(reach: IndexConfig, named: Sequence[str], folder: Path) -> list[str]:
    """The arguments that say where packages are, and which of those that are asked for, `named`, are where alone."""
    arguments = []
    if reach.accelerator is not None and not reach.has_torch:
        arguments.append(f"--torch-backend={reach.accelerator}")
    if reach.reserved:
        (folder / "indexes").mkdir(exist_ok=True)
        (folder / "indexes" / "pyproject.toml").write_text(_project(reach, named))
        arguments.append("indexes/pyproject.toml")
    return arguments


def _give(given: Sequence[GivenWheel], folder: Path, env: dict[str, str]) -> list[str]:
    """Lay wheels where uv finds them, under paths that are the same for every question; the arguments for it."""
    if not given:
        return []
    for wheel in given:
        place = folder / "given" / wheel.filename
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(wheel.path, place)
    # An argument takes the variable's place.
    links = [place for place in env.get("UV_FIND_LINKS", "").split(",") if place]
    lines = _lines(folder / "given.in", (f"./given/{wheel.filename}" for wheel in given if wheel.wanted))
    return [*(f"--find-links={place}" for place in ("given", *links)), lines]


def _project(reach: IndexConfig, named: Sequence[str]) -> str:
    lines = ["[project]", f"name = {render_value(OURS)}", 'version = "0"', render_list("dependencies", named)]
    for index in reach.indexes:
        if index.packages:
            lines += [
                "[[tool.uv.index]]",
                f"name = {render_value(index.name)}",
                f"url = {render_value(reach.address(index))}",
                "explicit = true",
            ]
    lines.append("[tool.uv.sources]")
    lines += [f"{name} = {{ index = {render_value(reach.reserved[name].name)} }}" for name in named]
    return "".join(line + "\n" for line in lines)


def _lines(path: Path, lines: Iterable[str]) -> str:
    path.write_text("".join(line + "\n" for line in lines))
    return path.name
