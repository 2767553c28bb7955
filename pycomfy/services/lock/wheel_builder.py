"""Wheels that no index has: each is built once from its source, in Nix's sandbox, and remembered by what it is made of.

Nothing of a stranger runs on the machine itself: what there is to know before a build is read, not asked.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from pycomfy import operation
from pycomfy.adapters.debian.rootfs import make_root
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.io.download import fetch
from pycomfy.adapters.io.http_client import local_path
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import add_file, add_tree
from pycomfy.adapters.python.nix_build import build_recipe, can_build
from pycomfy.adapters.python.resolver import compile_pylock
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.adapters.python.wheel_cache import BuildHints, BuiltWheel, WheelCache
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.analysis.module_names import key, packages
from pycomfy.core.lockfile.config import Config, WheelSection
from pycomfy.core.lockfile.package_indexes import IndexConfig, strip_logins
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel, WheelBuild
from pycomfy.core.python.build_recipe import (
    UNIVERSAL_SUFFIX,
    BuildRecipe,
    SourcePackage,
    compiler_packages,
    is_universal,
    needs_compiler,
    parse_build_requirements,
    public_source_url,
    source_name,
)
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.errors import BuildFailed, MissingTool, NoMatchingDistribution, PycomfyError, ResolutionImpossible
from pycomfy.services.realise import host_platform
from pycomfy.services.workspace import Workspace

MAX_TRIES = 6
_TAIL = 25
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z_][A-Za-z0-9_.]{0,99})'")

_SANDBOX = {
    "Nix builds without its sandbox": "set `sandbox = true` in /etc/nix/nix.conf, or let your user choose it there "
    "(`trusted-users`), and restart nix-daemon",
    "make namespaces of its own": "allow it: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0",
}
"""What our builder says where a build would not be safe, or impossible, and what mends it."""


@dataclass(frozen=True)
class BuildContext:
    """Where wheels are built for: `pin_root` pins a platform's Debian with some more packages; `base` is the folder
    that relative paths are relative to."""

    config: Config
    as_of: datetime
    index_config: IndexConfig
    base: Path
    pin_root: Callable[[PlatformName, Sequence[str]], Root]


class WheelBuilder:
    """Builds wheels for one lock. Several threads may ask; one wheel is built at a time."""

    def __init__(self, place: BuildContext, workspace: Workspace) -> None:
        self.place = place
        self.workspace = workspace
        self.compilers: dict[PlatformName, Root] = {}
        """The Debian roots with compilers that were needed."""
        self.notes: dict[str, str] = {}
        """Remarks for the user, by package."""
        self.names: set[str] = set()
        """What was built, by the names that `[wheels.NAME]` may have."""
        self._known = WheelCache(workspace.paths.cache)
        self._sections = {canonicalize_name(name): section for name, section in place.config.wheels.items()}
        self._roots: dict[tuple[PlatformName, bool], Root] = {}
        self._lock = threading.RLock()

    def make(self, unbuilt: SourcePackage, platform: PlatformName) -> tuple[Wheel, Path]:
        """The wheel of a source, and its file. A wheel for every platform is built on this machine's.

        Raises `NoMatchingDistribution` if it cannot be built, with the end of the build's log; `MissingTool` without
        Nix's sandbox; and what resolving what it needs raises.
        """
        host = host_platform()
        with self._lock:
            made = self._built(unbuilt, host)
            name = canonicalize_name(unbuilt.name)
            self.names |= {name, canonicalize_name(made.wheel.name)}
            if made.fallback:
                self.notes[name] = (
                    f"{unbuilt.label} was built without a compiler, which it looks for; to build it with one, add to "
                    f"pycomfy.toml: [wheels.{name}] compiler = true"
                )
            if platform == host:
                return made.wheel, made.file
            if not is_universal(made.wheel):
                self._check_platform(unbuilt, platform)
                made = self._built(unbuilt, platform)
                return made.wheel, made.file
            recipe = self._recipe(unbuilt, platform, self._read_hints(unbuilt))
            return made.wheel.model_copy(update={"built": recipe.build}), made.file

    def tell_unused(self) -> list[str]:
        """A remark for each table of pycomfy.toml about a package that was not built."""
        unused = sorted(self._sections.keys() - self.names)
        return [
            f"[wheels.{name}] in pycomfy.toml does nothing: {name} is not wanted, or has no source" for name in unused
        ]

    def _check_platform(self, unbuilt: SourcePackage, platform: PlatformName) -> None:
        """Raise `NoMatchingDistribution` if this machine's Nix cannot run programs of `platform`."""
        if not can_build(self.workspace.nix, platform):
            host = host_platform()
            raise NoMatchingDistribution(
                f"{unbuilt.label} has to be compiled for {platform}, which this machine ({host}) cannot",
                where=unbuilt.required_by or "the Python requirements",
                fix=f'lock on a machine of that kind, or leave it out: platforms = ["{host}"]',
            )

    def _built(self, unbuilt: SourcePackage, platform: PlatformName) -> BuiltWheel:
        """The wheel, built until the build has all that it turns out to need."""
        hints = self._read_hints(unbuilt)
        for _ in range(MAX_TRIES):
            recipe = self._recipe(unbuilt, platform, hints)
            if (known := self._known.find(recipe)) is not None:
                return known
            log = self.workspace.paths.data / "logs" / f"wheel-{unbuilt.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"
            made = self._build(recipe, unbuilt, hints, log)
            if isinstance(made, BuildHints):
                hints = made
                continue
            # Some do without their extension then; but where the wheel is for one platform, nothing speaks for that.
            fallback = not recipe.build.compiler and needs_compiler(_log_lines(log, unbuilt.name))
            if fallback and not made.name.endswith(UNIVERSAL_SUFFIX):
                hints = replace(hints, compiler=True)
                continue
            self._known.write_hints(unbuilt, self.place.config.python, hints)
            return self._known.keep(recipe, made, fallback=fallback)
        raise self._explain(None, recipe, unbuilt, log)

    def _read_hints(self, unbuilt: SourcePackage) -> BuildHints:
        return self._known.read_hints(unbuilt, self.place.config.python)

    # — what it is made of —

    def _recipe(self, unbuilt: SourcePackage, platform: PlatformName, hints: BuildHints) -> BuildRecipe:
        section = self._sections.get(canonicalize_name(unbuilt.name), WheelSection())
        compiler = section.compiler or hints.compiler or bool(section.apt)
        texts = dict.fromkeys([*unbuilt.requires, *section.requires, *hints.requires])
        built = WheelBuild(
            source=unbuilt.source.model_copy(update={"url": public_source_url(unbuilt.source)}),
            subdirectory=unbuilt.subdirectory,
            requires=self._resolve(unbuilt, list(texts), platform),
            compiler=compiler,
        )
        compilers = self._root(platform, compilers=True) if compiler else None
        python = self.place.config.python
        return BuildRecipe(unbuilt.name, unbuilt.version, platform, python, built, self._root(platform), compilers)

    def _resolve(self, unbuilt: SourcePackage, texts: Sequence[str], platform: PlatformName) -> tuple[Wheel, ...]:
        """The packages of a build; they are wheels, or there would be no end to it."""
        if not texts:
            return ()
        target = Target(platform, self.place.config.python)
        wants = make_requirement_set(f"building {unbuilt.label}", texts, f"what building {unbuilt.label} requires")
        question = ResolutionRequest([wants], target, self.place.as_of, index_config=self.place.index_config)
        try:
            pylock = compile_pylock(question, self.workspace.paths.cache)
        except PycomfyError as e:
            for problem in flatten_errors(e):
                if isinstance(problem, NoMatchingDistribution | ResolutionImpossible):
                    table = f"[wheels.{canonicalize_name(unbuilt.name)}]"
                    problem.fixes = (f'name packages for building it that have wheels: {table} requires = ["NAME==…"]',)
            raise
        return tuple(map(public_wheel, choose_wheels(pylock, platform, self.place.config.python)))

    def _root(self, platform: PlatformName, *, compilers: bool = False) -> Root:
        key = platform, compilers
        if key not in self._roots:
            more: tuple[str, ...] = ()
            if compilers:
                libraries = sorted({name for section in self._sections.values() for name in section.apt})
                more = (*compiler_packages(self.place.config.python), *libraries)
            self._roots[key] = self.place.pin_root(platform, more)
        if compilers:
            self.compilers[platform] = self._roots[key]
        return self._roots[key]

    # — a build —

    def _build(self, recipe: BuildRecipe, unbuilt: SourcePackage, hints: BuildHints, log: Path) -> Path | BuildHints:
        """The wheel, or what the build turned out to need."""
        settings = self.workspace.nix
        check_store(settings)
        with operation.step("Build wheels") as task:
            task.note(f"{recipe.name} {recipe.version}")
            self._supply(recipe)
            try:
                return build_recipe(recipe, self.workspace.paths, settings, log, lambda event: None)
            except BuildFailed as e:
                better = self._learn(hints, unbuilt, log)
                if better == hints:
                    raise self._explain(e, recipe, unbuilt, log) from e
            # No failure to the user: it is begun again with that.
            lacks = better.requires[len(hints.requires) :] or ("a compiler",)
            task.note(f"{recipe.name} {recipe.version} needs {', '.join(lacks)}")
            return better

    def _supply(self, recipe: BuildRecipe) -> None:
        """Put into the store what is here already, or what Nix could not get."""
        settings, architecture = self.workspace.nix, recipe.platform.removeprefix("linux/")
        roots = {f"debian-root-{architecture}": recipe.root}
        if recipe.compilers is not None:
            roots[f"debian-compilers-{architecture}"] = recipe.compilers
        for name, root in roots.items():
            add_tree(settings, name, root.tree, partial(self._make_root, root, recipe.platform))
        source = recipe.build.source
        if isinstance(source, TreeSource):
            add_tree(settings, source_name(source), source.tree, partial(self._place_tree, source))
        else:
            file = fetch(source.url, source.sha256, name=source.name, cache=self.workspace.paths.cache)
            add_file(settings, source.name, source.sha256, file)
        for wheel in recipe.build.requires:
            if wheel.is_local:
                add_file(settings, wheel.filename, wheel.sha256, Path(wheel.url))

    def _make_root(self, root: Root, platform: PlatformName, out: Path) -> None:
        make_root(root, platform, out, self.workspace.paths)

    def _place_tree(self, source: TreeSource, out: Path) -> None:
        write_tree_of(source, self.place.base, out, self.workspace.paths)

    def _learn(self, hints: BuildHints, unbuilt: SourcePackage, log: Path) -> BuildHints:
        """What a failed build's log tells of its needs, added to `hints`."""
        lines = _log_lines(log, unbuilt.name)
        if needs := [text for text in parse_build_requirements(lines) if text not in hints.requires]:
            return replace(hints, requires=(*hints.requires, *needs))
        return replace(hints, compiler=hints.compiler or needs_compiler(lines))

    def _explain(
        self, error: BuildFailed | None, recipe: BuildRecipe, unbuilt: SourcePackage, log: Path
    ) -> PycomfyError:
        """Why there is no wheel, and what could be done. Only the log's end is in words of strangers."""
        said = f"{error}" if error is not None else ""
        for sign, fix in _SANDBOX.items():
            if sign in said:
                what = f"{unbuilt.label} has to be built from source, which needs Nix's sandbox"
                return MissingTool(what, where=f"this machine's Nix; the full log is {log}", fix=fix)
        lines = _log_lines(log, unbuilt.name)[-_TAIL:]
        tail = "; its last lines:\n" + "\n".join(f"    {line}" for line in lines) if lines else ""
        section = f"[wheels.{canonicalize_name(unbuilt.name)}]"
        table = f'{section} requires = ["…"], compiler = true, apt = ["…"]'
        if (absent := next(filter(None, map(_NO_MODULE.search, reversed(lines))), None)) is not None:
            table = f'perhaps {section} requires = ["{packages(key(absent[1]))[0][0]}"]'
        return NoMatchingDistribution(
            f"{unbuilt.label} exists as source only for {recipe.platform}, and its build fails",
            where=f"{unbuilt.required_by or 'the Python requirements'}; the full log is {log}{tail}",
            fix=f"in pycomfy.toml, add what the build lacks ({table}), "
            f'or take a version that has wheels (overrides = ["{unbuilt.name}==…"])',
        )


def public_wheel(wheel: Wheel) -> Wheel:
    """A wheel as a lock names it: on this disk by its path, elsewhere without a login."""
    path = local_path(wheel.url)
    if path is None:
        return wheel.model_copy(update={"url": strip_logins(wheel.url)})
    return wheel.model_copy(update={"url": str(path), "size": path.stat().st_size})


def _log_lines(log: Path, name: str) -> list[str]:
    """What a build printed, by the log of Nix."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return []
    prefix = f"wheel-{name}> "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
