"""1,000 versions that differ in the workflow alone: what they cost, and how fast they are listed.

`python -m benchmarks.bench_versions [VERSIONS]`. The project is the example's, if it was built here.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.table import Row, machine, render
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import WorkflowPin, parse_lock, render_lock
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.errors import NotFound
from pycomfy.services.versions.diff import diff
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.log import log
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files

PYCOMFY = Path(sys.executable).with_name("pycomfy")

NOTE = "Rows with “as a command” are what a user waits for; all others measure inner functions.\n"


def rows(count: int = 1000) -> list[Row]:
    """What `count` versions cost, in time and room."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder), Path(folder, "cache"))
        began = time.monotonic()
        fill(paths, count)
        commit = (time.monotonic() - began) / count
        reindex = _time(lambda: index(Workspace(paths)), 1)
        return [
            Row("a version committed", commit * 1000, unit="ms"),
            Row(f"{count} versions, repository and database", _size(Path(folder)) / 1e6, goal="under 50 MB", unit="MB"),
            Row(f"reindex of {count} versions", reindex),
            Row(f"log of {count} versions", _time(lambda: log(Workspace(paths), "bench"), 5), goal="under 0.3 s"),
            Row("the same as a command", _command(paths, "log", "bench", "--json"), goal="under 0.3 s"),
            Row(
                "diff of the first and the last",
                _time(lambda: diff(Workspace(paths), "bench@1", "bench"), 5),
                goal="under 0.3 s",
            ),
            Row("the same as a command", _command(paths, "diff", "bench@1", "bench", "--json"), goal="under 0.3 s"),
        ]


def fill(paths: Paths, count: int) -> None:
    """Make so many versions of the workflow `bench`."""
    repository, files = VersionsRepository(versions_repository_path(paths)), _project()
    for number in range(count):
        version = repository.commit(
            "bench", _edited(files, number), created_at=datetime.now(UTC), message=f"no. {number}"
        ).version
        repository.add_image(version.tree, _image(number))


def _project() -> Mapping[str, bytes]:
    """The example's project, else a small one."""
    repository = VersionsRepository(versions_repository_path(find_paths()))
    try:
        return repository.read_files(repository.find("hello").commit)
    except NotFound:
        return make_files("bench")


def _edited(files: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """The project after an edit: a value in the workflow and in its prompt, and so the lock's pin of the workflow."""
    made = dict(files)
    for name in ("workflow.json", "prompt.json"):
        value = json.loads(made[name])
        value["bench"] = {"class_type": "Note", "inputs": {"text": hashlib.sha256(b"%d" % number).hexdigest()}}
        made[name] = json.dumps(value, indent=1).encode()
    pin = WorkflowPin(sha256=hashlib.sha256(made["workflow.json"]).hexdigest())
    lock = parse_lock(made["pycomfy.lock"].decode()).model_copy(update={"workflow": pin, "name": "bench"})
    return {**made, "pycomfy.lock": render_lock(lock).encode()}


def _image(number: int) -> BuiltImage:
    digests = tuple(f"sha256:{hashlib.sha256(b'%d' % n).hexdigest()}" for n in (*range(24), 1000 + number))
    return BuiltImage(
        platform="linux/amd64",
        manifest_digest=digests[-1],
        config_digest=digests[-1],
        diff_ids=digests,
        layer_names=tuple(f"layer-{n}" for n in range(25)),
        size=8_000_000_000,
        built_at="2026-01-01T00:00:00Z",
        seconds=1.0,
        layers_built=1,
        layers_reused=24,
    )


def _time(action: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of so many times."""
    found = []
    for _ in range(times):
        began = time.monotonic()
        action()
        found.append(time.monotonic() - began)
    return min(found)


def _command(paths: Paths, *arguments: str) -> float:
    environment = {**os.environ, "PYCOMFY_HOME": str(paths.data)}
    command = [str(PYCOMFY), *arguments]
    return _time(lambda: subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL), 5)


def _size(folder: Path) -> int:
    """Bytes on the disk, as `du` counts."""
    return sum(f.lstat().st_blocks * 512 for f in folder.rglob("*"))


if __name__ == "__main__":
    print(f"{machine()}\n")
    print(render("Versions", rows(*map(int, sys.argv[1:2])), "—", NOTE))
