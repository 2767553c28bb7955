"""What pycomfy keeps, and takes in from others: bundles, the versions repository, the database, the archive.

Each runs in a new data folder that has a version already, which must be there afterwards as it was.
"""

import atexit
import base64
import hashlib
import io
import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import zstandard

from pycomfy.adapters.archive.integrity import check_archive
from pycomfy.adapters.bundle.ustar import make_header, read_header
from pycomfy.adapters.database.connection import UnusableDatabase
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.entries import Build, Run
from pycomfy.adapters.git.checkout import read_tree, write_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.nar_reader import unpack_nar
from pycomfy.adapters.nix.nar_writer import hash_path, write_nar
from pycomfy.cli.json_output import print_json
from pycomfy.core.bundle.manifest import MANIFEST, FileEntry, Manifest, render_manifest
from pycomfy.core.lockfile.schema import Lock, Platform, Root, WorkflowPin, render_lock
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.narinfo import CACHE_INFO, NarInfo, parse_narinfo
from pycomfy.core.sources.path import PathSource
from pycomfy.core.versions.built_image import render_image
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.archive import status, verify_archive
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.run.history import list_runs
from pycomfy.services.versions.branch import list_branches
from pycomfy.services.versions.checkout import checkout
from pycomfy.services.versions.diff import diff
from pycomfy.services.versions.log import log
from pycomfy.services.versions.pull import pull
from pycomfy.services.versions.reindex import reindex
from pycomfy.services.versions.show import show
from pycomfy.services.versions.tag import list_tags
from pycomfy.services.workspace import Workspace
from tests.fuzz.formats import JSON, LINES, Format, Tree
from tests.fuzz.printing import print_harmlessly
from tests.fuzz.target import Target, write_below
from tests.support.service_projects import make_files, make_image, make_lock, record, with_steps

KEPT = "kept"
"""The name of the workflow that is there already."""


@cache
def _home() -> Path:
    """A data folder with two versions of a workflow, and an image; it is only copied."""
    folder = Path(tempfile.mkdtemp(prefix="pycomfy-fuzz-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    paths = Paths(folder, folder / "cache")
    record(paths, make_files(KEPT), "first", make_image("a:1", "b:2"))
    record(paths, make_files(KEPT, with_steps(30)), "second")
    with Database(database_path(paths)) as database:
        database.record_build(Build(KEPT, 1, make_image("a:1", "b:2"), Path("/nix/store/x"), Path("/logs/1")))
        image = database.find_image(KEPT, 1)
        assert image is not None
        output = {"path": "out/a.png", "size": 3, "sha256": "0" * 64}
        value = {"node": "9", "title": "Show", "kind": "text", "value": ["x", 1.5]}
        run = Run(datetime(2025, 12, 5, tzinfo=UTC), "podman", "all", 1.5, (output,), values=(value,), device="cuda:0")
        database.record_run(image, replace(run, inputs={"seed": 7, "photo": "a.png"}, files={"photo": "/a.png"}))
        database.record_run(image, replace(run, error="no\n  where: x", outputs=(), device=None))
    return folder


def _workspace(folder: Path) -> Workspace:
    """A copy of that data folder."""
    home = folder / "home"
    shutil.copytree(_home(), home, symlinks=True)
    return Workspace(Paths(home, home / "cache"))


@cache
def _expected() -> dict[str, bytes]:
    """All of the versions repository that makes the version what it is, by path."""
    repository = Workspace(Paths(_home(), _home() / "cache")).versions.path
    paths = [repository / "refs" / "heads" / KEPT, *(repository / "objects").rglob("*")]
    return {str(path.relative_to(repository)): path.read_bytes() for path in paths if path.is_file()}


def _check_files(workspace: Workspace) -> None:
    """The version that was there is in the versions repository as it was: git itself is not asked, which takes long."""
    repository = workspace.versions.path
    changed = [path for path, data in _expected().items() if (repository / path).read_bytes() != data]
    assert not changed, f"changed in the versions repository: {changed}"


def _check_listed(workspace: Workspace) -> None:
    """The version that was there is listed."""
    listed = [entry.version for entry in log(workspace) if entry.name == KEPT]
    assert listed == [2, 1], f"the log lists the versions {listed} of the workflow that was there"


# — bundles —


def _nar(path: Path) -> bytes:
    out = io.BytesIO()
    write_nar(path, out.write)
    return out.getvalue()


@cache
def _parts() -> tuple[Lock, dict[str, bytes]]:
    """A lock of two small folders, and their NARs by path in a bundle."""
    _home()
    with tempfile.TemporaryDirectory() as name:
        comfyui, root = Path(name, "comfyui"), Path(name, "root")
        for folder in (comfyui, root):
            folder.mkdir()
            (folder / "a.txt").write_text(folder.name)
            (folder / "link").symlink_to("a.txt")
        workflow = make_files("bundled")["workflow.json"]
        lock = make_lock("bundled", workflow, pack=None).model_copy(
            update={
                "comfyui": make_lock("x", b"").comfyui.model_copy(
                    update={"source": PathSource(path="comfyui", tree=hash_path(comfyui))}
                ),
                "workflow": WorkflowPin(sha256=hashlib.sha256(workflow).hexdigest()),
                "platforms": {
                    "linux/amd64": Platform(
                        root=Root(
                            suite="bookworm", archives=("https://x.test/debian/",), packages=(), tree=hash_path(root)
                        ),
                        wheels=(),
                    )
                },
            }
        )
        nars = {hash_path(folder): _nar(folder) for folder in (comfyui, root)}
    files: dict[str, bytes] = {"cache/nix-cache-info": CACHE_INFO}
    for requisite in list_requisites(lock):
        nar = nars["sha256-" + base64.b64encode(requisite.output.sha256).decode()]
        info = NarInfo(requisite.output, hashlib.sha256(nar).digest(), len(nar))
        files |= {f"cache/{info.file_name}": info.render(), f"cache/{info.nar_name}": nar}
    return lock, files


def _entry(data: bytes) -> dict[str, object]:
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data)).model_dump()


def bundle_tree() -> Tree:
    """A whole bundle: its manifest without the files, those that the manifest describes otherwise, and all files."""
    lock, files = _parts()
    project = {**make_files("bundled"), "pycomfy.lock": render_lock(lock).encode(), "default.nix": b"{ }: { }\n"}
    files |= {f"project/{path}": data for path, data in project.items()}
    manifest = Manifest(
        name="bundled",
        commit="0" * 40,
        message="text",
        author="A <a@x.test>",
        created_at="2025-01-01T00:00:00Z",
        platforms=("linux/amd64",),
        images=(make_image("a:1"),),
        files={},
    )
    return {
        "manifest": json.loads(render_manifest(manifest)),
        "otherwise": {},
        "files": [[p, d] for p, d in files.items()],
    }


def encode_bundle(tree: Tree) -> bytes:
    """Return a bundle whose manifest has the hashes of its files, except where the tree says otherwise."""
    files = [
        (str(path), data if isinstance(data, bytes) else json.dumps(data).encode()) for path, data in tree["files"]
    ]
    manifest = tree["manifest"]
    if isinstance(manifest, dict):
        manifest = {**manifest, "files": {**{path: _entry(data) for path, data in files}, **tree.get("otherwise", {})}}
    out = io.BytesIO()
    for path, data in ((MANIFEST, json.dumps(manifest).encode()), *files):
        out.write(make_header(path, len(data)) + data + bytes(-len(data) % 512))
    return zstandard.compress(out.getvalue() + bytes(1024), 1)


def decode_bundle(data: bytes) -> Tree:
    stream = io.BytesIO(zstandard.ZstdDecompressor().decompressobj().decompress(data))
    files: list[list[Any]] = []
    while (header := read_header(stream.read(512))) is not None:
        files.append([header[0], stream.read(header[1])])
        stream.read(-header[1] % 512)
    manifest = json.loads(files.pop(0)[1])
    entries = manifest.pop("files") if isinstance(manifest, dict) else {}
    otherwise = {path: entries.get(path) for path, content in files if entries.get(path) != _entry(content)}
    return {"manifest": manifest, "otherwise": otherwise, "files": files}


BUNDLE = Format("bundle", decode_bundle, encode_bundle)


def run_bundle(data: bytes, folder: Path) -> None:
    workspace = _workspace(folder)
    (folder / "x.tar.zst").write_bytes(data)
    try:
        imported = import_bundle(workspace, folder / "x.tar.zst")
        find = f"{imported.name}@{imported.version}"
        show(workspace, find)
        checkout(workspace, find, folder / "out")
        assert verify_archive(workspace).damage == (), "the archive is whole"
        _check_listed(workspace)
    finally:
        _check_files(workspace)
        assert {p.name for p in folder.iterdir()} <= {"home", "x.tar.zst", "out"}, "nothing is beside the data folder"


# — the archive —


def run_nar(data: bytes, folder: Path) -> None:
    unpack_nar(io.BytesIO(data), folder / "out")


def nar_seeds() -> Sequence[bytes]:
    return [data for path, data in _parts()[1].items() if path.endswith(".nar")]


def narinfo_seeds() -> Sequence[bytes]:
    return [data for path, data in _parts()[1].items() if path.endswith(".narinfo")]


def run_narinfo(data: bytes, folder: Path) -> None:
    """An entry of the archive, in the place of one that was written there. No version is there: reading
    them takes forty times as long."""
    workspace = Workspace(Paths(folder / "home", folder / "home" / "cache"))
    lock, files = _parts()
    for path, content in files.items():
        file = workspace.archive.folder / path.removeprefix("cache/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if path.endswith(".narinfo") else content)
    for requisite in list_requisites(lock):
        workspace.archive.has(requisite.output)
        with suppress(ValueError):
            parse_narinfo(data, requisite.output)
    check_archive(workspace.archive, lambda amount: None)
    verify_archive(workspace, repair=True)
    status(workspace)


# — the versions repository —


def _object(kind: str, data: bytes, repository: Path) -> str:
    """Write an object of git, well made or not, and return its id."""
    content = f"{kind} {len(data)}\0".encode() + data
    id_ = hashlib.sha1(content).hexdigest()
    file = repository / "objects" / id_[:2] / id_[2:]
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        file.write_bytes(zlib.compress(content, 1))
    return id_


def _data(value: object) -> bytes:
    """A value of an input as a file or a line: a text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


def _write_tree(files: object, repository: Path) -> str:
    """Write a tree: folders are objects; a list is a mode and content, or a mode and the name of an object that is not
    there."""
    entries = []
    for name, value in sorted(files.items()) if isinstance(files, dict) else ():
        mode = b"100644"
        if isinstance(value, list) and value and isinstance(value[0], str):
            mode, value = _data(value[0]), value[1:]
        if isinstance(value, dict) and not name.endswith((".json", ".lock")):
            mode, id_ = b"40000", _write_tree(value, repository)
        else:
            id_ = _object("blob", _data(value), repository)
        entries.append(mode + b" " + _data(name).replace(b"\0", b"") + b"\0" + bytes.fromhex(id_))
    return _object("tree", b"".join(entries), repository)


def _write_commit(commit: object, parent: str, repository: Path) -> str:
    about = commit if isinstance(commit, dict) else {}
    tree = _write_tree(about.get("files"), repository)
    lines = [b"tree " + tree.encode(), *([b"parent " + parent.encode()] if parent else [])]
    lines += [b"author " + _data(about.get("author")), b"committer " + _data(about.get("committer"))]
    more = about.get("more")
    lines += map(_data, more if isinstance(more, list) else ())
    return _object("commit", b"\n".join(lines) + b"\n\n" + _data(about.get("message")), repository)


def repository_seeds() -> Sequence[bytes]:
    _home()
    someone = "A <a@x.test> 1764900000 +0100"
    first = {p: d.decode() for p, d in make_files("other").items() if "/" not in p}
    first["nix"] = {"default.nix": "{ }: { }\n"}  # type: ignore[assignment]
    first["pycomfy.lock"] = json.loads(first["pycomfy.lock"])
    commit = {"files": first, "author": someone, "committer": someone, "message": "text\n\nmore", "more": []}
    second = {**commit, "message": "again"}
    image = json.loads(render_image(make_image("a:1")))
    seed = {"workflows": {"other": [commit, second]}, "refs": {"refs/tags/other/v1": "other"}, "image": image}
    return [json.dumps(seed).encode()]


def _write_refs(seed: dict[str, Any], repository: Path) -> None:
    """Write what an input says into a repository, whatever git would make of it."""
    tips: dict[str, str] = {}
    workflows = seed.get("workflows")
    for name, commits in workflows.items() if isinstance(workflows, dict) else ():
        tip = ""
        for commit in commits if isinstance(commits, list) else ():
            tip = _write_commit(commit, tip, repository)
        tips[name] = tip
    refs = {f"refs/heads/{name}": tip for name, tip in tips.items()}
    more = seed.get("refs")
    refs |= {name: tips.get(str(to), str(to)) for name, to in (more.items() if isinstance(more, dict) else ())}
    if "image" in seed:
        tree = Workspace(Paths(repository.parent, repository)).versions.find(KEPT).tree
        refs[f"refs/images/{tree}/arm64"] = _object("blob", _data(seed["image"]), repository)
    for name, to in refs.items():
        if name.startswith("refs/") and KEPT not in name:
            write_below(repository / "refs", name.removeprefix("refs/"), _data(to) + b"\n")


def run_repository(data: bytes, folder: Path) -> None:
    """Versions, tags and images that git has put there, whoever they are of."""
    try:
        seed = json.loads(data)
    except (ValueError, RecursionError):
        return
    workspace = _workspace(folder)
    _write_refs(seed if isinstance(seed, dict) else {}, workspace.versions.path)
    try:
        for entry in log(workspace)[:5]:
            label = f"{entry.name}@{entry.version}"
            for use in (
                lambda label=label: show(workspace, label),
                lambda label=label: diff(workspace, f"{KEPT}@1", label),
                lambda label=label: checkout(workspace, label, folder / "out" / label),
            ):
                with suppress(PycomfyError):
                    use()
        list_branches(workspace)
        list_tags(workspace)
        reindex(workspace)
    finally:
        _check_files(workspace)


def run_pull(data: bytes, folder: Path) -> None:
    """The repository of somebody else, who may have put anything there."""
    try:
        seed = json.loads(data)
    except (ValueError, RecursionError):
        return
    workspace, other = _workspace(folder), folder / "other"
    shutil.copytree(_home(), other)
    theirs = Workspace(Paths(other, other / "cache")).versions.path
    _write_refs(seed if isinstance(seed, dict) else {}, theirs)
    try:
        pull(workspace, str(theirs))
        for entry in log(workspace)[:5]:
            with suppress(PycomfyError):
                show(workspace, f"{entry.name}@{entry.version}")
        _check_listed(workspace)
    finally:
        _check_files(workspace)


# — repositories of code —


def tree_seeds() -> Sequence[bytes]:
    _home()
    someone = "A <a@x.test> 1764900000 +0100"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    files = {
        "__init__.py": "NODE_CLASS_MAPPINGS = {}\n",
        "run.sh": ["100755", "#!/bin/sh\n"],
        "link": ["120000", "__init__.py"],
        "a": {"b": {"c.txt": "text"}},
        "big.bin": pointer,
        ".gitmodules": '[submodule "s"]\n\tpath = s\n\turl = ../s\n',
    }
    return [json.dumps({"files": files, "author": someone, "committer": someone, "message": "x", "more": []}).encode()]


def run_tree(data: bytes, folder: Path) -> None:
    """A commit of a node pack's repository, written to a folder as git would check it out."""
    try:
        seed = json.loads(data)
    except (ValueError, RecursionError):
        return
    remote = folder / "remote.git"
    shutil.copytree(Workspace(Paths(_home(), _home() / "cache")).versions.path, remote)
    commit = _write_commit(seed, "", remote)
    (remote / "refs" / "heads" / "main").write_text(f"{commit}\n")
    mirror, out = GitMirror(str(remote), owner="pack", cache=folder / "cache"), folder / "out"
    out.mkdir()
    mirror.fetch(mirror.resolve("main"))
    mirror.commit_date(commit)
    read_tree(mirror, commit, lambda path: path.endswith(".py"))
    write_tree(mirror, commit, out)


# — the database —


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [row[0] for row in found]


def decode_database(data: bytes) -> Tree:
    """Return the rows of each table, as objects."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(_with_journal(data, _ROLLBACK))
        connection.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
            for table in _tables(connection)
        }


def encode_database(tree: Tree) -> bytes:
    """Return the seed's database with these rows; what SQLite refuses is left out."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(_with_journal(database_seeds()[0], _ROLLBACK))
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        known = {
            table: [r[1] for r in connection.execute(f'PRAGMA table_info("{table}")')] for table in _tables(connection)
        }
        for table, columns in known.items():
            rows = tree.get(table)
            connection.execute(f'DELETE FROM "{table}"')
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    pairs = [(k, v) for k, v in row.items() if k in columns]
                    names, marks = ", ".join(f'"{k}"' for k, _ in pairs), ", ".join("?" * len(pairs))
                    with suppress(sqlite3.Error, OverflowError, UnicodeError):
                        connection.execute(
                            f'INSERT INTO "{table}" ({names}) VALUES ({marks})', [_cell(v) for _, v in pairs]
                        )
        connection.commit()
        return _with_journal(connection.serialize(), _AHEAD)


_ROLLBACK, _AHEAD = b"\1\1", b"\2\2"


def _with_journal(data: bytes, kind: bytes) -> bytes:
    """Return a database with another kind of journal in its header: SQLite opens none in memory that writes ahead."""
    return data[:18] + kind + data[20:]


def _cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list | bool) else value


@cache
def database_seeds() -> Sequence[bytes]:
    """The database of the data folder, in the smallest pages: inputs are cut off."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "pycomfy.db")
        shutil.copy(database_path(Paths(_home(), _home() / "cache")), path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for command in ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 512", "VACUUM"):
                connection.execute(command)
        return [_with_journal(path.read_bytes(), _AHEAD)]


DATABASE = Format("database", decode_database, encode_database)


def _put_database(data: bytes, folder: Path) -> Path:
    path = database_path(Paths(folder, folder / "cache"))
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.write_bytes(data)
    return path


def run_database(data: bytes, folder: Path) -> None:
    """A database with any rows, or a damaged one."""
    with Database(_put_database(data, folder)) as database:
        for use in (
            database.commits,
            database.versions,
            database.names,
            database.trees,
            database.runs,
            database.image_keys,
            lambda: database.find_image(KEPT),
            lambda: database.find_image(KEPT, 1),
        ):
            with suppress(PycomfyError):
                use()
    workspace = Workspace(Paths(folder, folder / "cache"))
    for list_ in (lambda: log(workspace), lambda: list_runs(workspace)):
        with suppress(PycomfyError):
            json.loads(print_harmlessly(partial(print_json, list_())))


def run_reindex(data: bytes, folder: Path) -> None:
    """Such a database in the data folder: `reindex` makes it good, and loses no version; but it leaves that of a newer
    pycomfy as it is."""
    workspace = _workspace(folder)
    _put_database(data, workspace.paths.data)
    for use in (lambda: log(workspace), lambda: list_branches(workspace)):
        with suppress(PycomfyError):
            use()
    try:
        reindex(workspace)
        with workspace.open_database() as database:
            database.check()
    except UnusableDatabase as e:
        raise AssertionError("it cannot be used after reindex") from e
    _check_listed(workspace)
    _check_files(workspace)


TARGETS = (
    Target("bundle", run_bundle, lambda: [encode_bundle(bundle_tree())], BUNDLE, examples=10),
    Target("nar", run_nar, nar_seeds),
    Target("narinfo", run_narinfo, narinfo_seeds, LINES),
    Target("repository", run_repository, repository_seeds, JSON, examples=10),
    Target("pull", run_pull, repository_seeds, JSON, examples=10),
    Target("git-tree", run_tree, tree_seeds, JSON, examples=10),
    Target("database", run_database, database_seeds, DATABASE),
    Target("reindex", run_reindex, database_seeds, DATABASE, examples=10),
)
