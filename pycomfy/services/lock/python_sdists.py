"""Resolve Python packages where some have to be built from source: direct references, and those without any wheel.

uv resolves with wheels only. For a package without any it gets its versions as placeholder wheels; the version that it
chooses is built, and everything is resolved again with the built wheel.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.python.resolver import compile_pylock, explain_conflict
from pycomfy.adapters.python.simple_index import Sdist, find_indexes, list_sdists
from pycomfy.adapters.python.uv_request import LocalWheel, ResolutionRequest
from pycomfy.adapters.sources.sdist import pin_direct, pin_direct_wheel, pin_sdist
from pycomfy.core.lockfile.direct_references import DirectReference
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.build_recipe import make_placeholder_wheel, with_built_wheels
from pycomfy.core.python.requirements import RequirementLine, RequirementSet
from pycomfy.errors import NoMatchingDistribution, PycomfyError, ResolutionImpossible, raise_all
from pycomfy.services.lock.wheel_builder import WheelBuilder, public_wheel

MAX_ROUNDS = 20


@dataclass(frozen=True)
class SdistResolution:
    """A `pylock.toml`, and the wheels that no index has, by name; `built` of a wheel says how it was built."""

    pylock: Mapping[str, Any]
    made: Mapping[str, Wheel]

    def find_made(self, wheel: Wheel) -> Wheel | None:
        """Return the wheel among `made` that a wheel of the `pylock.toml` is."""
        made = self.made.get(wheel.name)
        return made if made is not None and made.sha256 == wheel.sha256 else None


def resolve_with_sdists(request: ResolutionRequest, builder: WheelBuilder) -> SdistResolution:
    """Return uv's answer, with every wheel built that has to be. Raises what `compile_pylock` and `WheelBuilder.make`
    raise, and `ResolutionImpossible` for a package with two direct references."""
    with scratch_folder() as folder:
        resolver = _Resolver(request, builder, Path(folder))
        resolver.make_direct_references()
        return resolver.run()


@dataclass
class _Resolver:
    """`made` are the wheels that were built or fetched, `local_wheels` the same for uv; `sdists` the versions of
    packages without wheels; `reasons` uv's errors that name those packages."""

    request: ResolutionRequest
    builder: WheelBuilder
    folder: Path
    made: dict[str, Wheel] = field(default_factory=dict)
    local_wheels: dict[str, LocalWheel] = field(default_factory=dict)
    sdists: dict[str, list[Sdist]] = field(default_factory=dict)
    reasons: dict[str, NoMatchingDistribution] = field(default_factory=dict)

    @property
    def platform(self) -> PlatformName:
        return self.request.target.platform

    # — direct references —

    def make_direct_references(self) -> None:
        """Build or fetch them; the request then requires the packages by name."""
        sets: list[RequirementSet] = []
        seen: dict[str, tuple[DirectReference, str]] = {}
        problems: list[PycomfyError] = []
        for one in self.request.requirement_sets:
            lines: list[RequirementLine] = []
            for line in one.requirements:
                if line.direct_reference is None:
                    lines.append(line)
                elif self._applies(line.direct_reference):
                    origin = f"{one.origin} requires {line.text} ({line.where})"
                    try:
                        name = self._make_direct(line.direct_reference, origin, seen)
                    except PycomfyError as e:
                        problems += flatten_errors(e)
                        continue
                    lines.append(RequirementLine(line.direct_reference.requirement(name), name, line.where))
            sets.append(replace(one, requirements=tuple(lines)))
        raise_all(problems)
        self.request = replace(self.request, requirement_sets=tuple(sets))

    def _applies(self, direct: DirectReference) -> bool:
        return not direct.marker or Marker(direct.marker).evaluate(self.request.target.environment())

    def _make_direct(self, direct: DirectReference, origin: str, seen: dict[str, tuple[DirectReference, str]]) -> str:
        """Make the wheel of a direct reference, and return the package's name. `seen` are the references so far, by
        name, each with its origin."""
        plain = replace(direct, extras=(), marker="", name="")
        for name, (other, _) in seen.items():
            if other == plain:
                return name
        if direct.kind == "wheel":
            found, file = pin_direct_wheel(direct, self.builder.workspace.paths)
            wheel = public_wheel(found)
        else:
            base, workspace = self.builder.context.base, self.builder.workspace
            wheel, file = self.builder.make(pin_direct(direct, origin, base, workspace.paths), self.platform)
        name = str(canonicalize_name(wheel.name))
        if direct.name and canonicalize_name(direct.name) != name:
            what = f"the package there is {name}, and not {direct.name}"
            raise ResolutionImpossible(what, where=origin, fix=f"call it {name}, if it is meant")
        if name in seen:
            raise ResolutionImpossible(
                f"{name} is required from two different locations",
                where=f"{seen[name][1]}; {origin}",
                fix="replace the requirements of one origin in pycomfy.toml: [packs.…] requirements = […]",
            )
        seen[name] = plain, origin
        self.made[name] = wheel
        self.local_wheels[name] = LocalWheel(wheel.filename, file, required=True)
        return name

    # — packages that exist as source only —

    def run(self) -> SdistResolution:
        """Resolve and build until every package has a wheel."""
        for package in sorted(self.builder.context.config.wheels):
            if (plain := canonicalize_name(package)) not in self.made:
                self._find_sdists(plain, even_with_wheels=True)
        for _ in range(MAX_ROUNDS):
            pylock = self._resolve()
            if pylock is None:
                continue
            chosen = self._list_chosen_sdists(pylock)
            if not chosen:
                used = {canonicalize_name(str(p.get("name"))) for p in pylock.get("packages", ())}
                made = {name: wheel for name, wheel in self.made.items() if name in used}
                return SdistResolution(with_built_wheels(pylock, made), made)
            for name, sdist in chosen:
                where = self.reasons[name].where if name in self.reasons else "the Python requirements"
                source = pin_sdist(name, sdist, where, self.builder.workspace.paths)
                wheel, file = self.builder.make(source, self.platform)
                self.made[name] = wheel
                self.local_wheels[name] = LocalWheel(wheel.filename, file)
        raise ResolutionImpossible(
            f"too many packages have to be built, one after another: {', '.join(sorted(self.made))}",
            where=f"the Python packages for {self.platform}",
            fix="name versions that have wheels in pycomfy.toml: overrides = […]",
        )

    def _resolve(self) -> dict[str, Any] | None:
        """uv's answer; None if it has to run again, with sources that were found now."""
        wheels = [*self.local_wheels.values(), *self._make_placeholders()]
        request = replace(self.request, local_wheels=wheels)
        try:
            return compile_pylock(request, self.builder.workspace.paths.cache)
        except PycomfyError as e:
            problems = flatten_errors(e)
            missing = [
                p for p in problems if isinstance(p, NoMatchingDistribution) and p.package not in {"", *self.sdists}
            ]
            for problem in missing:
                self.reasons[problem.package] = problem
                self._find_sdists(problem.package)
            # Asking again cannot help a package that has neither wheel nor source.
            helpless = [p for p in missing if not self.sdists[p.package]]
            if not missing or helpless:
                named = any(isinstance(p, NoMatchingDistribution) and p.package for p in problems)
                if named and (conflict := explain_conflict(request, self.builder.workspace.paths.cache)) is not None:
                    raise conflict from e
                if not missing or len(helpless) == len(missing):
                    raise
                raise_all(helpless)
            return None

    def _find_sdists(self, name: str, *, even_with_wheels: bool = False) -> None:
        config, as_of = self.request.index_config, self.request.as_of
        dated = name not in self.request.undated and (name not in config.reserved or config.reserved[name].dated)
        found = list_sdists(name, find_indexes(name, config), self.request.target, as_of if dated else None)
        self.sdists[name] = [s for s in found if even_with_wheels or not s.wheel]

    def _make_placeholders(self) -> Iterable[LocalWheel]:
        for name, sdists in self.sdists.items():
            for sdist in sdists if name not in self.made else ():
                filename, data = make_placeholder_wheel(name, str(sdist.version), sdist.requires_python)
                path = self.folder / filename
                if not path.exists():
                    path.write_bytes(data)
                yield LocalWheel(filename, path)

    def _list_chosen_sdists(self, pylock: Mapping[str, Any]) -> Sequence[tuple[str, Sdist]]:
        """The sources of the placeholder wheels that uv chose."""
        chosen = {str(canonicalize_name(str(p.get("name")))): str(p.get("version")) for p in pylock.get("packages", ())}
        return [
            (name, sdist)
            for name, sdists in sorted(self.sdists.items())
            for sdist in sdists
            if name not in self.made and chosen.get(name) == str(sdist.version)
        ]
