"""The shared libraries that a built image's modules need and it lacks: told before anything is started."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layer_libraries import read_libraries
from pycomfy.adapters.containers.load import read_layout
from pycomfy.adapters.debian.packages import library_packages
from pycomfy.core.debian.shared_libraries import MissingLibrary, find_missing_libraries
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.lockfile.toml import render_list
from pycomfy.services.workspace import Workspace

MAX_TOLD = 10


def report_missing_libraries(
    workspace: Workspace, lock: Lock, platform: PlatformName, oci: Path, apt: Sequence[str]
) -> tuple[MissingLibrary, ...]:
    """What the image at `oci` lacks, each with the line that adds its package to the `apt` of pycomfy.toml; said too.

    A layer is read once, in place. Nothing is sure to fail for it: a module may never be imported, which the proof
    shows.
    """
    with operation.step("Look for missing libraries") as task:
        layers = read_libraries(read_layout(oci), workspace.paths)
        packages = library_packages(lock.platforms[platform].root.suite, platform, workspace.paths)
        names = {name for layer in layers for name in layer.names}
        found = find_missing_libraries([library for layer in layers for library in layer.libraries], names, packages)
        line = _line(apt, [one.package for one in found if one.package])
        lacking = tuple(dataclasses.replace(one, line=_line(apt, [one.package])) for one in found)
        task.note(f"{len(lacking)} missing" if lacking else "none missing")
    for one in lacking[:MAX_TOLD]:
        via = f", by way of {one.via.rpartition('/')[2]}" if one.via else ""
        operation.report(
            f"note: {one.owner} needs {one.soname} ({one.path}{via}), which is not in the image; {_where(one)}"
        )
    if len(lacking) > MAX_TOLD:
        operation.report(f"note: and {len(lacking) - MAX_TOLD} more libraries")
    if lacking:
        operation.report(f"  to add what is missing, write at the top of pycomfy.toml, and lock again: {line}")
    return lacking


def _where(lacking: MissingLibrary) -> str:
    if not lacking.package:
        return "no Debian package is called like it"
    return f"Debian's {lacking.package} has it" if lacking.known else f"perhaps Debian's {lacking.package} has it"


def _line(apt: Sequence[str], packages: Sequence[str]) -> str:
    """The line of pycomfy.toml."""
    return render_list("apt", dict.fromkeys([*apt, *sorted({*packages} - {""})]))
