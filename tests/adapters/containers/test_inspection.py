import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers import inspection
from pycomfy.adapters.containers.inspection import default_storage, inspect_engine

PODMAN: dict[str, Any] = {
    "version": {"Version": "4.9.3"},
    "host": {
        "cgroupVersion": "v2",
        "ociRuntime": {"name": "crun"},
        "security": {"rootless": True},
        "idMappings": {"uidmap": [{"size": 1}, {"size": 65536}]},
    },
    "store": {
        "graphDriverName": "overlay",
        "graphRoot": "/home/me/.local/share/containers/storage",
        "graphStatus": {"Native Overlay Diff": "false"},
        "imageStore": {"number": 7},
    },
}
DOCKER: dict[str, Any] = {
    "ServerVersion": "28.2.2",
    "Driver": "overlay2",
    "DockerRootDir": "/",
    "CgroupVersion": "2",
    "DefaultRuntime": "runc",
    "Images": 3,
}


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def answer(folder: Path, name: str, info: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(info))
    program(folder, name, f"exec /bin/cat {folder}/{name}.json")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "CONTAINERS_STORAGE_CONF", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def environment(path: Path, **more: str) -> Mapping[str, str]:
    """Something is configured, so that Podman is asked as it is."""
    (path / "storage.conf").write_text('[storage]\ngraphroot = "/x"\nrootless_storage_path = "/x"\n')
    return {"HOME": str(path / "home"), "CONTAINERS_STORAGE_CONF": str(path / "storage.conf"), **more}


def test_what_podman_says_of_itself(path: Path) -> None:
    answer(path, "podman", PODMAN)
    found = inspect_engine("podman", environment(path))
    assert found is not None and found.engine is not None and found.engine.rootless
    assert (found.runtime, found.cgroups, found.driver, found.overlay_native) == ("crun", "v2", "overlay", False)
    assert (found.images, found.mapped_users, found.remote) == (7, 65537, False)
    assert found.storage == Path("/home/me/.local/share/containers/storage")
    answer(path, "podman", {**PODMAN, "host": {**PODMAN["host"], "serviceIsRemote": True}})
    remote = inspect_engine("podman", environment(path))
    assert remote is not None and remote.remote and remote.storage is None


def test_what_docker_says_of_itself(path: Path) -> None:
    answer(path, "docker", DOCKER)
    found = inspect_engine("docker", {})
    assert found is not None and found.engine is not None and found.engine.version == (28, 2, 2)
    assert (found.runtime, found.cgroups, found.driver, found.images) == ("runc", "v2", "overlay2", 3)
    assert found.storage == Path("/")
    far = inspect_engine("docker", {"DOCKER_HOST": "tcp://build.test:2375"})
    assert far is not None and far.remote and far.storage is None
    answer(path, "docker", {**DOCKER, "DockerRootDir": "/in/a/virtual/machine"})
    assert (desktop := inspect_engine("docker", {})) is not None and desktop.storage is None


@pytest.mark.parametrize(
    "info",
    [
        {"host": {"ociRuntime": {"name": ["crun"]}, "cgroupVersion": 3, "idMappings": {"uidmap": "all"}}, "store": 3},
        {"host": {"a": 1}, "store": {"graphRoot": "../x", "graphDriverName": "x" * 10_000, "imageStore": []}},
        {"host": {"a": 1}, "store": {"graphStatus": {"Native Overlay Diff": 3}, "imageStore": {"number": -1}}},
    ],
)
def test_an_engine_that_talks_nonsense_is_not_believed(path: Path, info: dict[str, Any]) -> None:
    answer(path, "podman", info)
    found = inspect_engine("podman", environment(path))
    assert found is not None and found.storage is None and found.images is None and len(found.driver) <= 200


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_one_that_does_not_work_or_answer_says_why(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    engine: Any = kind
    assert inspect_engine(engine, environment(path)) is None
    program(path, kind, 'echo "cannot connect" >&2; exit 1')
    found = inspect_engine(engine, environment(path))
    assert found is not None and found.engine is None and found.error is not None
    assert "cannot connect" in found.error.what and found.error.fixes
    program(path, kind, "exec /bin/sleep 600")
    monkeypatch.setattr(inspection, "_SECONDS", 0.2)
    assert (slow := inspect_engine(engine, environment(path))) is not None and slow.error is not None
    assert "within 0.2 seconds" in slow.error.what


def test_a_podman_that_was_never_used_makes_its_folders_elsewhere(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = path / "home"
    answer(path, "podman", PODMAN)
    text = (path / "podman").read_text()
    (path / "podman").write_text(text.replace("#!/bin/sh\n", f'#!/bin/sh\necho "$XDG_RUNTIME_DIR $*" > {path}/asked\n'))
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    found = inspect_engine("podman", {"HOME": str(home)})
    assert found is not None and found.storage == home / ".local/share/containers/storage"
    runtime, root, *others = (path / "asked").read_text().split()
    assert root == f"--root={runtime}/root" and {"info", f"--tmpdir={runtime}/tmpdir"} <= set(others)
    assert not home.exists() and not Path(runtime).exists()
    (home / ".local/share/containers/storage").mkdir(parents=True)
    inspect_engine("podman", {"HOME": str(home)})
    assert "--root" not in (path / "asked").read_text()


def test_storage_that_is_configured_is_podmans_to_find(path: Path) -> None:
    given = environment(path)
    assert default_storage(given, 0) is None and default_storage(given, 1000) is None
    (path / "storage.conf").write_text('[storage]\ndriver = "overlay"\n')
    assert default_storage(given, 0) == Path("/var/lib/containers/storage")
    (path / "storage.conf").write_text("no TOML [")
    assert default_storage({**given, "XDG_DATA_HOME": "/data"}, 1000) == Path("/data/containers/storage")
    assert default_storage({"HOME": "/x", "CONTAINER_HOST": "ssh://y"}, 0) is None


@pytest.mark.skipif(shutil.which("podman") is None, reason="no Podman here")
def test_the_real_podman_tells_what_it_has() -> None:
    found = inspect_engine("podman", os.environ)
    assert found is not None and (found.error is not None or (found.driver and found.runtime and found.cgroups))


def test_a_rootless_podman_without_its_helper_says_what_to_install(path: Path) -> None:
    program(path, "podman", 'echo "Error: exec: newuidmap: executable file not found in \\$PATH" >&2; exit 125')
    found = inspect_engine("podman", environment(path))
    assert found is not None and found.error is not None and found.error.fixes[0] == "apt-get install uidmap"
