import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.git import checkout as module
from pycomfy.adapters.git.checkout import Entry, list_entries, read_tree, write_tree
from pycomfy.adapters.git.lfs import MAX_POINTER
from pycomfy.adapters.git.mirror import GitMirror, GitObjects
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.sources.pin import pin_source, write_tree_of
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.errors import PycomfyError, Unresolved
from pycomfy.operation import Cancelled, Operation
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
    [
        ".git",
        ".git ",
        ".git.",
        "git~1",
        ".G\u200cIT",
        ".git::$INDEX_ALLOCATION",
        ".",
        "a\tb",
        "a\x1fb",
        "a\x7fb",
        "x" * 256,
    ],
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
        ("https://h.test/owner/repo", "../../../there.test/x/y"),
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


def test_writing_a_tree_ends_with_the_file_at_which_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path / "pack", {"a": "1", "b": "2", "c": "3"})
    operation = Operation()
    write = GitObjects.write

    def write_and_cancel(objects: GitObjects, object_: str, to: Path) -> None:
        write(objects, object_, to)
        if to.name == "b":
            operation.cancel_scope.cancel()

    monkeypatch.setattr(GitObjects, "write", write_and_cancel)
    with operation.running(), pytest.raises(Cancelled):
        checkout(tmp_path / "pack", tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]


def test_read_tree_reads_only_what_is_wanted(tmp_path: Path) -> None:
    commit(tmp_path / "pack", {"a.py": "a", "sub/b.py": "b", "weights.bin": b"\0" * 100})
    repository = GitMirror(str(tmp_path / "pack"), owner="pack", cache=tmp_path / "cache")
    head = repository.resolve()
    assert read_tree(repository, head, lambda p: p.endswith(".py")) == {"a.py": b"a", "sub/b.py": b"b"}
    assert [e.path for e in list_entries(repository, head)] == ["a.py", "sub/b.py", "weights.bin"]


# — objects planted in the mirror: of trees that git would not make, and of repositories that are nowhere —

Content = tuple[str, str, bytes | str]
"""A mode, a name, and a file's bytes or another object's name."""


class Planted:
    """A mirror with objects that were never fetched."""

    def __init__(self, folder: Path, url: str = "https://h.test/owner/pack") -> None:
        self.mirror = GitMirror(url, owner="pack", cache=folder / "cache")
        self.out = folder / "out"
        self.folder = folder

    def object(self, kind: str, data: bytes) -> str:
        done = self.mirror.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", stdin=data)
        assert done.status == 0, done.message
        return done.output.decode().strip()

    def tree(self, *entries: Content) -> str:
        data = b""
        for mode, name, content in entries:
            object_ = self.object("blob", content) if isinstance(content, bytes) else content
            data += f"{mode} {name}\0".encode() + bytes.fromhex(object_)
        return self.object("tree", data)

    def commit(self, tree: str) -> str:
        who = "x <x> 0 +0000"
        return self.object("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode())

    def refuse(self, commit: str, why: str) -> None:
        with pytest.raises(Unresolved) as e:
            self.write(commit)
        assert e.value.what.partition(": fatal: ")[0] == f"pack: the git repository is refused: {why}"
        assert (e.value.where, "copy the files" in e.value.fix) == (self.mirror.address.public, True)

    def write(self, commit: str, **options: bool) -> module.CheckoutResult:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        return write_tree(self.mirror, commit, self.out, **options)

    def submodules(self, path: str, url: str, commit: str, *more: Content) -> str:
        """A commit with a submodule."""
        modules = f'[submodule "s"]\n\tpath = {path}\n\turl = {url}\n'.encode()
        return self.commit(self.tree(("100644", ".gitmodules", modules), *more, ("160000", path, commit)))


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path)


def test_what_is_no_commit_is_refused(planted: Planted) -> None:
    blob = planted.object("blob", b"x")
    planted.refuse(blob, f"commit {blob} has no tree")


def test_a_tree_that_cannot_be_read_is_refused(planted: Planted) -> None:
    endless = planted.object("tree", b"100644 a")
    planted.refuse(planted.commit(endless), f"the object {endless} is not a tree")
    cut = planted.commit(planted.object("tree", b"100644 a\0" + b"x" * 19))
    planted.refuse(cut, f"commit {cut} cannot be listed")
    nameless = planted.commit(planted.object("tree", b"\0" + b"x" * 20))
    planted.refuse(nameless, f"commit {nameless} cannot be listed")


def test_old_modes_of_files_and_folders_are_read(planted: Planted) -> None:
    inner = planted.tree(("100664", "b", b"1"), ("100755", "run", b"2"))
    planted.write(planted.commit(planted.tree(("40000", "new", inner), ("040000", "old", inner))))
    for folder in ("new", "old"):
        modes = {p.name: p.stat().st_mode & 0o777 for p in (planted.out / folder).iterdir()}
        assert modes == {"b": 0o644, "run": 0o755}


def test_the_number_of_files_is_limited_before_they_are_listed(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a folder that occurs often holds them, and where there are only folders."""
    monkeypatch.setattr(module, "MAX_FILES", 12)
    leaf = planted.tree(*(("100644", f"{n}", b"") for n in range(3)))
    four = planted.tree(*(("40000", f"{n}", leaf) for n in range(4)))
    assert len(list_entries(planted.mirror, planted.commit(four))) == 12
    monkeypatch.setattr(module, "MAX_FILES", 11)
    planted.refuse(planted.commit(four), "it has more than 11 files")
    folders = planted.object("tree", b"")
    for _ in range(10):
        folders = planted.tree(("40000", "f", folders))
    assert list_entries(planted.mirror, planted.commit(folders)) == ()
    folders = planted.tree(("40000", "f", folders))
    planted.refuse(planted.commit(folders), "it has more than 11 files")
    assert list_entries(planted.mirror, planted.commit(planted.tree(("40000", "f", leaf), ("100644", "x", b"")))) != ()
    monkeypatch.setattr(module, "MAX_FILES", 5)
    beside = planted.tree(("40000", "f", leaf), *(("100644", f"x{n}", b"") for n in range(3)))
    planted.refuse(planted.commit(beside), "it has more than 5 files")


def test_the_depth_of_folders_is_limited(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DEPTH", 5)
    tree, side = planted.tree(("100644", "a", b"")), planted.tree(("100644", "b", b""))
    for _ in range(4):
        tree = planted.tree(("40000", "f", tree), ("40000", "side", side))
    assert len(list_entries(planted.mirror, planted.commit(tree))) == 5
    planted.refuse(planted.commit(planted.tree(("40000", "f", tree))), "it has more than 5 nested folders")


def test_the_size_of_files_is_limited(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 30)
    entries = [Entry("a", "100644", "0" * 40, 1 << 29), Entry("b", "100755", "0" * 40, 1 << 29)]
    module._check_entries(planted.mirror, entries)
    with pytest.raises(Unresolved, match=f"it has more than {module.MAX_FILES} files or 1 GiB"):
        module._check_entries(planted.mirror, [*entries, Entry("c", "100644", "0" * 40, 1)])
    monkeypatch.setattr(module, "MAX_FILES", 1)
    with pytest.raises(Unresolved, match="it has more than 1 files or 1 GiB"):
        module._check_entries(planted.mirror, entries)


def test_a_repository_of_100_000_files_8_gib_and_200_nested_folders_is_the_largest(planted: Planted) -> None:
    leaf = planted.tree(("100644", "a", b""))
    files = folders = leaf
    for _ in range(5):
        files = planted.tree(*(("40000", f"{n}", files) for n in range(10)))
    for _ in range(199):
        folders = planted.tree(("40000", "f", folders))
    with planted.mirror.objects() as objects:
        for tree in (files, folders):
            module._check_extent(planted.mirror, objects, planted.commit(tree))
    planted.refuse(
        planted.commit(planted.tree(("40000", "a", files), ("40000", "b", leaf))), "it has more than 100000 files"
    )
    planted.refuse(planted.commit(planted.tree(("40000", "f", folders))), "it has more than 200 nested folders")
    entries = [Entry("a", "100644", "0" * 40, 8 << 30), *(Entry(f"{n}", "100644", "0" * 40, 0) for n in range(99_999))]
    module._check_entries(planted.mirror, entries)
    for more in (Entry("1", "100644", "0" * 40, 1), Entry("b", "100644", "0" * 40, 0)):
        with pytest.raises(Unresolved, match="it has more than 100000 files or 8 GiB"):
            module._check_entries(planted.mirror, [*entries[: 100_000 - more.size], more])


def test_entries_that_cannot_be_written_are_refused(planted: Planted) -> None:
    def entry(path: str, mode: str = "100644", size: int = 0) -> Entry:
        return Entry(path, mode, "0" * 40, size)

    long = "/".join(["x" * 99] * 20)
    for entries, why in (
        ([entry(f"{long}/y")], f"the path {long[:100]!r}… is too long"),
        ([entry("a", "100600")], "a is neither file nor link"),
        ([entry("a", "120000", 4001)], "the link a is too long"),
        ([entry("a"), entry("a/b/c")], "a/b/c is in a folder that is a file or link as well"),
        ([entry("a/b", "120000"), entry("a/b/c")], "a/b/c is in a folder that is a file or link as well"),
        ([entry("a"), entry("a")], "it has two files of the same name"),
        ([entry("b/.git/c")], "it has a file named 'b/.git/c'"),
        ([entry("x" * 300)], f"it has a file named {'x' * 200!r}"),
    ):
        with pytest.raises(Unresolved) as e:
            module._check_entries(planted.mirror, entries)
        assert e.value.what == f"pack: the git repository is refused: {why}"
    module._check_entries(planted.mirror, [entry(f"{long}x")])
    module._check_entries(
        planted.mirror, [entry("a", "120000", 4000), entry("b", size=4001), entry("c/d"), entry("c/e")]
    )


@pytest.mark.parametrize("name", ["x" * 255, "a b", "~", "git", "a.git", ".gitx", "...", "ü", "git~2", "a:b"])
def test_other_names_are_taken(planted: Planted, name: str) -> None:
    planted.write(planted.commit(planted.tree(("100644", name, b"1"))))
    assert [p.name for p in planted.out.iterdir()] == [name]


def test_only_small_files_are_read(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXT", 10)
    made = planted.commit(
        planted.tree(("100755", "a.py", b"x" * 10), ("100644", "b.py", b"x" * 11), ("120000", "c.py", b"a.py"))
    )
    assert read_tree(planted.mirror, made, lambda p: True) == {"a.py": b"x" * 10}


def test_a_file_of_2_mib_is_read_and_no_larger_one(planted: Planted) -> None:
    text = b"#" * (2 << 20)
    made = planted.commit(planted.tree(("100644", "a", text), ("100644", "b", text + b"#")))
    assert read_tree(planted.mirror, made, lambda p: True) == {"a": text}


def test_submodules_are_nested_no_deeper_than_the_limit(tmp_path: Path, planted: Planted) -> None:
    limit = module.MAX_SUBMODULE_DEPTH
    assert limit == 4
    inner, made = Planted(tmp_path, "https://h.test/owner/0"), ""
    made = inner.commit(inner.tree(("100644", "innermost", b"1")))
    for depth in range(1, limit + 2):
        outer = planted if depth == limit else Planted(tmp_path, f"https://h.test/owner/{depth}")
        made = outer.submodules("s", "../pack" if depth == limit + 1 else f"https://h.test/owner/{depth - 1}", made)
        if depth == limit:
            assert planted.write(made) == (True, False)
            assert (planted.out / "/".join("s" * limit) / "innermost").read_text() == "1"
    with pytest.raises(Unresolved, match=f"is refused: submodule s is nested more than {limit} deep") as e:
        outer.write(made)
    assert e.value.where == "https://h.test/owner/1"


def test_a_relative_submodule_is_beside_its_repository(tmp_path: Path, planted: Planted) -> None:
    for url, address in (
        ("../other", "https://h.test/owner/other"),
        ("../../someone/other.git", "https://h.test/someone/other.git"),
        ("./inner", "https://h.test/owner/pack/inner"),
    ):
        inner = Planted(tmp_path, address)
        made = inner.commit(inner.tree(("100644", "a", url.encode())))
        planted.write(planted.submodules("s", url, made))
        assert (planted.out / "s" / "a").read_text() == url


def test_a_submodule_of_an_ssh_address_is_beside_it(tmp_path: Path) -> None:
    outer, inner = Planted(tmp_path, "git@h.test:owner/repo"), Planted(tmp_path, "git@h.test:owner/other")
    outer.write(outer.submodules("s", "../other", inner.commit(inner.tree(("100644", "a", b"1")))))
    assert (outer.out / "s" / "a").read_text() == "1"


def test_only_submodules_that_are_named_with_path_and_address_are_filled(tmp_path: Path, planted: Planted) -> None:
    inner = Planted(tmp_path, "https://h.test/owner/inner")
    made = inner.commit(inner.tree(("100644", "a", b"1")))
    modules = b"".join(
        f'[submodule "{name}"]\n{text}'.encode()
        for name, text in {
            "s.path": "path = s\nurl = ../inner\n",
            "no.url": "path = t\n",
            "no.path": "url = ../inner\n",
            "elsewhere": "path = u/v\nurl = ../none\n",
        }.items()
    )
    tree = planted.tree(("100644", ".gitmodules", modules), ("160000", "s", made), ("160000", "t", made))
    assert planted.write(planted.commit(tree)) == (True, False)
    assert sorted(str(p.relative_to(planted.out)) for p in planted.out.rglob("*")) == [".gitmodules", "s", "s/a", "t"]
    assert planted.write(planted.commit(tree), submodules=False) == (False, False)
    assert sorted(p.name for p in planted.out.rglob("*")) == [".gitmodules", "s", "t"]


def test_a_list_of_submodules_counts_only_under_its_name_and_where_there_is_one(
    tmp_path: Path, planted: Planted
) -> None:
    inner = Planted(tmp_path, "https://h.test/owner/inner")
    made = inner.commit(inner.tree(("100644", "a", b"1")))
    listed = b'[submodule "s"]\n\tpath = s\n\turl = ../inner\n'
    before: list[Content] = [("100644", ".a", listed), ("100644", ".gitmodules2", listed)]
    commit = planted.commit(planted.tree(*before, ("160000", "s", made), ("100644", "z", listed)))
    assert list_entries(planted.mirror, commit)[2] == Entry("s", "160000", made, 0)
    assert planted.write(commit) == (False, False)
    assert planted.write(planted.commit(planted.tree(("100644", ".gitmodules", b"[submodule")))) == (False, False)


def test_a_list_of_submodules_that_cannot_be_read_is_refused(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(content: bytes, mode: str = "100644") -> str:
        return planted.commit(planted.tree((mode, ".gitmodules", content), ("160000", "s", "1" * 40)))

    broken = listed(b"[submodule")
    planted.out.mkdir()
    with pytest.raises(Unresolved, match=r"is refused: \.gitmodules cannot be read: .*bad config line"):
        write_tree(planted.mirror, broken, planted.out)
    monkeypatch.setattr(module, "MAX_TEXT", 10)
    planted.refuse(listed(b"#" * 11), ".gitmodules is too large")
    planted.write(listed(b"#" * 10))
    planted.write(listed(b"a-long-link", "120000"))
    assert list((planted.out / "s").iterdir()) == []


def test_large_files_of_submodules_are_left_where_those_of_the_pack_are(tmp_path: Path, planted: Planted) -> None:
    sha256 = "a" * 64
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 5\n".encode()
    inner = Planted(tmp_path, "https://h.test/owner/inner")
    made = inner.commit(inner.tree(("100644", ".gitattributes", b"* filter=lfs\n"), ("100644", "a", pointer)))
    assert planted.write(planted.submodules("s", "../inner", made), lfs=False) == (True, False)
    assert (planted.out / "s" / "a").read_bytes() == pointer


def test_large_files_are_limited_and_keep_their_modes(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    def pointer(sha256: str) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {1 << 30}\n".encode()

    one, two = "a" * 64, "b" * 64
    attributes: Content = ("100644", ".gitattributes", b"* filter=lfs\n")
    both: list[Content] = [("100755", "p", pointer(one)), ("100644", "q", pointer(two))]
    made = planted.commit(planted.tree(attributes, *both))
    files = {sha256: planted.folder / sha256 for sha256 in (one, two)}
    for path in files.values():
        path.write_text(path.name)
    monkeypatch.setattr(module, "fetch_large", lambda repository, pointers: files)
    monkeypatch.setattr(module, "MAX_BYTES", 2 << 30)
    assert planted.write(made) == (False, True)
    found = {p.name: (p.read_text(), p.stat().st_mode & 0o777) for p in planted.out.iterdir() if p.name in "pq"}
    assert found == {"p": (one, 0o755), "q": (two, 0o644)}
    monkeypatch.setattr(module, "MAX_BYTES", (2 << 30) - 1)
    planted.refuse(made, "its large files (LFS) have more than 1 GiB")


def test_a_text_that_looks_like_a_pointer_is_one_only_if_gitattributes_has_a_word_about_lfs(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sha256, word = "a" * 64, b"* filter=lfs\n"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 5\n".encode()
    (tmp_path / "large").write_text("large")
    monkeypatch.setattr(module, "fetch_large", lambda repository, pointers: {sha256: tmp_path / "large"})

    def has_large(*entries: Content) -> bool:
        written = planted.write(planted.commit(planted.tree(*entries, ("100644", "p", pointer))))
        assert (planted.out / "p").read_bytes() == (b"large" if written.lfs else pointer)
        return written.lfs

    named: Content = ("100644", ".gitattributes", word)
    assert has_large(named) and has_large(("40000", "inner", planted.tree(named)))
    assert not has_large() and not has_large(("100644", ".gitattributes", b"* text\n"), ("100644", "README", word))
    assert not has_large(("120000", ".gitattributes", b"filter=lfs"))
    monkeypatch.setattr(module, "MAX_TEXT", len(word))
    assert has_large(named)
    monkeypatch.setattr(module, "MAX_TEXT", len(word) - 1)
    assert not has_large(named)


def test_a_file_is_no_pointer_if_it_is_longer_than_one_can_be(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def pointer(size: int) -> bytes:
        first, rest = (
            b"version https://git-lfs.github.com/spec/v1\next-0-",
            b"\noid sha256:" + b"a" * 64 + b"\nsize 5\n",
        )
        return first + b"x" * (size - len(first) - len(rest)) + rest

    (tmp_path / "large").write_text("large")
    monkeypatch.setattr(module, "fetch_large", lambda repository, pointers: {"a" * 64: tmp_path / "large"})
    for size, large in ((MAX_POINTER, True), (MAX_POINTER + 1, False)):
        files = ("100644", ".gitattributes", b"* filter=lfs\n"), ("100644", "a", pointer(size))
        assert planted.write(planted.commit(planted.tree(*files))) == (False, large)
        assert (planted.out / "a").read_bytes() == (b"large" if large else pointer(size))
