"""What the container engines of this machine say of themselves: runtime, storage, rights. Nothing of it is trusted."""

import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycomfy.adapters.containers.engine import (
    Engine,
    Kind,
    describe_docker,
    describe_podman,
    read_docker_info,
    read_podman_info,
)
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.io.time_limit import TookTooLong, time_limit
from pycomfy.core.loose_json import as_mapping
from pycomfy.errors import MissingTool, PycomfyError

_SECONDS = 10.0
_MAX_TEXT = 200


@dataclass(frozen=True)
class EngineInspection:
    """An engine that is installed. `engine` is None if it does not work, and `error` says why. `storage` is the folder
    of its images, None if that is on another machine. `mapped_users` counts the users that a container may have, None
    where it is unknown. `cgroups` is "v1" or "v2". `overlay_native` is None unless the driver is overlay."""

    kind: Kind
    engine: Engine | None = None
    error: PycomfyError | None = None
    runtime: str = ""
    cgroups: str = ""
    driver: str = ""
    overlay_native: bool | None = None
    storage: Path | None = None
    images: int | None = None
    mapped_users: int | None = None
    remote: bool = False


def inspect_engine(kind: Kind, environment: Mapping[str, str]) -> EngineInspection | None:
    """Ask an engine about itself; return None if it is not installed."""
    if shutil.which(kind) is None:
        return None
    try:
        with time_limit(_SECONDS):
            return _inspect_podman(environment) if kind == "podman" else _inspect_docker(environment)
    except (MissingTool, TookTooLong) as e:
        return EngineInspection(kind, error=e)


def _inspect_podman(environment: Mapping[str, str]) -> EngineInspection:
    storage = default_storage(environment, os.getuid())
    if storage is None or storage.is_dir():
        info, runtime = read_podman_info()
        storage = None
    else:
        info, runtime = _ask_untouched_podman()
    host, about = as_mapping(info.get("host")), as_mapping(info.get("store"))
    root, remote = _text(about, "graphRoot"), bool(host.get("serviceIsRemote"))
    status = as_mapping(about.get("graphStatus"))
    mapped = as_mapping(host.get("idMappings")).get("uidmap")
    return EngineInspection(
        "podman",
        describe_podman(info, runtime),
        runtime=runtime or _text(host, "ociRuntime", "name"),
        cgroups=_text(host, "cgroupVersion"),
        driver=_text(about, "graphDriverName"),
        overlay_native=_text(status, "Native Overlay Diff") == "true" if "Native Overlay Diff" in status else None,
        storage=None if remote else storage or (Path(root) if root.startswith("/") else None),
        images=_number(as_mapping(about.get("imageStore")).get("number")),
        mapped_users=sum(_number(as_mapping(m).get("size")) or 0 for m in mapped) if isinstance(mapped, list) else None,
        remote=remote,
    )


def _ask_untouched_podman() -> tuple[dict[str, Any], str | None]:
    """Ask a Podman that was never used. It makes its folders on any call: let it make them elsewhere."""
    with scratch_folder() as folder:
        flags = [f"--{name}={folder / name}" for name in ("root", "runroot", "tmpdir")]
        return read_podman_info(flags, {**os.environ, "XDG_RUNTIME_DIR": str(folder)})


def default_storage(environment: Mapping[str, str], user: int) -> Path | None:
    """Return where Podman keeps images if nothing is configured; None if something is. See
    containers-storage.conf(5)."""
    home = Path(environment.get("HOME") or Path("~").expanduser())
    own = [Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers/storage.conf"] if user else []
    given = environment.get("CONTAINERS_STORAGE_CONF")
    files = [Path(given)] if given else [*own, Path("/etc/containers/storage.conf")]
    if any(_names_storage(file, user) for file in files) or environment.get("CONTAINER_HOST"):
        return None
    if user == 0:
        return Path("/var/lib/containers/storage")
    return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "containers/storage"


def _names_storage(file: Path, user: int) -> bool:
    try:
        storage = as_mapping(tomllib.loads(file.read_text()).get("storage"))
    except (OSError, ValueError):
        return False
    return bool(storage.get("rootless_storage_path") if user else storage.get("graphroot"))


def _inspect_docker(environment: Mapping[str, str]) -> EngineInspection:
    info = read_docker_info()
    runtimes, root = info.get("DefaultRuntime"), _text(info, "DockerRootDir")
    host = environment.get("DOCKER_HOST", "")
    remote = bool(host) and not host.startswith("unix:")
    if any(list(pair) == ["driver-type", "io.containerd.snapshotter.v1"] for pair in _pairs(info.get("DriverStatus"))):
        root = "/var/lib/containerd"
    storage = Path(root) if root.startswith("/") and not remote else None
    return EngineInspection(
        "docker",
        describe_docker(info),
        runtime=runtimes if isinstance(runtimes, str) else "",
        cgroups=f"v{version}" if (version := _text(info, "CgroupVersion")) else "",
        driver=_text(info, "Driver"),
        # Docker Desktop has its folders in a virtual machine.
        storage=storage if storage is not None and os.path.lexists(storage) else None,
        images=_number(info.get("Images")),
        remote=remote,
    )


def _pairs(value: object) -> Iterator[Any]:
    yield from (pair for pair in value if isinstance(pair, list | tuple)) if isinstance(value, list) else ()


def _text(value: Mapping[str, object], *keys: str) -> str:
    found: object = value
    for key in keys:
        found = as_mapping(found).get(key)
    return found[:_MAX_TEXT] if isinstance(found, str) else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
