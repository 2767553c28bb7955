"""The promise: old versions come back, bit for bit, from the archive alone."""

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.errors import BadInput, ErrorGroup, NotFound, PycomfyError
from pycomfy.services.archive import sync
from pycomfy.services.archive.restore import restore
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_plain import restore_plain
from tests.support.archived_versions import ArchivedVersions
from tests.support.nix_projects import WORKFLOW


def test_both_versions_come_back_with_their_digests(lost: ArchivedVersions, empty: NixSettings) -> None:
    lost = dataclasses.replace(lost, nix=empty)
    digests = [built.image.manifest_digest for built in lost.versions]
    assert digests[0] != digests[1]
    for number, digest in enumerate(digests, start=1):
        result = restore_image(lost.workspace, lost.request(f"small@{number}"))
        assert (result.manifest_digest, result.same) == (digest, True)
    # Its sources are not needed as long as the image is there.
    assert lost.nix.store is not None
    subprocess.run(lost.nix.command("nix-store", "--gc"), check=True, capture_output=True)
    shutil.rmtree(find_archive(lost.paths).folder)
    assert restore_image(lost.workspace, lost.request("small@1")).layers_built == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace")
def test_the_command_needs_no_network(lost: ArchivedVersions, empty: NixSettings) -> None:
    """In a network namespace there is not even a loopback address."""
    lost = dataclasses.replace(lost, nix=empty)
    assert lost.nix.store is not None
    (lost.nix.store / "nix").mkdir(parents=True)
    done = lost.command("restore", "small@1", "--offline")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["manifest_digest"] == lost.versions[0].image.manifest_digest and answer["same"]


def test_all_that_cannot_be_restored_is_reported_at_once_and_nothing_written(
    lost: ArchivedVersions, tmp_path: Path
) -> None:
    archive = find_archive(lost.paths)
    needs = {need.title: need for need in list_requisites(lost.versions[0].lock)}
    for title in ("greeter", "two 1.0"):
        info = archive.find(needs[title].output)
        assert info is not None
        (archive.folder / info.file_name).unlink()
    for attempt in (
        lambda: restore_image(lost.workspace, lost.request("small@1")),
        lambda: restore_plain(lost.workspace, lost.request("small@1"), tmp_path / "plain"),
    ):
        with pytest.raises(ErrorGroup) as caught:
            attempt()
        assert {p.what.split(" cannot")[0] for p in caught.value.problems} == {"greeter", "two 1.0"}
    assert not (tmp_path / "plain").exists()
    assert lost.nix.store is not None and not list(lost.nix.store.glob("nix/store/*whl"))


def test_a_folder_for_another_platform_is_refused(lost: ArchivedVersions, tmp_path: Path) -> None:
    request = dataclasses.replace(lost.request("small@1"), platform="linux/arm64", to=tmp_path / "plain")
    with pytest.raises(BadInput, match=r"this machine's platform, linux/amd64, not of linux/arm64"):
        restore(lost.workspace, request)
    assert not (tmp_path / "plain").exists()


def test_restore_takes_what_it_lacks_from_another_archive(lost: ArchivedVersions, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/team"
    sync.push(lost.workspace, url)
    shutil.rmtree(find_archive(lost.paths).folder)
    request = dataclasses.replace(lost.request("small@2"), offline=False, source=url)
    assert restore_image(lost.workspace, request).same


def test_a_plain_folder_runs_without_nix(
    lost: ArchivedVersions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    folder = Path("plain folder")
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
    python = [str(moved / ".venv/bin/python"), "-c", "import one, two, tests; print(one.x + two.y, tests.z)"]
    done = subprocess.run(python, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "3 1\n"
    with pytest.raises(PycomfyError, match="not an empty folder"):
        restore_plain(lost.workspace, lost.request("small@2"), moved)
