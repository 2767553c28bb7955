"""What is made of facts: pure functions, for machines that are not at hand."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.database import Origin
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.gpus import CdiSpec, Gpu, GpuInspection
from pycomfy.adapters.containers.inspection import EngineInspection
from pycomfy.adapters.containers.reserve import About, Waiting
from pycomfy.adapters.database.inspection import DatabaseInspection
from pycomfy.adapters.io.disks import DiskSpace
from pycomfy.adapters.io.programs import Program
from pycomfy.adapters.io.reachability import Answer
from pycomfy.adapters.io.surroundings import Surroundings
from pycomfy.adapters.nix.inspection import NixInspection, SandboxTrial
from pycomfy.errors import Fix, MissingTool
from pycomfy.services.doctor import (
    disk,
    engine,
    folders,
    gpu,
    images,
    installation,
    machine,
    network,
    nix,
    programs,
    versions,
)
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import CACHE, FOLDER, HUGGING_FACE, PYTHON_INDEX

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GB = 10**9


def states(findings: list[Finding]) -> dict[str, str]:
    return {f.id: f.state for f in findings}


# — pycomfy —


def origin(fetched_at: str) -> Origin:
    return Origin("git", "lists", "https://lists.test", "a" * 40, fetched_at)


def test_a_catalog_is_old_after_a_month() -> None:
    new, old = origin("2026-02-28T12:00:00Z"), origin("2026-01-01T12:00:00Z")
    assert (f := installation.judge_catalog((new,), NOW)).state == "ok" and f.what == "1 day old"
    found = installation.judge_catalog((new, old), NOW)
    assert found.state == "note" and "59 days old" in found.what and found.facts["days"] == 59
    assert installation.judge_catalog((origin("2026-03-02T12:00:00Z"),), NOW).what == "fetched today"
    for broken in ((), (origin("yesterday"),), (origin("2026-01-01T12:00:00"),)):
        assert installation.judge_catalog(broken, NOW).state == "warning"


# — the machine —

SOUND = Surroundings(
    "1", "Linux", "x86_64", "6.1", "3.11.2", "/python", "utf-8", 0o022, (20000, -1), 1000, Path("/"), Path("/tmp")
)


def test_a_sound_machine_is_in_order() -> None:
    judges = (
        machine.judge_platform,
        machine.judge_locale,
        machine.judge_umask,
        machine.judge_open_files,
        machine.judge_home,
        machine.judge_temporary,
    )
    assert {judge(SOUND).state for judge in judges} == {"ok"}


def test_what_a_machine_lacks_is_told() -> None:
    def changed(**facts: object) -> Surroundings:
        return dataclasses.replace(SOUND, **facts)  # type: ignore[arg-type]

    assert machine.judge_platform(changed(system="Darwin", machine="arm64")).state == "problem"
    assert machine.judge_platform(changed(machine="riscv64")).state == "problem"
    assert machine.judge_locale(changed(encoding="ascii")).state == "warning"
    assert machine.judge_umask(changed(umask=0o777)).state == "problem"
    assert machine.judge_umask(changed(umask=0o000)).state == "warning"
    assert machine.judge_umask(changed(umask=0o077)).state == "ok"
    assert machine.judge_umask(changed(umask=None)).state == "unknown"
    assert machine.judge_open_files(changed(open_files=(256, 4096))).state == "warning"
    assert machine.judge_open_files(changed(open_files=(-1, -1))).what == "none"
    assert machine.judge_home(changed(home=None)).state == "warning"
    assert machine.judge_home(changed(home=Path("/nowhere/at/all"))).state == "warning"
    assert machine.judge_temporary(changed(temporary=None)).state == "problem"


def test_a_clock_is_compared_with_what_most_servers_say() -> None:
    day, minute, no = timedelta(days=1), timedelta(minutes=1), timedelta()
    assert machine.judge_clock(NOW, [no, no, 9 * day]).state == "ok"
    assert machine.judge_clock(NOW, [minute]).state == "ok"
    late = machine.judge_clock(NOW, [3 * minute, 3 * minute, no])
    assert late.state == "warning" and late.what == "3 minutes behind the servers' clocks"
    early = machine.judge_clock(NOW, [-2 * day])
    assert early.state == "problem" and early.what == "2 days ahead of the servers' clocks"
    assert early.facts["behind_seconds"] == -2 * 86400
    assert machine.judge_clock(NOW, []).state == "ok"
    assert machine.judge_clock(datetime(1970, 1, 1, tzinfo=UTC), []).state == "problem"


# — programs and Nix —


def test_a_missing_program_is_as_bad_as_what_is_lost_without_it() -> None:
    judged = {p.name: programs.judge_program(p, None) for p in programs.PROGRAMS}
    assert {name: f.state for name, f in judged.items()} == {
        "git": "problem",
        "uv": "problem",
        "gpgv": "warning",
        "skopeo": "note",
        "diffoscope": "note",
    }
    assert all(f.fix for f in judged.values())
    broken = Program("skopeo", Path("/skopeo"), error="cannot execute binary file")
    assert programs.judge_program(programs.PROGRAMS[3], broken).state == "warning"
    found = programs.judge_program(programs.PROGRAMS[0], Program("git", Path("/git"), "2.39.5"))
    assert (found.state, found.what, found.facts) == ("ok", "2.39.5", {"version": "2.39.5", "path": "/git"})
    assert programs.judge_keyring(Path("/keys"), False).state == "warning"


NIX = NixInspection(
    Program("nix-build", Path("/nix-build"), "2.18.1"),
    Path("/"),
    "single-user",
    sandbox=SandboxTrial(True),
    configuration={"experimental-features": "flakes nix-command", "sandbox": "true"},
)


def judged_nix(**facts: object) -> dict[str, str]:
    return states(list(nix.judge_nix(dataclasses.replace(NIX, **facts))))  # type: ignore[arg-type]


def test_a_sound_nix_is_in_order() -> None:
    assert set(judged_nix().values()) == {"ok"}
    assert judged_nix(configuration={})["programs.nix-flakes"] == "note"


@pytest.mark.parametrize(
    "program",
    [None, Program("nix-build", Path("/x"), "2.7.9"), Program("nix-build", Path("/x"), error="no")],
    ids=["missing", "old", "broken"],
)
def test_of_a_nix_that_cannot_be_used_no_more_is_told(program: Program | None) -> None:
    assert judged_nix(program=program) == {"programs.nix": "problem"}


def test_what_nix_lacks_is_told() -> None:
    error = MissingTool("no", where="cannot connect to socket", fix="start the daemon")
    assert judged_nix(store_error=error)["programs.nix-store"] == "problem"
    assert judged_nix(guarded=False)["programs.nix-store"] == "warning"
    newer = Program("nix-build", Path("/nix-build"), "2.26.3")
    assert judged_nix(guarded=False, program=newer)["programs.nix-store"] == "ok"
    assert judged_nix(store=Path("/nowhere/store"))["programs.nix-store"] == "note"
    assert judged_nix(sandbox=SandboxTrial(False, "no namespaces"))["programs.nix-sandbox"] == "warning"
    assert judged_nix(sandbox=SandboxTrial(None, "?"))["programs.nix-sandbox"] == "unknown"
    assert judged_nix(namespaces_error="unshare: Operation not permitted")["programs.namespaces"] == "warning"


def test_a_daemon_does_as_it_is_configured() -> None:
    daemon = {"mode": "daemon", "sandbox": SandboxTrial(None)}
    assert judged_nix(**daemon)["programs.nix-sandbox"] == "ok"
    assert judged_nix(**daemon, configuration={"sandbox": "false"})["programs.nix-sandbox"] == "warning"


# — engines and GPUs —

PODMAN = EngineInspection("podman", Engine("podman", (4, 9, 3)), runtime="crun", cgroups="v2", driver="overlay")
DOCKER = EngineInspection("docker", Engine("docker", (28, 2)), runtime="runc", cgroups="v2", driver="overlay2")
BROKEN = EngineInspection("podman", error=MissingTool("Podman does not work here", fix="mend it"))


def judged_engines(*installed: EngineInspection, only: bool = False) -> list[Finding]:
    candidates = ("podman", "docker") if not only else (installed[0].kind,)
    used = next((e for e in installed if e.engine is not None and e.kind in candidates), None)
    return list(engine.judge_engines(candidates, {e.kind: e for e in installed}, used))  # type: ignore[arg-type]


def test_it_is_told_which_engine_is_used_and_why() -> None:
    first, *others = judged_engines(PODMAN, DOCKER)
    assert first.what == "Podman 4.9.3, with root's rights" and first.facts["kind"] == "podman"
    assert others[0].what == "Docker 28.2, not used"
    assert "because Podman cannot be used" in judged_engines(BROKEN, DOCKER)[0].details
    assert "because it was requested" in judged_engines(DOCKER, only=True)[0].details
    assert {f.state for f in (first, *others)} == {"ok"}


def test_no_engine_is_a_problem_with_its_fix() -> None:
    (missing,) = judged_engines()
    assert missing.state == "problem" and "Podman or Docker" in missing.what and missing.fix
    (broken,) = judged_engines(BROKEN)
    assert (broken.state, broken.what, broken.fix) == ("problem", "Podman does not work here", ("mend it",))


def test_a_broken_engine_beside_one_that_works_is_only_noted() -> None:
    assert states(judged_engines(BROKEN, DOCKER))["engine.other"] == "note"


def test_what_is_slow_or_starts_nothing_is_told() -> None:
    def judged(**facts: object) -> dict[str, str]:
        return states(judged_engines(dataclasses.replace(PODMAN, **facts)))  # type: ignore[arg-type]

    assert judged(driver="vfs")["engine.storage"] == "warning"
    assert judged(overlay_native=False)["engine.storage"] == "note"
    assert judged(cgroups="v1")["engine.runtime"] == "warning"
    assert judged(engine=Engine("podman", (4, 9), runtime="runc"), cgroups="v1")["engine.runtime"] == "note"
    assert judged(remote=True)["engine"] == "warning"
    rootless = Engine("podman", (4, 9), rootless=True)
    assert judged(engine=rootless, mapped_users=1)["engine.user-ids"] == "problem"
    assert judged(engine=rootless, mapped_users=65537)["engine.user-ids"] == "ok"
    assert "engine.user-ids" not in judged()


def test_what_waits_for_the_next_build_is_told_and_how_to_end_it() -> None:
    about = [About("a" * 64, name, "the lock", "/nix/store/image", "") for name in ("portrait", "landscape")]
    waiting = [Waiting(one, Path("x"), NOW.timestamp() - 150) for one in about]
    finding = engine.judge_reserve(waiting, NOW.timestamp())
    assert finding.what == "2 ComfyUI for the next build of landscape, portrait, for 2 min; it ends when idle"
    assert finding.fix == (Fix("gc", {}, "ends it; PYCOMFY_RESERVE=0 leaves none"),) and finding.facts["seconds"] == 150


CARD = Gpu("NVIDIA H100", 80 << 30, "9.0")
WITH_GPU = GpuInspection(frozenset({"NVIDIA"}), "570.86.15", (CARD, CARD), smi=Path("/nvidia-smi"))
SPEC = CdiSpec(Path("/etc/cdi/nvidia.yaml"), "570.86.15")


def judged_gpus(inspection: GpuInspection, used: Engine | None = PODMAN.engine) -> dict[str, Finding]:
    return {f.id: f for f in gpu.judge_gpus(inspection, used)}


def test_a_machine_without_a_gpu_is_in_order() -> None:
    assert judged_gpus(GpuInspection())["gpu"].state == "ok"
    other = judged_gpus(GpuInspection(frozenset({"AMD", "Intel"})))["gpu"]
    assert other.state == "note" and other.what.startswith("AMD and Intel")


def test_gpus_that_containers_can_get_are_in_order() -> None:
    found = judged_gpus(dataclasses.replace(WITH_GPU, specs=(SPEC,)))
    assert {f.state for f in found.values()} == {"ok"}
    assert found["gpu"].what == "2 × NVIDIA H100, 80 GiB"
    assert found["gpu"].facts["gpus"] == [{"name": "NVIDIA H100", "memory": 80 << 30, "compute_capability": "9.0"}] * 2
    docker = Engine("docker", nvidia_runtime=True)
    assert judged_gpus(WITH_GPU, docker)["gpu.containers"].state == "ok"


def test_each_way_in_which_a_gpu_does_not_get_into_a_container_has_its_fix() -> None:
    assert "Podman has no description" in judged_gpus(WITH_GPU)["gpu.containers"].what
    assert "neither" in judged_gpus(WITH_GPU, Engine("docker"))["gpu.containers"].what
    stale = dataclasses.replace(WITH_GPU, specs=(CdiSpec(SPEC.file, "550.54.14"),), toolkit=Path("/nvidia-ctk"))
    found = judged_gpus(stale)["gpu.containers"]
    assert found.state == "warning" and "550.54.14" in found.what and "570.86.15" in found.what
    assert found.fix == ("`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",)
    assert judged_gpus(WITH_GPU, None)["gpu.containers"].state == "note"


def test_each_way_in_which_a_driver_does_not_work_has_its_fix() -> None:
    unloaded = judged_gpus(GpuInspection(frozenset({"NVIDIA"})))
    assert unloaded["gpu.driver"].state == "warning" and "gpu.containers" not in unloaded
    mismatch = dataclasses.replace(
        WITH_GPU, gpus=(), error="Failed to initialize NVML: Driver/library version mismatch"
    )
    assert "restart the machine" in str(judged_gpus(mismatch)["gpu.driver"].fix)
    assert judged_gpus(dataclasses.replace(WITH_GPU, driver="470.256.02"))["gpu.driver"].state == "warning"
    assert judged_gpus(dataclasses.replace(WITH_GPU, driver="550.54.14"))["gpu.driver"].state == "note"


# — servers —


def judged_answer(answer: Answer, *, missing_is_fine: bool = False) -> Finding:
    server = network.Server(HUGGING_FACE, answer.url, missing_is_fine=missing_is_fine, login_fix="log in")
    return network.judge_answer(server, answer)


def test_a_server_that_does_not_answer_is_a_warning_with_what_is_lost() -> None:
    found = judged_answer(Answer("https://hub.test/api", error="hub.test does not answer", fix="check the network"))
    assert (found.state, found.what) == ("warning", "hub.test does not answer")
    assert "models cannot be pinned" in found.details and found.fix == ("check the network",)
    assert found.facts == {"url": "https://hub.test/api", "status": None, "reached": False}


@pytest.mark.parametrize(
    ("status", "fix"), [(401, "log in"), (403, "log in"), (404, "check the address"), (503, "try again later")]
)
def test_a_refusal_is_a_warning_with_the_fix_for_its_status(status: int, fix: str) -> None:
    found = judged_answer(Answer("https://hub.test/api", status))
    assert (found.state, found.fix) == ("warning", (fix,)) and f"hub.test refuses: HTTP {status}" == found.what


def test_an_answer_that_there_is_no_such_thing_is_one() -> None:
    assert judged_answer(Answer("https://hub.test/api", 404), missing_is_fine=True).state == "ok"
    assert judged_answer(Answer("https://hub.test/api", 500), missing_is_fine=True).state == "warning"


def test_files_of_an_index_may_be_on_another_server() -> None:
    page = b'{"files": [{"url": "../a.whl"}, {"url": "https://user:secret@files.test/b.whl"}]}'
    assert network.find_file_server("https://index.test/simple/p/", page) == "https://user:secret@files.test/b.whl"
    here = b'{"files": [{"url": "../a.whl"}, {"url": "https://index.test/b.whl"}]}'
    assert network.find_file_server("https://index.test/simple/p/", here) is None
    for strange in (b"<html>", b"[]", b'{"files": 3}', b'{"files": [{"url": "file:///etc/passwd"}]}', b'{"files":[3]}'):
        assert network.find_file_server("https://index.test/simple/p/", strange) is None
    assert set(network.LOST) >= {PYTHON_INDEX.id, HUGGING_FACE.id}


# — disks —


def space(folder: str, free: int, *, disk: str = "/dev/sda", files: int | None = 10**6) -> DiskSpace:
    return DiskSpace(Path(folder), Path(folder), disk, hash(disk), free, 500 * GB, files, True, "ext4")


def test_what_shares_a_disk_is_counted_together() -> None:
    spaces = {need.subject.id: space(f"/{n}", 24 * GB) for n, need in enumerate(disk.NEEDS)}
    (found,) = disk.judge_disks(spaces, built=False)
    assert found.state == "warning" and found.facts["needed"] == 25 * GB and found.subject == "all folders"
    assert found.what == "24.0 GB free of 500.0 GB (ext4), a first build takes 25.0 GB"
    assert "12.3 GB for packages and the image (/0)" in found.details
    enough = {key: dataclasses.replace(one, free=26 * GB) for key, one in spaces.items()}
    assert [f.state for f in disk.judge_disks(enough, built=False)] == ["ok"]


def test_each_disk_is_told_of_with_what_lies_there() -> None:
    spaces = {
        "disk.nix-store": space("/nix/store", 13 * GB, disk="/dev/a"),
        "disk.data": space("/data", 1 * GB, disk="/dev/b"),
        "disk.temporary": space("/tmp", 300_000_000, disk="tmpfs"),
    }
    found = {f.id: f for f in disk.judge_disks(spaces, built=False)}
    assert {id_: f.state for id_, f in found.items()} == {
        "disk.nix-store": "ok",
        "disk.data": "warning",
        "disk.temporary": "ok",
    }
    assert "set PYCOMFY_HOME to a folder on a larger disk" in found["disk.data"].fix


def test_once_something_was_built_less_is_needed() -> None:
    spaces = {"disk.nix-store": space("/nix/store", 5 * GB)}
    assert [f.state for f in disk.judge_disks(spaces, built=True)] == ["note"]


@pytest.mark.parametrize(("free", "files"), [(50_000_000, 10**6), (0, 10**6), (99 * GB, 0)])
def test_a_full_disk_is_a_problem(free: int, files: int) -> None:
    spaces = {"disk.data": space("/data", free, files=files)}
    (found,) = disk.judge_disks(spaces, built=True)
    assert found.state == "problem" and found.fix


def test_few_files_are_a_warning_and_uncounted_ones_are_not() -> None:
    assert [f.state for f in disk.judge_disks({"disk.data": space("/d", 99 * GB, files=5000)}, built=True)] == [
        "warning"
    ]
    assert [f.state for f in disk.judge_disks({"disk.data": space("/d", 99 * GB, files=None)}, built=True)] == ["ok"]


# — the data folder —


def test_a_folder_that_cannot_be_used_is_a_problem() -> None:
    good = space("/data", GB)
    directory, file = 0o040755, 0o100644
    assert folders.judge_folder(FOLDER, good, directory, chosen=True).state == "ok"
    assert folders.judge_folder(FOLDER, good, file, chosen=True).state == "problem"
    closed = dataclasses.replace(good, writable=False)
    assert "cannot be written" in folders.judge_folder(CACHE, closed, directory, chosen=True).what
    absent = dataclasses.replace(good, present=Path("/"))
    assert folders.judge_folder(FOLDER, absent, 0, chosen=False).what == "/data, which is made when it is needed"
    assert folders.judge_folder(FOLDER, dataclasses.replace(absent, writable=False), 0, chosen=False).state == (
        "problem"
    )
    for kind in ("nfs4", "cifs"):
        remote = dataclasses.replace(good, file_system=kind)
        assert folders.judge_folder(FOLDER, remote, directory, chosen=True).state == "warning"
        assert folders.judge_folder(CACHE, remote, directory, chosen=True).state == "ok"
    assert folders.judge_folder(FOLDER, good, 0o040777, chosen=True).state == "warning"
    assert folders.judge_folder(FOLDER, good, 0o041777, chosen=True).state == "ok"


def test_outputs_that_were_not_saved_are_named_and_not_called_left_over() -> None:
    found = folders.judge_unsaved([Path("/data/unsaved/hello")])
    assert found.state == "note" and found.details == "/data/unsaved/hello" and "remove" not in str(found.fix)
    assert folders.judge_unsaved([]).state == "ok"


STEPS = frozenset({"m001", "m002"})
WHOLE = DatabaseInspection(9, (), STEPS, STEPS, {"card": {1: "a", 2: "b"}})
PATH = Path("/data/pycomfy.db")


def test_a_database_is_judged_by_what_it_is() -> None:
    def judged(**facts: object) -> Finding:
        return versions.judge_database(PATH, dataclasses.replace(WHOLE, **facts))  # type: ignore[arg-type]

    assert judged().state == "ok" and versions.judge_database(PATH, None).what == "none yet"
    damaged = judged(damage=("row 3 missing", "page 7"))
    assert damaged.state == "problem" and "row 3 missing" in damaged.what and damaged.details.endswith("page 7")
    assert isinstance(damaged.fix[0], Fix) and damaged.fix[0].action == "reindex"
    assert judged(applied=STEPS | {"m999"}).state == "problem"
    older = judged(applied=frozenset({"m001"}))
    assert older.state == "ok" and "1 step behind" in older.what


def test_the_database_is_compared_with_the_newest_versions() -> None:
    assert versions.judge_index(WHOLE, {"card": "b"}).state == "ok"
    assert versions.judge_index(WHOLE, {"card": "b", "strange/../name": "x"}).state == "ok"
    for tips, names in (({"card": "c"}, "card"), ({"card": "b", "new": "d"}, "new"), ({}, "card")):
        found = versions.judge_index(WHOLE, tips)
        assert found.state == "note" and names in found.what
    gone = versions.judge_index(WHOLE, None)
    assert gone.state == "problem" and "2 versions" in gone.what
    assert versions.judge_index(None, None).state == "ok"
    assert versions.judge_index(dataclasses.replace(WHOLE, damage=("x",)), {}).state == "unknown"


def test_a_damaged_versions_repository_is_a_problem() -> None:
    assert versions.judge_versions(Path("/x.git"), {"card": "a"}, ()).what == "whole, 1 workflow"
    found = versions.judge_versions(Path("/x.git"), {"card": "a"}, [f"missing blob {n}" for n in range(9)])
    assert found.state == "problem" and found.details.endswith("and 4 more")


def test_images_without_a_root_will_be_lost() -> None:
    one, two = Path("/data/images/sha256-1"), Path("/data/images/sha256-2")
    assert images.judge_images([one, two], set(), {one, two}).state == "ok"
    moved = images.judge_images([one, two], set(), {Path("/old/images/sha256-1"), two})
    assert moved.state == "warning" and "1 of 2 images" in moved.what
    assert images.judge_images([one, two], {one}, {two}).state == "note"
    assert images.judge_images([one], set(), None).state == "ok"
    assert images.judge_images([], set(), None).what == "none yet"
