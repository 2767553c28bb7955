"""The same content by a Dockerfile with `uv pip install`, through Buildah, and started by Podman."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from benchmarks.image.example import NODE, Example
from benchmarks.image.place import Place
from benchmarks.image.sources import Sources
from pycomfy.core.lockfile.schema import Lock, Wheel
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from pycomfy.services.project import host_platform

SITE, COMFYUI = "/opt/venv", "/opt/ComfyUI"
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
HANG = 600.0

DOCKERFILE = f"""\
FROM localhost/bench-base
COPY uv /usr/local/bin/uv
COPY requirements.txt /requirements.txt
RUN uv venv --python /usr/bin/python3.11 {SITE} && VIRTUAL_ENV={SITE} \\
    uv pip install --no-deps --offline --no-cache --compile-bytecode -r /requirements.txt
COPY ComfyUI {COMFYUI}
COPY pack {COMFYUI}/custom_nodes/hello-card
"""


@dataclass(frozen=True)
class Dockerfile:
    """`place` has Buildah's and Podman's storage, so that nothing is there from before; `runtime` is the OCI runtime of
    both. Its folder `context` is the Dockerfile's, `wheels` has all wheels that its lines may name."""

    place: Place
    runtime: str

    @property
    def context(self) -> Path:
        return self.place.folder / "context"

    @property
    def wheels(self) -> Path:
        return self.place.folder / "wheels"

    @property
    def pack(self) -> Path:
        return self.context / "pack"

    def require(self, lock: Lock) -> None:
        """Write the requirements of a lock."""
        lines = (f"/wheels/{wheel.filename}\n" for wheel in _wheels(lock))
        (self.context / "requirements.txt").write_text("".join(lines))

    def build_and_start(self) -> None:
        """Build the image, and start ComfyUI in it until it answers with the pack's nodes."""
        self.build()
        self.start()

    def build(self) -> None:
        volume = ("--volume", f"{self.wheels}:/wheels:ro")
        options = ("--runtime", self.runtime, *LIMITS, "--layers", "--quiet", *volume, "--tag", "bench")
        self.place.run("buildah", "build", *options, self.context)

    def start(self) -> None:
        name, port = f"bench-{secrets.token_hex(6)}", _free_port()
        comfyui = (f"{SITE}/bin/python", f"{COMFYUI}/main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port))
        options = ("--rm", "--network=host", "--log-driver=none", f"--name={name}", *LIMITS)
        command = self.place.command("podman", "--runtime", self.runtime, "run", *options, "localhost/bench", *comfyui)
        log = self.place.folder / "log"
        with (
            log.open("ab") as output,
            subprocess.Popen(
                command, env=self.place.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            ) as process,
        ):
            try:
                _wait_for_node(f"http://127.0.0.1:{port}/object_info", process, log)
            finally:
                # As a container's first process ComfyUI ignores SIGTERM, and its end is not what is measured.
                self.place.run("podman", "rm", "--force", "--ignore", "--time=0", name)

    def forget(self) -> None:
        """Free the disk of what was built; a changed requirement reuses nothing of it."""
        self.place.run("buildah", "rmi", "--force", "localhost/bench")
        self.place.run("buildah", "rmi", "--prune", "--force")


def prepare(folder: Path, example: Example, locks: tuple[Lock, ...], sources: Sources) -> Dockerfile:
    """Make the Dockerfile, its context with the requirements of the first lock, the wheels of all, and the base image,
    which is not measured."""
    info = subprocess.run(["podman", "info", "--format", "json"], check=True, capture_output=True).stdout
    made = Dockerfile(Place(folder), json.loads(info)["host"]["ociRuntime"]["path"])
    for part in (made.context, made.wheels):
        part.mkdir()
    for name in {wheel.filename for lock in locks for wheel in _wheels(lock)}:
        (made.wheels / name).hardlink_to(sources.find(f"-{name}"))
    shutil.copy(find_uv_bin(), made.context / "uv")
    (made.context / "Dockerfile").write_text(DOCKERFILE)
    made.require(locks[0])
    _write_comfyui(locks[0], sources, made.context / "ComfyUI")
    shutil.copytree(example.pack, made.pack)
    _build_base(made, sources.find("-debian-root-" + host_platform().removeprefix("linux/")))
    return made


def _wheels(lock: Lock) -> tuple[Wheel, ...]:
    return lock.platforms[host_platform()].wheels


def _write_comfyui(lock: Lock, sources: Sources, to: Path) -> None:
    comfyui = lock.comfyui.source
    assert isinstance(comfyui, WheelTreeSource)
    unzipped = to.with_name("unzipped")
    with zipfile.ZipFile(sources.find(f"-{comfyui.name}")) as wheel:
        wheel.extractall(unzipped)
    shutil.move(unzipped / comfyui.folder, to)
    shutil.rmtree(unzipped)
    for path in comfyui.exclude:
        (to / path).unlink()


def _build_base(made: Dockerfile, root: Path) -> None:
    base = made.place.folder / "base"
    base.mkdir()
    subprocess.run(["tar", "-C", root, "-cf", base / "root.tar", "."], check=True)
    (base / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
    made.place.run("buildah", "build", "--quiet", "--tag", "bench-base", base)
    shutil.rmtree(base)
    # A later build reads neither from memory that this one filled.
    os.sync()


def _wait_for_node(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + HANG
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=HANG) as answer:
            types = json.load(answer)
            assert NODE in types, f"ComfyUI runs without {NODE}: {log.read_text(errors='replace')[-2000:]}"
            return
        assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
