"""Sources of node packs, from the lock to the image: git with a patch, a single file."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.nix.build import BuildTarget, evaluate
from pycomfy.adapters.nix.store import fixed_path
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Pack, Root
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.services.project import Project, host_platform
from pycomfy.services.realise import realise
from pycomfy.services.supply import supply
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.nix_projects import Workshop, layer_named
from tests.support.package_index import serve
from tests.support.repositories import commit, git


def test_an_image_has_the_patched_files_though_the_patch_is_only_in_the_lock(
    workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    home, base = new_paths(tmp_path), tmp_path / "project"
    commit(base / "greeter", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})
    (base / "greeter" / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n# patched\n")
    (base / "x.patch").write_text(git(base / "greeter", "diff") + "\n")
    spec = parse_config('[packs.greeter]\ngit = "greeter"\nrev = "main"\npatch = "x.patch"\n').packs["greeter"]
    source = pin_source(spec, base, "greeter", home).source
    assert isinstance(source, GitSource) and source.patch is not None
    (base / "x.patch").unlink()
    lock = workshop.lock(
        {"linux/amd64": root}, [workshop.wheel("one", {"one.py": b""})], [Pack(name="greeter", source=source)]
    )
    folder = workshop.project(lock)
    project = Project(folder, lock, host_platform(), base)
    made = realise(Workspace(home, workshop.settings), project, log=tmp_path / "log")
    assert "greeter" in " ".join(read_layout(made.oci).layer_names)
    place = workshop.settings.local_path(fixed_path(workshop.settings, "greeter", source.tree))
    assert (place / "__init__.py").read_text().endswith("# patched\n")
    paths = evaluate(workshop.settings, BuildTarget(folder, "sources", host_platform())).outputs
    assert {need.path for need in list_requisites(lock)} == set(paths)
    assert "with the patch that the lock has" in (folder / "README.md").read_text()


def test_a_single_file_is_the_package_that_comfyui_loads(workshop: Workshop, root: Root, tmp_path: Path) -> None:
    data = b"NODE_CLASS_MAPPINGS = {}\n"
    (workshop.folder / "only.py").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    source = UrlSource(url=f"{workshop.address}/only.py", sha256=sha256, name="only.py")
    wheels, packs = [workshop.wheel("one", {"one.py": b""})], [Pack(name="only", source=source)]
    lock = workshop.lock({"linux/amd64": root}, wheels, packs)
    project = Project(workshop.project(lock), lock, host_platform(), workshop.folder)
    image = read_layout(realise(Workspace(new_paths(tmp_path), workshop.settings), project, log=tmp_path / "log").oci)
    file = layer_named(image.layout, "pack-only") / "diff/opt/ComfyUI/custom_nodes/only/__init__.py"
    assert file.read_bytes() == data


def test_a_single_file_behind_a_login_needs_no_setting_of_nix(
    workshop: Workshop, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = f"# {tmp_path}\nNODE_CLASS_MAPPINGS = {{}}\n".encode()
    with serve("s3cret") as index:
        index.put("guarded", "guarded.py", data)
        host = index.url.removesuffix("/simple").rpartition("@")[2]
        source = UrlSource(url=f"http://{host}/files/guarded.py", sha256=hashlib.sha256(data).hexdigest(), name="g.py")
        lock = workshop.lock({"linux/amd64": root}, [], [Pack(name="guarded", source=source)])
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        supply(Workspace(new_paths(tmp_path), workshop.settings), Project(tmp_path, lock, host_platform(), tmp_path))
    place = workshop.settings.local_path(source.fixed_output("guarded").path)
    assert place.read_bytes() == data


def test_a_local_folder_and_a_local_wheel_that_are_gone_are_taken_from_the_archive(
    workshop: Workshop, root: Root, tmp_path: Path
) -> None:
    base, workspace = tmp_path / "project", Workspace(new_paths(tmp_path), workshop.settings)
    (base / "card").mkdir(parents=True)
    (base / "card" / "__init__.py").write_text(f"# {tmp_path}\n")
    spec = parse_config('[packs.card]\npath = "card"\n').packs["card"]
    source = pin_source(spec, base, "card", workspace.paths).source
    assert isinstance(source, PathSource)
    output = source.fixed_output("card")
    workspace.archive.add(output, base / "card", lambda read: None)
    shutil.rmtree(base / "card")
    wheel = workshop.wheel("own", {"own.py": f"# {tmp_path}\n".encode()})
    wheel = wheel.model_copy(update={"url": wheel.filename})
    file = FixedOutput(wheel.filename, bytes.fromhex(wheel.sha256), recursive=False)
    workspace.archive.add(file, workshop.folder / wheel.filename, lambda read: None)
    lock = workshop.lock({"linux/amd64": root}, [wheel], [Pack(name="card", source=source)])
    supply(workspace, Project(tmp_path, lock, host_platform(), base))
    assert workshop.settings.local_path(file.path).is_file()
    assert (workshop.settings.local_path(output.path) / "__init__.py").read_text() == f"# {tmp_path}\n"
