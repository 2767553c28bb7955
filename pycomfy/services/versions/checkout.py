"""`checkout`: a version as a folder to go on working in."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.versions.repository import Version
from pycomfy.core.versions.checkout_files import local_sources, working_files
from pycomfy.errors import BadInput
from pycomfy.services.versions.diff import read_version
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class CheckedOut:
    """`files` are those that were written; `local` the paths of sources that lie in a folder of somebody's machine,
    which the library does not hold."""

    version: Version
    files: tuple[Path, ...]
    local: dict[str, str]


def checkout(workspace: Workspace, reference: str, to: Path, *, force: bool = False) -> CheckedOut:
    """Write a version's workflow, lock and pycomfy.toml to the folder `to`: building it unchanged is that version.

    Raises `NotFound`, and `BadInput` for files that are there and differ, unless `force`.
    """
    library = workspace.versions
    version = library.find(reference)
    files = working_files(version.name, read_version(library, version), library.read_files(version.commit))
    there = [name for name, data in files.items() if _differs(to / name, data)]
    if there and not force:
        fix = "give another folder, or --force to replace them"
        raise BadInput(f"there are other files already: {', '.join(there)}", where=str(to), fix=fix)
    for name, data in files.items():
        write_file(to / name, data)
    local = local_sources(read_version(library, version).lock)
    return CheckedOut(version, tuple(to / name for name in files), local)


def _differs(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() != data
    except FileNotFoundError:
        return False
    except OSError:
        return True
