"""Which packages have to be built from source: those that say where they are, and those of which no index has a wheel.

uv resolves with wheels alone. Of a package without any it is told which versions there are, by empty wheels that stand
for them; of the one it takes the wheel is built, and with this all is resolved again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.python.resolver import compile_pylock
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
    """A `pylock.toml`, and the wheels that no index has, by name; of those that were built, `built` says how."""

    pylock: Mapping[str, Any]
    made: Mapping[str, Wheel]

    def of(self, wheel: Wheel) -> Wheel | None:
        """The one of those that a wheel of the `pylock.toml` is."""
        made = self.made.get(wheel.name)
        return made if made is not None and made.sha256 == wheel.sha256 else None


def resolve_with_sdists(question: ResolutionRequest, builder: WheelBuilder) -> SdistResolution:
    """uv's answer to `question`, with every wheel built that it lacks. Raises what `compile_pylock` and
    `WheelBuilder.make` raise, and `ResolutionImpossible` for a package that is said to be in two places."""
    with TemporaryDirectory(prefix="pycomfy-wheels-") as folder:
        round_ = _Round(question, builder, Path(folder))
        round_.take_direct()
        return round_.run()


@dataclass
class _Round:
    question: ResolutionRequest
    builder: WheelBuilder
    folder: Path
    made: dict[str, Wheel] = field(default_factory=dict)
    given: dict[str, LocalWheel] = field(default_factory=dict)
    sdists: dict[str, list[Sdist]] = field(default_factory=dict)
    why: dict[str, NoMatchingDistribution] = field(default_factory=dict)

    @property
    def platform(self) -> PlatformName:
        return self.question.target.platform

    # — packages that say where they are —

    def take_direct(self) -> None:
        """Build or fetch them; the question then asks for them by name."""
        wants: list[RequirementSet] = []
        places: dict[str, tuple[DirectReference, str]] = {}
        problems: list[PycomfyError] = []
        for one in self.question.requirement_sets:
            asked: list[RequirementLine] = []
            for a in one.requirements:
                if a.direct_reference is None:
                    asked.append(a)
                elif self._applies(a.direct_reference):
                    said = f"{one.origin} requires {a.text} ({a.where})"
                    try:
                        name = self._take(a.direct_reference, said, places)
                    except PycomfyError as e:
                        problems += flatten_errors(e)
                        continue
                    asked.append(RequirementLine(a.direct_reference.requirement(name), name, a.where))
            wants.append(replace(one, requirements=tuple(asked)))
        raise_all(problems)
        self.question = replace(self.question, requirement_sets=tuple(wants))

    def _applies(self, direct: DirectReference) -> bool:
        return not direct.marker or Marker(direct.marker).evaluate(self.question.target.environment())

    def _take(self, direct: DirectReference, said: str, places: dict[str, tuple[DirectReference, str]]) -> str:
        """The name of a package, whose wheel is there then."""
        plain = replace(direct, extras=(), marker="", name="")
        for name, (there, _) in places.items():
            if there == plain:
                return name
        if direct.kind == "wheel":
            found, file = pin_direct_wheel(direct, self.builder.workspace.paths)
            wheel = public_wheel(found)
        else:
            base, workspace = self.builder.place.base, self.builder.workspace
            wheel, file = self.builder.make(pin_direct(direct, said, base, workspace.paths), self.platform)
        name = str(canonicalize_name(wheel.name))
        if direct.name and canonicalize_name(direct.name) != name:
            raise ResolutionImpossible(
                f"the package there is {name}, and not {direct.name}", where=said, fix=f"call it {name}, if it is meant"
            )
        if name in places:
            raise ResolutionImpossible(
                f"{name} is wanted from two places",
                where=f"{places[name][1]}; {said}",
                fix="replace the requirements of one of them by ones of your own: [packs.…] requirements = […]",
            )
        places[name] = plain, said
        self.made[name] = wheel
        self.given[name] = LocalWheel(wheel.filename, file, required=True)
        return name

    # — packages that exist as source only —

    def run(self) -> SdistResolution:
        for package in sorted(self.builder.place.config.wheels):
            if (plain := canonicalize_name(package)) not in self.made:
                self._look_for(plain, even_with_wheels=True)
        for _ in range(MAX_ROUNDS):
            pylock = self._ask()
            if pylock is None:
                continue
            chosen = self._to_build(pylock)
            if not chosen:
                used = {canonicalize_name(str(p.get("name"))) for p in pylock.get("packages", ())}
                made = {name: wheel for name, wheel in self.made.items() if name in used}
                return SdistResolution(with_built_wheels(pylock, made), made)
            for name, sdist in chosen:
                where = self.why[name].where if name in self.why else "the Python requirements"
                wheel, file = self.builder.make(
                    pin_sdist(name, sdist, where, self.builder.workspace.paths), self.platform
                )
                self.made[name] = wheel
                self.given[name] = LocalWheel(wheel.filename, file)
        raise ResolutionImpossible(
            f"no end to the packages that have to be built: {', '.join(sorted(self.made))}",
            where=f"the Python packages for {self.platform}",
            fix="name versions that have wheels in pycomfy.toml: overrides = […]",
        )

    def _ask(self) -> dict[str, Any] | None:
        """uv's answer; None if there is more to tell it before it can answer."""
        given = [*self.given.values(), *self._stand_ins()]
        try:
            return compile_pylock(replace(self.question, local_wheels=given), self.builder.workspace.paths.cache)
        except PycomfyError as e:
            problems = flatten_errors(e)
            lacking = [
                p for p in problems if isinstance(p, NoMatchingDistribution) and p.package not in {"", *self.sdists}
            ]
            for problem in lacking:
                self.why[problem.package] = problem
                self._look_for(problem.package)
            # What exists neither as wheel nor as source cannot be mended by asking again.
            if not lacking or not any(self.sdists[p.package] for p in lacking):
                raise
            raise_all([p for p in lacking if not self.sdists[p.package]])
            return None

    def _look_for(self, name: str, *, even_with_wheels: bool = False) -> None:
        index_config, as_of = self.question.index_config, self.question.as_of
        dated = name not in self.question.undated and (
            name not in index_config.reserved or index_config.reserved[name].dated
        )
        found = list_sdists(name, find_indexes(name, index_config), self.question.target, as_of if dated else None)
        self.sdists[name] = [s for s in found if even_with_wheels or not s.wheel]

    def _stand_ins(self) -> Iterable[LocalWheel]:
        for name, sdists in self.sdists.items():
            for sdist in sdists if name not in self.made else ():
                filename, data = make_placeholder_wheel(name, str(sdist.version), sdist.requires_python)
                path = self.folder / filename
                if not path.exists():
                    path.write_bytes(data)
                yield LocalWheel(filename, path)

    def _to_build(self, pylock: Mapping[str, Any]) -> Sequence[tuple[str, Sdist]]:
        """The sources of the versions that uv took by what stands for them."""
        taken = {str(canonicalize_name(str(p.get("name")))): str(p.get("version")) for p in pylock.get("packages", ())}
        return [
            (name, sdist)
            for name, sdists in sorted(self.sdists.items())
            for sdist in sdists
            if name not in self.made and taken.get(name) == str(sdist.version)
        ]
