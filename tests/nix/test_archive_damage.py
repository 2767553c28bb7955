"""A damaged archive: every changed byte is named, refused, and repaired where the Nix store has what it was."""

import contextlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import Archive, find_archive
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.errors import HashMismatch
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_plain import restore_plain
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import ArchivedVersions


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


def test_a_flipped_byte_in_any_file_is_named_by_verify_and_refused_by_restore(
    lost: ArchivedVersions, empty: NixSettings
) -> None:
    archive, chance = find_archive(lost.paths), random.Random(3)
    whose = dict.fromkeys((archive.folder / "nix-cache-info", *files_of(archive, lost.versions[0].lock)), "small@1")
    whose |= dict.fromkeys(files_of(archive, lost.versions[1].lock) - whose.keys(), "small@2")
    assert set(whose) == {p for p in archive.folder.rglob("*") if p.is_file() and p.stat().st_size}
    root = next(need for need in list_requisites(lost.versions[0].lock) if "-debian-root-" in need.path)
    its_own = files_of(archive, lost.versions[0].lock, root.title)
    for victim, label in sorted(whose.items()):
        nix = empty if victim in its_own else lost.nix
        with flipped(victim, chance):
            damage = archive_action.verify_archive(lost.workspace).damage
            assert [d.file for d in damage] == [str(victim.relative_to(archive.folder))]
            with pytest.raises(HashMismatch):
                restore_image(Workspace(lost.paths, nix), lost.request(label))
        subprocess.run(nix.command("nix-store", "--gc"), check=True, capture_output=True)


def test_a_flipped_byte_is_refused_without_nix_too(
    lost: ArchivedVersions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    archive, chance = find_archive(lost.paths), random.Random(9)
    for victim in files_of(archive, lost.versions[1].lock, "one 1.0", "greeter", "ComfyUI"):
        with flipped(victim, chance), pytest.raises(HashMismatch):
            restore_plain(lost.workspace, lost.request("small@2"), tmp_path / "plain")
        assert not (tmp_path / "plain").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a folder over /nix")
def test_the_commands_name_a_flipped_byte_and_refuse_it(lost: ArchivedVersions) -> None:
    archive = find_archive(lost.paths)
    assert lost.nix.store is not None
    victims = files_of(archive, lost.versions[0].lock, "greeter")
    for victim in (*victims, archive.folder / "nix-cache-info"):
        with flipped(victim, random.Random(4)):
            said, wrong = [lost.command(*a) for a in (("archive", "verify"), ("restore", "small@1", "--offline"))]
            assert said.returncode == 3
            (damage,) = json.loads(said.stdout)["damage"]
            assert damage["file"] == str(victim.relative_to(archive.folder))
            assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (1, "hash-mismatch")
    assert lost.command("archive", "verify").returncode == 0


def test_damage_is_repaired_from_the_nix_store(lost: ArchivedVersions, settings: NixSettings) -> None:
    archive = find_archive(lost.paths)
    for victim in (archive.nars()[0], archive.narinfos()[1], archive.folder / "nix-cache-info"):
        victim.chmod(0o644)
        victim.write_bytes(b"x" * victim.stat().st_size)
    result = archive_action.verify_archive(Workspace(lost.paths, settings), repair=True)
    assert len(result.damage) == result.repaired == 3
    assert archive_action.verify_archive(Workspace(lost.paths, settings)).damage == ()
    assert archive_action.status(Workspace(lost.paths, settings)).missing == ()


def test_any_one_damaged_file_is_repaired(lost: ArchivedVersions, settings: NixSettings) -> None:
    archive = find_archive(lost.paths)
    chance = random.Random(6)
    for victim in (archive.nars()[-1], archive.folder / "nix-cache-info", *archive.narinfos()):
        with flipped(victim, chance):
            result = archive_action.verify_archive(Workspace(lost.paths, settings), repair=True)
            assert (len(result.damage), result.repaired) == (1, 1)
            assert archive_action.verify_archive(Workspace(lost.paths, settings)).damage == ()
    assert archive_action.status(Workspace(lost.paths, settings)).missing == ()


def test_damage_that_nobody_can_repair_is_counted_and_leaves_nothing_half(lost: ArchivedVersions) -> None:
    """In an empty store there is nothing to repair it from."""
    archive = find_archive(lost.paths)
    victim = archive.nars()[0]
    with flipped(victim, random.Random(8)):
        result = archive_action.verify_archive(lost.workspace, repair=True)
    assert (len(result.damage), result.repaired) == (1, 0)
    victim.unlink()
    assert archive_action.verify_archive(lost.workspace).damage == ()
    assert len(archive_action.status(lost.workspace).missing) == 1
