"""Find the container engine, and what it can do on this machine."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pycomfy.adapters.io import process
from pycomfy.errors import BadConfig, MissingTool, PycomfyError

Kind = Literal["podman", "docker"]
KINDS: tuple[Kind, ...] = ("podman", "docker")

CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))


@dataclass(frozen=True)
class Engine:
    """`runtime` is the OCI runtime to use where the default one does not work; `nvidia_cdi` and `nvidia_runtime` are
    the two ways to give a container a GPU."""

    kind: Kind
    version: tuple[int, ...] = ()
    rootless: bool = False
    runtime: str | None = None
    selinux: bool = False
    nvidia_cdi: bool = False
    nvidia_runtime: bool = False

    def command(self, *arguments: str) -> list[str]:
        """Return the argument list of one call."""
        runtime = ["--runtime", self.runtime] if self.runtime and self.kind == "podman" else []
        return [self.kind, *runtime, *arguments]


def find_engine(name: str | None = None, environment: Mapping[str, str] = os.environ) -> Engine:
    """Return the engine `name`, else $PYCOMFY_ENGINE, else Podman, else Docker. Raises `BadConfig` for another name,
    `MissingTool` for one that is not installed or does not work."""
    configured = environment.get("PYCOMFY_ENGINE")
    where = "engine" if name or not configured else "PYCOMFY_ENGINE"
    name = name or configured or ""
    if name and name not in KINDS:
        raise BadConfig(f'"{name}" is not a container engine', where=where, fix="use podman or docker")
    probe = {"podman": probe_podman, "docker": probe_docker}
    problems: list[PycomfyError] = []
    for kind in [name] if name else KINDS:
        if shutil.which(kind) is None:
            continue
        try:
            return probe[kind]()
        except MissingTool as e:
            problems.append(e)
    raise problems[0] if problems else process.missing(name or "podman")


def probe_podman() -> Engine:
    """Return Podman as it is configured, but with runc where the configured runtime cannot work. Raises
    `MissingTool`."""
    done = process.run(["podman", "info", "--format", "json"])
    runtime = None
    if done.returncode != 0 and shutil.which("runc"):
        # Mostly a configured runtime that is not installed.
        runtime = "runc"
        done = process.run(["podman", "--runtime", runtime, "info", "--format", "json"])
    info = _json(done.stdout)
    host = info.get("host", {})
    if done.returncode != 0 or not host:
        raise MissingTool(
            "Podman does not work here: " + _last_line(done.stderr),
            where="podman info",
            fix=("apt-get install runc, or crun, until `podman info` works", "set PYCOMFY_ENGINE to docker"),
        )
    # crun needs the unified cgroup hierarchy, or a pure version 1; on a mixed one it refuses to start.
    if host.get("ociRuntime", {}).get("name") == "crun" and host.get("cgroupVersion") == "v1" and shutil.which("runc"):
        runtime = "runc"
    security = host.get("security", {})
    return Engine(
        "podman",
        parse_version(str(info.get("version", {}).get("Version", ""))),
        rootless=bool(security.get("rootless")),
        runtime=runtime,
        selinux=bool(security.get("selinuxEnabled")),
        nvidia_cdi=has_nvidia_cdi(),
    )


def probe_docker() -> Engine:
    """Return Docker as it is configured. Raises `MissingTool`."""
    done = process.run(["docker", "info", "--format", "{{json .}}"])
    info = _json(done.stdout)
    if done.returncode != 0 or not info.get("ServerVersion"):
        problems = info.get("ServerErrors") or [_last_line(done.stderr) or "no answer"]
        raise MissingTool(
            f"Docker's daemon does not answer: {problems[0]}",
            where="docker info",
            fix="start it (`systemctl start docker`), join the group docker, or install podman",
        )
    options = [str(o) for o in info.get("SecurityOptions") or []]
    return Engine(
        "docker",
        parse_version(str(info["ServerVersion"])),
        rootless=any("name=rootless" in o for o in options),
        selinux=any("name=selinux" in o for o in options),
        nvidia_cdi=has_nvidia_cdi(),
        nvidia_runtime="nvidia" in (info.get("Runtimes") or {}) or shutil.which("nvidia-container-runtime") is not None,
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
