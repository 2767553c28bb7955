"""The promise: old versions come back, bit for bit, from the archive alone."""

import contextlib
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import Archive, find_archive
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.nix.nar_reader import NarHasher
from pycomfy.adapters.nix.nar_writer import write_nar
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import empty_store, output_paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import Lock, ModelFile, Root, render_lock
from pycomfy.core.nix.lock_outputs import list_requisites, model_requisite
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.store_path import to_nix32
from pycomfy.errors import BadInput, ErrorGroup, HashMismatch, NotFound, PycomfyError
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive import sync
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_plain import restore_plain
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.models.needed import pull_models
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import Built, build_version, new_home
from tests.support.nix_projects import WORKFLOW, Workshop

ROOT = Path(__file__).parents[2]
_CUT_OFF = 'mount --bind "$0" /nix && exec "$@"'
PACK = "NODE_CLASS_MAPPINGS = {}\n"


def make_lock(workshop: Workshop, root: Root, pack: str) -> Lock:
    wheels = [workshop.wheel("one", {"one/__init__.py": b"x = 1\n"}), workshop.wheel("two", {"two.py": b"y = 2\n"})]
    # Nobody else has this pack, nor a layer with it.
    source = {"__init__.py": PACK, "text.txt": pack, "run.sh": "#!/bin/sh\n"}
    return workshop.lock({"linux/amd64": root}, wheels, [workshop.pack("greeter", source)])


@dataclasses.dataclass(frozen=True)
class Lost:
    """Two versions, and nothing that they came from: an empty store, no wheel server, no pack."""

    home: Paths
    versions: tuple[Built, Built]
    nix: NixSettings

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.home, self.nix)

    def request(self, reference: str) -> RestoreRequest:
        return RestoreRequest(reference, offline=True)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command without a network, from which this machine's own store is out of reach, too."""
        command = [sys.executable, "-m", "pycomfy", *arguments, "--json"]
        assert self.nix.store is not None
        return subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", _CUT_OFF, self.nix.store / "nix", *command],
            cwd=ROOT,
            env={**os.environ, "PYCOMFY_HOME": str(self.home.data)},
            check=False,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def lost(workshop: Workshop, root: Root, tmp_path: Path) -> Iterator[Lost]:
    home = new_home(tmp_path)
    first = build_version(workshop, make_lock(workshop, root, "one"), home)
    shutil.rmtree(workshop.folder / "greeter")
    second = build_version(workshop, make_lock(workshop, root, "two"), home)
    for path in (*workshop.folder.glob("*.whl"), *workshop.folder.glob("greeter")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with empty_store(tmp_path / "stores") as store:
        yield Lost(home, (first, second), NixSettings(store=store))


def test_needs_are_what_nix_calls_sources(workshop: Workshop, root: Root, arm_root: Root) -> None:
    wheels = [workshop.wheel("one", {"one.py": b""})]
    packs = [workshop.pack("greeter", {"__init__.py": PACK})]
    lock = workshop.lock({"linux/amd64": root, "linux/arm64": arm_root}, wheels, packs)
    paths = output_paths(workshop.settings, workshop.project(lock), "sources", "linux/arm64")
    assert {need.path for need in list_requisites(lock)} == set(paths)


def test_both_versions_come_back_with_their_digests(lost: Lost) -> None:
    digests = [built.image.manifest_digest for built in lost.versions]
    assert digests[0] != digests[1]
    for number, digest in enumerate(digests, start=1):
        result = restore_image(lost.workspace, lost.request(f"small@{number}"))
        assert (result.manifest_digest, result.same) == (digest, True)
    # Its sources are not needed as long as the image is there.
    assert lost.nix.store is not None
    subprocess.run(lost.nix.command("nix-store", "--gc"), check=True, capture_output=True)
    shutil.rmtree(find_archive(lost.home).folder)
    assert restore_image(lost.workspace, lost.request("small@1")).layers_built == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace")
def test_the_command_needs_no_network(lost: Lost) -> None:
    """In a network namespace there is not even a loopback address."""
    assert lost.nix.store is not None
    (lost.nix.store / "nix").mkdir(parents=True)
    done = lost.command("restore", "small@1", "--offline")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["manifest_digest"] == lost.versions[0].image.manifest_digest and answer["same"]


def test_all_that_cannot_be_restored_is_said_at_once_and_nothing_written(lost: Lost, tmp_path: Path) -> None:
    archive = find_archive(lost.home)
    needs = {need.title: need for need in list_requisites(lost.versions[0].lock)}
    for title in ("greeter", "two 1.0"):
        info = archive.find(needs[title].output)
        assert info is not None
        (archive.folder / info.file_name).unlink()
    for restore in (
        lambda: restore_image(lost.workspace, lost.request("small@1")),
        lambda: restore_plain(lost.workspace, lost.request("small@1"), tmp_path / "plain"),
    ):
        with pytest.raises(ErrorGroup) as caught:
            restore()
        assert {p.what.split(" cannot")[0] for p in caught.value.problems} == {"greeter", "two 1.0"}
    assert not (tmp_path / "plain").exists()
    assert lost.nix.store is not None and not list(lost.nix.store.glob("nix/store/*whl"))


@contextlib.contextmanager
def flipped(file: Path, chance: random.Random) -> Iterator[None]:
    """A file with one bit of one byte changed."""
    good = file.read_bytes()
    at = chance.randrange(len(good))
    file.chmod(0o644)
    file.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
    yield
    file.write_bytes(good)


def files_of(archive: Archive, lock: Lock, *titles: str) -> set[Path]:
    """The archive's files that a lock needs; those of these titles alone, if any are given."""
    infos = [archive.find(need.output) for need in list_requisites(lock) if not titles or need.title in titles]
    assert None not in infos
    return {archive.folder / name for info in infos if info is not None for name in (info.file_name, info.nar_name)}


def test_a_flipped_byte_in_any_file_is_named_by_verify_and_refused_by_restore(lost: Lost, tmp_path: Path) -> None:
    archive, chance = find_archive(lost.home), random.Random(3)
    whose = dict.fromkeys((archive.folder / "nix-cache-info", *files_of(archive, lost.versions[0].lock)), "small@1")
    whose |= dict.fromkeys(files_of(archive, lost.versions[1].lock) - whose.keys(), "small@2")
    assert set(whose) == {p for p in archive.folder.rglob("*") if p.is_file() and p.stat().st_size}
    for victim, label in sorted(whose.items()):
        with flipped(victim, chance):
            damage = archive_action.verify_archive(lost.workspace).damage
            assert [d.file for d in damage] == [str(victim.relative_to(archive.folder))]
            with empty_store(tmp_path / "stores") as store, pytest.raises(PycomfyError) as caught:
                restore_image(Workspace(lost.home, NixSettings(store=store)), lost.request(label))
            assert isinstance(caught.value, HashMismatch), caught.value


def test_a_flipped_byte_is_refused_without_nix_too(lost: Lost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    archive, chance = find_archive(lost.home), random.Random(9)
    for victim in files_of(archive, lost.versions[1].lock, "one 1.0", "greeter", "ComfyUI"):
        with flipped(victim, chance), pytest.raises(HashMismatch):
            restore_plain(lost.workspace, lost.request("small@2"), tmp_path / "plain")
        assert not (tmp_path / "plain").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a folder over /nix")
def test_the_commands_name_a_flipped_byte_and_refuse_it(lost: Lost) -> None:
    archive = find_archive(lost.home)
    assert lost.nix.store is not None
    (lost.nix.store / "nix").mkdir(parents=True)
    victims = files_of(archive, lost.versions[0].lock, "greeter")
    for victim in (*victims, archive.folder / "nix-cache-info"):
        with flipped(victim, random.Random(4)):
            said, wrong = [lost.command(*a) for a in (("archive", "verify"), ("restore", "small@1", "--offline"))]
            assert said.returncode == 3
            (damage,) = json.loads(said.stdout)["damage"]
            assert damage["file"] == str(victim.relative_to(archive.folder))
            assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (1, "hash-mismatch")
    assert lost.command("archive", "verify").returncode == 0


def test_damage_is_repaired_from_the_store(lost: Lost, settings: NixSettings) -> None:
    archive = find_archive(lost.home)
    for victim in (archive.nars()[0], archive.narinfos()[1], archive.folder / "nix-cache-info"):
        victim.chmod(0o644)
        victim.write_bytes(b"x" * victim.stat().st_size)
    result = archive_action.verify_archive(Workspace(lost.home, settings), repair=True)
    assert len(result.damage) == result.repaired == 3
    assert archive_action.verify_archive(Workspace(lost.home, settings)).damage == ()
    assert archive_action.status(Workspace(lost.home, settings)).missing == ()


def test_any_one_damaged_file_is_repaired(lost: Lost, settings: NixSettings) -> None:
    archive = find_archive(lost.home)
    chance = random.Random(6)
    for victim in (archive.nars()[-1], archive.folder / "nix-cache-info", *archive.narinfos()):
        with flipped(victim, chance):
            result = archive_action.verify_archive(Workspace(lost.home, settings), repair=True)
            assert (len(result.damage), result.repaired) == (1, 1)
            assert archive_action.verify_archive(Workspace(lost.home, settings)).damage == ()
    assert archive_action.status(Workspace(lost.home, settings)).missing == ()


def test_damage_that_nobody_can_repair_is_counted_and_leaves_nothing_half(lost: Lost) -> None:
    """In an empty store there is nothing to repair it from."""
    archive = find_archive(lost.home)
    victim = archive.nars()[0]
    with flipped(victim, random.Random(8)):
        result = archive_action.verify_archive(lost.workspace, repair=True)
    assert (len(result.damage), result.repaired) == (1, 0)
    victim.unlink()
    assert archive_action.verify_archive(lost.workspace).damage == ()
    assert len(archive_action.status(lost.workspace).missing) == 1


def test_status_names_what_is_missing_and_who_needs_it(lost: Lost, settings: NixSettings) -> None:
    archive = find_archive(lost.home)
    assert archive_action.status(Workspace(lost.home, settings)).missing == ()
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "greeter")
    info = archive.find(need.output)
    assert info is not None
    archive.nar_of(info).unlink()
    (missing,) = archive_action.status(Workspace(lost.home, settings)).missing
    assert (missing.title, missing.versions, missing.in_store) == ("greeter", ("small@1",), True)
    assert archive_action.fill(Workspace(lost.home, settings)).added == 1
    assert archive_action.status(Workspace(lost.home, settings)).missing == ()


def test_garbage_is_what_no_version_needs(lost: Lost) -> None:
    archive = find_archive(lost.home)
    before = len(archive.narinfos())
    assert archive_action.collect_garbage(lost.workspace).paths == 0
    VersionsRepository(versions_repository_path(lost.home)).remove("small", force=True)
    with pytest.raises(NotFound, match="there are no versions"):
        archive_action.collect_garbage(lost.workspace)
    kept = {"pycomfy.lock": render_lock(lost.versions[1].lock).encode()}
    VersionsRepository(versions_repository_path(lost.home)).commit("other", kept, message="only the second")
    assert archive_action.collect_garbage(lost.workspace, dry=True).paths == 1
    assert archive_action.collect_garbage(lost.workspace).paths == 1
    assert len(archive.narinfos()) == before - 1


def test_another_store_takes_it_all_and_gives_it_back(lost: Lost, workshop: Workshop, tmp_path: Path) -> None:
    pushed = sync.push(lost.workspace, f"file://{tmp_path}/team")
    assert pushed.pushed == pushed.paths == len(find_archive(lost.home).narinfos())
    for url in (f"file://{tmp_path}/team", f"{workshop.address}/team"):
        shutil.rmtree(find_archive(lost.home).folder)
        pulled = sync.pull(lost.workspace, url)
        assert (pulled.pulled, pulled.missing) == (pushed.paths, ())
        assert archive_action.verify_archive(lost.workspace).damage == ()
    assert restore_image(lost.workspace, lost.request("small@1")).same


def test_a_server_that_is_met_for_the_first_time_gives_all_back(
    lost: Lost, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    for attempt in range(3):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(attempt)))
        shutil.rmtree(find_archive(lost.home).folder)
        assert sync.pull(lost.workspace, f"{workshop.address}/team").missing == ()


def test_what_another_store_lacks_is_said(lost: Lost, workshop: Workshop, tmp_path: Path) -> None:
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "one 1.0")
    (tmp_path / "team" / narinfo_name(need.path)).unlink()
    shutil.rmtree(find_archive(lost.home).folder)
    for url in (f"file://{tmp_path}/team", f"{workshop.address}/team"):
        (missing,) = sync.pull(lost.workspace, url).missing
        assert missing.path == need.path


def test_a_model_is_archived_on_request_and_comes_back_when_it_is_gone(lost: Lost, tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").write_bytes(b"weights" * 1000)
    store = ModelStore(lost.home)
    model = store.add(tmp_path / "style.safetensors")
    pins = (
        ModelFile(folder="loras", name="style.safetensors", sha256=model.sha256, size=model.size),
        ModelFile(folder="loras", name="again/style.safetensors", sha256=model.sha256, size=model.size),
    )
    lock = lost.versions[1].lock.model_copy(update={"models": pins})
    files = {"pycomfy.lock": render_lock(lock).encode(), "workflow.json": WORKFLOW}
    VersionsRepository(versions_repository_path(lost.home)).commit("small", files, message="models")
    assert archive_action.fill(lost.workspace).added == 0
    assert archive_action.fill(lost.workspace, models=True).added == 1
    status = archive_action.status(lost.workspace)
    assert (status.models.needed, status.models.present, status.superfluous.paths, status.missing) == (1, 1, 0, ())
    assert archive_action.verify_archive(lost.workspace).damage == ()
    # To a team and back, then to a machine that has lost its models.
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    shutil.rmtree(find_archive(lost.home).folder)
    sync.pull(lost.workspace, f"file://{tmp_path}/team")
    assert archive_action.status(lost.workspace).models.present == 0
    sync.pull(lost.workspace, f"file://{tmp_path}/team", models=True)
    shutil.rmtree(store.folder)
    (tmp_path / "style.safetensors").unlink()
    assert pull_models(lost.workspace, "small").fetched[0].sha256 == model.sha256
    found = store.find(model.sha256)
    assert found is not None and found.read_bytes() == b"weights" * 1000 and found.stat().st_mode & 0o222 == 0


def test_a_restore_that_is_refused_has_taken_no_model_either(lost: Lost, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"weights" * 1000)
    store = ModelStore(lost.home)
    pin = ModelFile(folder="loras", name="x.safetensors", sha256=store.add(tmp_path / "x.safetensors").sha256)
    lock = lost.versions[1].lock.model_copy(update={"models": (pin,)})
    library = VersionsRepository(versions_repository_path(lost.home))
    files = library.read_files(lost.versions[1].version.commit)
    library.commit("small", {**files, "pycomfy.lock": render_lock(lock).encode()}, message="models")
    archive_action.fill(lost.workspace, models=True)
    shutil.rmtree(store.folder)
    archive = find_archive(lost.home)
    info = archive.find(next(n for n in list_requisites(lock) if n.title == "greeter").output)
    assert info is not None
    (archive.folder / info.file_name).unlink()
    with pytest.raises(NotFound, match="greeter"):
        restore_image(lost.workspace, lost.request("small"))
    assert store.find(pin.sha256) is None


def test_a_damaged_model_is_refused_and_put_right(lost: Lost, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"weights" * 1000)
    model = ModelStore(lost.home).add(tmp_path / "x.safetensors")
    pin = ModelFile(folder="loras", name="x.safetensors", sha256=model.sha256)
    lock = lost.versions[1].lock.model_copy(update={"models": (pin,)})
    VersionsRepository(versions_repository_path(lost.home)).commit(
        "small", {"pycomfy.lock": render_lock(lock).encode()}, message="models"
    )
    archive_action.fill(lost.workspace, models=True)
    archive = find_archive(lost.home)
    info = archive.find(model_requisite(pin).output)
    assert info is not None
    archive.nar_of(info).chmod(0o644)
    archive.nar_of(info).write_bytes(archive.nar_of(info).read_bytes().replace(b"weights", b"Weights", 1))
    (lost.home.data / "models").rename(tmp_path / "away")
    with pytest.raises(HashMismatch):
        take_models(lost.workspace, [pin])
    assert ModelStore(lost.home).find(model.sha256) is None
    shutil.rmtree(lost.home.data / "models")
    (tmp_path / "away").rename(lost.home.data / "models")
    repaired = archive_action.verify_archive(lost.workspace, repair=True)
    assert (len(repaired.damage), repaired.repaired) == (1, 1)


@pytest.mark.parametrize("url", ["", "--help", "/tmp/x", "gopher://x", "s3://a b", "file://x\n", "local?root=/tmp"])
def test_what_is_no_stores_url_is_refused(lost: Lost, url: str) -> None:
    with pytest.raises(BadInput):
        sync.push(lost.workspace, url)


def test_a_store_that_does_not_answer_is_an_error_of_the_users(lost: Lost) -> None:
    shutil.rmtree(find_archive(lost.home).folder)
    with pytest.raises(PycomfyError) as caught:
        sync.pull(lost.workspace, "http://127.0.0.1:1/team")
    assert "127.0.0.1" in str(caught.value)


def test_restore_takes_what_it_lacks_from_another_archive(lost: Lost, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/team"
    sync.push(lost.workspace, url)
    shutil.rmtree(find_archive(lost.home).folder)
    request = dataclasses.replace(lost.request("small@2"), offline=False, source=url)
    assert restore_image(lost.workspace, request).same


def test_a_store_that_lies_is_refused(lost: Lost, tmp_path: Path) -> None:
    """Something else under a path's name, with an entry that fits it."""
    team = tmp_path / "team"
    sync.push(lost.workspace, f"file://{team}")
    shutil.rmtree(find_archive(lost.home).folder)
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "one 1.0")
    entry = team / narinfo_name(need.path)
    text = entry.read_text()
    evil = b"evil"
    hasher = NarHasher()
    place = tmp_path / "evil"
    place.write_bytes(evil)
    write_nar(place, hasher.update)
    with (team / "nar" / "evil.nar").open("wb") as out:
        write_nar(place, out.write)
    digest = hasher.digest()
    told = f"sha256:{to_nix32(digest.sha256)}"
    lines = [
        line if not line.startswith(("URL", "FileHash", "FileSize", "NarHash", "NarSize")) else ""
        for line in text.splitlines()
    ]
    lines += ["URL: nar/evil.nar", f"FileHash: {told}", f"NarHash: {told}"]
    lines += [f"FileSize: {digest.size}", f"NarSize: {digest.size}"]
    entry.write_text("".join(f"{line}\n" for line in lines if line))
    with pytest.raises(HashMismatch):
        sync.pull(lost.workspace, f"file://{team}")
    assert find_archive(lost.home).find(need.output) is None


def test_a_plain_folder_runs_without_nix(lost: Lost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    folder = tmp_path / "plain folder"
    try:
        result = restore_plain(lost.workspace, lost.request("small@2"), folder)
    except NotFound as e:
        pytest.skip(e.what)
    assert (folder / "main.py").read_bytes() == b"print('hello')\n" and not (folder / "secret.yaml").exists()
    assert (folder / "custom_nodes/greeter/text.txt").read_text() == "two"
    assert (folder / "user/default/workflows/small.json").read_bytes() == WORKFLOW
    assert result.packages == 2
    moved = tmp_path / "moved"
    folder.rename(moved)
    python = [str(moved / ".venv/bin/python"), "-c", "import one, two; print(one.x + two.y)"]
    assert subprocess.run(python, check=True, capture_output=True, text=True).stdout == "3\n"
    with pytest.raises(PycomfyError, match="not an empty folder"):
        restore_plain(lost.workspace, lost.request("small@2"), moved)
