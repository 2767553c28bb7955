import os
import stat
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine, describe_podman, find_engine, has_nvidia_cdi, parse_version
from pycomfy.errors import BadConfig, MissingTool


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH, to put engines of our own on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PYCOMFY_ENGINE", raising=False)
    return tmp_path


PODMAN = (
    '{"version": {"Version": "4.9.3"}, "host": {"cgroupVersion": "%s", "ociRuntime": {"name": "%s"}, "security": {}}}'
)
DOCKER = '{"ServerVersion": "28.2.2", "SecurityOptions": ["name=rootless"], "Runtimes": {"nvidia": {}}}'


def test_podman_comes_before_docker(path: Path) -> None:
    program(path, "podman", f"echo '{PODMAN % ('v2', 'crun')}'")
    program(path, "docker", f"echo '{DOCKER}'")
    found = find_engine()
    assert (found.kind, found.version, found.runtime) == ("podman", (4, 9, 3), None)
    assert find_engine("docker").rootless
    assert find_engine("docker").nvidia_runtime


def test_docker_is_used_where_podman_does_not_work(path: Path) -> None:
    program(path, "podman", "echo broken >&2; exit 125")
    program(path, "docker", f"echo '{DOCKER}'")
    assert find_engine().kind == "docker"


def test_the_environment_chooses_and_the_option_overrules_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path, "podman", f"echo '{PODMAN % ('v2', 'crun')}'")
    program(path, "docker", f"echo '{DOCKER}'")
    monkeypatch.setenv("PYCOMFY_ENGINE", "docker")
    assert find_engine().kind == "docker"
    assert find_engine("podman").kind == "podman"
    monkeypatch.setenv("PYCOMFY_ENGINE", "lxc")
    with pytest.raises(BadConfig, match="lxc"):
        find_engine()


def test_runc_replaces_a_crun_that_refuses_the_cgroups(path: Path) -> None:
    program(path, "podman", f"echo '{PODMAN % ('v1', 'crun')}'")
    assert find_engine().runtime is None
    program(path, "runc", "")
    found = find_engine()
    assert found.runtime == "runc"
    assert found.command("run", "x") == ["podman", "--runtime", "runc", "run", "x"]


def test_runc_replaces_a_configured_runtime_that_is_not_installed(path: Path) -> None:
    program(path, "runc", "")
    good = PODMAN % ("v2", "runc")
    program(path, "podman", f'[ "$1" = --runtime ] || {{ echo "crun: not found" >&2; exit 125; }}; echo \'{good}\'')
    assert find_engine().runtime == "runc"


def test_what_is_missing_or_broken_is_reported_with_its_fix(path: Path) -> None:
    with pytest.raises(MissingTool, match="podman is not installed") as caught:
        find_engine()
    assert "apt-get install podman" in caught.value.fix
    with pytest.raises(MissingTool, match="docker is not installed"):
        find_engine("docker")
    program(path, "docker", 'echo "cannot connect" >&2; exit 1')
    with pytest.raises(MissingTool, match="cannot connect"):
        find_engine()


def test_versions_are_their_leading_numbers() -> None:
    assert parse_version("4.3.1-dev") == (4, 3, 1)
    assert parse_version("next") == ()


def test_a_cdi_file_must_name_nvidia(tmp_path: Path) -> None:
    assert not has_nvidia_cdi((tmp_path, tmp_path / "missing"))
    (tmp_path / "other.yaml").write_text("kind: vendor.com/device")
    assert not has_nvidia_cdi((tmp_path,))
    (tmp_path / "nvidia.yaml").write_text("kind: nvidia.com/gpu")
    assert has_nvidia_cdi((tmp_path,))


def test_the_engine_of_this_machine_works(engine: Engine) -> None:
    assert engine.version
    assert engine.rootless == (os.getuid() != 0) or engine.kind == "docker"


OVERLAY = {
    "graphDriverName": "overlay",
    "graphOptions": {
        "overlay.mountopt": "nodev,metacopy=on",
        "overlay.mount_program": {"Executable": "/usr/bin/fuse-overlayfs", "Version": "1.13", "Package": "unknown"},
        "overlay.imagestore": "/theirs",
        "overlay.additionalImageStores": ["/theirs", "/too"],
    },
}


def test_a_store_of_ours_comes_beside_the_options_of_podmans_own_configuration() -> None:
    """One on the command line, and Podman takes none from there; but of images it needs ours alone."""
    engine = describe_podman({"host": {}, "store": OVERLAY}, "runc")
    command = engine.command("run", "x", store=Path("/run/pycomfy/1"))
    assert command == [
        *("podman", "--runtime", "runc"),
        *("--storage-opt", "overlay.mountopt=nodev,metacopy=on"),
        *("--storage-opt", "overlay.mount_program=/usr/bin/fuse-overlayfs"),
        *("--storage-opt", "overlay.imagestore=/run/pycomfy/1"),
        *("run", "x"),
    ]
    assert engine.command("rm", "x") == ["podman", "--runtime", "runc", "rm", "x"]


@pytest.mark.parametrize(
    ("host", "store"),
    [
        ({}, {"graphDriverName": "vfs", "graphOptions": {}}),
        ({}, {"graphDriverName": "btrfs", "graphOptions": None}),
        ({}, {}),
        ({"serviceIsRemote": True}, OVERLAY),
    ],
)
def test_a_podman_with_another_storage_or_elsewhere_loads_images(
    host: dict[str, object], store: dict[str, object]
) -> None:
    assert not describe_podman({"host": host, "store": store}, None).links_images


def test_docker_loads_images(path: Path) -> None:
    program(path, "docker", f"echo '{DOCKER}'")
    assert not find_engine("docker").links_images
