"""Build wheels that no index has, each once from its source, in Nix's sandbox.

No code of a package runs outside the sandbox: what has to be known before a build is read from its files.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
from pycomfy.errors import BuildFailed, NoMatchingDistribution, PycomfyError, ResolutionImpossible
from pycomfy.services.lock.wheel_build_errors import explain_failure, read_log
from pycomfy.services.project import host_platform
from pycomfy.services.workspace import Workspace

MAX_TRIES = 6
"""Builds of one wheel, each with what the one before turned out to need."""


@dataclass(frozen=True)
class BuildContext:
    """What wheels are built for. `pin_root` pins a platform's root filesystem with additional packages; relative paths
    are relative to `base`."""

    config: Config
    as_of: datetime
    index_config: IndexConfig
    base: Path
    pin_root: Callable[[PlatformName, Sequence[str]], Root]


class WheelBuilder:
    """Builds wheels for one lock. Several threads may use it; one wheel is built at a time."""

    def __init__(self, context: BuildContext, workspace: Workspace) -> None:
        self.context = context
        self.workspace = workspace
        self.compilers: dict[PlatformName, Root] = {}
        """The root filesystems with compilers that were needed."""
        self.notes: dict[str, str] = {}
        """Remarks for the user, by package."""
        self.names: set[str] = set()
        """The names that `[wheels.NAME]` may have for what was built."""
        self._cache = WheelCache(workspace.paths.cache)
        self._sections = {canonicalize_name(name): section for name, section in context.config.wheels.items()}
        self._roots: dict[tuple[PlatformName, bool], Root] = {}
        self._lock = threading.RLock()

    def make(self, source: SourcePackage, platform: PlatformName) -> tuple[Wheel, Path]:
        """Return the wheel of a source, and its file. A wheel that is the same for every platform is built on this
        machine's.

        Raises `NoMatchingDistribution` if it cannot be built, with the end of the build's log; `MissingTool` without
        Nix's sandbox; and what resolving what it needs raises.
        """
        host = host_platform()
        with self._lock:
            made = self._find_or_build(source, host)
            name = canonicalize_name(source.name)
            self.names |= {name, canonicalize_name(made.wheel.name)}
            if made.fallback:
                self.notes[name] = (
                    f"{source.label} was built without a compiler, which it looks for; to build it with one, "
                    f"below [wheels.{name}] in pycomfy.toml: compiler = true"
                )
            if platform == host:
                return made.wheel, made.file
            if not is_universal(made.wheel):
                self._check_platform(source, platform)
                made = self._find_or_build(source, platform)
                return made.wheel, made.file
            recipe = self._recipe(source, platform, self._read_hints(source))
            return made.wheel.model_copy(update={"built": recipe.build}), made.file

    def note_unused(self) -> list[str]:
        """Return a remark for each table of pycomfy.toml about a package that was not built."""
        unused = sorted(self._sections.keys() - self.names)
        return [
            f"[wheels.{name}] in pycomfy.toml does nothing: {name} is not required, or has no source" for name in unused
        ]

    def _check_platform(self, source: SourcePackage, platform: PlatformName) -> None:
        """Raise `NoMatchingDistribution` if this machine's Nix cannot run programs of `platform`."""
        if not can_build(self.workspace.nix, platform):
            host = host_platform()
            raise NoMatchingDistribution(
                f"{source.label} has to be compiled for {platform}, which this machine ({host}) cannot",
                where=source.required_by or "the Python requirements",
                fix=f'lock on a machine of that kind, or leave it out: platforms = ["{host}"]',
            )

    def _find_or_build(self, source: SourcePackage, platform: PlatformName) -> BuiltWheel:
        """The wheel from the cache, or built until the build has everything that it turns out to need."""
        hints = self._read_hints(source)
        for _ in range(MAX_TRIES):
            recipe = self._recipe(source, platform, hints)
            if (known := self._cache.find(recipe)) is not None:
                return known
            log = self.workspace.log_file(f"wheel-{source.name}")
            made = self._build(recipe, source, hints, log)
            if isinstance(made, BuildHints):
                hints = made
                continue
            # Some packages are built without their extension where there is no compiler. A wheel for one platform gains
            # nothing from that, so it is built again with a compiler.
            fallback = not recipe.build.compiler and needs_compiler(read_log(log, source.name))
            if fallback and not made.name.endswith(UNIVERSAL_SUFFIX):
                hints = replace(hints, compiler=True)
                continue
            self._cache.write_hints(source, self.context.config.python, hints)
            return self._cache.keep(recipe, made, fallback=fallback)
        raise explain_failure(None, source, platform, log)

    def _read_hints(self, source: SourcePackage) -> BuildHints:
        return self._cache.read_hints(source, self.context.config.python)

    # — recipes —

    def _recipe(self, source: SourcePackage, platform: PlatformName, hints: BuildHints) -> BuildRecipe:
        section = self._sections.get(canonicalize_name(source.name), WheelSection())
        compiler = section.compiler or hints.compiler or bool(section.apt)
        texts = dict.fromkeys([*source.requires, *section.requires, *hints.requires])
        built = WheelBuild(
            source=source.source.model_copy(update={"url": public_source_url(source.source)}),
            subdirectory=source.subdirectory,
            requires=self._resolve(source, list(texts), platform),
            compiler=compiler,
        )
        compilers = self._root(platform, compilers=True) if compiler else None
        python = self.context.config.python
        return BuildRecipe(source.name, source.version, platform, python, built, self._root(platform), compilers)

    def _resolve(self, source: SourcePackage, texts: Sequence[str], platform: PlatformName) -> tuple[Wheel, ...]:
        """The packages that a build requires; only wheels, or there would be no end to it."""
        if not texts:
            return ()
        target = Target(platform, self.context.config.python)
        required = make_requirement_set(f"building {source.label}", texts, f"what building {source.label} requires")
        request = ResolutionRequest([required], target, self.context.as_of, index_config=self.context.index_config)
        try:
            pylock = compile_pylock(request, self.workspace.paths.cache)
        except PycomfyError as e:
            for problem in flatten_errors(e):
                if isinstance(problem, NoMatchingDistribution | ResolutionImpossible):
                    table = f"[wheels.{canonicalize_name(source.name)}]"
                    problem.fixes = (f'name build requirements that have wheels: {table} requires = ["NAME==…"]',)
            raise
        return tuple(map(public_wheel, choose_wheels(pylock, platform, self.context.config.python)))

    def _root(self, platform: PlatformName, *, compilers: bool = False) -> Root:
        key = platform, compilers
        if key not in self._roots:
            more: tuple[str, ...] = ()
            if compilers:
                libraries = sorted({name for section in self._sections.values() for name in section.apt})
                more = (*compiler_packages(self.context.config.python), *libraries)
            self._roots[key] = self.context.pin_root(platform, more)
        if compilers:
            self.compilers[platform] = self._roots[key]
        return self._roots[key]

    # — builds —

    def _build(self, recipe: BuildRecipe, source: SourcePackage, hints: BuildHints, log: Path) -> Path | BuildHints:
        """The wheel, or what the build turned out to need."""
        settings = self.workspace.nix
        check_store(settings)
        with operation.step("Build wheels") as task:
            task.note(f"{recipe.name} {recipe.version}")
            self._supply(recipe)
            try:
                return build_recipe(recipe, self.workspace.paths, settings, log, lambda event: None)
            except BuildFailed as e:
                better = self._extend_hints(hints, source, log)
                if better == hints:
                    raise explain_failure(e, source, recipe.platform, log) from e
            # Not a failure: the build is repeated with that.
            missing = better.requires[len(hints.requires) :] or ("a compiler",)
            task.note(f"{recipe.name} {recipe.version} needs {', '.join(missing)}")
            return better

    def _supply(self, recipe: BuildRecipe) -> None:
        """Add to the store what is here already, and what Nix cannot fetch."""
        settings, architecture = self.workspace.nix, recipe.platform.removeprefix("linux/")
        roots = {f"debian-root-{architecture}": recipe.root}
        if recipe.compilers is not None:
            roots[f"debian-compilers-{architecture}"] = recipe.compilers
        for name, root in roots.items():
            add_tree(settings, name, root.tree, partial(self._make_root, root, recipe.platform))
        source = recipe.build.source
        if isinstance(source, TreeSource):
            add_tree(settings, source_name(source), source.tree, partial(self._make_tree, source))
        else:
            file = fetch(source.url, source.sha256, name=source.name, cache=self.workspace.paths.cache)
            add_file(settings, source.name, source.sha256, file)
        for wheel in recipe.build.requires:
            if wheel.is_local:
                add_file(settings, wheel.filename, wheel.sha256, Path(wheel.url))

    def _make_root(self, root: Root, platform: PlatformName, out: Path) -> None:
        make_root(root, platform, out, self.workspace.paths)

    def _make_tree(self, source: TreeSource, out: Path) -> None:
        write_tree_of(source, self.context.base, out, self.workspace.paths)

    def _extend_hints(self, hints: BuildHints, source: SourcePackage, log: Path) -> BuildHints:
        """The hints, with what the log of a failed build says about its requirements."""
        lines = read_log(log, source.name)
        if needs := [text for text in parse_build_requirements(lines) if text not in hints.requires]:
            return replace(hints, requires=(*hints.requires, *needs))
        return replace(hints, compiler=hints.compiler or needs_compiler(lines))


def public_wheel(wheel: Wheel) -> Wheel:
    """Return a wheel as a lock names it: on this disk by its path, elsewhere without a login."""
    path = local_path(wheel.url)
    if path is None:
        return wheel.model_copy(update={"url": strip_logins(wheel.url)})
    return wheel.model_copy(update={"url": str(path), "size": path.stat().st_size})
