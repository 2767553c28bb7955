"""Find the container engine, and what it can do on this machine."""

import json
import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pycomfy.adapters.io import process
from pycomfy.core.loose_json import as_mapping
from pycomfy.errors import BadConfig, MissingTool, PycomfyError

Kind = Literal["podman", "docker"]
KINDS: tuple[Kind, ...] = ("podman", "docker")

CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))

USE_OVERLAY = (
    'put `[storage]` and `driver = "overlay"` into ~/.config/containers/storage.conf, for root into /etc/containers'
)
"""What mends a storage driver that copies layers."""


@dataclass(frozen=True)
class Engine:
    """`runtime` is the OCI runtime to use where the default one does not work; `nvidia_cdi` and `nvidia_runtime` are
    the two ways to give a container a GPU, as far as they can be seen from here: the daemon of a `remote` one is
    elsewhere, or in a machine of its own. `limits_memory` and `limits_pids` say what it can limit here.
    `storage_options` are those of its configuration for its storage; None where it takes no more image stores."""

    kind: Kind
    version: tuple[int, ...] = ()
    rootless: bool = False
    runtime: str | None = None
    selinux: bool = False
    nvidia_cdi: bool = False
    nvidia_runtime: bool = False
    limits_memory: bool = True
    limits_pids: bool = True
    remote: bool = False
    storage_options: tuple[str, ...] | None = None
    copies_layers_in: Path | None = None
    """Where its storage is, if that keeps with each layer a copy of all layers below it (the driver vfs)."""

    copies_images_by: Path | None = None
    """The folder in which it puts an image's files while it loads one; None if that is elsewhere, or unknown."""

    @property
    def links_images(self) -> bool:
        """Whether it can start an image from a store of links."""
        return self.storage_options is not None

    def command(self, *arguments: str, store: Path | None = None) -> list[str]:
        """Return the argument list of one call; with `store` it sees the images of that image store, too."""
        runtime = ["--runtime", self.runtime] if self.runtime and self.kind == "podman" else []
        # With one option on the command line, Podman takes none from its configuration.
        options = [*(self.storage_options or ()), f"overlay.imagestore={store}"] if store is not None else []
        return [self.kind, *runtime, *(word for o in options for word in ("--storage-opt", o)), *arguments]


@dataclass(frozen=True)
class StartableImage:
    """An image that the engine can start, by its id. `store` is the image store that has it, None for the engine's
    own."""

    id: str
    store: Path | None = None


def list_candidates(name: str | None = None, environment: Mapping[str, str] = os.environ) -> tuple[Kind, ...]:
    """Return the engines to try, in this order: `name`, else $PYCOMFY_ENGINE, else Podman and then Docker. Raises
    `BadConfig` for another name."""
    configured = environment.get("PYCOMFY_ENGINE")
    where = "engine" if name or not configured else "PYCOMFY_ENGINE"
    name = name or configured or ""
    if name and name not in KINDS:
        raise BadConfig(f'"{name}" is not a container engine', where=where, fix="use podman or docker")
    return tuple(kind for kind in KINDS if name in ("", kind))


def find_engine(name: str | None = None, environment: Mapping[str, str] = os.environ) -> Engine:
    """Return the first of `list_candidates` that works. Raises `BadConfig` for an unknown name, `MissingTool` where
    none is installed or works."""
    candidates = list_candidates(name, environment)
    probe = {"podman": probe_podman, "docker": probe_docker}
    problems: list[PycomfyError] = []
    for kind in candidates:
        if shutil.which(kind) is None:
            continue
        try:
            return probe[kind]()
        except MissingTool as e:
            problems.append(e)
    raise problems[0] if problems else process.missing(candidates[0])


def probe_podman() -> Engine:
    """Return Podman as it is configured, but with runc where the configured runtime cannot work. Raises
    `MissingTool`."""
    return describe_podman(*read_podman_info())


def probe_docker() -> Engine:
    """Return Docker as it is configured. Raises `MissingTool`."""
    return describe_docker(read_docker_info())


def read_podman_info(
    flags: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str | None]:
    """Return what `podman info` says, and the runtime that it had to be given to say something. Raises
    `MissingTool`."""
    done = process.run(["podman", *flags, "info", "--format", "json"], env=environment)
    runtime = None
    if done.returncode != 0 and shutil.which("runc"):
        # Mostly a configured runtime that is not installed.
        runtime = "runc"
        done = process.run(["podman", "--runtime", runtime, *flags, "info", "--format", "json"], env=environment)
    info = _json(done.stdout)
    if done.returncode != 0 or not (info.get("host") and isinstance(info["host"], dict)):
        why = _last_line(done.stderr)
        programs = "uidmap" if "newuidmap" in why else "runc, or crun, until `podman info` works"
        raise MissingTool(
            f"Podman does not work here: {why}",
            where="podman info",
            fix=(f"apt-get install {programs}", "set PYCOMFY_ENGINE to docker"),
        )
    return info, runtime


def describe_podman(info: Mapping[str, Any], runtime: str | None) -> Engine:
    """Return the engine that `podman info` describes."""
    host = info["host"]
    # crun needs the unified cgroup hierarchy, or a pure version 1; on a mixed one it refuses to start.
    if host.get("ociRuntime", {}).get("name") == "crun" and host.get("cgroupVersion") == "v1" and shutil.which("runc"):
        runtime = "runc"
    security = host.get("security", {})
    controllers = host.get("cgroupControllers")
    if security.get("rootless") and host.get("cgroupVersion") == "v1":
        controllers = []  # Podman ignores limits then, or refuses them
    store = None if host.get("serviceIsRemote") else info.get("store")  # elsewhere, then
    return Engine(
        "podman",
        parse_version(str(info.get("version", {}).get("Version", ""))),
        rootless=bool(security.get("rootless")),
        runtime=runtime,
        selinux=bool(security.get("selinuxEnabled")),
        nvidia_cdi=has_nvidia_cdi(),
        limits_memory=controllers is None or "memory" in controllers,
        limits_pids=controllers is None or "pids" in controllers,
        storage_options=_read_storage_options(store),
        copies_layers_in=_find_copies(store),
        copies_images_by=_find_copy_folder(store),
    )


def _read_storage_options(store: object) -> tuple[str, ...] | None:
    """Return the options of Podman's storage, without those that name more image stores; None for another driver than
    overlay: only that one has a layer's files in a folder of their own."""
    about = as_mapping(store)
    if about.get("graphDriverName") != "overlay":
        return None
    options = []
    for name, value in as_mapping(about.get("graphOptions")).items():
        if isinstance(value, dict):
            value = value.get("Executable")  # of the program that mounts
        if isinstance(value, str) and not name.lower().endswith("imagestore"):
            options.append(f"{name}={value}")
    return tuple(options)


def _find_copies(store: object) -> Path | None:
    about = as_mapping(store)
    root = about.get("graphRoot")
    return Path(root) if about.get("graphDriverName") == "vfs" and isinstance(root, str) else None


def _find_copy_folder(store: object) -> Path | None:
    folder = as_mapping(store).get("imageCopyTmpDir")
    return Path(folder) if isinstance(folder, str) and folder.startswith("/") else None


def read_docker_info() -> dict[str, Any]:
    """Return what `docker info` says of the daemon. Raises `MissingTool` if that does not answer."""
    done = process.run(["docker", "info", "--format", "{{json .}}"])
    info = _json(done.stdout)
    if done.returncode != 0 or not info.get("ServerVersion"):
        problems = info.get("ServerErrors") or [_last_line(done.stderr) or "no answer"]
        raise MissingTool(
            f"Docker's daemon does not answer: {problems[0]}",
            where="docker info",
            fix="start it (`systemctl start docker`), join the group docker, or install podman",
        )
    return info


def describe_docker(info: Mapping[str, Any]) -> Engine:
    """Return the engine that `docker info` describes."""
    options = [str(o) for o in info.get("SecurityOptions") or []]
    return Engine(
        "docker",
        parse_version(str(info["ServerVersion"])),
        rootless=any("name=rootless" in o for o in options),
        selinux=any("name=selinux" in o for o in options),
        nvidia_cdi=has_nvidia_cdi(),
        nvidia_runtime="nvidia" in (info.get("Runtimes") or {}) or shutil.which("nvidia-container-runtime") is not None,
        limits_memory=info.get("MemoryLimit") is not False,
        limits_pids=info.get("PidsLimit") is not False,
        remote=bool(info.get("Name")) and info["Name"] != platform.node(),
    )


def parse_version(text: str) -> tuple[int, ...]:
    """Return the leading numbers: (4, 3, 1) for "4.3.1-dev"."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(n) for n in found[0].split(".")) if found else ()


def has_nvidia_cdi(folders: tuple[Path, ...] = CDI_FOLDERS) -> bool:
    """Return whether a CDI file names NVIDIA's devices."""
    for folder in folders:
        try:
            files = [f for f in folder.iterdir() if f.suffix in {".yaml", ".json"}]
            if any("nvidia.com/gpu" in f.read_text("utf-8", "replace") for f in files):
                return True
        except OSError:
            continue
    return False


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last_line(data: bytes) -> str:
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:500] if lines else ""
