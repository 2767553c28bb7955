"""What is added from elsewhere works like what is built in: one module each, registered by one call."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.io.download import fetch
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings, check_store
from pycomfy.adapters.nix.store import add_file, fixed_path, is_valid
from pycomfy.adapters.sources.kinds import register_source
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import source_requisite
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.errors import BadConfig, BadLock, PycomfyError
from pycomfy.services.archive import archive
from pycomfy.services.archive.bundle_export import export_bundle
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.project import Project, host_platform
from pycomfy.services.supply import supply
from pycomfy.services.workspace import Workspace
from tests.support.cli_projects import CARD, Place
from tests.support.hash_dir_source import HashDirAdapter, HashDirSource, add_to_mirror
from tests.support.service_projects import record


@pytest.fixture
def hash_dirs() -> Iterator[None]:
    """While a test runs, there is one more kind of source."""
    undo = register_source(HashDirAdapter())
    yield
    undo()


def write_project(place: Place, text: str = CARD) -> str:
    """A workflow whose only node pack is a folder of a mirror; the hash of that folder."""
    place.write("packs/card/__init__.py", text)
    tree = add_to_mirror(place.work / "mirror", place.work / "packs" / "card")
    place.project(sources=f'[comfyui]\npath = "ComfyUI"\n[packs.card]\nhash-dir = "{tree}"\nmirror = "mirror"\n')
    return tree


def lock(place: Place) -> Lock:
    done = place.run("lock", ".")
    assert done.status == 0, done.err
    return parse_lock(place.lock.read_text())


def record_locked(place: Place) -> None:
    """The lock as a version, as `build` records it."""
    content = ProjectContent(parse_lock(place.lock.read_text()), (place.work / "workflow.json").read_bytes())
    record(Paths(place.data, place.data / "cache"), project_files(content, read_toolkit()))


@pytest.fixture
def store(tmp_path: Path) -> NixSettings:
    """A Nix store of its own."""
    settings = NixSettings(store=tmp_path / "store")
    try:
        check_store(settings)
        platform = host_platform()
    except PycomfyError as e:
        pytest.skip(f"no Nix here: {e.what}")
    if platform != "linux/amd64":
        pytest.skip(f"the Debian archive of these tests is not for {platform}")
    return settings


def test_a_kind_of_source_is_locked_and_its_paths_move_with_the_lock(place: Place, hash_dirs: None) -> None:
    tree = write_project(place)
    (pack,) = lock(place).packs
    assert pack.source == HashDirSource(mirror="mirror", tree=tree) and pack.types == ("HelloCard",)
    assert place.change_lock()["packs"][0]["source"] == {"kind": "hash-dir", "mirror": "mirror", "tree": tree}
    before = place.lock.read_bytes()
    assert "unchanged" in place.run("lock", ".").out and place.lock.read_bytes() == before
    assert place.run("lock", ".", "--output", "locks/other.lock").status == 0
    (moved,) = parse_lock((place.work / "locks" / "other.lock").read_text()).packs
    assert moved.source == HashDirSource(mirror="../mirror", tree=tree)


def test_a_kind_of_source_is_compared_and_checked_out(place: Place, hash_dirs: None) -> None:
    old = write_project(place)
    lock(place)
    record_locked(place)
    new = write_project(place, CARD + "# more\n")
    made = lock(place)
    record_locked(place)
    changes = place.run("diff", f"{made.name}@1", f"{made.name}@2", "--json").json()["packs"]
    short = [tree.removeprefix("sha256-")[:12] for tree in (old, new)]
    assert [(c["name"], c["old"], c["new"]) for c in changes] == [("card", *(f"{h} of mirror" for h in short))]
    done = place.run("checkout", f"{made.name}@1", "--to", "again", "--json")
    assert done.status == 0 and done.json()["local_sources"]["card"] == "mirror", done.err
    keys = parse_config((place.work / "again" / "pycomfy.toml").read_text()).packs["card"].model_dump(by_alias=True)
    assert (keys["hash-dir"], keys["mirror"]) == (old, "mirror")


def test_a_kind_of_source_is_archived_and_travels_in_a_bundle(
    place: Place, hash_dirs: None, store: NixSettings, tmp_path: Path
) -> None:
    tree = write_project(place)
    lock(place)
    place.with_small_gateway()
    made = parse_lock(place.lock.read_text())
    record_locked(place)
    own = Workspace(Paths(place.data, place.data / "cache"), store)
    need = source_requisite(made, "card")
    assert need.output.path == fixed_path(store, "card", tree) and tree[7:19] in need.origin
    assert need.path in [missing.path for missing in archive.status(own).missing]

    supply(own, Project(place.work, made, "linux/amd64", place.work))
    assert is_valid(store, need.path)
    for wheel in made.platforms["linux/amd64"].wheels:
        add_file(
            store, wheel.filename, wheel.sha256, fetch(wheel.url, wheel.sha256, name=wheel.filename, cache=tmp_path)
        )
    assert archive.fill(own).absent == () and own.archive.has(need.output)
    assert archive.status(own).missing == ()

    exported = export_bundle(own, made.name, tmp_path / "x.tar.zst")
    other = Workspace(Paths(tmp_path / "other", tmp_path / "other" / "cache"), NixSettings(store=tmp_path / "empty"))
    assert import_bundle(other, exported.file).new
    own.archive.take(need.output, tmp_path / "card")
    assert other.archive.has(need.output) and (tmp_path / "card" / "__init__.py").read_text() == CARD


def test_another_tool_is_not_told_of_a_kind_that_it_does_not_know(place: Place, hash_dirs: None) -> None:
    tree = write_project(place)
    lock(place)
    done = place.run("export", "pycomfy.lock", "--format", "manager-snapshot", "-o", "snapshot.json", "--json")
    assert done.status == 0, done.err
    (lost,) = [text for text in done.json()["lost"] if "card" in text]
    assert f"the folder {tree.removeprefix('sha256-')[:12]} of the mirror mirror" in lost
    assert "card" not in (place.work / "snapshot.json").read_text()


def test_a_kind_that_is_not_registered_any_more_is_unknown_again(place: Place) -> None:
    with contextlib.ExitStack() as registered:
        registered.callback(register_source(HashDirAdapter()))
        write_project(place)
        lock(place)
    with pytest.raises(
        BadLock, match="unknown kind of source 'hash-dir': this pycomfy knows git, path, url, wheel-tree"
    ):
        parse_lock(place.lock.read_text())
    with pytest.raises(BadConfig, match="by exactly one of: git, wheel, path, url, registry\n"):
        parse_config((place.work / "pycomfy.toml").read_text())


def test_a_kind_is_registered_once_and_only_for_what_it_is_for(hash_dirs: None) -> None:
    with pytest.raises(ValueError, match="another kind of source has the key hash-dir"):
        register_source(HashDirAdapter())
    with pytest.raises(BadConfig, match="by exactly one of: git, wheel, path\n"):
        parse_config(f'[comfyui]\nhash-dir = "sha256-{"A" * 43}="\nmirror = "mirror"\n')
