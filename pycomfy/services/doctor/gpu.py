"""GPUs: whether there is one, whether its driver works and is new enough, and whether containers can get it."""

from collections.abc import Iterator

from pycomfy.adapters.containers.engine import Engine, parse_version
from pycomfy.adapters.containers.gpus import Gpu, GpuInspection, list_setups
from pycomfy.errors import BadConfig
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import GPU, GPU_CONTAINERS, GPU_DRIVER

OLDEST_DRIVER, FULL_DRIVER = (525,), (570,)
"""For CUDA 12.8: by its minor version compatibility, and for all of it. See docs/how-to/gpu.md."""


def check_gpu(examination: Examination) -> Iterator[Finding]:
    """Look at the GPUs, and at the engine that has to give them to containers."""
    try:
        used = examination.engine()
    except BadConfig:
        used = None
    return judge_gpus(examination.gpus(), used.engine if used is not None else None)


def judge_gpus(gpus: GpuInspection, engine: Engine | None) -> Iterator[Finding]:
    """Judge the GPUs. A machine without one is in order, as ComfyUI then runs on the CPU; so is one with another
    vendor's."""
    facts = {"vendors": sorted(gpus.vendors), "gpus": [_facts(gpu) for gpu in gpus.gpus]}
    if not (gpus.driver or gpus.gpus or "NVIDIA" in gpus.vendors):
        others = " and ".join(sorted(gpus.vendors))
        if others:
            yield GPU.note(f"{others}: not used, as images have NVIDIA's CUDA; ComfyUI runs on the CPU", facts=facts)
        else:
            yield GPU.ok("none, ComfyUI runs on the CPU", facts=facts)
        return
    yield GPU.ok(_describe(gpus.gpus) or "NVIDIA", facts=facts)
    driver = judge_driver(gpus)
    yield driver
    if driver.state in ("ok", "note"):
        yield judge_containers(gpus, engine)


def judge_driver(gpus: GpuInspection) -> Finding:
    """Judge NVIDIA's driver: whether it works, and is new enough for the CUDA of images."""
    facts = {"version": gpus.driver or None, "nvidia_smi": None if gpus.smi is None else str(gpus.smi)}
    install = "install NVIDIA's driver 570 or newer"
    if not gpus.driver and not gpus.gpus:
        return GPU_DRIVER.warning("not loaded: ComfyUI runs on the CPU", fix=install, facts=facts)
    if gpus.error:
        restart = "restart the machine: the driver was updated" if "mismatch" in gpus.error else install
        return GPU_DRIVER.warning(f"nvidia-smi does not work: {gpus.error}", fix=restart, facts=facts)
    version = parse_version(gpus.driver)
    if version and version < OLDEST_DRIVER:
        what = f"{gpus.driver} is too old for CUDA 12.8: ComfyUI may not find the GPU"
        return GPU_DRIVER.warning(what, fix=install, facts=facts)
    if version and version < FULL_DRIVER:
        what = f"{gpus.driver}, which is enough for CUDA 12.8 on GPUs before Blackwell"
        return GPU_DRIVER.note(what, fix=install, facts=facts)
    return GPU_DRIVER.ok(gpus.driver or "works", facts=facts)


def judge_containers(gpus: GpuInspection, engine: Engine | None) -> Finding:
    """Judge whether the engine that is used can give a container the GPUs."""
    made_for = {spec.driver for spec in gpus.specs} - {""}
    facts = {
        "cdi": [str(spec.file) for spec in gpus.specs],
        "cdi_driver": sorted(made_for),
        "toolkit": None if gpus.toolkit is None else str(gpus.toolkit),
        "docker_runtime": engine is not None and engine.nvidia_runtime,
    }
    if engine is None:
        return GPU_CONTAINERS.note("no container engine works, so none can be given a GPU", facts=facts)
    if engine.kind == "docker" and (engine.nvidia_runtime or gpus.specs):
        return GPU_CONTAINERS.ok("through NVIDIA's runtime" if engine.nvidia_runtime else "through CDI", facts=facts)
    if engine.kind == "docker":
        what = "Docker has neither NVIDIA's runtime nor a description of the GPUs (CDI)"
        return GPU_CONTAINERS.warning(what, fix=list_setups("docker", gpus), facts=facts)
    if not gpus.specs:
        return GPU_CONTAINERS.warning(
            "Podman has no description of the GPUs (CDI)", fix=list_setups("podman", gpus), facts=facts
        )
    if made_for and gpus.driver and gpus.driver not in made_for:
        what = f"their description (CDI) is for driver {', '.join(sorted(made_for))}, and {gpus.driver} is loaded"
        return GPU_CONTAINERS.warning(what, fix=list_setups("podman", gpus), facts=facts)
    return GPU_CONTAINERS.ok("through CDI", facts=facts)


def _describe(gpus: tuple[Gpu, ...]) -> str:
    counts = {gpu: gpus.count(gpu) for gpu in gpus}
    named = (f"{n} × {_name(gpu)}" if n > 1 else _name(gpu) for gpu, n in counts.items())
    return ", ".join(named)


def _name(gpu: Gpu) -> str:
    return gpu.name if gpu.memory is None else f"{gpu.name}, {gpu.memory / (1 << 30):.0f} GiB"


def _facts(gpu: Gpu) -> dict[str, object]:
    return {"name": gpu.name, "memory": gpu.memory, "compute_capability": gpu.capability or None}
