import stat
from pathlib import Path
from typing import Literal

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.gpus import CdiSpec, Gpu, GpuInspection, explain_missing_gpus, inspect_gpus

MODULE = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version: 12.2.0\n"
)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def device(system: Path, address: str, vendor: str, class_: str) -> None:
    folder = system / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "class").write_text(f"{class_}\n")


def program(system: Path, name: str, text: str) -> None:
    file = system / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_a_machine_with_nothing_has_nothing(system: Path) -> None:
    found = inspect_gpus(system, [system / "cdi"])
    assert (found.vendors, found.driver, found.gpus, found.specs) == (frozenset(), "", (), ())


def test_devices_are_known_by_vendor_and_class(system: Path) -> None:
    device(system, "0000:00:02.0", "0x8086", "0x030000")
    device(system, "0000:01:00.0", "0x10de", "0x030200")
    device(system, "0000:02:00.0", "0x1002", "0x120000")
    device(system, "0000:03:00.0", "0x10de", "0x040300")  # its sound
    device(system, "0000:04:00.0", "0x1af4", "0x030000")  # a virtual one
    assert inspect_gpus(system, []).vendors == {"Intel", "NVIDIA", "AMD"}
    for one in (system / "sys/bus/pci/devices").iterdir():
        if "03:00" not in one.name:
            for file in one.iterdir():
                file.unlink()
    assert inspect_gpus(system, []).vendors == frozenset()


def test_the_driver_is_that_of_the_kernel(system: Path) -> None:
    version = system / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text(MODULE)
    assert inspect_gpus(system, []).driver == "550.54.14"
    version.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n")
    assert inspect_gpus(system, []).driver == "580.95.05"
    version.unlink()
    module = system / "sys/module/nvidia/version"
    module.parent.mkdir(parents=True)
    module.write_text("570.86\n")
    assert inspect_gpus(system, []).driver == "570.86"


def test_the_driver_names_its_gpus_or_says_why_not(system: Path) -> None:
    program(system, "nvidia-smi", 'echo "NVIDIA H100 80GB HBM3, 81559, 9.0"; echo "Odd, [N/A]"')
    found = inspect_gpus(system, [])
    assert found.gpus == (Gpu("NVIDIA H100 80GB HBM3", 81559 << 20, "9.0"), Gpu("Odd", None, ""))
    program(system, "nvidia-smi", 'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18')
    found = inspect_gpus(system, [])
    assert found.gpus == () and "version mismatch" in found.error


def test_descriptions_are_found_with_the_driver_they_are_for(system: Path) -> None:
    folder = system / "cdi"
    folder.mkdir()
    (folder / "nvidia.yaml").write_text("kind: nvidia.com/gpu\n  hostPath: /usr/lib/libcuda.so.550.54.14\n")
    (folder / "other.json").write_text('{"kind": "vendor.test/thing"}')
    (folder / "plain.json").write_text('{"kind": "nvidia.com/gpu"}')
    (folder / "notes.txt").write_text("nvidia.com/gpu")
    found = inspect_gpus(system, [folder, system / "none"])
    assert found.specs == (CdiSpec(folder / "nvidia.yaml", "550.54.14"), CdiSpec(folder / "plain.json"))


@pytest.mark.parametrize(
    ("kind", "found", "what", "steps"),
    [
        ("podman", GpuInspection(), "no NVIDIA GPU", ("driver", "nvidia-container-toolkit", "cdi generate")),
        ("podman", GpuInspection(frozenset({"AMD"})), "GPU is of AMD", ("driver",)),
        ("docker", GpuInspection(frozenset({"NVIDIA"})), "not loaded", ("driver", "toolkit", "configure")),
        ("podman", GpuInspection(driver="580.1"), "no description", ("nvidia-container-toolkit", "cdi generate")),
        ("podman", GpuInspection(driver="580.1", toolkit=Path("/usr/bin/nvidia-ctk")), "no desc", ("cdi generate",)),
        ("docker", GpuInspection(driver="580.1"), "neither", ("install", "runtime configure", "restart docker")),
        ("docker", GpuInspection(gpus=(Gpu("H100"),), toolkit=Path("/x")), "neither", ("runtime configure",)),
    ],
)
def test_what_has_to_be_installed_for_gpus_is_said_in_order(
    kind: Literal["podman", "docker"], found: GpuInspection, what: str, steps: tuple[str, ...]
) -> None:
    error = explain_missing_gpus(Engine(kind), found)
    assert what in error.what
    at = [str(error.fixes[0]).find(step) for step in steps]
    assert -1 not in at and at == sorted(at), error.fixes
    assert ("install" in str(error.fixes[0])) == (found.toolkit is None)
