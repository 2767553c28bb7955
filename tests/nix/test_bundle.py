"""Bundles: a version as one file, on another machine, with pycomfy or with Nix alone."""

import dataclasses
import hashlib
import os
import random
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.bundle.reader import open_bundle
from pycomfy.adapters.bundle.writer import BundleFile, write_bundle
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.bundle.manifest import FileEntry, render_manifest
from pycomfy.core.lockfile.schema import ModelFile, Root
from pycomfy.errors import BadInput, HashMismatch, NotFound, PycomfyError
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive.bundle_export import export_bundle
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_plain import restore_plain
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import make_lock
from tests.support.command_line import Outcome, call
from tests.support.data_folders import BuiltVersion, build_and_record, new_paths
from tests.support.http_server import serve_folder
from tests.support.moments import NOW
from tests.support.nix_projects import Workshop
from tests.support.operations import listening
from tests.support.sudden_ends import kill_before, list_steps


@dataclasses.dataclass(frozen=True)
class Exported:
    built: BuiltVersion
    file: Path
    other: Paths
    """Another machine's."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, settings: NixSettings, root: Root) -> tuple[BuiltVersion, Path]:
    """A version, and its bundle, which no test changes."""
    folder = tmp_path_factory.mktemp("bundle")
    paths, file = new_paths(folder), folder / "small.tar.zst"
    with serve_folder(folder) as address:
        workshop = Workshop(folder, settings, address)
        built = build_and_record(workshop, make_lock(workshop, root, "bundled"), paths)
        export_bundle(Workspace(paths), "small", file)
    return built, file


@pytest.fixture
def exported(bundle: tuple[BuiltVersion, Path], tmp_path: Path) -> Exported:
    built, file = bundle
    return Exported(built, file, new_paths(tmp_path / "other"))


def test_a_bundle_is_restored_on_another_machine(exported: Exported, empty: NixSettings) -> None:
    result = import_bundle(Workspace(exported.other), exported.file)
    assert (result.label, result.new) == ("small@1", True)
    recorded = find_recorded_version(Workspace(exported.other), result.label).version
    original = exported.built.version
    assert (recorded.message, recorded.author) == (original.message, original.author)
    assert archive_action.status(Workspace(exported.other, empty)).missing == ()
    restored = restore_image(Workspace(exported.other, empty), RestoreRequest("small", offline=True))
    assert restored.same and restored.manifest_digest == exported.built.image.manifest_digest
    again = import_bundle(Workspace(exported.other), exported.file)
    assert (again.label, again.new) == ("small@1", False)


def test_the_same_version_is_the_same_file_wherever_it_is_exported(exported: Exported, tmp_path: Path) -> None:
    import_bundle(Workspace(exported.other), exported.file)
    export_bundle(Workspace(exported.other), "small", tmp_path / "again")
    with open_bundle(exported.file, lambda n: None) as one, open_bundle(tmp_path / "again", lambda n: None) as two:
        assert one.manifest.files == two.manifest.files


def test_nix_alone_builds_it(exported: Exported, root_store: NixSettings, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", exported.file, "-C", folder], check=True)
    settings = dataclasses.replace(root_store, substituters=(f"file://{folder}/cache",))
    command = settings.command("nix-build", folder / "project", "-A", "oci", "--no-out-link")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    image = read_layout(root_store.local_path(done.stdout.strip()))
    assert image.manifest_digest == exported.built.image.manifest_digest


def test_sources_can_be_copied_into_the_nix_store_by_nix(
    exported: Exported, empty: NixSettings, tmp_path: Path
) -> None:
    """The way for users whom Nix does not trust, as docs/reference/bundle.md has it."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", exported.file, "-C", folder], check=True)
    lines = [line for path in (folder / "cache").glob("*.narinfo") for line in path.read_text().splitlines()]
    paths = [line.removeprefix("StorePath: ") for line in lines if line.startswith("StorePath: ")]
    features = ("--extra-experimental-features", "nix-command")
    command = empty.command("nix", *features, "copy", "--no-check-sigs", "--from", f"file://{folder}/cache", *paths)
    subprocess.run(command, check=True, capture_output=True)
    assert sorted(valid_paths(empty, paths)) == sorted(paths)


def test_models_travel_on_request(workshop: Workshop, root: Root, tmp_path: Path) -> None:
    paths, other = new_paths(tmp_path), new_paths(tmp_path / "other")
    (tmp_path / "model").write_bytes(b"weights" * 100)
    sha256 = hashlib.sha256(b"weights" * 100).hexdigest()
    model = ModelFile(folder="loras", name="fine/x.safetensors", sha256=sha256)
    build_and_record(workshop, make_lock(workshop, root, "m").model_copy(update={"models": (model,)}), paths)
    file = tmp_path / "with.tar.zst"
    with pytest.raises(NotFound, match=r"loras/fine/x\.safetensors is not on this machine"):
        export_bundle(Workspace(paths), "small", file, models=True)
    ModelStore(paths).add(tmp_path / "model")
    assert export_bundle(Workspace(paths), "small", file, models=True).models == 1
    assert import_bundle(Workspace(other), file).models == 1
    found = ModelStore(other).find(sha256)
    assert found is not None and found.read_bytes() == b"weights" * 100
    plain = restore_plain(Workspace(other), RestoreRequest("small", offline=True), tmp_path / "plain")
    assert plain.missing_models == ()
    assert (tmp_path / "plain/models/loras/fine/x.safetensors").samefile(found)
    found.unlink()
    plain = restore_plain(Workspace(other), RestoreRequest("small", offline=True), tmp_path / "again")
    assert [(m.place, m.sha256) for m in plain.missing_models] == [(model.location, model.sha256)]


def test_a_version_with_a_missing_source_is_not_exported(workshop: Workshop, root: Root, tmp_path: Path) -> None:
    paths = new_paths(tmp_path)
    lock = make_lock(workshop, root, "gone")
    build_and_record(workshop, lock, paths, archive=False)
    export_bundle(Workspace(paths), "small", tmp_path / "x")  # from the store
    shutil.rmtree(find_archive(paths).folder)
    gone = lock.model_copy(update={"packs": (lock.packs[0].model_copy(update={"name": "absent"}),)})
    files = {**find_recorded_version(Workspace(paths), "small").files, "pycomfy.lock": gone.model_dump_json().encode()}
    VersionsRepository(versions_repository_path(paths)).commit(
        "small", files, created_at=NOW, message="a pack that nobody has"
    )
    with pytest.raises(NotFound, match="absent cannot be exported"):
        export_bundle(Workspace(paths), "small", tmp_path / "y")
    assert not (tmp_path / "y").exists()


def rewritten(exported: Exported, change: dict[str, bytes | None], **fields: object) -> Path:
    """The bundle with other files, its manifest in order."""
    with open_bundle(exported.file, lambda n: None) as bundle:
        files: dict[str, bytes] = {path: b"".join(chunks) for path, _, chunks in bundle.entries()}
        manifest = bundle.manifest
    for path, data in change.items():
        if data is None:
            del files[path]
        else:
            files[path] = data
    contents = [
        BundleFile(p, FileEntry(sha256=hashlib.sha256(d).hexdigest(), size=len(d)), d) for p, d in files.items()
    ]
    new = manifest.model_copy(update={"files": {c.path: c.entry for c in contents}, **fields})
    file = exported.other.data.with_name("changed.tar.zst")
    file.parent.mkdir(exist_ok=True)
    write_bundle(file, render_manifest(new), contents, lambda n: None)
    return file


def nars(exported: Exported) -> list[str]:
    with open_bundle(exported.file, lambda n: None) as bundle:
        return [path for path in bundle.manifest.files if path.startswith("cache/nar/")]


def test_a_bundle_with_a_valid_manifest_and_wrong_contents_is_refused(exported: Exported) -> None:
    nar = nars(exported)[0]
    nowhere = f"cache/nar/{'0' * 52}.nar"
    cases: list[tuple[dict[str, bytes | None], dict[str, object]]] = [
        ({nar: b"evil"}, {}),
        ({nar: None}, {}),
        ({nowhere: b"more"}, {}),
        ({"cache/nix-cache-info": b"StoreDir: /tmp\n"}, {}),
        ({"project/workflow.json": b"{}"}, {}),
        ({"project/pycomfy.lock": b"{}"}, {}),
        ({"project/default.nix": None}, {}),
        ({"models/" + "0" * 64: b"x"}, {}),
        ({}, {"platforms": ("linux/arm64",)}),
    ]
    for change, fields in cases:
        with pytest.raises(PycomfyError) as caught:
            import_bundle(Workspace(exported.other), rewritten(exported, change, **fields))
        assert isinstance(caught.value, BadInput | HashMismatch) or caught.value.code == "problems", change
        archive = find_archive(exported.other)
        assert archive.narinfos() == archive.nars() == archive.leftovers() == []
        assert VersionsRepository(versions_repository_path(exported.other)).names() == []


def test_a_bundle_cannot_replace_what_was_recorded(exported: Exported) -> None:
    import_bundle(Workspace(exported.other), exported.file)
    own = find_recorded_version(Workspace(exported.other), "small").images["linux/amd64"]
    lie = own.model_copy(update={"manifest_digest": "sha256:" + "0" * 64})
    with listening() as heard:
        import_bundle(Workspace(exported.other), rewritten(exported, {}, images=(lie,)))
    assert any("the bundle claims the image" in remark for remark in heard.remarks)
    assert find_recorded_version(Workspace(exported.other), "small").images["linux/amd64"] == own


def test_importing_goes_on_after_any_sudden_end(exported: Exported, root_store: NixSettings, tmp_path: Path) -> None:
    def command(paths: Paths) -> Outcome:
        return call("import", exported.file, cwd=tmp_path, env={**os.environ, "PYCOMFY_HOME": str(paths.data)})

    assert command(new_paths(tmp_path / "first")).status == 0  # so that all modules are imported
    steps = list_steps(lambda: command(new_paths(tmp_path / "whole")))
    assert {"posix.replace", "posix.fsync", "Connection.execute", "_posixsubprocess.fork_exec"} <= set(steps)
    chance, states = random.Random(7), set()
    # What is renamed is complete then: an entry of the archive, its description, the database.
    renamed = [number for number, step in enumerate(steps) if step == "posix.replace"]
    after = renamed[: -1 : max(1, len(renamed) // 4)] + renamed[-2:-1]
    moments = [chance.randrange(len(steps) * 9 // 10) for _ in range(2)] + [at + 1 for at in after]
    for turn, moment in enumerate(sorted(moments)):
        paths = new_paths(tmp_path / str(turn))
        kill_before(moment, partial(command, paths))
        recorded = bool(VersionsRepository(versions_repository_path(paths)).names())
        states.add((recorded, bool(find_archive(paths).narinfos())))
        if recorded:  # what is recorded can be had
            assert archive_action.status(Workspace(paths, root_store)).missing == ()
        assert archive_action.verify_archive(Workspace(paths, root_store)).damage == ()
        assert command(paths).status == 0
        archive_action.collect_garbage(Workspace(paths))
        assert find_archive(paths).leftovers() == []
    assert states == {(False, False), (False, True), (True, True)}  # it was stopped before, amid and after the copying
    assert restore_image(Workspace(paths, root_store), RestoreRequest("small", offline=True)).same


def test_the_commands_export_and_import(exported: Exported, tmp_path: Path) -> None:
    def pycomfy(paths: Paths, *arguments: str) -> object:
        done = call(*arguments, "--json", cwd=tmp_path, env={**os.environ, "PYCOMFY_HOME": str(paths.data)})
        assert done.status == 0, done.err
        return done.json()

    file = tmp_path / "cli.tar.zst"
    made = pycomfy(exported.other, "import", str(exported.file))
    assert isinstance(made, dict) and made["new"]
    made = pycomfy(exported.other, "export", "small@1", "-o", str(file))
    assert isinstance(made, dict) and made["size"] == file.stat().st_size
    status = pycomfy(exported.other, "archive", "status")
    assert isinstance(status, dict) and status["needed"] == status["present"] == made["sources"]
    project = tmp_path / "restored"
    pycomfy(exported.other, "restore", "small", "--project", str(project))
    assert (project / "pycomfy.lock").is_file() and (project / "default.nix").is_file()
