"""Which ComfyUIs run: one for each GPU, or as many as were asked for."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..places import Places
from .client import TARGETS

VISIBLE = "CUDA_VISIBLE_DEVICES"

SHARED = ("input", "models")
"""Folders of the first ComfyUI that the others have, too. Outputs are apart: two processes would write to one name."""


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What says how many threads compute on the CPU. Each worker would take all cores."""


@dataclass(frozen=True)
class Worker:
    """A ComfyUI before it is laid out; `environment` says which GPU it has."""

    name: str
    places: Places
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Hardware:
    gpus: int
    cores: int


def plan_workers(wanted: str, places: Places, hardware: Hardware, environment: Mapping[str, str]) -> list[Worker]:
    """`wanted` is a number, or auto for one for each GPU; at least one, which has the folders of `places`."""
    count = max(1, hardware.gpus) if wanted == "auto" else int(wanted)
    threads = _divide_cores(count, hardware, environment)
    return [
        Worker(
            str(number),
            _places(places, number),
            {**_visible(number, hardware.gpus, environment), **threads} if count > 1 else {},
        )
        for number in range(count)
    ]


def _divide_cores(count: int, hardware: Hardware, environment: Mapping[str, str]) -> dict[str, str]:
    """An equal share for each worker where all compute on the CPU, unless somebody chose a number."""
    if hardware.gpus or any(environment.get(name) for name in THREADS):
        return {}
    return dict.fromkeys(THREADS, str(max(1, hardware.cores // count)))


def runs_targets(places: Places) -> bool:
    """Whether this ComfyUI can be told which output nodes to run; older ones run all, and do not say so."""
    try:
        return TARGETS in (places.comfyui / "server.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _places(places: Places, number: int) -> Places:
    if number == 0:
        return places
    data = find_data(places.data, str(number))
    return replace(places, data=data, temp=places.temp / data.name, port=places.port + number)


def find_data(data: Path, name: str) -> Path:
    """The data folder of the worker of that name."""
    return data if name == "0" else data / "workers" / f"worker-{name}"


def _visible(number: int, gpus: int, environment: Mapping[str, str]) -> dict[str, str]:
    """More workers than GPUs share them; a list that the container was given is taken as it is."""
    if gpus == 0:
        return {}
    listed = [device.strip() for device in environment.get(VISIBLE, "").split(",") if device.strip()]
    devices = listed or [str(device) for device in range(gpus)]
    return {VISIBLE: devices[number % len(devices)]}


def lay_out(worker: Worker, first: Places, prepare: Callable[[Places], Places]) -> Places:
    """Make the folders of a worker, with those that all share as links. Raises what `prepare` does, and `OSError`."""
    if worker.places != first:
        worker.places.data.mkdir(parents=True, exist_ok=True)
        worker.places.temp.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            (first.data / name).mkdir(exist_ok=True)
            link = worker.places.data / name
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(first.data / name, link.parent))
    return prepare(worker.places)
