"""The whole of it on real folders: healthy and damaged ones, of which not a byte is changed."""

import dataclasses
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.database import catalog_path
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.cli.fixes import render_all
from pycomfy.operation import Cancelled, Operation
from pycomfy.services.doctor import doctor as module
from pycomfy.services.doctor import versions
from pycomfy.services.doctor.doctor import CHECKS, Check, doctor
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import DoctorResult, Finding
from pycomfy.services.doctor.subjects import GIT, SUBJECTS
from pycomfy.services.workspace import Workspace
from tests.support.catalog_maps import A, lists
from tests.support.database_entries import make_outdated
from tests.support.moments import NOW
from tests.support.operations import Recorder
from tests.support.repositories import commit
from tests.support.service_projects import make_files, make_image, record, with_steps
from tests.support.snapshots import snapshot

NEEDED = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
QUICK = tuple(c for c in CHECKS if c.title not in ("Nix", "container engine", "GPU", "disks", "programs"))
"""Without the programs of this machine, which other tests look at."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A data folder and a HOME of their own, both of which do not exist yet; a Nix store that does not exist either."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(module, "CHECKS", QUICK)
    return Workspace(Paths(tmp_path / "data", tmp_path / "cache"), nix=NixSettings(store=tmp_path / "store"))


def examine(workspace: Workspace) -> dict[str, Finding]:
    """What is found without a network, by id. Nothing may have been changed by that."""
    before = snapshot(workspace.paths.data.parent)
    result = doctor(workspace, offline=True)
    assert snapshot(workspace.paths.data.parent) == before
    for finding in result.findings:
        render_all(finding.fix)  # each is a command that exists, with arguments that it has
    return {f.id: f for f in result.findings}


def unhealthy(found: dict[str, Finding]) -> dict[str, str]:
    return {f.id: f.state for f in found.values() if f.group == "data" and f.state != "ok"}


# — nothing is changed, nothing gets lost —


def test_where_nothing_exists_nothing_is_made_and_all_is_well(workspace: Workspace) -> None:
    found = examine(workspace)
    assert unhealthy(found) == {} and not workspace.paths.data.exists()
    assert found["pycomfy.catalog"].state == "note" and found["data.database"].what == "none yet"


@NEEDED
def test_a_healthy_data_folder_is_in_order_but_for_its_archive(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"), image=make_image("root", "torch"))
    record(workspace.paths, make_files("card", with_steps(30)))
    found = examine(workspace)
    assert unhealthy(found) == {"data.archive": "warning"}
    assert found["data.index"].what == "agree, 2 versions" and found["data.versions"].what == "whole, 1 workflow"
    archive = found["data.archive"]
    assert "card@1, card@2 cannot be restored" in archive.what.replace("card@2, card@1", "card@1, card@2")
    assert archive.facts["missing"] == archive.facts["needed"] and archive.facts["missing_here"] == 0
    assert [getattr(f, "action", f) for f in archive.fix] == ["archive pull"]


def test_every_check_is_one_step_of_the_progress(workspace: Workspace) -> None:
    recorder = Recorder()
    with Operation(progress=recorder).running():
        doctor(workspace, offline=True)
    assert recorder.begun == ["Look at this machine"]
    assert recorder.amounts["Look at this machine"] == (len(QUICK), len(QUICK))


def test_a_check_that_fails_hides_no_other_and_what_it_had_found_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(examination: Examination) -> Iterator[Finding]:
        yield GIT.ok("2.39.5")
        raise RuntimeError("\x1b[31mthis is a bug")

    monkeypatch.setattr(module, "CHECKS", (*QUICK, Check(GIT, "bug", fail)))
    result = doctor(workspace, offline=True)
    first, second = (f for f in result.findings if f.group == "programs")
    assert (first.state, second.state, second.id) == ("ok", "unknown", "programs.git.2") and result.ok
    assert "RuntimeError: this is a bug" in second.what and len(result.findings) > 20


def test_a_cancelled_operation_ends_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = Operation()

    def cancel(examination: Examination) -> Iterator[Finding]:
        operation.cancel_scope.cancel()
        operation.cancel_scope.check()
        yield GIT.ok("")

    monkeypatch.setattr(module, "CHECKS", (Check(GIT, "cancel", cancel),))
    with operation.running(), pytest.raises(Cancelled):
        doctor(workspace, offline=True)


def test_what_several_checks_need_is_found_out_once(workspace: Workspace) -> None:
    examination = Examination(workspace)
    assert examination.surroundings() is examination.surroundings()
    assert examination.database() is None


def test_offline_no_server_is_asked_and_each_is_shown_as_skipped(workspace: Workspace) -> None:
    result = doctor(workspace, offline=True)
    network = [f for f in result.findings if f.group == "network"]
    assert result.offline and len(network) == result.counts["skipped"] == 7
    assert {f.state for f in network} == {"skipped"} and {f.id for f in network} < {s.id for s in SUBJECTS}


# — what is damaged —


@NEEDED
def test_a_damaged_database_is_a_problem_and_what_it_says_of_versions_is_unknown(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    path = workspace.paths.data / "pycomfy.db"
    path.write_bytes(b"garbage" * 1000)
    found = examine(workspace)
    assert unhealthy(found)["data.database"] == "problem" and unhealthy(found)["data.index"] == "unknown"
    assert render_all(found["data.database"].fix)[0][0].startswith("pycomfy reindex")


@NEEDED
def test_a_database_of_a_development_version_is_a_problem_that_a_reindex_ends(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    path = workspace.paths.data / "pycomfy.db"
    path.unlink()
    make_outdated(path)
    found = examine(workspace)
    assert unhealthy(found)["data.database"] == "problem" and unhealthy(found)["data.index"] == "unknown"
    assert "development version" in found["data.database"].what
    assert render_all(found["data.database"].fix)[0][0].startswith("pycomfy reindex")


@NEEDED
def test_missing_objects_of_the_versions_repository_are_a_problem(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    objects = workspace.versions.path / "objects"
    files = sorted(p for p in objects.glob("??/*"))
    assert len(files) > 5
    blob = workspace.versions.bare.must("rev-parse", "refs/heads/card:workflow.json").decode().strip()
    (objects / blob[:2] / blob[2:]).unlink()
    found = examine(workspace)["data.versions"]
    assert found.state == "problem" and blob in found.what and found.facts["workflows"] == 1


@NEEDED
def test_a_branch_that_leads_nowhere_is_a_problem(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    (workspace.versions.path / "refs" / "heads" / "card").write_text("f" * 40 + "\n")
    assert unhealthy(examine(workspace))["data.versions"] == "problem"


@NEEDED
def test_versions_whose_repository_is_gone_are_a_problem(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    shutil.rmtree(workspace.versions.path)
    found = examine(workspace)
    assert unhealthy(found)["data.index"] == "problem" and "is gone" in found["data.index"].what


@NEEDED
def test_a_database_that_is_behind_is_noted(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    workspace.versions.commit("card", make_files("card", with_steps(9)), created_at=NOW, message="by another program")
    assert unhealthy(examine(workspace))["data.index"] == "note"


@NEEDED
def test_a_versions_repository_that_takes_too_long_is_unknown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace.paths, make_files("card"))
    monkeypatch.setattr(versions, "SECONDS", 0.0)
    found = examine(workspace)
    assert unhealthy(found)["data.versions"] == "unknown" and found["data.database"].state == "ok"


@NEEDED
def test_a_lock_that_cannot_be_read_leaves_the_archive_unknown(workspace: Workspace) -> None:
    record(workspace.paths, make_files("card"))
    files = {**make_files("other"), "pycomfy.lock": b'{"schema": 99}'}
    workspace.versions.commit("other", files, created_at=NOW, message="of a newer pycomfy")
    found = examine(workspace)["data.archive"]
    assert found.state == "unknown" and "lock" in found.what


def test_an_archive_without_its_description_is_a_problem(workspace: Workspace) -> None:
    folder = workspace.paths.data / "archive"
    folder.mkdir(parents=True)
    (folder / ("0" * 32 + ".narinfo")).write_text("StorePath: x\n")
    found = examine(workspace)["data.archive"]
    assert found.state == "problem" and render_all(found.fix) == [("pycomfy archive verify --repair",)]


def test_models_that_are_gone_or_were_refused_are_told(workspace: Workspace, tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"weights")
    stored = workspace.models.blob_path("a" * 64)
    stored.parent.mkdir(parents=True)
    stored.symlink_to(own)
    assert examine(workspace)["data.models"].what == "1 model"
    refused = workspace.models.folder / "refused"
    refused.mkdir()
    (refused / "aaaa-is-bbbb").write_bytes(b"x")
    assert examine(workspace)["data.models"].state == "note"
    own.unlink()
    found = examine(workspace)["data.models"]
    assert found.state == "warning" and str(own) in found.details and found.facts["broken_links"] == 1
    (workspace.models.folder / "added.json").write_text("[")
    assert "damaged" in examine(workspace)["data.models"].what


def test_images_are_looked_for_where_their_links_lead(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()
    images = workspace.paths.data / "images"
    images.mkdir(parents=True)
    (images / "sha256-1").symlink_to(tmp_path / "layout")
    (images / "sha256-2").symlink_to(tmp_path / "collected")
    assert examine(workspace)["data.images"].state == "note"
    roots = tmp_path / "store/nix/var/nix/gcroots/auto"
    roots.mkdir(parents=True)
    found = examine(workspace)["data.images"]
    assert found.state == "warning" and found.facts == {"images": 2, "gone": 1, "unprotected": 1}
    (roots / "x").symlink_to(images / "sha256-1")
    assert examine(workspace)["data.images"].state == "note"


def test_what_sudden_ends_left_is_noted_and_not_removed(workspace: Workspace) -> None:
    left = [workspace.paths.data / ".store-abc", workspace.paths.cache / "projects" / "project-abc"]
    for folder in left:
        folder.mkdir(parents=True)
        os.utime(folder, (1, 1))
    found = examine(workspace)["data.leftovers"]
    assert found.state == "note" and set(map(str, left)) == set(found.facts["paths"])  # type: ignore[arg-type]


def test_what_killed_dry_runs_left_is_noted_with_the_command_that_removes_it(workspace: Workspace) -> None:
    left, used = workspace.paths.dry_runs / "dry-left", workspace.paths.dry_runs / "dry-used"
    for folder in (left, used):
        folder.mkdir(parents=True)
        os.utime(folder, (1, 1))
    in_use = os.open(used, os.O_RDONLY)
    fcntl.flock(in_use, fcntl.LOCK_SH)
    found = examine(workspace)["data.dry-runs"]
    assert found.state == "note" and found.facts["paths"] == [str(left)]
    os.close(in_use)
    (advice,) = found.fix
    subprocess.run(str(advice).partition(": ")[2], shell=True, check=True)
    assert examine(workspace)["data.dry-runs"].state == "ok" and workspace.paths.cache.is_dir()


def test_a_data_folder_that_is_a_file_is_a_problem_and_stops_nothing(workspace: Workspace) -> None:
    workspace.paths.data.write_text("not a folder")
    found = examine(workspace)
    assert found["data.folder"].state == "problem" and len(found) > 20


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written_is_a_problem(workspace: Workspace) -> None:
    workspace.paths.data.mkdir(mode=0o500)
    assert examine(workspace)["data.folder"].state == "problem"


@NEEDED
def test_a_catalog_is_read_with_its_age(workspace: Workspace, tmp_path: Path) -> None:
    commit(tmp_path / "manager", lists({A: (["X"],)}))
    update_catalog(workspace.paths, repository=str(tmp_path / "manager"), docs="not a pin!")
    assert examine(workspace)["pycomfy.catalog"].what == "fetched today"
    later = dataclasses.replace(workspace, clock=lambda: datetime.now(UTC) + timedelta(days=400))
    assert examine(later)["pycomfy.catalog"].state == "note"
    catalog_path(workspace.paths).write_bytes(b"garbage")
    found = examine(workspace)["pycomfy.catalog"]
    assert found.state == "warning" and render_all(found.fix) == [("pycomfy catalog update",)]


# — this machine —


def test_the_whole_of_it_on_this_machine(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is installed here: every check answers, none by failing."""
    monkeypatch.setattr(module, "CHECKS", CHECKS)
    result: DoctorResult = doctor(dataclasses.replace(workspace, nix=NixSettings()), offline=True)
    assert [f for f in result.findings if f.facts.get("error")] == []
    ids = [f.id for f in result.findings]
    assert ids == [s.id for s in SUBJECTS if s.id in ids]  # each once, in the published order
    groups = {f.group for f in result.findings}
    assert groups == {"pycomfy", "machine", "programs", "engine", "gpu", "network", "disk", "data"}
    assert not (tmp_path / "data").exists() and list((tmp_path / "home").iterdir()) == []


def test_a_machine_without_any_program_is_told_what_to_install(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "CHECKS", CHECKS)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    found = examine(workspace)
    problems = {f.id for f in found.values() if f.state == "problem"}
    assert {"programs.nix", "programs.git", "engine"} <= problems
    assert all(f.fix for f in found.values() if f.state == "problem")
    assert found["programs.uv"].state == "ok"


def test_an_unknown_engine_is_a_problem(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS", CHECKS)
    found = examine(dataclasses.replace(workspace, environment={**os.environ, "PYCOMFY_ENGINE": "lxc"}))
    assert found["engine"].state == "problem" and '"lxc"' in found["engine"].what
    assert found["gpu"].state != "unknown" and "disk.temporary" not in {
        f.id for f in found.values() if f.state == "unknown"
    }
