"""Building the example's image, beside the same content built by a Dockerfile with `uv pip install` through Buildah.

Both start when everything is fetched: pycomfy from wheels in a Nix store without layers, the Dockerfile from the same
wheels in a folder and the same Debian root as its base image. Both compile bytecode; pycomfy does not in folders
`tests`, a quarter of that work. Needs about 40 GB of disk, and to be root.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from benchmarks.table import Row
from pycomfy.adapters.containers.engine import Engine, find_engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.nix.build import evaluate
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import copy_paths, empty_store
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from pycomfy.services.build.build import BuildRequest, BuildResult, build
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.realise import Project, host_platform, realise, supply
from pycomfy.services.workspace import Workspace

ROOT = Path(__file__).parents[1]
SITE = "opt/venv"

DOCKERFILE = f"""\
FROM localhost/bench-base
COPY uv /usr/local/bin/uv
COPY requirements.txt /requirements.txt
RUN uv venv --python /usr/bin/python3.11 /{SITE} && VIRTUAL_ENV=/{SITE} \\
    uv pip install --no-deps --offline --no-cache --compile-bytecode -r /requirements.txt
COPY ComfyUI /opt/ComfyUI
COPY pack /opt/ComfyUI/custom_nodes/hello-card
"""


@dataclass(frozen=True)
class Bench:
    folder: Path
    paths: Paths
    built: BuildResult
    lock: Lock
    engine: Engine

    @property
    def project(self) -> Project:
        return Project(emit(self.folder, self.lock, "project"), self.lock, host_platform(), self.folder)

    def store_path(self, ending: str) -> Path:
        """Where the Nix store has a source, by the end of its name."""
        return next(Path(p) for p in source_paths(self.project) if p.endswith(ending))


def source_paths(project: Project) -> list[str]:
    """The store paths of everything the image is made from."""
    return [*evaluate(NixSettings(), project.target("sources")).outputs]


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def prepare(folder: Path) -> Bench:
    """The example, locked and built, so that all sources are in the Nix store."""
    for name in ("workflow.json", "pycomfy.toml"):
        shutil.copy(ROOT / "examples/hello" / name, folder)
    make_pack(folder)
    paths = find_paths()
    pins = lock(Workspace(paths), LockRequest(folder, name="bench")).lock
    built = build(Workspace(paths), BuildRequest(folder, archive=False))
    bench = Bench(folder, paths, built, pins, find_engine())
    supply(Workspace(paths, NixSettings()), bench.project)
    provide(bench.engine, read_layout(built.oci), "bench")
    return bench


def emit(folder: Path, pins: Lock, name: str) -> Path:
    """The project of `pins`, in a folder of that name."""
    content = ProjectContent(pins, (folder / "workflow.json").read_bytes())
    write_folder(folder / name, project_files(content, read_toolkit()))
    return folder / name


def make_pack(folder: Path, change: str = "") -> None:
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "hello-card")
        shutil.copytree(ROOT / "examples/packs/hello-card", source)
        with (source / "card.py").open("a") as f:
            f.write(change)
        subprocess.run([ROOT / "scripts/make-pack.sh", source, folder / "packs/hello-card"], check=True)


def cold_build(bench: Bench) -> tuple[float, float]:
    """Seconds for all layers in a Nix store that has only sources, and the bytes of that store after it."""
    with empty_store(bench.folder) as place:
        settings = NixSettings(store=place)
        copy_paths(NixSettings(), source_paths(bench.project), place)
        os.sync()
        seconds = timed(lambda: realise(Workspace(bench.paths, settings), bench.project, log=bench.folder / "cold.log"))
        return seconds, disk(place)


def warm_build(bench: Bench, changed: Lock, name: str) -> float:
    """Seconds from another lock to its image in Podman, with everything else as it was."""

    def make() -> None:
        project = Project(emit(bench.folder, changed, name), changed, host_platform(), bench.folder)
        made = realise(Workspace(bench.paths, NixSettings()), project, log=bench.folder / "warm.log")
        provide(bench.engine, read_layout(made.oci), "bench")

    return timed(make)


def changed_pack(bench: Bench) -> Lock:
    make_pack(bench.folder, f"\n# {secrets.token_hex()}\n")
    return lock(Workspace(bench.paths), LockRequest(bench.folder, name="bench")).lock


def changed_requirement(bench: Bench) -> Lock:
    """One small package less: what an update of a requirement costs."""
    pins = bench.lock.platforms[host_platform()]
    fewer = tuple(w for w in pins.wheels if w.name != "segno")
    return bench.lock.model_copy(
        update={"platforms": {**bench.lock.platforms, host_platform(): pins.model_copy(update={"wheels": fewer})}}
    )


@dataclass(frozen=True)
class Docker:
    """Buildah and Podman with a storage of their own, so that nothing is there from before."""

    folder: Path
    context: Path
    wheels: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        return [program, "--root", str(self.folder / "storage"), *arguments]

    def build(self) -> float:
        limits = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
        arguments = ("--runtime", "runc", *limits, "--layers", "--quiet", "--volume", f"{self.wheels}:/wheels:ro")
        command = self.command("buildah", "build", *arguments, "--tag", "bench", str(self.context))
        return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    def forget(self) -> None:
        """Free the disk of what was built; a changed requirement reuses nothing of it."""
        for arguments in (("--force", "bench"), ("--prune", "--force")):
            subprocess.run(self.command("buildah", "rmi", *arguments), check=False, capture_output=True)


@contextmanager
def docker(bench: Bench) -> Iterator[Docker]:
    """The Dockerfile, its context, its wheels, and its base image, which is not measured."""
    folder = Path(tempfile.mkdtemp(prefix="docker-", dir=bench.folder))
    context, wheels = folder / "context", folder / "wheels"
    for place in (context, wheels):
        place.mkdir()
    pins = bench.lock.platforms[host_platform()]
    for wheel in pins.wheels:
        (wheels / wheel.filename).hardlink_to(bench.store_path(wheel.filename))
    (context / "requirements.txt").write_text("".join(f"/wheels/{w.filename}\n" for w in pins.wheels))
    shutil.copy(find_uv_bin(), context / "uv")
    (context / "Dockerfile").write_text(DOCKERFILE)
    comfyui = bench.lock.comfyui.source
    assert isinstance(comfyui, WheelTreeSource)
    subprocess.run(
        ["python3", "-m", "zipfile", "-e", str(bench.store_path(comfyui.name)), str(folder / "unzipped")],
        check=True,
    )
    shutil.move(folder / "unzipped" / comfyui.folder, context / "ComfyUI")
    copy_pack(bench, context)
    made = Docker(folder, context, wheels)
    base = folder / "base"
    base.mkdir()
    (base / "root").symlink_to(bench.store_path("debian-root-amd64"))
    subprocess.run(["tar", "-C", str(base / "root/"), "-cf", str(base / "root.tar"), "."], check=True)
    (base / "root").unlink()
    (base / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
    subprocess.run(made.command("buildah", "build", "--quiet", "--tag", "bench-base", str(base)), check=True)
    try:
        os.sync()
        yield made
    finally:
        subprocess.run(made.command("buildah", "rmi", "--all", "--force"), check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def copy_pack(bench: Bench, context: Path) -> None:
    (pack,) = bench.lock.packs
    assert isinstance(pack.source, GitSource)
    pins = lock(Workspace(bench.paths), LockRequest(bench.folder, name="bench")).lock.packs[0].source
    assert isinstance(pins, GitSource)
    write_tree_of(pins, bench.folder, context / "pack", bench.paths)


def disk(folder: Path) -> float:
    return float(subprocess.run(["du", "-sB1", folder], check=True, capture_output=True, text=True).stdout.split()[0])


def rows() -> Iterator[Row]:
    """The table's rows, as they are measured."""
    folder = Path(tempfile.mkdtemp(prefix="pycomfy-bench-"))
    try:
        bench = prepare(folder)
        size = bench.built.size
        cold, used = cold_build(bench)
        requirement = warm_build(bench, changed_requirement(bench), "requirement")
        pack = warm_build(bench, changed_pack(bench), "pack")
        with docker(bench) as theirs:
            their_cold = theirs.build()
            make_pack(folder, f"\n# {secrets.token_hex()}\n")
            shutil.rmtree(theirs.context / "pack")
            copy_pack(bench, theirs.context)
            their_pack = theirs.build()
            theirs.forget()
            (theirs.context / "requirements.txt").write_text(
                "".join(
                    f"/wheels/{w.filename}\n" for w in bench.lock.platforms[host_platform()].wheels if w.name != "segno"
                )
            )
            their_requirement = theirs.build()
        yield Row("cold build, everything fetched", cold, their_cold, "at most 0.5")
        yield Row("one file of a node pack changed: built, and given to Podman", pack, their_pack, "under 3 s")
        yield Row("one small requirement changed: built, and given to Podman", requirement, their_requirement)
        yield Row("disk for sources and layers, GB beside the image's", used / 1e9, size / 1e9, "under 1.7", unit="GB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
