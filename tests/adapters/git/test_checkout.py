import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.git.checkout import list_entries, read_tree, write_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.sources.pin import pin_source, write_tree_of
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.errors import PycomfyError, Unresolved
from tests.support.repositories import commit, git


def checkout(pack: Path, tmp_path: Path) -> Path:
    """The tree of the newest commit of `pack`, as pycomfy writes it."""
    repository = GitMirror(str(pack), owner="pack", cache=tmp_path / "cache")
    out = tmp_path / "out"
    out.mkdir()
    write_tree(repository, repository.resolve(), out)
    return out


def make_commit(pack: Path, entries: list[tuple[str, str, str]]) -> None:
    """A commit whose tree git itself would not make: (mode, name, content), made of raw objects."""
    pack.mkdir()
    git(pack, "init", "--quiet")
    tree = b""
    for mode, name, content in entries:
        blob = run(pack, ["git", "hash-object", "-w", "--stdin"], content.encode())
        tree += f"{mode} {name}".encode() + b"\0" + bytes.fromhex(blob)
    made = run(pack, ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"], tree)
    git(pack, "update-ref", "refs/heads/main", git(pack, "commit-tree", made, "-m", "x"))


def run(folder: Path, command: list[str], stdin: bytes) -> str:
    return subprocess.run(command, cwd=folder, input=stdin, check=True, capture_output=True).stdout.decode().strip()


def test_files_are_written_as_they_were_committed(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "run.sh").write_text("#!/bin/sh\n")
    (pack / "run.sh").chmod(0o755)
    (pack / "link").symlink_to("sub/a.txt")
    content: dict[str, str | bytes | None] = {
        "sub/a.txt": "one\r\ntwo\n",
        "empty": "",
        "big.bin": os.urandom(3 << 20),
        "ü name.txt": "ü",
    }
    attributes = "* text=auto eol=crlf ident\nrun.sh export-ignore\n*.bin filter=lfs\n$Id$\n"
    commit(pack, {**content, ".gitattributes": "* -text\n"})
    (pack / ".gitattributes").write_text(attributes)
    git(pack, "add", ".gitattributes")
    git(pack, "commit", "--quiet", "--message", "attributes")
    out = checkout(pack, tmp_path)
    assert {str(p.relative_to(out)) for p in out.rglob("*") if not p.is_dir()} == {
        *content,
        "run.sh",
        "link",
        ".gitattributes",
    }
    for name, expected in content.items():
        assert (out / name).read_bytes() == (expected.encode() if isinstance(expected, str) else expected or b"")
    assert (out / "link").readlink() == Path("sub/a.txt")
    assert os.access(out / "run.sh", os.X_OK) and not os.access(out / "empty", os.X_OK)


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside", "sub/../../outside", "inner/../../outside"],
    ids=lambda t: t.replace("/", "_"),
)
def test_a_link_out_of_the_tree_is_refused(tmp_path: Path, target: str) -> None:
    pack = tmp_path / "pack"
    (pack / "sub" / "deep").mkdir(parents=True)
    (pack / "inner").symlink_to("sub")
    (pack / "link").symlink_to(target)
    commit(pack, {"sub/deep/x": ""})
    with pytest.raises(Unresolved, match="points outside the tree"):
        checkout(pack, tmp_path)


def test_a_link_that_escapes_only_through_another_link_is_refused(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    (pack / "sub").mkdir(parents=True)
    (pack / "sub" / "here").symlink_to(".")
    # By its letters this stays inside: sub/here/../.. is the root. In truth `here` is `sub`.
    (pack / "sub" / "link").symlink_to("here/../../x")
    commit(pack, {"a": ""})
    with pytest.raises(Unresolved, match="points outside the tree"):
        checkout(pack, tmp_path)


@pytest.mark.parametrize(
    "entries",
    [
        [("100644", "..", "x")],
        [("100644", ".git", "x")],
        [("100644", ".GIT", "x")],
        [("120000", "a", "/tmp"), ("100644", "a", "x")],
    ],
    ids=["dots", "git", "upper", "twice"],
)
def test_a_hostile_tree_is_refused(tmp_path: Path, entries: list[tuple[str, str, str]]) -> None:
    make_commit(tmp_path / "pack", entries)
    with pytest.raises(Unresolved, match="is refused"):
        checkout(tmp_path / "pack", tmp_path)
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "name",
    [".git", ".git ", ".git.", "git~1", ".G\u200cIT", ".git::$INDEX_ALLOCATION", ".", "a\tb", "a\x7fb", "x" * 256],
)
def test_a_name_that_tricks_on_any_file_system_is_refused(tmp_path: Path, name: str) -> None:
    make_commit(tmp_path / "pack", [("100644", name, "x")])
    with pytest.raises(Unresolved, match="it has a file named"):
        checkout(tmp_path / "pack", tmp_path)


def test_submodules_are_part_of_the_tree(tmp_path: Path) -> None:
    commit(tmp_path / "inner", {"inner.py": "1"})
    commit(tmp_path / "pack", {"a.py": ""})
    git(tmp_path / "pack", "submodule", "--quiet", "add", "../inner", "lib/inner")
    commit(tmp_path / "pack", {})
    repository = GitMirror(str(tmp_path / "pack"), owner="pack", cache=tmp_path / "cache")
    (tmp_path / "out").mkdir()
    assert write_tree(repository, repository.resolve(), tmp_path / "out") == (True, False)
    assert (tmp_path / "out/lib/inner/inner.py").read_text() == "1"
    assert not list((tmp_path / "out").rglob(".git"))
    (tmp_path / "alone").mkdir()
    assert write_tree(repository, repository.resolve(), tmp_path / "alone", submodules=False) == (False, False)
    assert list((tmp_path / "alone/lib/inner").iterdir()) == []


def test_a_pack_is_pinned_without_its_submodules(tmp_path: Path) -> None:
    commit(tmp_path / "inner", {"inner.py": "1"})
    commit(tmp_path / "pack", {"a.py": ""})
    git(tmp_path / "pack", "submodule", "--quiet", "add", "../inner", "lib/inner")
    commit(tmp_path / "pack", {})
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    whole = pin_source(GitSpec(git=str(tmp_path / "pack")), tmp_path, "pack", paths)
    shutil.rmtree(tmp_path / "inner")
    shutil.rmtree(paths.cache)
    with pytest.raises(PycomfyError, match="its submodule lib/inner") as e:
        pin_source(GitSpec(git=str(tmp_path / "pack")), tmp_path, "pack", paths)
    assert "submodules = false" in e.value.fix and 'beside git = "' in e.value.fix
    alone = pin_source(GitSpec(git=str(tmp_path / "pack"), submodules=False), tmp_path, "pack", paths)
    assert isinstance(alone.source, GitSource) and isinstance(whole.source, GitSource)
    assert whole.source.submodules and not alone.source.submodules and alone.source.tree != whole.source.tree
    write_tree_of(alone.source, tmp_path, tmp_path / "out" / "pack", paths)
    assert sorted(path.name for path in (tmp_path / "out" / "pack").rglob("*")) == [
        ".gitmodules",
        "a.py",
        "inner",
        "lib",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "-u./run",
        "--upload-pack=./run",
        "ext::sh -c id",
        "fd::3",
        "http://h/x",
        "https://-x/y",
        "https://me%0ahost=x@h/x",
        "ssh://-oProxyCommand=x/y",
    ],
)
def test_a_submodule_may_not_point_into_this_machine(tmp_path: Path, url: str) -> None:
    commit(tmp_path / "inner", {"inner.py": "1"})
    commit(tmp_path / "pack", {"a.py": ""})
    git(tmp_path / "pack", "submodule", "--quiet", "add", "../inner", "inner")
    modules = (tmp_path / "pack/.gitmodules").read_text().replace("../inner", url)
    commit(tmp_path / "pack", {".gitmodules": modules})
    with pytest.raises(PycomfyError, match=r"has a local address|is not the address of a git repository"):
        checkout(tmp_path / "pack", tmp_path)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("git@h.test:owner/repo", "../../some/folder"),
        ("git@h.test:owner/repo", "../../../etc"),
        ("git@h.test:owner/repo", "../.."),
        ("https://h.test/owner/repo", "../../../elsewhere.test/x"),
        ("https://me:pw@h.test/owner/repo", "../../../elsewhere.test/x/y"),
        ("ssh://git@h.test/owner/repo", "../../../-oProxyCommand=x/y"),
        ("ssh://git@h.test/owner/repo", "../../../../x"),
    ],
)
def test_a_relative_submodule_stays_on_its_server(tmp_path: Path, base: str, url: str) -> None:
    inner = commit(tmp_path / "inner", {"inner.py": "1"})
    commit(tmp_path / "pack", {".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = {url}\n'})
    git(tmp_path / "pack", "update-index", "--add", "--cacheinfo", f"160000,{inner},s")
    git(tmp_path / "pack", "commit", "--quiet", "--message", "s")
    made = git(tmp_path / "pack", "rev-parse", "HEAD")
    here = GitMirror(str(tmp_path / "pack"), owner="pack", cache=tmp_path / "cache")
    here.fetch(made)
    there = GitMirror(base, owner="pack", cache=tmp_path / "cache")
    here.mirror.rename(there.mirror)
    (tmp_path / "out").mkdir()
    with pytest.raises(Unresolved, match=r"submodule s has the address .* which is not on the same server"):
        write_tree(there, made, tmp_path / "out")


def test_a_submodule_without_an_address_is_an_empty_folder(tmp_path: Path) -> None:
    commit(tmp_path / "inner", {"inner.py": "1"})
    commit(tmp_path / "pack", {"a.py": ""})
    git(tmp_path / "pack", "submodule", "--quiet", "add", "../inner", "inner")
    commit(tmp_path / "pack", {".gitmodules": None})
    out = checkout(tmp_path / "pack", tmp_path)
    assert list((out / "inner").iterdir()) == []


def test_read_tree_reads_only_what_is_wanted(tmp_path: Path) -> None:
    commit(tmp_path / "pack", {"a.py": "a", "sub/b.py": "b", "weights.bin": b"\0" * 100})
    repository = GitMirror(str(tmp_path / "pack"), owner="pack", cache=tmp_path / "cache")
    head = repository.resolve()
    assert read_tree(repository, head, lambda p: p.endswith(".py")) == {"a.py": b"a", "sub/b.py": b"b"}
    assert [e.path for e in list_entries(repository, head)] == ["a.py", "sub/b.py", "weights.bin"]
