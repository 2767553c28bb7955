"""Shared libraries that modules need and a built image lacks, found in its layers."""

from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root
from pycomfy.services.build.missing_libraries import report_missing_libraries
from pycomfy.services.workspace import Workspace
from tests.support.elf_files import make_elf
from tests.support.nix_projects import Workshop, built
from tests.support.operations import listening


def test_a_missing_shared_library_is_named_with_wheel_file_and_package(
    workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    elf = make_elf(["libc.so.6", "libGL.so.1", "libinner-1.so.2", "libcuda.so.1"], module="cv2")
    wheels = [
        workshop.wheel(
            "gui",
            {
                "cv2/cv2.abi3.so": elf,
                "gui.libs/libinner-1.so.2": make_elf(["libXss.so.1", "libnope.so.7"]),
                "cv2/plugin.so": make_elf(["libunheard.so.1"]),
            },
        )
    ]
    lock = workshop.lock({"linux/amd64": root}, wheels, [])
    oci = built(workshop, workshop.project(lock))
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    names = find_paths().cache / "debian" / "names-bookworm-amd64"
    if not names.is_file():
        pytest.skip("Debian's names were never read here")
    (paths.cache / "debian").mkdir(parents=True)
    (paths.cache / "debian" / names.name).write_bytes(names.read_bytes())
    with listening() as heard:
        found = report_missing_libraries(Workspace(paths), lock, "linux/amd64", oci, ["ffmpeg"])
    site = "opt/venv/lib/python3.11/site-packages"
    assert [(f.owner, f.path, f.soname, f.via, f.package, f.known, f.line) for f in found] == [
        ("gui 1.0", f"{site}/cv2/cv2.abi3.so", "libXss.so.1", f"{site}/gui.libs/libinner-1.so.2", "libxss1", True,
         'apt = ["ffmpeg", "libxss1"]'),
        ("gui 1.0", f"{site}/cv2/cv2.abi3.so", "libnope.so.7", f"{site}/gui.libs/libinner-1.so.2", "libnope7", False,
         'apt = ["ffmpeg", "libnope7"]'),
    ]  # fmt: skip
    line = 'apt = ["ffmpeg", "libnope7", "libxss1"]'
    assert f"write at the top of pycomfy.toml, in place of its apt, and lock again: {line}" in heard.remarks[-1]
    assert report_missing_libraries(Workspace(paths), lock, "linux/amd64", oci, ["ffmpeg"]) == found
    assert len(list((paths.cache / "libraries").rglob("*.json"))) == 6


def test_a_whole_image_says_nothing(workshop: Workshop, root: Root, tmp_path: Path, settings: NixSettings) -> None:
    lock = workshop.lock({"linux/amd64": root}, [workshop.wheel("plain", {"plain.py": b""})], [])
    oci = built(workshop, workshop.project(lock))
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    with listening() as heard:
        assert report_missing_libraries(Workspace(paths), lock, "linux/amd64", oci, []) == ()
    assert heard.remarks == []
