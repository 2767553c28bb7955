"""Which GPUs this machine has, and whether a container can get them."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.containers.engine import CDI_FOLDERS, Engine
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.time_limit import time_limit
from pycomfy.errors import MissingTool, PycomfyError, suggest_retry

INSTALL_DRIVER = "install NVIDIA's driver: `nvidia-smi` must work"
INSTALL_TOOLKIT = "install nvidia-container-toolkit (1.14 or newer)"
DESCRIBE = "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
CONFIGURE = "`nvidia-ctk runtime configure --runtime=docker && systemctl restart docker`"

_SECONDS = 8.0
_MAX_SPEC = 16 << 20
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_DISPLAY = ("0x03", "0x12")  # PCI classes: display controllers, processing accelerators


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver reports it. `memory` is in bytes."""

    name: str
    memory: int | None = None
    capability: str = ""


@dataclass(frozen=True)
class CdiSpec:
    """A description of NVIDIA's devices for container engines. `driver` is the version that it was made for, "" if it
    does not say."""

    file: Path
    driver: str = ""


@dataclass(frozen=True)
class GpuInspection:
    """`vendors` are those of the devices on the bus. `driver` is the version of NVIDIA's kernel module, "" if that is
    not loaded; `gpus` are what `nvidia-smi` lists, `error` why it does not. `toolkit` is the path of nvidia-ctk."""

    vendors: frozenset[str] = frozenset()
    driver: str = ""
    gpus: tuple[Gpu, ...] = ()
    error: str = ""
    smi: Path | None = None
    toolkit: Path | None = None
    specs: tuple[CdiSpec, ...] = field(default=())


def inspect_gpus(system: Path = Path("/"), cdi: Sequence[Path] = CDI_FOLDERS) -> GpuInspection:
    """Look for GPUs. `system` is the folder that has `sys` and `proc`."""
    smi, toolkit = shutil.which("nvidia-smi"), shutil.which("nvidia-ctk")
    gpus, error = _ask_driver(smi) if smi else ((), "")
    return GpuInspection(
        _vendors(system / "sys/bus/pci/devices"),
        _driver(system / "proc/driver/nvidia/version") or _driver(system / "sys/module/nvidia/version"),
        gpus,
        error,
        Path(smi) if smi else None,
        Path(toolkit) if toolkit else None,
        tuple(_find_specs(cdi)),
    )


def list_setups(kind: str, gpus: GpuInspection) -> tuple[str, ...]:
    """Return what lets containers of this engine have the GPUs: alternatives, each with what has to be installed
    first."""
    ways = (CONFIGURE, DESCRIBE) if kind == "docker" else (DESCRIBE,)
    return tuple(way if gpus.toolkit is not None else f"{INSTALL_TOOLKIT}, then as root {way}" for way in ways)


def explain_missing_gpus(engine: Engine, gpus: GpuInspection) -> MissingTool:
    """Return the error for GPUs that the engine cannot give to a container, with what to install."""
    if not gpus.driver and not gpus.gpus and not engine.remote:
        others = " and ".join(sorted(gpus.vendors - {"NVIDIA"}))
        what = "this machine has no NVIDIA GPU" if not gpus.vendors else f"this machine's GPU is of {others}"
        if "NVIDIA" in gpus.vendors:
            what = "the driver of this machine's NVIDIA GPU is not loaded"
        then = ", then ".join((INSTALL_DRIVER, list_setups(engine.kind, gpus)[0]))
        return MissingTool(
            what, where="/proc/driver/nvidia", fix=(then, suggest_retry("run", "on the CPU", gpus=False))
        )
    if engine.kind == "docker":
        what = "Docker has neither NVIDIA's runtime nor a description of the GPUs (CDI)"
        return MissingTool(what, where="docker info", fix=list_setups("docker", gpus))
    return MissingTool("Podman has no description of the GPUs (CDI)", where="/etc/cdi", fix=list_setups("podman", gpus))


def _vendors(devices: Path) -> frozenset[str]:
    found = set()
    for device in _entries(devices):
        vendor, class_ = _read(device / "vendor"), _read(device / "class")
        if class_.startswith(_DISPLAY) and vendor in _VENDORS:
            found.add(_VENDORS[vendor])
    return frozenset(found)


def _driver(file: Path) -> str:
    """Return the version of the driver from a file that has it alone, or in a line such as `NVRM version: NVIDIA UNIX
    x86_64 Kernel Module 550.54.14 …`."""
    found = re.search(r"(?<![\w.])\d{3,4}(\.\d+){1,2}(?![\w.])", _read(file))
    return found[0] if found else ""


def _ask_driver(smi: str) -> tuple[tuple[Gpu, ...], str]:
    try:
        with time_limit(_SECONDS):
            done = run([smi, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"])
    except (PycomfyError, OSError) as e:
        return (), str(e)
    text = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0:
        lines = f"{text}\n{done.stderr.decode(errors='replace')}".strip().splitlines()
        return (), lines[0] if lines else f"exit status {done.returncode}"
    return tuple(_gpu([part.strip() for part in line.split(",")]) for line in text.splitlines()[:64] if line), ""


def _gpu(parts: Sequence[str]) -> Gpu:
    memory = parts[1] if len(parts) > 1 else ""
    return Gpu(parts[0], int(memory) << 20 if memory.isdigit() else None, parts[2] if len(parts) > 2 else "")


def _find_specs(folders: Sequence[Path]) -> list[CdiSpec]:
    found = []
    for file in (f for folder in folders for f in _entries(folder) if f.suffix in {".yaml", ".json"}):
        text = _read(file)
        if "nvidia.com/gpu" in text:
            driver = re.search(r"libcuda\.so\.(\d{3,4}(?:\.\d+){1,2})", text)
            found.append(CdiSpec(file, driver[1] if driver else ""))
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(file: Path) -> str:
    try:
        with file.open("rb") as f:
            return f.read(_MAX_SPEC).decode(errors="replace").strip()
    except OSError:
        return ""
