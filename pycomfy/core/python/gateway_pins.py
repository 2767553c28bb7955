"""The packages that this release's gateway runs with: exact versions, and the SHA-256 of every file of each."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.requirements import RequirementSet, parse_requirements
from pycomfy.core.python.wheel_selection import Target, rank_tags
from pycomfy.errors import HashMismatch, PycomfyError, raise_all

FILE = "requirements.txt"
"""The gateway's file with the pins. It is uv's export of the dependency group `gateway`, for every platform."""

ORIGIN = "the gateway"

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


@dataclass(frozen=True)
class GatewayPins:
    """`hashes` are those of each package's files, by its normalised name."""

    requirements: RequirementSet
    hashes: Mapping[str, frozenset[str]]

    def versions(self, target: Target) -> dict[str, str]:
        """Return the version of each package that `target` needs, by its name."""
        found: dict[str, str] = {}
        for line in self.requirements.requirements:
            requirement = Requirement(line.text)
            if _applies(requirement.marker, target):
                (specifier,) = requirement.specifier
                found[line.name] = specifier.version
        return found

    def are_met(self, wheels: Iterable[Wheel], target: Target) -> bool:
        """Return whether `wheels` are files of exactly these packages, and run on `target`."""
        pinned = {w.name: w for w in wheels}
        if {name: w.version for name, w in pinned.items()} != self.versions(target):
            return False
        ranks = rank_tags(target)
        return all(
            w.sha256 in self.hashes[name] and not ranks.keys().isdisjoint(parse_wheel_filename(w.filename)[3])
            for name, w in pinned.items()
        )

    def without_others(self, pylock: Mapping[str, Any]) -> dict[str, Any]:
        """Return uv's answer without the files that the release does not list. Raises `HashMismatch` for every package
        that is left without any: the index has others under the same version."""
        packages: list[dict[str, Any]] = []
        problems: list[PycomfyError] = []
        for package in pylock.get("packages", ()):
            name = canonicalize_name(str(package.get("name")))
            entries = package.get("wheels", ())
            wheels = [entry for entry in entries if self._lists(name, entry)]
            packages.append({**package, "wheels": wheels})
            if entries and not wheels:
                problems.append(_others(name, str(package.get("version"))))
        raise_all(problems)
        return {**pylock, "packages": packages}

    def _lists(self, name: str, entry: Mapping[str, Any]) -> bool:
        return str(entry.get("hashes", {}).get("sha256", "")).lower() in self.hashes.get(name, ())


def parse_gateway_pins(text: str) -> GatewayPins:
    """Read the file: lines of `name==version`, with markers and hashes."""
    requirements = parse_requirements(ORIGIN, {FILE: text})
    hashes: dict[str, frozenset[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.partition(" --hash")[0].partition("#")[0].strip()
        if plain:
            hashes[canonicalize_name(Requirement(plain).name)] = frozenset(_HASH.findall(line))
    return GatewayPins(requirements, hashes)


def _applies(marker: Marker | None, target: Target) -> bool:
    return marker is None or marker.evaluate(target.environment())


def _others(name: str, version: str) -> HashMismatch:
    return HashMismatch(
        f"{name} {version} has other files in the package index than those that this pycomfy lists for the gateway",
        where="the Python packages of the gateway",
        fix="use the public index, or a mirror of it",
    )
