"""Report the shared libraries that a built image's modules need and it does not have, before it is started."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layer_libraries import read_libraries
from pycomfy.adapters.containers.layer_wheels import read_misrecorded
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.debian.packages import shared_library_packages
from pycomfy.core.debian.shared_libraries import MissingLibrary, find_missing_libraries
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.lockfile.toml import at_top, render_list
from pycomfy.services.workspace import Workspace

MAX_REPORTED = 10


def report_misrecorded(oci: Path) -> None:
    """Report the wheels whose list of files is wrong: they are installed all the same, as pip does."""
    if found := read_misrecorded(read_layout(oci)):
        operation.report(
            f"note: the RECORD of {', '.join(found)} does not describe its files; they are installed as pip would do "
            "it, since the wheel itself has the hash of the lock"
        )


def report_missing_libraries(
    workspace: Workspace, lock: Lock, platform: PlatformName, oci: Path, apt: Sequence[str]
) -> tuple[MissingLibrary, ...]:
    """Return and report what the image at `oci` lacks, each with the line that adds its package to the `apt` of
    pycomfy.toml.

    Each layer is read once, in place. A missing library is only a note: the module that needs it may never be imported,
    which starting the image shows.
    """
    with operation.step("Look for missing libraries") as task:
        layers = read_libraries(read_layout(oci), workspace.paths)
        packages = shared_library_packages(lock.platforms[platform].root.suite, platform, workspace.paths)
        names = {name for layer in layers for name in layer.names}
        found = find_missing_libraries([library for layer in layers for library in layer.libraries], names, packages)
        line = _render_line(apt, [one.package for one in found if one.package])
        missing = tuple(dataclasses.replace(one, line=_render_line(apt, [one.package])) for one in found)
        task.note(f"{len(missing)} missing" if missing else "none missing")
    for one in missing[:MAX_REPORTED]:
        via = f", through {one.via.rpartition('/')[2]}" if one.via else ""
        operation.report(
            f"note: {one.owner} needs {one.soname} ({one.path}{via}), which is not in the image; {_explain(one)}"
        )
    if len(missing) > MAX_REPORTED:
        operation.report(f"note: and {len(missing) - MAX_REPORTED} more libraries")
    if missing:
        where = at_top(line, "apt" if apt else "", ", and lock again")
        operation.report(f"  to add what is missing, write {where}")
    return missing


def _explain(missing: MissingLibrary) -> str:
    if not missing.package:
        return "no Debian package has a similar name"
    return f"Debian's {missing.package} has it" if missing.known else f"perhaps Debian's {missing.package} has it"


def _render_line(apt: Sequence[str], packages: Sequence[str]) -> str:
    """The line of pycomfy.toml with these packages."""
    return render_list("apt", dict.fromkeys([*apt, *sorted({*packages} - {""})]))
