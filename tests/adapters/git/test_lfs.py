"""Large files of git repositories: fetched, checked, or refused by name."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.git.checkout import write_tree
from pycomfy.adapters.git.lfs import parse_pointer
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.pin import pin_source, write_tree_of
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.errors import HashMismatch, NetworkError, PycomfyError, Unresolved
from tests.support.git_server import GitServer, serve
from tests.support.repositories import commit, git

ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
SECRET = "s3cr3t-t0ken"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    with serve(tmp_path / "server", f"me:{SECRET}") as server:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield server


def pack(server: GitServer, *, keep: bool = True) -> str:
    """A pack with two large files, and what only looks like one; its address."""
    files: dict[str, str | bytes | None] = {
        ".gitattributes": ATTRIBUTES,
        "__init__.py": "NODE_CLASS_MAPPINGS = {}\n",
        "weights/a.bin": server.pointer(b"a" * 5000),
        "weights/b.bin": server.pointer(b"b" * 100, keep=keep),
        "small.bin": "this one is small and was committed as it is, which git does not mind at all, and we neither\n"
        * 3,
    }
    commit(server.folder / "pack", files)
    return server.with_login("pack")


def test_large_files_are_fetched_and_the_lock_says_so(server: GitServer, tmp_path: Path, paths: Paths) -> None:
    url = pack(server)
    pinned = pin_source(GitSpec(git=url), tmp_path, "pack", paths)
    source = pinned.source
    assert isinstance(source, GitSource) and source.lfs and SECRET not in source.model_dump_json()
    write_tree_of(source.model_copy(update={"url": url}), tmp_path, tmp_path / "out", paths)
    assert (tmp_path / "out" / "weights" / "a.bin").read_bytes() == b"a" * 5000
    assert (tmp_path / "out" / "weights" / "b.bin").read_bytes() == b"b" * 100
    assert (tmp_path / "out" / "small.bin").read_text().startswith("this one")
    assert nar_writer.hash_path(tmp_path / "out") == source.tree and server.seen == []
    # All is here now: neither git nor the files are asked for again.
    server.asked.clear()
    again = GitSpec(git=url, rev=source.commit)
    assert pin_source(again, tmp_path, "pack", paths).source == source
    write_tree_of(source.model_copy(update={"url": url}), tmp_path, tmp_path / "again", paths)
    assert not server.asked


def test_git_lfs_itself_makes_the_same_tree(server: GitServer, tmp_path: Path, paths: Paths) -> None:
    if shutil.which("git-lfs") is None:
        pytest.skip("no git-lfs here")
    url, clone = pack(server), tmp_path / "clone"
    command = ["git", "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true", "clone", "-q"]
    subprocess.run([*command, url, str(clone)], check=True, capture_output=True)
    shutil.rmtree(clone / ".git")
    assert nar_writer.hash_path(clone) == pin_source(GitSpec(git=url), tmp_path, "pack", paths).source.content_hash


def test_pointers_are_taken_as_they_are_where_that_is_asked(server: GitServer, tmp_path: Path, paths: Paths) -> None:
    url = pack(server, keep=False)
    source = pin_source(GitSpec(git=url, lfs=False), tmp_path, "pack", paths).source
    assert isinstance(source, GitSource) and not source.lfs and "lfs" not in source.model_dump()
    write_tree_of(source.model_copy(update={"url": url}), tmp_path, tmp_path / "out", paths)
    assert (tmp_path / "out/weights/a.bin").read_text().startswith("version https://git-lfs")
    assert nar_writer.hash_path(tmp_path / "out") == source.tree


def test_files_that_the_server_lacks_are_named_with_the_ways_out(
    server: GitServer, tmp_path: Path, paths: Paths
) -> None:
    with pytest.raises(Unresolved, match=r"pack: .*weights/b\.bin.*Object does not exist") as e:
        pin_source(GitSpec(git=pack(server, keep=False)), tmp_path, "pack", paths)
    assert "weights/a.bin" not in e.value.what and "lfs = false" in e.value.fix and SECRET not in str(e.value)


def test_other_bytes_than_the_pointer_promises_are_refused(server: GitServer, tmp_path: Path, paths: Paths) -> None:
    url = pack(server)
    server.objects[hashlib.sha256(b"b" * 100).hexdigest()] = b"c" * 100
    with pytest.raises(HashMismatch, match=r"weights/b\.bin"):
        pin_source(GitSpec(git=url), tmp_path, "pack", paths)


def test_without_a_login_the_refusal_names_files_and_the_way_to_give_one(
    server: GitServer, tmp_path: Path, paths: Paths
) -> None:
    repository = GitMirror(pack(server), owner="pack", cache=paths.cache / "git")
    made = repository.resolve()
    (tmp_path / "out").mkdir()
    without = GitMirror(f"{server.url}/pack", owner="pack", cache=paths.cache / "git")
    with pytest.raises(NetworkError, match=r"weights/a\.bin and weights/b\.bin.*HTTP 401") as e:
        write_tree(without, made, tmp_path / "out")
    assert "login" in e.value.fix and "lfs = false" in e.value.fix


def test_a_credential_helper_opens_large_files_too(server: GitServer, tmp_path: Path, paths: Paths) -> None:
    pack(server)
    (tmp_path / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!f() {{ echo username=me; echo password={SECRET}; }}; f"\n'
    )
    source = pin_source(GitSpec(git=f"{server.url}/pack"), tmp_path, "pack", paths).source
    assert isinstance(source, GitSource) and source.lfs


def test_a_repository_on_this_disk_has_its_large_files_beside_it(
    server: GitServer, tmp_path: Path, paths: Paths
) -> None:
    pack(server)
    local = server.folder / "pack"
    with pytest.raises(PycomfyError, match=r"weights/a\.bin and weights/b\.bin"):
        pin_source(GitSpec(git=str(local)), tmp_path, "pack", paths)
    for sha256, data in server.objects.items():
        place = local / ".git" / "lfs" / "objects" / sha256[:2] / sha256[2:4] / sha256
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
    source = pin_source(GitSpec(git=str(local)), tmp_path, "pack", paths).source
    assert isinstance(source, GitSource) and source.lfs
    place.write_bytes(b"!" * len(data))
    with pytest.raises(HashMismatch):
        pin_source(GitSpec(git=str(local)), tmp_path, "pack", Paths(tmp_path / "h", tmp_path / "h" / "cache"))


def test_large_files_of_submodules_are_those_of_their_repository(
    server: GitServer, tmp_path: Path, paths: Paths
) -> None:
    pack(server)
    outer = server.folder / "outer"
    commit(outer, {"a.py": ""})
    git(outer, "submodule", "--quiet", "add", "../pack", "inner")
    commit(outer, {})
    source = pin_source(GitSpec(git=server.with_login("outer")), tmp_path, "outer", paths).source
    assert isinstance(source, GitSource) and source.lfs and source.submodules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version https://git-lfs.github.com/spec/v1\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:../../etc\nsize 5\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize -5\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize " + "9" * 99 + "\n",
        "x version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 5\n",
    ],
)
def test_what_is_no_pointer_stays_what_it_is(text: str) -> None:
    assert parse_pointer("a", text.encode()) is None
