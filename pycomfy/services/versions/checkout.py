"""`checkout`: write a version to a folder to go on working in."""

from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.sources.config_fingerprint import save_config_fingerprint
from pycomfy.core.versions.checkout_files import local_sources, working_files
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.errors import BadInput, suggest
from pycomfy.services.lock_request import LockRequest, read_config_fingerprint
from pycomfy.services.versions.diff import read_version
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class CheckoutResult(VersionResult):
    """`files` are those that were written. `local_sources` are the paths of sources in a folder of somebody's machine,
    by name; the versions repository does not hold them."""

    files: tuple[Path, ...]
    local_sources: dict[str, str]


def checkout(workspace: Workspace, reference: str, to: Path, *, force: bool = False) -> CheckoutResult:
    """Write a version's workflow, lock and pycomfy.toml to the folder `to`. Built unchanged, they are that version.

    Raises `NotFound`; `BadInput` if files are there and differ, unless `force`.
    """
    versions = workspace.versions
    version = versions.find(reference)
    snapshot = read_version(versions, version)
    files = working_files(version.name, snapshot, versions.read_files(version.commit))
    there = [name for name, data in files.items() if _differs(to / name, data)]
    if there and not force:
        raise BadInput(
            f"there are other files already: {', '.join(there)}",
            where=str(to),
            fix=("give another folder", suggest("retry", "replaces them", force=True)),
        )
    for name, data in files.items():
        write_file(to / name, data)
    # Unchanged, it is built from its lock, also where that was made with another pycomfy.toml.
    save_config_fingerprint(files[LOCK].decode(), read_config_fingerprint(LockRequest(to / WORKFLOW)), workspace.paths)
    return CheckoutResult(
        name=version.name,
        version=version.number,
        commit=version.commit,
        files=tuple(to / name for name in files),
        local_sources=local_sources(snapshot.lock),
    )


def _differs(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() != data
    except FileNotFoundError:
        return False
    except OSError:
        return True
