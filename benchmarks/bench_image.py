"""The example's image: what a user waits for, from the command to its end, beside a Dockerfile of the same content.

pycomfy is measured by its commands, in a Nix store, a home folder and a Podman of their own. The Dockerfile is built by
Buildah, with `uv pip install`, and started by Podman until ComfyUI answers, with a storage of their own. Both start
when everything is fetched: from the same wheels, and from the same Debian root, which is the Dockerfile's base image.
Both compile bytecode; pycomfy does not in folders `tests`, a quarter of that work.

Needs 22 GB of disk below TMPDIR, 36 GB for the row of `pycomfy load`, which is left out otherwise; to be root; and a
Nix that does not lie in /nix itself, as Debian's. `python -m benchmarks.bench_image` prints the table alone.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.image import dockerfile
from benchmarks.image.example import BEFORE, FIRST, SMALL, Example, change_pack
from benchmarks.image.ours import Ours
from benchmarks.image.place import Place, forget_pages, remove, timed
from benchmarks.image.sources import Sources, fetch
from benchmarks.table import Row, machine, render
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.core.lockfile.schema import Lock

NEEDS = 22e9
"""Bytes of disk: what is fetched, and twice the image while Buildah commits it."""

NEEDS_TO_LOAD = 28e9
"""Bytes of disk for `podman load`, which keeps the tar, its parts and the layers at the same time."""

EDITS = 3
"""How often the node pack is changed; the figure is the median."""

PAUSE = 30.0
"""Seconds between a proven image and the next change: a ComfyUI is in reserve by then."""

TITLE, OTHER = "The image", "Dockerfile"

NOTE = f"""\
Each row is measured from the command to its end, by the commands that a user calls; none measures an inner function.
`pycomfy build` ends when ComfyUI was started in the image and has said what nodes it has, and the version is recorded
and its sources are archived. The Dockerfile's figures are `buildah build`, and ComfyUI started in its image until it
answers what nodes it has. The cold builds and the restore have no network, and read all files from the disk; in all
other rows what was just read or written is still in memory, for both. Changes of the node pack are the median of
{EDITS}. A changed requirement is `pycomfy lock` and `pycomfy build`, where the index was asked for that version before.
"""


@dataclass(frozen=True)
class Theirs:
    """Seconds of the Dockerfile's builds, each with ComfyUI started in the image; `start` is that alone."""

    cold: float
    start: float
    pack: float
    requirement: float


@dataclass(frozen=True)
class Bench:
    """`locks` are the example's with its small requirement as it is, and as it will be."""

    folder: Path
    ours: Ours
    locks: tuple[Lock, Lock]
    sources: Sources

    @property
    def place(self) -> Place:
        return self.ours.place


def prepare(folder: Path) -> Bench:
    """The example, locked twice, and a Nix store that has the sources and nothing else."""
    if (free := shutil.disk_usage(folder).free) < NEEDS:
        raise AssertionError(f"{free / 1e9:.0f} GB are free, the benchmark needs {NEEDS / 1e9:.0f}")
    example = Example(folder / "hello")
    example.write()
    ours = Ours(Place(folder / "ours"), example)
    with example.with_changed_requirement():
        timed("prepare: lock", ours.lock)
        after = example.read_lock()
    timed("prepare: lock again", ours.lock)
    locks = (example.read_lock(), after)
    fetched: list[Sources] = []
    timed("prepare: fetch", lambda: fetched.append(fetch(ours.place.folder, locks, example.workflow)))
    return Bench(folder, ours, locks, fetched[0])


def measure_dockerfile(bench: Bench) -> Theirs:
    folder = bench.folder / "dockerfile"
    try:
        made = dockerfile.prepare(folder, bench.ours.example, bench.locks, bench.sources)
        forget_pages()
        cold, start = timed("Dockerfile, cold: build", made.build), timed("Dockerfile, cold: start", made.start)
        pack = []
        for _ in range(EDITS):
            change_pack(made.pack)
            pack.append(timed("Dockerfile, one file of the pack changed: build and start", made.build_and_start))
        made.forget()
        made.require(bench.locks[1])
        requirement = timed("Dockerfile, one requirement changed: build and start", made.build_and_start)
        return Theirs(cold + start, start, statistics.median(pack), requirement)
    finally:
        remove(folder)


def rows() -> Iterator[Row]:
    """The table's rows, as they are measured."""
    with _folder() as folder:
        bench = prepare(folder)
        theirs = measure_dockerfile(bench)
        cold = []
        for row in _rows_of_builds(bench, theirs):
            cold.append(row.ours)
            yield row
        yield from _rows_of_restore(bench, theirs, cold[0])


def _rows_of_builds(bench: Bench, theirs: Theirs) -> Iterator[Row]:
    ours, example, built = bench.ours, bench.ours.example, dict[str, Any]()
    forget_pages()
    cold = timed("pycomfy build, cold", lambda: built.update(ours.build(offline=True)))
    yield Row("cold build, everything fetched, to a ComfyUI that ran", cold, theirs.cold, "at most 0.3: 60 s of 220 s")
    started = timed("pycomfy run --serve", ours.start)
    yield Row("then started: `pycomfy run --serve` until it is ready", started, theirs.start)
    used = bench.place.used()
    yield Row(
        "disk after the build, archive included, GB beside the image's",
        used / 1e9,
        built["size"] / 1e9,
        "at most 1.6",
        unit="GB",
    )
    example.change_prompt()
    seconds = timed("pycomfy build, a value of the prompt changed", ours.build)
    yield Row("a second version with another value in the prompt: built and verified", seconds, goal="under 1.5 s")
    added = (bench.place.used() - used) / 1e6
    yield Row("this second version on the disk: store, archive and record", added, goal="under 5 MB", unit="MB")
    pack = ours.change_packs_and_build(EDITS)
    yield Row("one file of a node pack changed: built and verified, nothing in reserve", pack, theirs.pack)
    reserve = ours.change_packs_with_reserve(EDITS, PAUSE)
    what = f"one file of a node pack changed, a build each {PAUSE:.0f} s: built and verified"
    yield Row(what, reserve, theirs.pack, "under 2.5 s")
    dev = ours.change_packs_in_dev(EDITS, PAUSE)
    what = f"the same while `pycomfy dev` runs, a change each {PAUSE:.0f} s"
    yield Row(what, dev, theirs.pack, "under 2.5 s")
    example.change_requirement()

    def lock_and_build() -> None:
        ours.lock()
        ours.build()

    requirement = timed(f"pycomfy lock and build, another {SMALL} than {BEFORE}", lock_and_build)
    what = "one small requirement changed: locked, built and verified"
    yield Row(what, requirement, theirs.requirement, "under 8 s")


def _rows_of_restore(bench: Bench, theirs: Theirs, cold: float) -> Iterator[Row]:
    ours, place = bench.ours, bench.place
    place.empty_store()
    forget_pages()

    def restore() -> None:
        assert ours.pycomfy("restore", FIRST, "--offline", offline=True)["same"]

    restored = timed("pycomfy restore --offline", restore) + timed("pycomfy run --serve", ours.start)
    what = "restored offline into an empty store, and started until it is ready"
    yield Row(what, restored, theirs.cold, "at most 70 s where it takes 220 s")
    # Podman needs the room.
    remove(place.data / "archive")
    place.run("nix-store", "--gc", "--option", "build-users-group", "")
    if (free := shutil.disk_usage(place.folder).free) < NEEDS_TO_LOAD:
        what = f"{free / 1e9:.0f} GB are free, it needs {NEEDS_TO_LOAD / 1e9:.0f}"
        print(f"left out: pycomfy load; {what}", file=sys.stderr)
        return

    def load() -> None:
        assert ours.pycomfy("load", FIRST)["loaded"]

    loaded = timed("pycomfy load", load)
    yield Row("loaded into an empty Podman: `pycomfy load`, which needs no other command", loaded)
    yield Row("cold build, and that", cold + loaded, theirs.cold)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pycomfy-bench-"))
    try:
        with signals_as_exceptions():
            yield folder
    finally:
        remove(folder)


def main() -> None:
    print(f"{machine()}\n")
    print(render(TITLE, rows(), OTHER, NOTE))


if __name__ == "__main__":
    main()
