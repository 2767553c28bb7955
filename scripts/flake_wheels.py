"""Write flake/wheels.json: the wheels of uv.lock that the flake's package is made of.

    .venv/bin/python scripts/flake_wheels.py

nixpkgs pins its own versions of Python packages, and none of those that Nix 2.8 can evaluate has versions as new as
pyproject.toml asks for. So the package has wheels of the versions that a release is tested with, and of nixpkgs
the interpreter alone.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
OUT = ROOT / "flake" / "wheels.json"
PYTHON = (3, 13)
"""The Python of the package. Every nixpkgs since 25.05 has it, and Hydra, NixOS's build farm, builds it."""

SYSTEMS = {"x86_64-linux": "x86_64", "aarch64-linux": "aarch64"}
NEWEST_GLIBC = 40  # of 2.40, nixpkgs 25.05's


def tags(machine: str) -> list[Tag]:
    """Return the tags that fit, best first."""
    glibcs = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, 16, -1)]
    platforms = [*glibcs, f"manylinux2014_{machine}", f"linux_{machine}"]
    interpreter = f"cp{PYTHON[0]}{PYTHON[1]}"
    return [*cpython_tags(PYTHON, platforms=platforms), *compatible_tags(PYTHON, interpreter, platforms)]


def closure(lock: Mapping[str, Any], needs: list[Requirement], machine: str) -> list[dict[str, Any]]:
    """Return the packages of `needs` and of all that they depend on, by name."""
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON[0]}.{PYTHON[1]}.0",
        "python_version": f"{PYTHON[0]}.{PYTHON[1]}",
        "sys_platform": "linux",
        "extra": "",
    }
    packages = {package["name"]: package for package in lock["package"]}
    found: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()
    queue = [(canonicalize_name(need.name), extra) for need in needs for extra in ("", *need.extras)]
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        package = found[name] = packages[name]
        optional = package.get("optional-dependencies", {})
        for need in optional.get(extra, []) if extra else package.get("dependencies", []):
            if "marker" not in need or Marker(need["marker"]).evaluate(environment):
                queue += [(need["name"], one) for one in ("", *need.get("extra", []))]
    return [found[name] for name in sorted(found)]


def choose(package: Mapping[str, Any], ranks: Mapping[Tag, int]) -> dict[str, str]:
    """Return the wheel that fits best. Raises `ValueError` if none does."""

    def fitting() -> Iterator[tuple[int, str, dict[str, str]]]:
        for wheel in package["wheels"]:
            filename = wheel["url"].rsplit("/", 1)[1]
            rank = min((ranks[tag] for tag in parse_wheel_filename(filename)[3] if tag in ranks), default=None)
            if rank is not None:
                yield rank, filename, wheel

    best = min(fitting(), key=lambda one: one[:2], default=None)
    if best is None:
        raise ValueError(f"{package['name']} {package['version']} has no wheel for Python {PYTHON}")
    _, filename, wheel = best
    digest = wheel["hash"].removeprefix("sha256:")
    return {"name": filename, "url": wheel["url"], "sha256": digest}


def render() -> str:
    """Return the file's text."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [Requirement(line) for line in project["dependencies"]]
    wheels = {}
    for system, machine in SYSTEMS.items():
        ranks: dict[Tag, int] = {}
        for rank, tag in enumerate(tags(machine)):
            ranks.setdefault(tag, rank)
        wheels[system] = [choose(package, ranks) for package in closure(lock, needs, machine)]
    return json.dumps({"python": ".".join(map(str, PYTHON)), "wheels": wheels}, indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(render())
